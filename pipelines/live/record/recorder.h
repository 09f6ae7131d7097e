// SPDX-License-Identifier: LGPL-2.1-or-later
//
// recorder.h - the clip around each event, from some seconds before it to some
// seconds behind it. Lives on the main thread; recordings have threads.

#pragma once

#include "pipelines/live/listener.h"
#include "pipelines/live/note.h"

typedef struct Recorder Recorder;

// path     where the folders of the streams are
// limit    bytes of all clips together; the oldest are removed
// before, after  seconds
// on_note  for people; on the main context
// Returns NULL and sets `error` when nothing can be written there.
Recorder *recorder_new(const char *path, guint64 limit, double before,
                       double after, NoteFunc on_note, void *user_data,
                       GError **error);
// Waits until what is recorded is complete, at most two seconds.
void recorder_close(Recorder *recorder);

StreamListener recorder_get_listener(Recorder *recorder);
