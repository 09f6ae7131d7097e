// SPDX-License-Identifier: LGPL-2.1-or-later
//
// postgres.h - archives in a PostgreSQL database with pgvector. For pe-tag,
// pe-search and pe-live. Without libpq in the build, each of these fails and
// says so.

#pragma once

#include "pipelines/index/archive.h"

// Is it a URI of such a database, and not a folder?
bool postgres_is_uri(const char *text);
// What is wrong with the options --index and --exact of a search; NULL:
// nothing.
const char *postgres_find_wrong_options(const char *index, bool exact);

typedef struct PostgresLoad PostgresLoad;
struct PostgresLoad {
    bool with_index; // make the index of vectors, if there is none
    // Forget files that this folder was the last to load, and does not have
    // any more.
    bool prune;
    void (*func)(const PostgresLoad *load); // after each content, or NULL
    // Set by the load.
    guint n_contents; // of the archive
    guint n_loaded, n_known;
    gint64 n_frames; // of those that were loaded
    guint n_pruned;  // files
    bool has_made_index;
};

// Copy an archive into a database, where other archives of the same model may
// be. What is there is left, and what has changed is replaced. It may be killed
// at any moment; the next one goes on. Files that other archives, or writers,
// have brought are left alone. false with the error.
bool postgres_load(Archive *archive, const char *uri, PostgresLoad *load,
                   GError **error);

// What grows while it is written, such as what a stream shows.
typedef struct PostgresWriter PostgresWriter;

// Frames of such a content at most.
#define POSTGRES_MAX_GROWN 512

// Connect, and make the tables for the vectors of a model, if there are none.
//   patience  s that the server has for a statement
// Nobody waits for longer than for some statements. Borrows nothing. One owner.
// NULL with the error: PE_ERROR_FILE may pass.
PostgresWriter *postgres_writer_open(const char *uri, const ArchiveModel *model,
                                     int patience, GError **error);
void postgres_writer_close(PostgresWriter *writer);
// Write what is not there yet of a content, in one transaction: more frames
// than there were, and what the last ones and their segments are now.
//   key      of all contents, by which it is found again
//   file     that has it
//   vectors  [n_frames, dim]
// false with the error: it may be written, or not at all; say it again.
bool postgres_writer_put(PostgresWriter *writer, const char *key,
                         const ArchiveFile *file, const ArchiveContent *content,
                         const uint16_t *vectors, GError **error);

// Open what is in a database to search it, as it is now. Of its functions,
// those work that find.c of pe-search and archive_dump() need.
//   exact  compare all vectors, without the index
// Returns, archive_close(); NULL with the error.
Archive *postgres_open(const char *uri, bool exact, GError **error);
