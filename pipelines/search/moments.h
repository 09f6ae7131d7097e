// SPDX-License-Identifier: LGPL-2.1-or-later
//
// moments.h - where in an archive a query is found: stretches of time, not
// frames.

#pragma once

#include "gauge.h"

#define MOMENT_LINE 120 // parts of a file, each with its best score

typedef struct {
    const ArchiveFile *file; // of the selection
    gint64 content;
    guint n_copies;     // other files with the same content
    gint64 start, end;  // ns from the beginning of the file
    gint64 duration;    // of the file, as far as it is known
    gint64 peak;        // ns, where the frame begins that fits best
    double score;       // of that frame: the least of its parts
    Measure *parts;     // [n_parts] what it is for each part of the query
    gint64 row;         // of the peak
    gint64 first, last; // rows
    float *vector;      // [row_dim] of the peak
    float *line;        // [MOMENT_LINE] the scores of all of the file, 0 where
                        // nothing fits; NULL: not asked for
    GBytes *thumbnail;  // of the segment that holds the peak; NULL: none
    char *label;        // its best one; NULL: none
} Moment;

typedef struct {
    int top;      // moments at most
    int per_file; // of one content; 0: any number
    bool with_lines;
} MomentParams;

// Best first; moments of one content do not overlap.
//   gauges  [n_parts]
// Returns Moment *, g_ptr_array_unref(), empty when nothing is like the query;
// NULL with the error.
GPtrArray *moments_find(Archive *archive, const Query *query,
                        const Gauge *gauges, const PeRows *rows,
                        const Selection *selection, const MomentParams *params,
                        GError **error);
