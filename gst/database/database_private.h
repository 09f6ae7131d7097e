// SPDX-License-Identifier: LGPL-2.1-or-later
//
// database_private.h - what the sources of a database share.

#pragma once

#include "database.h"

struct Database {
    sqlite3 *handle;
    char *path;
    GHashTable *statements; // SQL, by its address, to sqlite3_stmt
    void *rows;             // of copy.c
};

// Sets the error that SQLite had last. Returns false.
bool database_fail(Database *database, GError **error);
