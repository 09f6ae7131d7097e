// SPDX-License-Identifier: LGPL-2.1-or-later
//
// folder.c - see folder.h.

#include "folder.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/pe.h"

#define MAX_NAME 80 // bytes of a safe name before its hash

typedef struct {
    char *path;
    guint64 size;
    gint64 changed; // UNIX time, us
} Entry;

char *
folder_safe_name(const char *text)
{
    GString *out = g_string_new(NULL);
    for (const char *p = text; *p && out->len < MAX_NAME;
         p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        bool leads = out->len == 0;
        if (g_unichar_isalnum(c) || c == '-' || c == '_' ||
            (c == '.' && !leads))
            g_string_append_unichar(out, c);
        else
            g_string_append_c(out, '_');
    }
    if (out->len == 0 || strcmp(out->str, text) != 0)
        g_string_append_printf(out, "-%04x", g_str_hash(text) & 0xffff);
    return g_string_free(out, FALSE);
}

static bool
make_folder(const char *path, GError **error)
{
    if (g_mkdir_with_parents(path, 0777) == 0 &&
        g_access(path, W_OK | X_OK) == 0)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                "%s: expected a folder that can be written to: %s", path,
                g_strerror(errno));
    return false;
}

Folder *
folder_open(const char *path, guint64 limit, GError **error)
{
    if (!make_folder(path, error))
        return NULL;
    Folder *folder = g_new0(Folder, 1);
    folder->path = g_strdup(path);
    folder->limit = limit;
    folder->used = G_MAXUINT64; // counted before the first byte is written
    return folder;
}

void
folder_free(Folder *folder)
{
    g_free(folder->path);
    g_free(folder);
}

char *
folder_get_place(const Folder *folder, const char *stream, GError **error)
{
    g_autofree char *name = folder_safe_name(stream);
    char *path = g_build_filename(folder->path, name, NULL);
    if (make_folder(path, error))
        return path;
    g_free(path);
    return NULL;
}

// ---- Room ------------------------------------------------------------------

static void
free_entry(gpointer data)
{
    Entry *entry = data;
    g_free(entry->path);
    g_free(entry);
}

// They begin with their day and end in what they are.
static bool
is_ours(const char *name)
{
    return g_regex_match_simple("^\\d{4}-\\d\\d-\\d\\d.*\\.(jsonl?|vtt|mp4)$",
                                name, 0, 0);
}

static void
list_files(const char *place, GPtrArray *entries)
{
    GDir *dir = g_dir_open(place, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(place, name, NULL);
        GStatBuf status;
        if (!is_ours(name) || g_lstat(path, &status) < 0 ||
            !S_ISREG(status.st_mode))
            continue;
        Entry *entry = g_new(Entry, 1);
        *entry = (Entry){
            .path = g_steal_pointer(&path),
            .size = (guint64)status.st_size,
            .changed = (gint64)status.st_mtim.tv_sec * G_USEC_PER_SEC +
                       status.st_mtim.tv_nsec / 1000,
        };
        g_ptr_array_add(entries, entry);
    }
    if (dir)
        g_dir_close(dir);
}

static gint
compare_ages(gconstpointer a, gconstpointer b)
{
    const Entry *x = *(Entry *const *)a, *y = *(Entry *const *)b;
    return (x->changed > y->changed) - (x->changed < y->changed);
}

// Oldest first.
static GPtrArray *
list_all(Folder *folder)
{
    GPtrArray *entries = g_ptr_array_new_with_free_func(free_entry);
    GDir *dir = g_dir_open(folder->path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *place = g_build_filename(folder->path, name, NULL);
        list_files(place, entries);
    }
    if (dir)
        g_dir_close(dir);
    g_ptr_array_sort(entries, compare_ages);
    folder->used = 0;
    for (guint i = 0; i < entries->len; i++)
        folder->used += ((const Entry *)entries->pdata[i])->size;
    return entries;
}

static bool
has_room(const Folder *folder, guint64 n)
{
    return folder->used <= folder->limit && n <= folder->limit - folder->used;
}

bool
folder_make_room(Folder *folder, guint64 n, const char *kept, GError **error)
{
    if (!has_room(folder, n)) {
        g_autoptr(GPtrArray) entries = list_all(folder);
        for (guint i = 0; i < entries->len && !has_room(folder, n); i++) {
            const Entry *entry = entries->pdata[i];
            if (g_strcmp0(entry->path, kept) != 0 && g_unlink(entry->path) == 0)
                folder->used -= entry->size;
        }
    }
    if (!has_room(folder, n)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s may have %" G_GUINT64_FORMAT
                    " bytes, which are used up, and nothing more can be "
                    "removed; give a larger limit",
                    folder->path, folder->limit);
        return false;
    }
    folder->used += n;
    return true;
}
