// SPDX-License-Identifier: LGPL-2.1-or-later
//
// words.h - the words of files, for a full-text search: those of their names
// and of the labels that were seen in them. What is here changes in the same
// transaction as what it is made of, and never says what the other tables do
// not say.

#pragma once

#include "archive_private.h"

// The functions that the statements here need; once for each open database.
bool words_add_functions(Database *database, GError **error);

// An ArchiveStep: make the tables where they are not there yet, and bring them
// in line with the files, as after a program that did not know them.
bool words_prepare(Archive *archive, void *data, GError **error);

// In a transaction, behind what has changed: a file was added or changed, a
// content got other labels, a file went.
bool words_put_file(Database *database, const char *name, GError **error);
bool words_put_content(Database *database, gint64 content, GError **error);
bool words_remove_file(Database *database, const char *name, GError **error);

// What a user wrote as an expression for MATCH. Fails with PE_ERROR_FORMAT when
// there is no word in it, or when nobody has made the tables yet. Returns,
// g_free(); NULL with the error.
char *words_make_match(Archive *archive, const char *text, GError **error);

// Make the tables of an archive that is not in a folder (remote.h), if they are
// not there yet. false with the error: nothing was made.
bool words_fetch(Archive *archive, GError **error);

// As archive_verify(), of the words alone. An archive without them is sound.
bool words_verify(Archive *archive, GPtrArray *faults, GError **error);
