// SPDX-License-Identifier: LGPL-2.1-or-later
//
// hostile_files.h - files that no model may come from: opening one must fail
// with an error that names the file and has `part` in its message.

#pragma once

#include <glib.h>

extern int n_rejected; // so far

void assert_rejected_path(const char *path, const char *part);
// A file of these bytes, which are taken.
void assert_rejected_bytes(const char *name, GByteArray *bytes,
                           const char *part);
void assert_rejected_text(const char *name, const char *text, const char *part);
