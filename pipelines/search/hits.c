// SPDX-License-Identifier: LGPL-2.1-or-later
//
// hits.c - see hits.h. A line for each hit: the peak in ns, a blank and the
// file's name, with escapes for what is no printable ASCII.

#include "hits.h"

#include <string.h>

#include "tools/program_output.h"

#define HEADER "pe-search hits 1"

// A file for each archive, by a name that any path can be made into.
static char *
get_path(const char *archive)
{
    g_autofree char *whole = g_canonicalize_filename(archive, NULL);
    g_autofree char *sum =
        g_compute_checksum_for_string(G_CHECKSUM_SHA256, whole, -1);
    g_autofree char *name = g_strndup(sum, 16);
    return g_build_filename(g_get_user_state_dir(), "gst-perception-encoder",
                            "hits", name, NULL);
}

bool
hits_save(const char *archive, const GPtrArray *moments, GError **error)
{
    g_autofree char *path = get_path(archive);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autoptr(GString) text = g_string_new(HEADER "\n");
    for (guint i = 0; i < moments->len; i++) {
        const Moment *moment = moments->pdata[i];
        g_autofree char *name = g_strescape(moment->file->name, NULL);
        g_string_append_printf(text, "%" G_GINT64_FORMAT " %s\n", moment->peak,
                               name);
    }
    if (g_mkdir_with_parents(folder, 0700) == 0)
        return program_output_write(path, text->str, (gssize)text->len, error);
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: the folder cannot be made",
                folder);
    return false;
}

static char *
parse(const char *line)
{
    char *end;
    gint64 peak = g_ascii_strtoll(line, &end, 10);
    if (end == line || *end != ' ')
        return NULL;
    g_autofree char *name = g_strcompress(end + 1);
    char seconds[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(seconds, sizeof seconds, "%.9f", (double)peak / 1e9);
    return g_strconcat(name, "@", seconds, NULL);
}

char *
hits_load(const char *archive, int number, GError **error)
{
    g_autofree char *path = get_path(archive);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "--like-hit %d: you have not found anything in this "
                    "archive yet",
                    number);
        return NULL;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    int n = MAX((int)g_strv_length(lines) - 2, 0); // the header, and the end
    bool is_known = g_strcmp0(lines[0], HEADER) == 0;
    char *hit =
        is_known && number >= 1 && number <= n ? parse(lines[number]) : NULL;
    if (!hit && is_known && (number < 1 || number > n))
        g_set_error(
            error, PE_ERROR, PE_ERROR_FORMAT,
            "--like-hit %d: your last search of this archive that found "
            "anything had %d hit(s)",
            number, n);
    else if (!hit)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "--like-hit %d: %s: is no list of hits; search again",
                    number, path);
    return hit;
}
