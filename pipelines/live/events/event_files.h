// SPDX-License-Identifier: LGPL-2.1-or-later
//
// event_files.h - the events of every stream in files, one of JSON lines and
// one of WebVTT a day (UTC). A thread of its own writes them, a whole line or
// cue at a time, so that a slow disk holds up nobody and a file is good
// whenever the program is killed.

#pragma once

#include "pipelines/live/listener.h"
#include "pipelines/live/note.h"

typedef struct EventFiles EventFiles;

// on_note  for people: what could not be written; on the main context
// Returns NULL and sets `error` when nothing can be written into the folder.
EventFiles *event_files_new(const char *path, guint64 limit, NoteFunc on_note,
                            void *user_data, GError **error);
// Waits up to two seconds for what is queued; a disk that takes longer is left
// alone, and then it must be the end of the program.
void event_files_close(EventFiles *files);

StreamListener event_files_get_listener(EventFiles *files);
