// SPDX-License-Identifier: LGPL-2.1-or-later
//
// report.h - what has been measured so far, as one JSON object that is written
// anew after every number: whoever stops the program keeps what there is. One
// report a program, one thread.

#pragma once

#include <json-glib/json-glib.h>

// Where it is written, each time as a whole; NULL: only report_print() shows
// it. Borrows.
void report_open(const char *path);

// Members of the object. What is not finite becomes null.
void report_text(const char *name, const char *text);
void report_number(const char *name, double value);
// Median and 95th percentile.
void report_pair(const char *name, const double values[2]);

// Append to a list of the object, which is made if it is new. Written with the
// next number, or by report_save().
void report_line(const char *list, const char *text);
// An object; borrowed from the report. Filled by row_number() and row_pair().
JsonObject *report_row(const char *list);
void row_number(JsonObject *row, const char *name, double value);
void row_pair(JsonObject *row, const char *name, const double values[2]);

void report_save(void);
// The object on standard output, in one line.
void report_print(void);
