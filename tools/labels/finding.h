// SPDX-License-Identifier: LGPL-2.1-or-later
//
// finding.h - one thing that pe-labels has to say about a labels file, as a
// line for people and as an object for machines. Knows no model.

#pragma once

#include <glib.h>

#include "tools/json_line.h"

typedef enum {
    FINDING_ERROR,   // these scores say nothing
    FINDING_WARNING, // worse than it could be
    FINDING_ADVICE,
} FindingLevel;

typedef struct {
    FindingLevel level;
    const char *kind; // "equal-labels", ...; static
    char *message;    // what is, and what to do
    char *label;      // that it is about; NULL: about all
    char *other;      // the other label or negative; NULL: there is none
    double cosine;    // of both; NaN: not measured
    GPtrArray *texts; // char *, that are proposed or lost; NULL: none
} Finding;

// Returns an empty list of Finding *, g_ptr_array_unref().
GPtrArray *findings_new(void);

// Add a finding; the caller may set its other members.
G_GNUC_PRINTF(4, 5)
Finding *findings_add(GPtrArray *findings, FindingLevel level, const char *kind,
                      const char *format, ...);

guint findings_count(const GPtrArray *findings, FindingLevel level);

// A line each on standard output.
void findings_print(const GPtrArray *findings);
// As a list.
void findings_add_to_json(const GPtrArray *findings, JsonLine *j);

// `text` quoted for a message, and cut if it is very long. Returns, g_free().
char *finding_quote(const char *text);
// The texts quoted, with commas. Returns, g_free().
char *finding_quote_all(const GPtrArray *texts);
