// SPDX-License-Identifier: LGPL-2.1-or-later
//
// index.h - what streams show, into a database where pe-search finds it beside
// what archives have. Lives on the main thread, which never waits for the
// database.

#pragma once

#include "core/pe.h"
#include "pipelines/live/listener.h"
#include "pipelines/live/note.h"

typedef struct Index Index;

// uri      of the database
// vocab    of the engine's model; NULL: found beside it
// limit    bytes that wait while the database is away
// on_note  for people; on the main context
// Borrows engine while this call lasts. NULL with the error: it is no database,
// or the model cannot be asked. That the database is away is no error.
Index *index_new(const char *uri, PeEngine *engine, const char *vocab,
                 guint64 limit, NoteFunc on_note, void *user_data,
                 GError **error);
// Waits some seconds for the database; see outbox_close().
bool index_close(Index *index, bool *hangs);

StreamListener index_get_listener(Index *index);
