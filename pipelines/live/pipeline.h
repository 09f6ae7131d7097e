// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pipeline.h - the elements of a stream: source, decoder, peinference and
// pemetaconvert, and what looks at what passes between them. Knows no thread
// and no supervision.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

#include "gst/meta/gstpemeta.h"
#include "pipelines/live/address.h"
#include "pipelines/live/wall_clock.h"

typedef struct {
    const Address *address; // borrowed while the pipeline lives
    char *transport;        // "tcp", "udp" or "auto"
    GstElement *overlay;    // borrowed: a peoverlay for pictures; NULL: none
    GstElement *health;     // borrowed: a pehealth; NULL: none
} StreamPlan;

// Who wants pictures, each for itself: the decoder's, or with what was found
// drawn on them.
typedef enum {
    PICTURE_THUMBNAIL,
    PICTURE_MOMENT,
    N_DECODED,
    PICTURE_OVERLAY = N_DECODED,
    N_PICTURES,
} PictureUse;

// What the decoder gave. Written by the streaming thread; the first four are
// read by any.
typedef struct {
    gint64 last_frame; // when it came, monotonic, us
    guint64 n_frames;
    gint wanted[N_PICTURES];         // a picture
    GstSample *pictures[N_PICTURES]; // that were; whoever takes one sets NULL
    WallClock clock;
} PipelineCounts;

// Whom to tell what was found. Called on streaming threads, which must not
// wait.
typedef struct {
    void (*result)(GstPeResult *result, void *user_data); // borrowed, each once
    void (*line)(const char *text, gsize size, void *user_data); // of JSON
    void *user_data;
    const char *health; // name of the pehealth; NULL: none
    // Sequence that the next result has at least: of peinference, of pehealth.
    guint64 next[2];
} PipelineFindings;

// Put all elements into an empty pipeline.
//   inference   borrowed; gets a place in the pipeline, as those of the plan do
//   seen, findings  borrowed while the pipeline lives
bool pipeline_build(GstElement *pipeline, GstElement *inference,
                    const StreamPlan *plan, PipelineCounts *seen,
                    PipelineFindings *findings, GError **error);
