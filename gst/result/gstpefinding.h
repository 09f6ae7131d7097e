// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpefinding.h - what an element knows when a clip has been embedded, and the
// result that is made of it.

#pragma once

#include "core/pe.h"
#include "gst/meta/gstpemeta.h"
#include "gst/video/gstpetimes.h"

// Everything is borrowed.
typedef struct {
    // Whose.
    const char *source; // see gstpesource.h; may be NULL
    const char *stream_id;
    const char *element; // its name
    guint64 sequence;

    // The clip.
    GstPeTimes first; // frame
    GstPeTimes last;
    guint n_frames; // that were embedded
    GstPeReason reason;
    const GstPeRegion *region; // NULL: the whole picture
    const char *window;        // its name, or NULL
    const float *embedding;    // [dim] of the engine, unit length

    // How it is judged.
    PeEngine *engine;
    PeLabels *labels; // NULL: not at all
    guint top_k;
    double threshold;
    gboolean attach_embedding;
} GstPeFinding;

// Scores the embedding. Returns a reference.
GstPeResult *gst_pe_finding_to_result(const GstPeFinding *finding);
