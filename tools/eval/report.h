// SPDX-License-Identifier: LGPL-2.1-or-later
//
// report.h - what was measured, as JSON, as a page and for a terminal. The same
// vectors give the same bytes: a report has no times.

#pragma once

#include "tools/eval/classify.h"
#include "tools/eval/dataset.h"
#include "tools/eval/retrieve.h"

typedef struct {
    const Dataset *dataset;
    PeEngine *engine;
    int n_frames;                         // of a video; 0: pictures
    char **templates;                     // of a classification
    const Classification *classification; // either
    const Retrieval *retrieval;           // or
} Report;

// How many items have no vector.
guint report_count_skipped(const Report *report);

// One object, whose keys docs/evaluation.md explains. Returns, g_free().
char *report_make_json(const Report *report);

// A page that needs nothing else. Returns, g_free().
char *report_make_html(const Report *report);

// The figures, a line each, on standard output.
void report_print(const Report *report);
