// SPDX-License-Identifier: LGPL-2.1-or-later
//
// postgres.h - archives in a PostgreSQL database with pgvector. For pe-tag and
// pe-search. Without libpq in the build, each of these fails and says so.

#pragma once

#include "pipelines/index/archive.h"

// Is it a URI of such a database, and not a folder?
bool postgres_is_uri(const char *text);

typedef struct PostgresLoad PostgresLoad;
struct PostgresLoad {
    bool with_index; // make the index of vectors, if there is none
    void (*func)(const PostgresLoad *load); // after each content, or NULL
    // Set by the load.
    guint n_contents; // of the archive
    guint n_loaded, n_known;
    gint64 n_frames; // of those that were loaded
    bool has_made_index;
};

// Copy an archive into a database, where other archives of the same model may
// be. What is there is left, and what has changed is replaced. It may be killed
// at any moment; the next one goes on. Files that are not in the archive are
// left alone. false with the error.
bool postgres_load(Archive *archive, const char *uri, PostgresLoad *load,
                   GError **error);

// Open what is in a database to search it, as it is now. Of its functions,
// those work that find.c of pe-search and archive_dump() need.
//   exact  compare all vectors, without the index
// Returns, archive_close(); NULL with the error.
Archive *postgres_open(const char *uri, bool exact, GError **error);
