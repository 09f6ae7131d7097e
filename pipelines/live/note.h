// SPDX-License-Identifier: LGPL-2.1-or-later
//
// note.h - what a thread has to say to the user, said on the main thread.

#pragma once

typedef void (*NoteFunc)(const char *text, void *user_data);

// Any thread. `func` is called on the default main context, at once when that
// is this thread's. Takes text.
void note_send(NoteFunc func, void *user_data, char *text);
