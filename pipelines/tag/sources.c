// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sources.c - see sources.h. Opens no video.

#include "sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/pe.h"
#include "gst/video/gstpeuri.h"

// Of containers and streams that GStreamer knows.
static const char *const endings[] = {
    ".mp4", ".m4v",  ".mov", ".3gp",  ".mkv",  ".webm", ".avi", ".ts",
    ".mts", ".m2ts", ".mpg", ".mpeg", ".vob",  ".flv",  ".wmv", ".asf",
    ".ogv", ".mxf",  ".dv",  ".h264", ".h265", ".ivf",  NULL};

void
source_free(Source *source)
{
    g_free(source->name);
    g_free(source->uri);
    g_free(source->etag);
    g_free(source);
}

static Source *
new_file(const char *path)
{
    Source *source = g_new0(Source, 1);
    source->name = g_canonicalize_filename(path, NULL);
    source->uri = g_filename_to_uri(source->name, NULL, NULL);
    source->is_local = true;
    source->size = -1;
    return source;
}

Source *
source_new(const char *text)
{
    GstPeUri parts;
    g_autofree char *path = g_str_has_prefix(text, "file:/")
                                ? g_filename_from_uri(text, NULL, NULL)
                                : NULL;
    if (path || !gst_pe_uri_split(&parts, text))
        return new_file(path ? path : text);
    Source *source = g_new0(Source, 1);
    source->uri = g_strdup(text);
    source->size = -1;
    source->name =
        g_strdup_printf("%.*s%.*s", (int)parts.scheme_length, text,
                        (int)(parts.secret - parts.host), parts.host);
    return source;
}

static bool
is_video(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (int i = 0; dot && endings[i]; i++) {
        if (g_ascii_strcasecmp(dot, endings[i]) == 0)
            return true;
    }
    return false;
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// The names in a folder, in order; NULL with the error.
static GPtrArray *
list_names(const char *folder, GError **error)
{
    GError *cause = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &cause);
    if (!dir) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s", cause->message);
        g_error_free(cause);
        return NULL;
    }
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    while ((name = g_dir_read_name(dir)))
        g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    return names;
}

// Links to folders are not followed: they may lead back.
static bool
add_folder(GPtrArray *sources, const char *folder, GError **error)
{
    g_autoptr(GPtrArray) names = list_names(folder, error);
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *path = g_build_filename(folder, name, NULL);
        bool is_folder = g_file_test(path, G_FILE_TEST_IS_DIR);
        if (is_folder && !g_file_test(path, G_FILE_TEST_IS_SYMLINK)) {
            if (!add_folder(sources, path, error))
                return false;
        } else if (!is_folder && is_video(name)) {
            g_ptr_array_add(sources, new_file(path));
        }
    }
    return names != NULL;
}

static bool
add_text(GPtrArray *sources, const char *text, GError **error)
{
    Source *source = source_new(text);
    if (source->is_local && g_file_test(source->name, G_FILE_TEST_IS_DIR)) {
        bool ok = add_folder(sources, source->name, error);
        source_free(source);
        return ok;
    }
    g_ptr_array_add(sources, source);
    return true;
}

static bool
add_lines(GPtrArray *sources, GError **error)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    bool ok = true;
    while (ok && (n = getline(&line, &size, stdin)) >= 0) {
        if (n > 0 && line[n - 1] == '\n')
            line[n - 1] = '\0';
        if (line[0])
            ok = add_text(sources, line, error);
    }
    free(line);
    return ok;
}

GPtrArray *
sources_drop_repeated(GPtrArray *sources)
{
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GPtrArray *kept =
        g_ptr_array_new_with_free_func((GDestroyNotify)source_free);
    g_ptr_array_set_free_func(sources, NULL);
    for (guint i = 0; i < sources->len; i++) {
        Source *source = sources->pdata[i];
        if (g_hash_table_add(seen, g_strdup(source->name)))
            g_ptr_array_add(kept, source);
        else
            source_free(source);
    }
    g_ptr_array_unref(sources);
    return kept;
}

GPtrArray *
sources_find(char **texts, GError **error)
{
    GPtrArray *sources =
        g_ptr_array_new_with_free_func((GDestroyNotify)source_free);
    for (char **text = texts; *text; text++) {
        bool ok = g_str_equal(*text, "-") ? add_lines(sources, error)
                                          : add_text(sources, *text, error);
        if (!ok) {
            g_ptr_array_unref(sources);
            return NULL;
        }
    }
    return sources_drop_repeated(sources);
}
