// SPDX-License-Identifier: LGPL-2.1-or-later
//
// writer.h - lines to a file descriptor by a thread of its own, so that a
// reader who is slow or asleep never holds up the program. What does not fit
// into the queue is lost, oldest first, and a line tells how many were.

#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Writer Writer;

// lost       makes the line that tells of n lost ones; returns, g_free()
// on_broken  called on the main context when a write has failed
Writer *writer_new(int fd, char *(*lost)(guint n),
                   void (*on_broken)(void *user_data), void *user_data);
// Waits up to `seconds` for what is queued to be written. A writer that is
// still writing then is left alone; it must be the end of the program.
// Returns 0, or the errno of the write that failed.
int writer_close(Writer *writer, double seconds);

// Takes text. Any thread.
void writer_put(Writer *writer, char *text);
// Is nothing waiting? For what would be stale if it waited.
bool writer_is_idle(Writer *writer);
guint64 writer_get_n_lost(Writer *writer);
