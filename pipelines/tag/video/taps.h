// SPDX-License-Identifier: LGPL-2.1-or-later
//
// taps.h - where frames and results leave the pipeline of a video for the
// archive.

#pragma once

#include <gst/gst.h>

#include "gst/video/gstpeorientation.h"
#include "pipelines/tag/collector.h"
#include "thumbnail.h"

// How far a video is by now.
typedef struct {
    gint64 position; // ns that have been decoded
    guint64 n_frames, n_results;
    bool has_ended; // behind the last result
} TapsProgress;

// Frames come in on one thread, results on another.
typedef struct {
    Collector *collector; // of the thread of the results
    gint64 period;        // ns between two samples; 0: each frame is one
    bool with_pictures;

    GMutex lock; // of all below
    GstSegment segment;
    GstClockTime first_pts; // of the first frame; GST_CLOCK_TIME_NONE: none yet
    gint64 first;           // and its stream time, where the grid begins
    Thumbnailer *thumbnailer;
    GstPeOrientation orientation;
    GstCaps *caps;
    GQueue pictures;   // of samples whose results have not come yet
    gint64 last_point; // of the sampling grid that has a picture
    int width, height; // pixels
    TapsProgress progress;
} Taps;

// Watch the frames that go into `sinkpad` and the results that come to
// `resultpad`. Borrows the collector. The taps must outlive the pipeline.
void taps_init(Taps *taps, Collector *collector, gint64 period,
               bool with_pictures, GstPad *sinkpad, GstPad *resultpad);
void taps_clear(Taps *taps);

// Any thread.
TapsProgress taps_get_progress(Taps *taps);
// Returns the timestamp of the first frame; GST_CLOCK_TIME_NONE: none yet.
GstClockTime taps_get_first(Taps *taps);
// Something with this time has been read.
void taps_move(Taps *taps, gint64 position);
