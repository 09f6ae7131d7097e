// SPDX-License-Identifier: LGPL-2.1-or-later
//
// commands.h - what can be asked of the running program. Knows no socket.

#pragma once

#include "pipelines/live/search/search.h"
#include "pipelines/live/streams.h"

// What is asked; all borrowed.
typedef struct {
    Streams *streams;
    Search *search;
    PeEngine *engine;
} Commands;

// answer  a line with {"ok":true, ...} or {"ok":false,"error":...}; takes it
typedef void (*CommandDone)(char *answer, void *user_data);

// request  a JSON object such as {"command":"remove","name":"gate"}
// `done` is called once, on the main thread: a search ends later than this
// function.
void commands_answer(const Commands *commands, const char *request,
                     CommandDone done, void *user_data);

// The same for {"command":"search"} and these, of which `stream` may be NULL.
void commands_search(const Commands *commands, const char *text,
                     const char *stream, int top, CommandDone done,
                     void *user_data);
