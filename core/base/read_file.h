// SPDX-License-Identifier: LGPL-2.1-or-later
//
// read_file.h - reads small files that users wrote or downloaded (vocabularies,
// label files) as a whole, and trusts nothing in them. Private to core.

#pragma once

#include <glib.h>

// The content, unpacked when it is gzip, with a NUL after it. More than
// `max_size` unpacked bytes are an error. Returns NULL or a buffer, g_free().
char *pe_read_file(const char *path, size_t max_size, size_t *size,
                   GError **error);

// The first characters of `text` in quotes, for messages: what comes from a
// file may be megabytes long. Returns, g_free().
char *pe_quote(const char *text);
