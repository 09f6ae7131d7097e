// SPDX-License-Identifier: LGPL-2.1-or-later
//
// remote.h - an archive of which most is elsewhere. What files and contents
// there are is in memory; frames, segments and vectors are asked for when they
// are needed. A search sees an archive like any other, if it says before it
// looks at rows which they are (archive_fetch()).

#pragma once

#include "archive.h"

typedef struct {
    // Add to `rows` (guint64) those that are among the k nearest to one of the
    // queries, and maybe others, and hand their values to archive_put_row().
    //   queries   [n_queries, row_dim] of unit length
    //   selected  [n_selected] ascending, the only rows that count; NULL: all
    bool (*find_near)(Archive *archive, void *data, const float *queries,
                      int n_queries, int k, const uint64_t *selected,
                      size_t n_selected, GArray *rows, GError **error);
    // Hand the values of these rows to archive_put_row(); of those that are
    // there.
    bool (*read_rows)(Archive *archive, void *data, const uint64_t *rows,
                      size_t n, GError **error);
    // As archive_read_content().
    ArchiveContent *(*read_content)(void *data, gint64 id, GError **error);
    // Of the segment that has a frame of a content; NULL without an error:
    // none. Returns, g_bytes_unref().
    GBytes *(*read_thumbnail)(void *data, gint64 content, gint64 frame,
                              GError **error);
    // Hand the labels with at least this score to archive_put_remote_labels().
    bool (*read_labels)(Archive *archive, void *data, double least,
                        GError **error);
    // From here on, what is read is from one moment, until release(). It is
    // held already when the archive is made. *same: that is what was read of
    // files and contents.
    bool (*hold)(void *data, bool *same, GError **error);
    void (*release)(void *data);
    void (*close)(void *data);
} ArchiveRemote;

// Make one without contents.
//   name    for errors
//   n_rows  a row's number is below
// Takes `data`. Returns, archive_close(); NULL with the error.
Archive *archive_open_remote(const char *name, const ArchiveModel *model,
                             gint64 n_rows, const ArchiveRemote *remote,
                             void *data, GError **error);
// Between these two, say what there is. Copies.
bool archive_begin_remote(Archive *archive, GError **error);
bool archive_end_remote(Archive *archive, GError **error);
//   rows  of the content, which has this id
//   sum   their checksum
bool archive_put_remote_content(Archive *archive, const ArchiveRows *rows,
                                const char *sum, GError **error);
bool archive_put_remote_file(Archive *archive, const ArchiveFile *file,
                             GError **error);
//   labels  each once and in a line of its own, in the order of their bytes
bool archive_put_remote_labels(Archive *archive, gint64 content,
                               const char *labels, GError **error);
// The values of a row, [dim].
uint16_t *archive_put_row(Archive *archive, guint64 row);
