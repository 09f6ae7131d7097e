// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetracker.h - the events of one stream, or of one region of it: results
// in, what they make known out. Keeps the history of the camera in its file.
// The rules are PeEvents'.

#pragma once

#include "core/pe.h"
#include "gst/meta/gstpemeta.h"

#include <stdbool.h>

// As the user set it; times in milliseconds.
typedef struct {
    double threshold; // score; 0: no events
    double release;   // score; 0: half of the threshold
    guint smoothing;
    guint min_duration;
    guint merge_gap;
    guint cooldown;
    guint update_interval;
    double alarms_per_day; // 0: no budget
} GstPeEventSettings;

// A clip, as far as events are concerned. Everything is borrowed.
typedef struct {
    GstClockTime start, end; // running time
    // By other clocks at the same times: played backwards, the start is later.
    // GST_CLOCK_TIME_NONE where not known.
    GstClockTime stream_start, stream_end;
    GstClockTime wall_start, wall_end;
    GstClockTime step;      // from clip to clip; 0: not known
    const float *evidence;  // [n_labels] of the clip's labels
    const float *embedding; // [dim]
    int dim;
} GstPeTracked;

typedef struct _GstPeTracker GstPeTracker;

// One owner. The element is borrowed; warnings are posted on its bus. So is
// `next_id`, the id of the next event that begins: trackers of one thread may
// share it, so that their events have ids of their own.
GstPeTracker *gst_pe_tracker_new(GstElement *element, guint64 *next_id);
// Nothing may be open.
void gst_pe_tracker_free(GstPeTracker *tracker);

// Where the history is kept; NULL or "": nowhere. Counts from the next label
// set on.
void gst_pe_tracker_set_file(GstPeTracker *tracker, const char *path);

// Whose events there are; borrowed, NULL: nobody's.
PeLabels *gst_pe_tracker_get_labels(GstPeTracker *tracker);
// Would clips of these labels go on with the same events? NULL: no labels.
bool gst_pe_tracker_goes_on(const GstPeTracker *tracker,
                            const PeLabels *labels);

// The next clip. Events of other labels, or by other settings, end first.
//   labels  NULL: none
// Returns whether it is followed.
bool gst_pe_tracker_push(GstPeTracker *tracker,
                         const GstPeEventSettings *settings, PeLabels *labels,
                         const GstPeTracked *clip);

// How unusual a label is at the last clip, which was followed; NaN without a
// history.
double gst_pe_tracker_get_p_value(const GstPeTracker *tracker, int label);

// The stream ends, or goes on with other times: ends every event.
void gst_pe_tracker_end(GstPeTracker *tracker);

// The same, and the file is written; may wait for that.
void gst_pe_tracker_stop(GstPeTracker *tracker, bool wait);

// What was made known since the last call: GstPeLabelEvent, valid until the
// next call of any of these.
const GstPeLabelEvent *gst_pe_tracker_take(GstPeTracker *tracker, guint *n);
