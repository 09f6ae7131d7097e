// SPDX-License-Identifier: LGPL-2.1-or-later
//
// access.h - who may ask a server of ours: programs of this machine, and others
// only with a token.

#pragma once

#include <libsoup/soup.h>
#include <stdbool.h>

typedef struct HttpAccess HttpAccess;

// Where to listen, "127.0.0.1:8080"; port 0: any that is free. An address that
// others reach needs `remote` and a token file. Returns, g_object_unref(); NULL
// with the error.
GSocketAddress *http_access_parse_address(const char *text,
                                          const char *token_file, bool remote,
                                          GError **error);

// program     whose cookie has the token
// token_file  with a token that every request must have; NULL: none
// NULL with the error.
HttpAccess *http_access_new(const char *program, const char *token_file,
                            GError **error);
void http_access_free(HttpAccess *access);

// May this request be answered? Where it may not, it has been.
bool http_access_check(const HttpAccess *access, SoupServerMessage *message,
                       GHashTable *query);
