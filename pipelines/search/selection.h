// SPDX-License-Identifier: LGPL-2.1-or-later
//
// selection.h - where is looked: which files of an archive, and which frames of
// them.

#pragma once

#include "pipelines/index/archive.h"

typedef struct {
    char **folders;     // NULL, or folders (or files) of which one must hold it
    const char *camera; // NULL, or the name of one of the folders it is in
    const char *words;  // NULL, or what archive_list_files_with() is asked for
    gint64 since, until;  // ns since 1970; -1: whenever
    int day_from, day_to; // minutes of the local day, from until before; -1
} SelectionParams;

// A content that is looked at, and the file by which it is told.
typedef struct {
    ArchiveRows rows;
    ArchiveFile *file;
    guint n_copies; // other files that have it
} SelectedContent;

typedef struct {
    GArray *contents; // SelectedContent, by first row
    GArray *rows;     // guint64, ascending
    guint n_timeless; // files left out because nobody knows when they are from
} Selection;

// NULL with the error.
Selection *selection_new(Archive *archive, const SelectionParams *params,
                         GError **error);
void selection_free(Selection *selection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Selection, selection_free)

// Make a search look at these rows.
void selection_apply(const Selection *selection, const PeRows *rows,
                     PeSearch *search);

// The content that has a row; NULL: none that was selected.
const SelectedContent *selection_find(const Selection *selection, guint64 row);

// "2024-07-01", "2024-07-01T22:30" or with seconds and zone; local time
// without.
bool selection_parse_time(const char *text, gint64 *time, GError **error);
// "22:00-06:00"
bool selection_parse_day(const char *text, int *from, int *to, GError **error);
