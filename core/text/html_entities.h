// SPDX-License-Identifier: LGPL-2.1-or-later
//
// html_entities.h - names of HTML entities: all of HTML 4 and those of HTML 5
// that occur in text (punctuation, Central European letters).
// Source: HTML standard, section 13.5 "Named character references".

#pragma once

#include <glib.h>
#include <stddef.h>

// The character named by name[0, size), 0 when there is none.
gunichar pe_html_entity_find(const char *name, size_t size);

// Only the names that browsers accept without a semicolon.
gunichar pe_html_entity_find_legacy(const char *name, size_t size);
