// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewebvtt.h - events as cues of WebVTT, which players show beside a video.
// Source: WebVTT, W3C Candidate Recommendation of 2019, section 4.

#pragma once

#include "gst/meta/gstpemeta.h"

// One owner. Zeros are a file that has not begun.
typedef struct {
    GQueue cues;   // of events that have begun, in the order of their starts
    gboolean head; // the first line has been written
} GstPeWebvtt;

void gst_pe_webvtt_clear(GstPeWebvtt *vtt);

// What an event that a result made known adds to the file. A cue needs its end,
// and cues come in the order of their starts, so it may be some or none.
// Returns a text, maybe empty.
GString *gst_pe_webvtt_add(GstPeWebvtt *vtt, const GstPeResult *result,
                           const GstPeLabelEvent *event);

// The end of the file: what waits for others, and the first line if there was
// no event. Returns the same.
GString *gst_pe_webvtt_end(GstPeWebvtt *vtt);
