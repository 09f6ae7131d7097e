// SPDX-License-Identifier: LGPL-2.1-or-later
//
// worker.h - a thread that answers requests one after the other, with a bounded
// queue and a deadline for each, so that the main thread never waits.

#pragma once

#include <libsoup/soup.h>
#include <stdbool.h>

// What a request is answered with. One owner.
typedef struct {
    guint status;
    const char *type; // static
    GBytes *body;     // NULL: the file, or nothing
    int fd;           // of a regular file; -1: none
    goffset size;     // of it
    char *filename;   // by which a browser saves it; NULL: it shows it
} Answer;

// Of a text, which is copied; a newline is added.
Answer *answer_new_text(guint status, const char *text);
// Takes the text.
Answer *answer_new_json(guint status, char *text);
// Of an error: 404, or what may pass, 503.
Answer *answer_new_error(const GError *error);

typedef struct Worker Worker;

// Called on the worker's thread.
//   state  of worker_new(), for this thread alone
//   asked  of worker_ask()
typedef Answer *(*WorkFunc)(void *state, void *asked);

// name      of the thread
// deadline  s that a request may wait and be worked on together
Worker *worker_new(const char *name, void *state, int max_waiting,
                   int deadline);
// Answer the request later: by `func`, or with 503 when too many wait or the
// deadline has passed. Takes asked, with its free function.
void worker_ask(Worker *worker, SoupServerMessage *message, WorkFunc func,
                void *asked, GDestroyNotify free_asked);
// Answer what waits with 503, and have nothing more done.
void worker_stop(Worker *worker);
// Has the thread ended? Only after worker_stop().
bool worker_has_ended(const Worker *worker);
// The thread must have ended.
void worker_free(Worker *worker);
