// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewindow.h - embedded samples of one thing become clips: a number of
// samples, which are counted as peinference counts them, or all samples of a
// length of time. One owner.

#pragma once

#include "core/pe.h"
#include "gst/meta/gstpemeta.h"
#include "gst/video/gstpetimes.h"

#include <stdbool.h>

typedef struct {
    GstClockTime length; // of the time; 0: by the number of samples
    GstClockTime stride; // from start to start
    int clip_length;     // samples
    int clip_stride;     // samples; 0: clip_length
} GstPeWindowSpec;

// A clip that has ended. Everything is borrowed.
typedef struct {
    const float *const *embeddings; // [n], not unit
    int n;                          // more than 0
    GstPeReason reason;
    GstPeTimes first, last;
    GstClockTime step; // from clip to clip; 0: not known
    bool ends_here;    // with the sample that was just added
} GstPeCut;

typedef void (*GstPeCutFunc)(const GstPeCut *cut, void *user_data);

typedef struct _GstPeWindow GstPeWindow;

// `counted`: a number that samples leave out in their stretch is a sample that
// could not be embedded; otherwise there was nothing to embed.
GstPeWindow *gst_pe_window_new(const GstPeWindowSpec *spec, bool counted,
                               GstPeCutFunc func, void *user_data);
void gst_pe_window_free(GstPeWindow *window);

// The next sample. Those of another stretch, and those whose numbers do not
// grow, begin anew; what was there before ends.
//   embedding  [dim], not unit; takes it, g_free()
void gst_pe_window_add(GstPeWindow *window, guint64 stretch, guint64 number,
                       const GstPeTimes *times, float *embedding);

// The stretch ends here: what is not complete is a partial clip.
void gst_pe_window_finish(GstPeWindow *window, GstPeReason reason);
// Forget everything.
void gst_pe_window_reset(GstPeWindow *window);

// When the last sample ended, in running time; GST_CLOCK_TIME_NONE: not known.
GstClockTime gst_pe_window_get_end(const GstPeWindow *window);
