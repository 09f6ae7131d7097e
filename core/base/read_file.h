// SPDX-License-Identifier: LGPL-2.1-or-later
//
// read_file.h - for those who use pe_read_file(), and trust nothing in what it
// gives. Private to core.

#pragma once

#include "core/pe.h"

// The first characters of `text` in quotes, for messages: what comes from a
// file may be megabytes long. Returns, g_free().
char *pe_quote(const char *text);
