// SPDX-License-Identifier: LGPL-2.1-or-later
//
// json_edit.c - see json_edit.h.

#include "json_edit.h"

#include <string.h>

const char *
json_edit_skip_blanks(const char *p)
{
    if (g_str_has_prefix(p, "\xef\xbb\xbf"))
        p += 3;
    return p + strspn(p, " \t\r\n");
}

static const char *
skip_string(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        p += *p == '\\' && p[1];
    return *p ? p + 1 : p;
}

// Behind the value that begins at p.
static const char *
skip_value(const char *p)
{
    int depth = 0;
    do {
        if (*p == '"') {
            p = skip_string(p);
        } else if (strchr("{[", *p)) {
            depth += *p != '\0';
            p += *p != '\0';
        } else if (strchr("}]", *p)) {
            depth--;
            p++;
        } else if (depth > 0) {
            p++;
        } else {
            p += strcspn(p, ",]} \t\r\n");
        }
        p = depth > 0 ? json_edit_skip_blanks(p) : p;
    } while (depth > 0 && *p);
    return p;
}

// The element or member behind the one that ends at `end`, or NULL.
static const char *
skip_comma(const char *end)
{
    const char *p = json_edit_skip_blanks(end);
    return *p == ',' ? json_edit_skip_blanks(p + 1) : NULL;
}

// The value of the member whose name begins at p.
static const char *
get_value(const char *p)
{
    const char *colon = json_edit_skip_blanks(skip_string(p));
    return *colon == ':' ? json_edit_skip_blanks(colon + 1) : colon;
}

const char *
json_edit_find(const char *object, const char *name)
{
    const char *p = json_edit_skip_blanks(object + 1);
    size_t n = strlen(name);
    for (; p && *p == '"'; p = skip_comma(skip_value(get_value(p)))) {
        if (strncmp(p + 1, name, n) == 0 && p[n + 1] == '"')
            return get_value(p);
    }
    return NULL;
}

const char *
json_edit_nth(const char *list, guint n)
{
    const char *p = json_edit_skip_blanks(list + 1);
    for (; p && *p != ']' && n > 0; n--)
        p = skip_comma(skip_value(p));
    return p && *p != ']' ? p : NULL;
}

char *
json_edit_replace(const char *text, const char *value, const char *by)
{
    return g_strdup_printf("%.*s%s%s", (int)(value - text), text, by,
                           skip_value(value));
}

char *
json_edit_set(const char *text, const char *object, const char *name,
              const char *value)
{
    const char *old = json_edit_find(object, name);
    if (old)
        return json_edit_replace(text, old, value);
    const char *last = object + 1; // behind the last member
    const char *p = json_edit_skip_blanks(last);
    for (; p && *p == '"'; p = skip_comma(last))
        last = skip_value(get_value(p));
    return g_strdup_printf("%.*s%s\"%s\": %s%s", (int)(last - text), text,
                           last == object + 1 ? "" : ", ", name, value, last);
}
