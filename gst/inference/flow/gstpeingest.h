// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeingest.h - a frame becomes jobs, one for each part of it that is looked
// at: it is mapped, preprocessed and submitted, all at once. A region that need
// not be embedded again gets the job of an earlier frame. This happens on the
// caller's thread, or on a thread of its own where a frame must not wait for
// it. Then one frame is at work and one waits; a newer one takes the place of
// the one that waits.

#pragma once

#include "gst/inference/flow/gstpeshared.h"

#include <gst/video/video.h>

typedef struct {
    GstBuffer *buffer;        // borrowed
    const GstVideoInfo *info; // borrowed
    bool cuda_caps;           // which promise CUDA memory
    PeOrientation orientation;
    GstPeInferenceHdr hdr;
    guint reclassify_interval; // see gst_pe_reuse_fill()
    int64_t arrival;           // of its frame, monotonic us
    int64_t deadline;          // see PeSubmit
    int64_t expire;
} GstPeShot;

typedef struct _GstPeIngest GstPeIngest;

GstPeIngest *gst_pe_ingest_new(GstPeShared *shared);
void gst_pe_ingest_free(GstPeIngest *ingest);

// Borrows both until gst_pe_ingest_stop(), which waits for the frame at work.
void gst_pe_ingest_start(GstPeIngest *ingest, PeEngine *engine,
                         PeClient *client);
void gst_pe_ingest_stop(GstPeIngest *ingest);

// On this thread. false after an error was posted; the tickets are filled
// either way.
bool gst_pe_ingest_now(GstPeIngest *ingest, const GstPeShot *shot,
                       GstPeParts *parts);
// Later, unless a newer frame comes before its turn. Takes references. An error
// is posted and ends the queue's flow.
void gst_pe_ingest_later(GstPeIngest *ingest, const GstPeShot *shot,
                         GstPeParts *parts);
// Nothing of frames so far counts for those to come.
void gst_pe_ingest_forget(GstPeIngest *ingest);
// All frames so far are wanted now, without waiting for fuller batches.
void gst_pe_ingest_run_now(GstPeIngest *ingest);
