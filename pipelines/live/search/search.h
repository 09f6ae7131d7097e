// SPDX-License-Identifier: LGPL-2.1-or-later
//
// search.h - "when did any stream show a forklift?": keeps the moments of all
// streams, and finds those that fit a text. Texts are embedded by the engine of
// the streams, in a thread that waits for it. Lives on the main thread.

#pragma once

#include "pipelines/live/listener.h"
#include "pipelines/live/search/moments.h"

#include "core/pe.h"

typedef struct Search Search;

// vocab  of the model; NULL: found beside it
// limit  bytes of moments
// Borrows engine, which must live as long.
Search *search_new(PeEngine *engine, const char *vocab, guint64 limit);
// Waits for a search that is running; what waits for its turn ends with an
// error.
void search_free(Search *search);

StreamListener search_get_listener(Search *search);
Moments *search_get_moments(Search *search); // borrowed

// found  FoundMoment, best first, borrowed; NULL: `error` says why
typedef void (*SearchDone)(GArray *found, const GError *error, void *user_data);

// `done` is called once, on the main context, later.
//   stream  NULL: all
void search_start(Search *search, const char *text, const char *stream, int top,
                  SearchDone done, void *user_data);
