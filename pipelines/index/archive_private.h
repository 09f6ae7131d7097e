// SPDX-License-Identifier: LGPL-2.1-or-later
//
// archive_private.h - what the sources of an archive share.

#pragma once

#include "gst/database/database.h"

#include "archive.h"
#include "packs.h"

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
    gint64 n_rows; // that count; of a reader, when it last listed them
    PackMap map;
    PeRows rows; // the mapped ones
};

// The tables of a new archive, or of one of the version that this is.
bool archive_make_tables(Database *database, GError **error);
// A transaction around what `func` does. false: nothing has changed.
typedef bool (*ArchiveStep)(Archive *archive, void *data, GError **error);
bool archive_change(Archive *archive, ArchiveStep func, void *data,
                    GError **error);
// n rows as a checksum. Returns, g_free().
char *archive_sum_rows(const void *rows, size_t size);
