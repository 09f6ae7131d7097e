// SPDX-License-Identifier: LGPL-2.1-or-later
//
// identity.h - which files have the same bytes.

#pragma once

#include <glib.h>
#include <stdbool.h>

// A quick look: the size and some blocks, spread over the file. Files with
// different keys differ; files with the same key may still differ (the
// recordings of a camera often begin and end alike), which identity_hash()
// tells. 64 hexadecimal digits. Returns, g_free(); NULL with the error.
char *identity_key(const char *path, GError **error);

// SHA-256 over all bytes: reads the whole file. Returns, g_free(); NULL with
// the error.
char *identity_hash(const char *path, GError **error);
