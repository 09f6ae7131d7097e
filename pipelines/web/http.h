// SPDX-License-Identifier: LGPL-2.1-or-later
//
// http.h - the page of pe-live, its metrics and its health, by HTTP. Only
// reads: nothing can be changed by it. Lives on the main thread and never
// waits.

#pragma once

#include "pipelines/live/control/commands.h"

typedef struct Http Http;

// address     such as "127.0.0.1:8080"; port 0: any that is free
// token_file  with a token that every request must have; must be there, and
//             `remote` true, when the address is not one of this machine alone
// Borrows commands. Returns NULL and sets `error` when it cannot listen.
Http *http_new(const char *address, const char *token_file, bool remote,
               const Commands *commands, GError **error);
// Tell that the program is about to end: it is not ready any more.
void http_set_stopping(Http *http);
void http_free(Http *http);
