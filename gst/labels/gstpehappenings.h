// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpehappenings.h - the events of labels in the data flow of an element: of
// whole frames, or of one region. (Not what GStreamer calls an event.) A result
// carries those that its clip made known. Those that end without another clip
// get a result of their own, which has no frames. Each is also a message.

#pragma once

#include "gst/events/gstpetracker.h"
#include "gst/result/gstpefinding.h"

typedef struct {
    GstElement *element; // borrowed
    GstPeTracker *tracker;
    bool in_segment; // results can be sent
    bool ended;      // the end has been sent: clips that come late are too late
    // Of the last clip.
    char *source, *stream_id;
    GstPeRegion *region; // NULL: the whole picture
    GstPeTimes first, last;
    double *p_values; // of its labels; NULL: none so far
} GstPeHappenings;

// All of it on the thread that sends results, or while there is none.
//   next_id  of events; see gst_pe_tracker_new()
void gst_pe_happenings_init(GstPeHappenings *h, GstElement *element,
                            guint64 *next_id);
void gst_pe_happenings_clear(GstPeHappenings *h);
//   path  of the history; see gst_pe_tracker_set_file()
void gst_pe_happenings_start(GstPeHappenings *h, const char *path);
// What is still open ends, and is not told. The history is written; may wait
// for that.
void gst_pe_happenings_stop(GstPeHappenings *h, bool wait);

// The next clip: *finding has all but its events and p-values, which it gets;
// they are valid until the next call of any of these.
//   step  from clip to clip; 0: not known
void gst_pe_happenings_follow(GstPeHappenings *h,
                              const GstPeEventSettings *settings,
                              GstClockTime step, GstPeFinding *finding);

// Is what is open about other labels?
bool gst_pe_happenings_differ(const GstPeHappenings *h, PeLabels *labels);

// Something passes that ends events, or after which they can be told.
void gst_pe_happenings_flushed(GstPeHappenings *h);
void gst_pe_happenings_passed(GstPeHappenings *h, GstEventType type);

// End what is open. false: nothing is to be told, or not before the next
// segment. *finding becomes that of a result without frames, but for its
// element, its sequence and its engine.
bool gst_pe_happenings_end(GstPeHappenings *h, GstPeReason reason,
                           GstPeFinding *finding);
// The same for what has ended before, and for nothing else.
bool gst_pe_happenings_tell(GstPeHappenings *h, GstPeReason reason,
                            GstPeFinding *finding);
