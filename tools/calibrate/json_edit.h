// SPDX-License-Identifier: LGPL-2.1-or-later
//
// json_edit.h - changes one member of a JSON text and leaves every other byte
// as the user wrote it. The text has been parsed before: what is here only
// finds its way, and checks nothing.

#pragma once

#include <glib.h>

// Behind blanks and a byte order mark.
const char *json_edit_skip_blanks(const char *p);

// The value of a member of the object that begins at `object`, or NULL. Names
// are compared as they are written.
const char *json_edit_find(const char *object, const char *name);

// The nth element of the list that begins at `list`, or NULL.
const char *json_edit_nth(const char *list, guint n);

// The text with the value that begins at `value` replaced. Returns, g_free().
char *json_edit_replace(const char *text, const char *value, const char *by);

// The text with a member of the object that begins at `object` set, or added
// behind the others. Returns, g_free().
char *json_edit_set(const char *text, const char *object, const char *name,
                    const char *value);
