// SPDX-License-Identifier: LGPL-2.1-or-later
//
// csv.h - a CSV file with a header, as spreadsheets and data sets write it:
// RFC 4180, with any end of line and with or without a byte order mark.

#pragma once

#include "core/pe.h"

typedef struct {
    guint line;        // of the file, where the row begins; from 1
    GPtrArray *fields; // char *
} CsvRow;

typedef struct {
    char *path;
    GPtrArray *rows; // CsvRow, the first is the header
} Csv;

// NULL with an error when the file cannot be read, is no UTF-8 or has no
// header. Returns, csv_free().
Csv *csv_open(const char *path, GError **error);
void csv_free(Csv *csv);

// The number of the column that has one of the names ("path|video_id"), or -1.
int csv_find_column(const Csv *csv, const char *names);

// The same, or -1 with an error that says which columns are there.
int csv_need_column(const Csv *csv, const char *names, GError **error);

// Field of a row, or NULL with an error that names line, found and expected.
const char *csv_get(const Csv *csv, guint row, int column, GError **error);
