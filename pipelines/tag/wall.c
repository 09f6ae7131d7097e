// SPDX-License-Identifier: LGPL-2.1-or-later
//
// wall.c - see wall.h.

#include "wall.h"

#include <stdlib.h>
#include <string.h>

#include "core/pe.h"

struct WallPattern {
    GRegex *regex; // with a named group for each letter
};

static const char letters[] = "YmdHMS";

WallPattern *
wall_pattern_new(const char *text, GError **error)
{
    g_autoptr(GString) regex = g_string_new(NULL);
    bool seen[sizeof letters] = {false};
    for (const char *p = text; *p; p++) {
        const char *letter = *p == '%' && p[1] ? strchr(letters, p[1]) : NULL;
        if (!letter) {
            g_autofree char *plain = g_regex_escape_string(p, 1);
            g_string_append(regex, plain);
            continue;
        }
        bool again = seen[letter - letters];
        seen[letter - letters] = true;
        g_string_append_printf(regex, again ? "\\g{%c}" : "(?<%c>\\d{%d})",
                               *letter, *letter == 'Y' ? 4 : 2);
        p++;
    }
    GRegex *compiled = seen[0] && seen[1] && seen[2]
                           ? g_regex_new(regex->str, G_REGEX_RAW, 0, NULL)
                           : NULL;
    if (!compiled) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "the pattern \"%s\" needs %%Y, %%m and %%d, and may have "
                    "%%H, %%M and %%S",
                    text);
        return NULL;
    }
    WallPattern *pattern = g_new0(WallPattern, 1);
    pattern->regex = compiled;
    return pattern;
}

void
wall_pattern_free(WallPattern *pattern)
{
    g_regex_unref(pattern->regex);
    g_free(pattern);
}

bool
wall_pattern_read(const WallPattern *pattern, const char *path, gint64 *time)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autoptr(GMatchInfo) match = NULL;
    if (!g_regex_match(pattern->regex, name, 0, &match))
        return false;
    int values[6] = {0};
    for (int i = 0; i < 6; i++) {
        char letter[2] = {letters[i], '\0'};
        g_autofree char *digits = g_match_info_fetch_named(match, letter);
        values[i] = digits ? atoi(digits) : 0;
    }
    g_autoptr(GDateTime) date = g_date_time_new_local(
        values[0], values[1], values[2], values[3], values[4], values[5]);
    if (date)
        *time = g_date_time_to_unix(date) * G_GINT64_CONSTANT(1000000000);
    return date != NULL;
}
