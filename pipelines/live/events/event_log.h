// SPDX-License-Identifier: LGPL-2.1-or-later
//
// event_log.h - the events of one stream in the last hour: for the time line of
// the page and the terminal. Knows no stream and no file.

#pragma once

#include <stdbool.h>

#include "gst/meta/gstpemeta.h"

#define EVENT_LOG_TIME (G_GINT64_CONSTANT(60) * 60 * G_USEC_PER_SEC)

typedef struct {
    guint64 serial; // of this program, whatever element it came from; ascending
    GstPeResult *result; // that told of it last
    guint64 id;          // of its element
    char *label;
    char *title; // the label, behind the name of its region, if it has one
    gint64 start, end; // UNIX time, us; the end so far
    double peak_score;
    GstPeEventPhase phase; // that was told last
} LoggedEvent;

// Zeros are an empty one.
typedef struct {
    GQueue events; // LoggedEvent, in the order in which they began
} EventLog;

void event_log_clear(EventLog *log);

// What the result tells of its event number `index`. Returns the event,
// borrowed until the next call of any of these.
const LoggedEvent *event_log_add(EventLog *log, GstPeResult *result,
                                 guint index);
// The stream ended without telling the end of an event: it is over. Returns
// one that was not, borrowed, or NULL when there is none.
const LoggedEvent *event_log_end_next(EventLog *log);

bool event_log_is_over(const LoggedEvent *event);
