// SPDX-License-Identifier: LGPL-2.1-or-later
//
// output.h - moments as people and other programs read them.

#pragma once

#include "moments.h"

// A table on standard output. `with_parts`: also what each part of the query
// contributes.
void output_table(const GPtrArray *moments, const Query *query,
                  bool with_parts);
// A JSON object a line.
void output_json(const GPtrArray *moments, const Query *query);
// One of them. With its line, also what a page needs. Returns, g_free().
char *output_describe(const Moment *moment, const Query *query, guint rank);

// A name on one line, whatever bytes it has. Returns, g_free().
char *output_printable(const char *name);
// When a moment was, as "2024-07-01T22:30:05Z"; NULL: not known. g_free().
char *output_wall_time(const Moment *moment);
// "1:02:03.5". Returns, g_free().
char *output_time(gint64 time);
