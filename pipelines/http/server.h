// SPDX-License-Identifier: LGPL-2.1-or-later
//
// server.h - what the HTTP servers of our programs do alike: who may ask, what
// every answer carries, the files of the page. Only reads: GET and HEAD. Lives
// on the main thread and never waits.

#pragma once

#include <libsoup/soup.h>
#include <stdbool.h>

typedef struct HttpServer HttpServer;

// Answer a request, with reply.h, at once or later (soup_server_message_pause).
typedef void (*HttpFunc)(SoupServerMessage *message, const char *path,
                         void *data);

typedef struct {
    const char *path; // one that ends in a slash has others below it
    HttpFunc func;
} HttpRoute;

typedef struct {
    // Of messages, of the cookie and of the resources page.html, page.js and
    // page.css in "/PROGRAM/", which are "/", "/page.js" and "/page.css".
    const char *program;
    const char *address;    // such as "127.0.0.1:8080"; port 0: any free one
    const char *token_file; // with a token that requests must have; NULL: none
    bool remote;            // the address may be one that others reach
    const HttpRoute *routes;
    size_t n_routes;
} HttpServerParams;

// Listen, and say where. Borrows the routes; `data` is what they are called
// with. NULL with the error.
HttpServer *http_server_new(const HttpServerParams *params, void *data,
                            GError **error);
// Take no more requests.
void http_server_stop(HttpServer *server);
// Requests that are not answered yet.
guint http_server_count_busy(const HttpServer *server);
void http_server_free(HttpServer *server);
