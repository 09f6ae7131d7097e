// SPDX-License-Identifier: LGPL-2.1-or-later
//
// outbox.h - snapshots on their way into a database. A thread writes them, so
// that a database that is slow or away holds up nobody; meanwhile they are kept
// here, as many as there is room for, and what is lost is counted.

#pragma once

#include "footage.h"
#include "pipelines/live/note.h"

typedef struct Outbox Outbox;

// uri      of the database; connected to by the thread, as often as it takes
// model    what makes the vectors; copied
// limit    bytes of contents that are waiting; above it, the oldest that has
//          ended is lost
// on_note  for people: that the database is away, is back, what was lost; on
//          the main context
Outbox *outbox_new(const char *uri, const ArchiveModel *model, guint64 limit,
                   NoteFunc on_note, void *user_data);
// Write it, later. A snapshot takes the place of one of the same content that
// is still waiting. Takes it.
void outbox_put(Outbox *outbox, Snapshot *snapshot);
// Waits some seconds for what is waiting. Returns whether all of it was
// written. *hangs: the thread did not end and is left alone, and then it must
// be the end of the program.
bool outbox_close(Outbox *outbox, bool *hangs);
