// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpestream.h - what is known about the stream that comes in, whether its
// frames wait, and where its clips go. Used by the functions of the sink pad,
// which are in gstpeinput.c (frames) and gstpeevents.c.
//
// Owned by the streaming thread of the sink pad, or by the thread that changes
// the element's state while the pads are inactive, or by the one that flushes.

#pragma once

#include "gst/inference/flow/gstpeclips.h"
#include "gst/inference/flow/gstpeingest.h"
#include "gst/inference/flow/gstpeshared.h"
#include "gst/result/gstpesource.h"
#include "gst/video/gstpeorientation.h"

// Frames that may be held while a clip is computed: enough to fill a usual
// batch, few enough that decoders can lend them.
#define GST_PE_STREAM_MIN_HELD 16
// How long the end of a live stream waits for the last results, and for how
// long a late result is still wanted.
#define GST_PE_STREAM_LAST_RESULTS_US (2 * G_USEC_PER_SEC)

typedef struct {
    GstPeShared *shared; // borrowed
    PeEngine *engine;    // borrowed, while started
    PeClient *client;    // borrowed, while started
    GstPeIngest *ingest;
    GstPeSource source;
    GstPeOrientation orientation; // by the tags
    GstSegment segment;
    GstVideoInfo info;
    bool cuda_caps; // which promise CUDA memory
    GstPeClips *clips;
    GstPeRegions *regions;  // that are looked at; NULL: none
    uint64_t n_looked;      // sampled frames since these regions are in use
    uint32_t told_outside;  // bit n: that region n lies outside the picture
    guint max_jobs;         // of a frame so far
    bool told_crowded;      // that a frame has too many objects
    GstClockTime next_time; // of a frame without a timestamp, for the sampler
    bool told_untimed;      // that there is nothing to sample by
    bool live_known;
    bool live;
    bool exact;   // every sampled frame is embedded
    bool carries; // frames carry results
    bool holds;   // and the last of a clip waits for its own
} GstPeStream;

// Find out whether frames wait, before the first of them or the answer to an
// ALLOCATION query.
void gst_pe_stream_update_mode(GstPeStream *stream);

// Use what the properties say now about sampling and regions.
void gst_pe_stream_configure(GstPeStream *stream,
                             const GstPeSettings *settings);
// A sampled frame has so many parts: none of them is to push the others out of
// the engine's queue.
void gst_pe_stream_expect_jobs(GstPeStream *stream,
                               const GstPeSettings *settings, guint n);

// Each of these takes the clip, which may be NULL: nothing happens then.

// Whose result it will be. Returns the clip.
GstPeClip *gst_pe_stream_sign(GstPeStream *stream, GstPeClip *clip);
// Its result is sent when it is there. `for_frames`: frames behind it may carry
// it.
void gst_pe_stream_let_go(GstPeStream *stream, GstPeClip *clip,
                          bool for_frames);
// It ends here without a frame of its own. What is live, or must not stop, does
// not wait for it.
void gst_pe_stream_cut(GstPeStream *stream, GstPeClip *clip);

// The next frame comes, or something else that has a time: clips that end
// before it are sent. After PE_ORDER_DOUBT, it is kept aside.
PeOrder gst_pe_stream_arrive(GstPeStream *stream, const PeMoment *moment);
// Until then, or as long as it says itself (NULL), the last frame is on screen.
void gst_pe_stream_hold(GstPeStream *stream, const PeMoment *next);
// It goes on at another time.
void gst_pe_stream_jump(GstPeStream *stream);
// It ends, and its results come before what follows, unless that would hold up
// what is live: in front of another stream, or for good.
void gst_pe_stream_switch(GstPeStream *stream);
void gst_pe_stream_end(GstPeStream *stream);
// Forget it.
void gst_pe_stream_reset(GstPeStream *stream);
