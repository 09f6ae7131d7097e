// SPDX-License-Identifier: LGPL-2.1-or-later
//
// report.h - what streams tell, on standard output: JSON lines, lines for
// people, or on a terminal a view that is drawn twice a second.

#pragma once

#include "pipelines/live/report/writer.h"
#include "pipelines/live/streams.h"

typedef enum { REPORT_JSON, REPORT_LINES, REPORT_VIEW } ReportKind;

typedef struct {
    ReportKind kind;
    Writer *writer;
    const Streams *streams; // borrowed; NULL: there are none yet
    guint timer;            // of REPORT_VIEW
    int n_drawn;            // lines of the view on the screen
} Report;

// on_broken: standard output takes nothing any more.
void report_start(Report *report, ReportKind kind,
                  void (*on_broken)(void *user_data), void *user_data);
void report_set_streams(Report *report, const Streams *streams);
// Returns 0, or the errno of a write to standard output that failed.
int report_end(Report *report);

// A StreamListener that writes to the report.
StreamListener report_get_listener(Report *report);
