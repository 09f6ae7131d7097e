// SPDX-License-Identifier: LGPL-2.1-or-later
//
// clean_text.h - the steps that turn what a user wrote into what CLIP's
// tokenizer splits: ftfy's repairs, HTML entities, white space, lower case.
// Private to the tokenizer.

#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

// ftfy.fix_text() with its defaults, without the repair of text that was
// decoded in a wrong encoding. `text` is valid UTF-8. Returns, g_free().
// Source: rspeer/python-ftfy 6.3.1, documentation of TextFixerConfig.
char *pe_fix_text(const char *text);

// As Python's html.unescape(): also "&amp" without a semicolon. Returns,
// g_free().
char *pe_html_unescape(const char *text);

// Only whole, unambiguous entities, "&amp;" and also "&EACUTE;", as ftfy does.
char *pe_html_unescape_strict(const char *text);

// The character of byte 0x80..0x9f of Windows-1252, itself when unassigned.
gunichar pe_cp1252_decode(gunichar c);

// Unicode's White_Space.
bool pe_is_space(gunichar c);

// As Python's str.lower(), whatever the locale. Returns, g_free().
char *pe_lower(const char *text);
