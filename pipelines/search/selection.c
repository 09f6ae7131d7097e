// SPDX-License-Identifier: LGPL-2.1-or-later
//
// selection.c - see selection.h.

#include "selection.h"

#include <stdio.h>
#include <string.h>

// ---- Files ----------------------------------------------------------------

static bool
is_in(const char *name, const char *folder)
{
    g_autofree char *path = g_canonicalize_filename(folder, NULL);
    gsize length = strlen(path);
    return g_str_has_prefix(name, path) &&
           (name[length] == '/' || !name[length] || path[length - 1] == '/');
}

static bool
is_in_any(const char *name, char **folders)
{
    for (char **folder = folders; folder && *folder; folder++) {
        if (is_in(name, *folder))
            return true;
    }
    return !folders;
}

static bool
has_folder(const char *name, const char *camera)
{
    if (!camera)
        return true;
    g_autofree char *part = g_strdup_printf("/%s/", camera);
    return strstr(name, part) != NULL;
}

static bool
asks_for_time(const SelectionParams *params)
{
    return params->since >= 0 || params->until >= 0 || params->day_from >= 0;
}

// ---- Frames ---------------------------------------------------------------

static bool
is_in_day(const SelectionParams *params, gint64 wall)
{
    if (params->day_from < 0)
        return true;
    g_autoptr(GDateTime) time =
        g_date_time_new_from_unix_local(wall / G_GINT64_CONSTANT(1000000000));
    int minute =
        time ? g_date_time_get_hour(time) * 60 + g_date_time_get_minute(time)
             : -1;
    bool behind = minute >= params->day_from, before = minute < params->day_to;
    return params->day_from <= params->day_to ? behind && before
                                              : behind || before;
}

static bool
is_frame_wanted(const SelectionParams *params, const ArchiveFile *file,
                const ArchiveFrame *frame)
{
    gint64 wall = file->wall_start + frame->start;
    return (params->since < 0 ||
            file->wall_start + frame->end > params->since) &&
           (params->until < 0 || wall < params->until) &&
           is_in_day(params, wall);
}

static bool
add_rows(Selection *selection, Archive *archive, const SelectionParams *params,
         const SelectedContent *selected, GError **error)
{
    bool by_time = asks_for_time(params);
    g_autoptr(ArchiveContent) content =
        by_time ? archive_read_content(archive, selected->rows.content, error)
                : NULL;
    if (by_time && !content)
        return false;
    for (gint64 i = 0; i < selected->rows.n_rows; i++) {
        guint64 row = (guint64)(selected->rows.first_row + i);
        if (!by_time ||
            is_frame_wanted(params, selected->file,
                            &g_array_index(content->frames, ArchiveFrame, i)))
            g_array_append_val(selection->rows, row);
    }
    return true;
}

// ---- Selection ------------------------------------------------------------

static void
clear_content(gpointer data)
{
    archive_file_free(((SelectedContent *)data)->file);
}

// Content ids to their files that pass; the first one is told.
static GHashTable *
choose_files(Selection *selection, GPtrArray *files,
             const SelectionParams *params)
{
    GHashTable *chosen = g_hash_table_new_full(
        g_int64_hash, g_int64_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    for (guint i = 0; i < files->len; i++) {
        ArchiveFile *file = files->pdata[i];
        if (!is_in_any(file->name, params->folders) ||
            !has_folder(file->name, params->camera))
            continue;
        if (asks_for_time(params) && file->wall_start < 0) {
            selection->n_timeless++;
            continue;
        }
        GPtrArray *list = g_hash_table_lookup(chosen, &file->content);
        if (!list) {
            list = g_ptr_array_new();
            g_hash_table_insert(chosen, &file->content, list);
        }
        g_ptr_array_add(list, file);
    }
    return chosen;
}

static bool
choose_contents(Selection *selection, Archive *archive, GArray *all,
                GHashTable *chosen, const SelectionParams *params,
                GError **error)
{
    for (guint i = 0; i < all->len; i++) {
        ArchiveRows *rows = &g_array_index(all, ArchiveRows, i);
        GPtrArray *list = g_hash_table_lookup(chosen, &rows->content);
        if (!list)
            continue;
        const ArchiveFile *first = list->pdata[0];
        SelectedContent selected = {.rows = *rows, .n_copies = list->len - 1};
        selected.file = archive_find(archive, first->name, error);
        if (!selected.file)
            return false;
        g_array_append_val(selection->contents, selected);
        if (!add_rows(selection, archive, params, &selected, error))
            return false;
    }
    return true;
}

// A folder that was mistyped must not look like one without the moment.
static bool
check_folders(GPtrArray *files, char **folders, GError **error)
{
    for (char **folder = folders; folder && *folder; folder++) {
        char *only[] = {*folder, NULL};
        bool found = false;
        for (guint i = 0; i < files->len && !found; i++)
            found = is_in_any(((ArchiveFile *)files->pdata[i])->name, only);
        if (found)
            continue;
        g_autofree char *shown = g_utf8_make_valid(*folder, -1);
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "--in %s: none of the %u file(s) of the archive is there; "
                    "\"pe-tag export\" lists their names",
                    shown, files->len);
        return false;
    }
    return true;
}

// The files that have the words; nor must a word that was mistyped look like a
// moment that is not there. Returns, g_ptr_array_unref(); NULL with the error.
static GPtrArray *
find_words(Archive *archive, GPtrArray *files, const char *words,
           GError **error)
{
    if (!words)
        return g_ptr_array_ref(files);
    GPtrArray *found = archive_list_files_with(archive, words, error);
    if (!found || found->len > 0)
        return found;
    g_ptr_array_unref(found);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "--words \"%s\": none of the %u file(s) of the archive has "
                "these in its path or its labels; \"har*\" finds \"harbour\", "
                "and \"pe-tag export\" lists them",
                words, files->len);
    return NULL;
}

Selection *
selection_new(Archive *archive, const SelectionParams *params, GError **error)
{
    Selection *selection = g_new0(Selection, 1);
    selection->contents = g_array_new(FALSE, FALSE, sizeof(SelectedContent));
    g_array_set_clear_func(selection->contents, clear_content);
    selection->rows = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_autoptr(GPtrArray) files = archive_list_files(archive, error);
    bool ok = files && check_folders(files, params->folders, error);
    g_autoptr(GPtrArray) named =
        ok ? find_words(archive, files, params->words, error) : NULL;
    g_autoptr(GArray) all = named ? archive_list_rows(archive, error) : NULL;
    g_autoptr(GHashTable) chosen =
        all ? choose_files(selection, named, params) : NULL;
    if (chosen &&
        choose_contents(selection, archive, all, chosen, params, error))
        return selection;
    selection_free(selection);
    return NULL;
}

void
selection_free(Selection *selection)
{
    g_array_unref(selection->contents);
    g_array_unref(selection->rows);
    g_free(selection);
}

void
selection_apply(const Selection *selection, const PeRows *rows,
                PeSearch *search)
{
    if (selection->rows->len == rows->n)
        return; // all of them, which is faster without a list
    static const uint64_t nothing[1]; // an empty array has no address
    search->selected =
        selection->rows->len
            ? (const uint64_t *)(const void *)selection->rows->data
            : nothing;
    search->n_selected = selection->rows->len;
}

const SelectedContent *
selection_find(const Selection *selection, guint64 row)
{
    guint low = 0, high = selection->contents->len;
    while (low < high) {
        guint middle = (low + high) / 2;
        const SelectedContent *content =
            &g_array_index(selection->contents, SelectedContent, middle);
        if (row < (guint64)content->rows.first_row)
            high = middle;
        else if (row >=
                 (guint64)(content->rows.first_row + content->rows.n_rows))
            low = middle + 1;
        else
            return content;
    }
    return NULL;
}

// ---- Times ----------------------------------------------------------------

bool
selection_parse_time(const char *text, gint64 *time, GError **error)
{
    static const char *const rests[] = {"", ":00", "T00:00:00"};
    g_autoptr(GTimeZone) zone = g_time_zone_new_local();
    for (size_t i = 0; i < G_N_ELEMENTS(rests); i++) {
        g_autofree char *whole = g_strconcat(text, rests[i], NULL);
        g_autoptr(GDateTime) date = g_date_time_new_from_iso8601(whole, zone);
        if (date) {
            *time = g_date_time_to_unix(date) * G_GINT64_CONSTANT(1000000000);
            return true;
        }
    }
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "\"%s\" is no time; write 2024-07-01 or 2024-07-01T22:30",
                text);
    return false;
}

bool
selection_parse_day(const char *text, int *from, int *to, GError **error)
{
    int h1, m1, h2, m2;
    char end;
    bool ok = sscanf(text, "%2d:%2d-%2d:%2d%c", &h1, &m1, &h2, &m2, &end) == 4;
    *from = ok ? h1 * 60 + m1 : -1;
    *to = ok ? h2 * 60 + m2 : -1;
    if (ok && h1 >= 0 && m1 >= 0 && h2 >= 0 && m2 >= 0 && m1 < 60 && m2 < 60 &&
        *from < 1440 && *to <= 1440 && *from != *to)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "\"%s\" is no time of day; write 22:00-06:00", text);
    return false;
}
