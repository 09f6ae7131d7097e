// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sources.h - what is to be tagged: files, what is in folders, and URIs.

#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    char *name;    // absolute path, or the URI without login and query
    char *uri;     // to read it by; may have secrets
    bool is_local; // name is a path
    gint64 size;   // bytes, as a plan says; -1: not known
    char *etag;    // as a plan says; NULL: not known
} Source;

void source_free(Source *source);

// Of a path or URI; folders are not looked into. Returns, source_free().
Source *source_new(const char *text);

// All that the texts name, each once, in their order: a path, a folder (the
// video files below it, by their names' endings, in order), a URI, or "-": such
// texts from standard input, one a line. Returns Source *,
// g_ptr_array_unref(); NULL with the error when a folder cannot be read.
GPtrArray *sources_find(char **texts, GError **error);

// Takes sources; returns the first of each name, in their order.
GPtrArray *sources_drop_repeated(GPtrArray *sources);
