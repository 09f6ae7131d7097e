// SPDX-License-Identifier: LGPL-2.1-or-later
//
// archive_private.h - what the sources of an archive share.

#pragma once

#include "gst/database/database.h"

#include "archive.h"
#include "packs.h"
#include "remote.h"

struct Archive {
    guint64 number; // see archive_get_number()
    char *folder;
    int lock; // descriptor; -1: reader
    Database *database;
    Packs packs;
    char *model; // its name
    char *fingerprint;
    int dim;
    float *probes; // [n_probes, dim]
    int n_probes;
    gint64 version; // of the tables
    gint64 n_rows;  // that count; of a reader, when it last listed them
    PackMap map;
    PeRows rows;                 // the mapped ones
    const ArchiveRemote *remote; // NULL: all of it is in the folder
    void *remote_data;
    guint8 *has_row; // of a remote one: a bit for each row that is here
};

// The tables of a new archive.
bool archive_make_tables(Database *database, GError **error);
// Those of them that have frames and segments.
bool archive_make_parts_tables(Database *database, GError **error);
// A transaction around what `func` does. false: nothing has changed.
typedef bool (*ArchiveStep)(Archive *archive, void *data, GError **error);
bool archive_change(Archive *archive, ArchiveStep func, void *data,
                    GError **error);
// n rows as a checksum. Returns, g_free().
char *archive_sum_rows(const void *rows, size_t size);
// What is known about a content but its frames and segments. Returns,
// archive_content_free(); NULL with the error.
ArchiveContent *archive_read_content_facts(Archive *archive, gint64 id,
                                           GError **error);
// In a transaction: add a content, still without frames and segments, whose n
// vectors are those from first_row on and have that checksum. *id: the new one.
bool archive_insert_content(Archive *archive, const ArchiveContent *content,
                            gint64 first_row, gint64 n, const char *sum,
                            gint64 *id, GError **error);

// In a transaction: add its frames and segments.
bool archive_insert_parts(Archive *archive, gint64 id,
                          const ArchiveContent *content, GError **error);

// What the database says of the rows of a content.
typedef struct {
    gint64 first, n;
    char *sum; // g_free()
} StoredRows;
bool archive_find_stored(Archive *archive, gint64 content, StoredRows *stored,
                         GError **error);
// The ids (gint64) of all contents; NULL with the error.
GArray *archive_list_contents(Archive *archive, GError **error);
// Has each content as many frames as vectors? PE_ERROR_FORMAT names one that
// has not.
bool archive_check_frames(Archive *archive, GError **error);
// Add a content to a dump.
//   sum  of its rows
void archive_dump_content(const ArchiveContent *content, const char *sum,
                          GString *out);

// How far the probes of a model are those of an archive: the least of their
// cosines, or 0 for another dimension.
float archive_compare_model(const Archive *archive, const ArchiveModel *model);
float archive_compare_models(const ArchiveModel *a, const ArchiveModel *b);
// From this cosine on it is the same model.
#define ARCHIVE_MIN_COSINE 0.999f
// An ArchiveStep: bring the tables of version 1 to version 2.
bool archive_upgrade_tables(Archive *archive, void *data, GError **error);
// What made an archive; borrows from it.
ArchiveModel archive_describe_model(const Archive *archive);
// Make an archive in a folder of which nothing is kept but the lock. Its words
// are still to be made. What is written reaches the disk with archive_finish(),
// and when anything fails, all of it is worth nothing. NULL with the error.
Archive *archive_create(const char *folder, const ArchiveModel *model,
                        GError **error);
bool archive_finish(Archive *archive, GError **error);
// Make one in memory, which is told by that name. NULL with the error.
Archive *archive_create_in_memory(const char *name, const ArchiveModel *model,
                                  GError **error);

// Elements to which rows are padded with zeros: 64 bytes of f16.
#define ARCHIVE_ROW_UNIT 32

static inline int
archive_pad_dim(int dim)
{
    return (dim + ARCHIVE_ROW_UNIT - 1) / ARCHIVE_ROW_UNIT * ARCHIVE_ROW_UNIT;
}
