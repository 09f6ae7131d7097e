// SPDX-License-Identifier: LGPL-2.1-or-later
//
// riff.h - whether an AVI file ends too early, which its demuxer does not tell.

#pragma once

#include <glib.h>
#include <stdbool.h>

// Is it an AVI file that says it is larger than it is? *expected gets the bytes
// that it says. Any file; one that cannot be read is none.
bool riff_is_cut(const char *path, gint64 size, gint64 *expected);
