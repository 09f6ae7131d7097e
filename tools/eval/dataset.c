// SPDX-License-Identifier: LGPL-2.1-or-later
//
// dataset.c - see dataset.h.

#include "dataset.h"

#include <string.h>

#define MAX_DEPTH 16 // folders

// ---- Parts ----------------------------------------------------------------

EvalClass *
eval_class_new(const char *id, const char *name)
{
    EvalClass *c = g_new0(EvalClass, 1);
    c->id = g_strdup(id);
    c->name = g_strdup(name);
    return c;
}

void
eval_class_free(EvalClass *c)
{
    g_free(c->id);
    g_free(c->name);
    g_free(c);
}

static void
item_free(EvalItem *item)
{
    g_free(item->path);
    g_free(item->problem);
    g_free(item);
}

Dataset *
dataset_new(const char *path)
{
    Dataset *d = g_new0(Dataset, 1);
    d->path = g_strdup(path);
    d->items = g_ptr_array_new_with_free_func((GDestroyNotify)item_free);
    d->captions = g_ptr_array_new_with_free_func(g_free);
    d->notes = g_ptr_array_new_with_free_func(g_free);
    return d;
}

void
dataset_free(Dataset *d)
{
    if (!d)
        return;
    g_clear_pointer(&d->classes, g_ptr_array_unref);
    g_ptr_array_unref(d->items);
    g_ptr_array_unref(d->captions);
    g_ptr_array_unref(d->notes);
    g_free(d->path);
    g_free(d);
}

EvalItem *
dataset_add_item(Dataset *d, const char *path)
{
    EvalItem *item = g_new0(EvalItem, 1);
    item->path = g_strdup(path);
    g_ptr_array_add(d->items, item);
    return item;
}

void
dataset_note(Dataset *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_ptr_array_add(d->notes, g_strdup_vprintf(format, args));
    va_end(args);
}

// ---- Folders --------------------------------------------------------------

bool
dataset_has_kind(const char *name, bool videos)
{
    static const char *const of_pictures[] = {
        "jpg", "jpeg", "png", "bmp",  "gif",  "tif",  "tiff", "webp", "pnm",
        "ppm", "pgm",  "pbm", "avif", "heic", "heif", "ico",  "tga",  NULL};
    static const char *const of_videos[] = {
        "mp4", "mkv", "webm", "avi", "mov", "m4v", "mpg", "mpeg",
        "ts",  "flv", "wmv",  "ogv", "3gp", "y4m", "gif", NULL};
    const char *dot = strrchr(name, '.');
    g_autofree char *end = g_ascii_strdown(dot ? dot + 1 : "", -1);
    return g_strv_contains(videos ? of_videos : of_pictures, end);
}

typedef struct {
    GPtrArray *paths;
    guint n_left_out;
    bool videos;
} Listing;

static bool
list_folder(Listing *l, const char *folder, int depth, GError **error)
{
    GError *cause = NULL;
    GDir *dir = g_dir_open(folder, 0, &cause);
    if (!dir) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s", cause->message);
        g_error_free(cause);
        return false;
    }
    bool ok = true;
    const char *name;
    while (ok && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (name[0] == '.')
            continue;
        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            ok = depth >= MAX_DEPTH || list_folder(l, path, depth + 1, error);
        else if (dataset_has_kind(name, l->videos))
            g_ptr_array_add(l->paths, g_steal_pointer(&path));
        else
            l->n_left_out++;
    }
    g_dir_close(dir);
    return ok;
}

static gint
compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *
dataset_list_files(const char *folder, bool videos, guint *n_left_out,
                   GError **error)
{
    Listing l = {g_ptr_array_new_with_free_func(g_free), 0, videos};
    if (!list_folder(&l, folder, 0, error)) {
        g_ptr_array_unref(l.paths);
        return NULL;
    }
    g_ptr_array_sort(l.paths, compare_strings);
    *n_left_out += l.n_left_out;
    return l.paths;
}

// ---- Index ----------------------------------------------------------------

struct FileIndex {
    GHashTable *paths; // stem -> path, of several the first
};

FileIndex *
file_index_new(const char *folder, bool videos, GError **error)
{
    guint n_left_out = 0;
    g_autoptr(GPtrArray) paths =
        dataset_list_files(folder, videos, &n_left_out, error);
    if (!paths)
        return NULL;
    FileIndex *index = g_new0(FileIndex, 1);
    index->paths =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; i < paths->len; i++) {
        char *stem = g_path_get_basename(paths->pdata[i]);
        *strrchr(stem, '.') = '\0';
        if (g_hash_table_contains(index->paths, stem))
            g_free(stem);
        else
            g_hash_table_insert(index->paths, stem, g_strdup(paths->pdata[i]));
    }
    return index;
}

const char *
file_index_find(const FileIndex *index, const char *stem)
{
    return g_hash_table_lookup(index->paths, stem);
}

void
file_index_free(FileIndex *index)
{
    if (!index)
        return;
    g_hash_table_unref(index->paths);
    g_free(index);
}
