// SPDX-License-Identifier: LGPL-2.1-or-later
//
// dataset_classes.c - data sets with a class for each file; see dataset.h.

#include "dataset.h"

#include <stdlib.h>
#include <string.h>

#include "tools/eval/csv.h"

typedef struct {
    const DatasetParams *params;
    Dataset *dataset;
    GHashTable *numbers; // id or name -> number + 1
    bool partial;
} Reader;

// ---- Names ----------------------------------------------------------------

// Source: the reference's clean_label() in
// apps/pe/clip_benchmark/datasets/video_classification_dataset.py.
static char *
clean_name(const char *folder)
{
    g_autoptr(GString) name = g_string_new(NULL);
    for (const char *p = folder; *p; p++) {
        if (*p != '(' && *p != ')')
            g_string_append_c(name, *p);
    }
    while (name->len > 0 && name->str[name->len - 1] == '_')
        g_string_truncate(name, name->len - 1);
    return g_strdup(name->str + strspn(name->str, "_"));
}

// The classes are what the data has.
static void
take_classes_from(Dataset *d, GPtrArray *names)
{
    d->classes =
        g_ptr_array_new_with_free_func((GDestroyNotify)eval_class_free);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *name = clean_name(names->pdata[i]);
        g_ptr_array_add(d->classes, eval_class_new(names->pdata[i], name));
    }
}

// Folders of wnids stand for the classes in their order, as torchvision's
// ImageFolder takes them, where all are there and the classes have no ids.
static void
number_wnids(Dataset *d, GPtrArray *folders)
{
    bool fits = folders->len == d->classes->len;
    for (guint i = 0; i < folders->len && fits; i++) {
        const char *name = folders->pdata[i];
        const EvalClass *c = d->classes->pdata[i];
        fits = !c->id && name[0] == 'n' && strlen(name) == 9 &&
               strspn(name + 1, "0123456789") == 8;
    }
    for (guint i = 0; i < folders->len && fits; i++)
        ((EvalClass *)d->classes->pdata[i])->id = g_strdup(folders->pdata[i]);
}

static void
index_classes(Reader *r)
{
    GPtrArray *classes = r->dataset->classes;
    for (guint i = classes->len; i-- > 0;) {
        const EvalClass *c = classes->pdata[i];
        g_hash_table_insert(r->numbers, c->name, GUINT_TO_POINTER(i + 1));
    }
    for (guint i = 0; i < classes->len; i++) {
        const EvalClass *c = classes->pdata[i];
        if (c->id)
            g_hash_table_insert(r->numbers, c->id, GUINT_TO_POINTER(i + 1));
    }
}

// An id, a name, or else the number of a class from 0, as ImageNet-v2 has it.
static bool
find_class(const Reader *r, const char *name, guint *number)
{
    guint found = GPOINTER_TO_UINT(g_hash_table_lookup(r->numbers, name));
    guint64 value;
    if (found > 0) {
        *number = found - 1;
        return true;
    }
    if (!g_ascii_string_to_unsigned(name, 10, 0, r->dataset->classes->len - 1,
                                    &value, NULL))
        return false;
    *number = (guint)value;
    return true;
}

// ---- Folders --------------------------------------------------------------

static gint
compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *
list_folders(const char *path, GError **error)
{
    GDir *dir = g_dir_open(path, 0, error);
    if (!dir)
        return NULL;
    GPtrArray *folders = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *full = g_build_filename(path, name, NULL);
        if (name[0] != '.' && g_file_test(full, G_FILE_TEST_IS_DIR))
            g_ptr_array_add(folders, g_strdup(name));
    }
    g_dir_close(dir);
    g_ptr_array_sort(folders, compare_strings);
    if (folders->len > 0)
        return folders;
    g_ptr_array_unref(folders);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: has no folders; expected one for each class", path);
    return NULL;
}

static bool
read_folder(Reader *r, const char *name, GError **error)
{
    Dataset *d = r->dataset;
    guint number;
    g_autofree char *folder = g_build_filename(d->path, name, NULL);
    bool known = find_class(r, name, &number);
    if (!known && !r->partial) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: found a folder that is no id, name or number of the "
                    "%u classes; add it to --classes or move it away",
                    folder, d->classes->len);
        return false;
    }
    g_autoptr(GPtrArray) paths =
        dataset_list_files(folder, r->params->videos, &d->n_left_out, error);
    if (!paths)
        return false;
    if (!known) {
        d->n_left_out += paths->len;
        return true;
    }
    if (paths->len == 0)
        dataset_note(d, "%s: no %s in it", folder,
                     r->params->videos ? "video" : "picture");
    for (guint i = 0; i < paths->len; i++)
        dataset_add_item(d, paths->pdata[i])->class_index = number;
    return true;
}

static bool
read_folders(Reader *r, GError **error)
{
    g_autoptr(GPtrArray) folders = list_folders(r->dataset->path, error);
    if (!folders)
        return false;
    if (r->dataset->classes)
        number_wnids(r->dataset, folders);
    else
        take_classes_from(r->dataset, folders);
    index_classes(r);
    for (guint i = 0; i < folders->len; i++) {
        if (!read_folder(r, folders->pdata[i], error))
            return false;
    }
    return true;
}

// ---- Lists ----------------------------------------------------------------

typedef struct {
    int label;          // of "path,class" and of Kinetics
    int path;           // -1: Kinetics'
    int id, begin, end; // of Kinetics
    int split;          // -1: has none
    FileIndex *videos;  // of Kinetics
    const char *root;
} List;

static bool
find_columns(const Csv *csv, List *l, GError **error)
{
    l->path = csv_find_column(csv, "path");
    l->id = csv_find_column(csv, "youtube_id");
    l->split = csv_find_column(csv, "split");
    if (l->id < 0 && l->path < 0)
        return csv_need_column(csv, "path|youtube_id", error) >= 0;
    l->label = csv_need_column(csv, "class|label", error);
    if (l->label < 0 || l->path >= 0)
        return l->label >= 0;
    l->begin = csv_need_column(csv, "time_start", error);
    if (l->begin < 0)
        return false;
    l->end = csv_need_column(csv, "time_end", error);
    return l->end >= 0;
}

// Kinetics' usual name, "-abc_000010_000020.mp4", or the id alone. Videos that
// are gone have a path that is not there, so that they are counted.
static char *
find_video(const List *l, const char *id, const char *begin, const char *end)
{
    int first = (int)g_ascii_strtod(begin, NULL);
    int last = (int)g_ascii_strtod(end, NULL);
    g_autofree char *stem = g_strdup_printf("%s_%06d_%06d", id, first, last);
    const char *path = file_index_find(l->videos, stem);
    if (!path)
        path = file_index_find(l->videos, id);
    return path ? g_strdup(path) : g_strdup_printf("%s/%s.mp4", l->root, stem);
}

static char *
find_path(const Csv *csv, guint row, const List *l, GError **error)
{
    if (l->path >= 0) {
        const char *path = csv_get(csv, row, l->path, error);
        return path ? g_canonicalize_filename(path, l->root) : NULL;
    }
    const char *id = csv_get(csv, row, l->id, error);
    const char *begin = id ? csv_get(csv, row, l->begin, error) : NULL;
    const char *end = begin ? csv_get(csv, row, l->end, error) : NULL;
    return end ? find_video(l, id, begin, end) : NULL;
}

// Is the row one of the split that was asked for?
static bool
takes_part(const Reader *r, const Csv *csv, guint row, const List *l)
{
    const char *split = r->params->split && l->split >= 0
                            ? csv_get(csv, row, l->split, NULL)
                            : NULL;
    return !split || g_str_equal(split, r->params->split);
}

static bool
read_row(Reader *r, const Csv *csv, guint row, const List *l, GError **error)
{
    guint number;
    const char *label = csv_get(csv, row, l->label, error);
    g_autofree char *path = label ? find_path(csv, row, l, error) : NULL;
    if (!path)
        return false;
    if (find_class(r, label, &number)) {
        dataset_add_item(r->dataset, path)->class_index = number;
        return true;
    }
    if (r->partial) {
        r->dataset->n_left_out++;
        return true;
    }
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: line %u: found the class \"%s\"; expected an id, a name "
                "or a number of the %u classes",
                csv->path, ((CsvRow *)csv->rows->pdata[row])->line, label,
                r->dataset->classes->len);
    return false;
}

// The classes of the rows, each once, sorted.
static bool
collect_classes(Reader *r, const Csv *csv, const List *l, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 1; i < csv->rows->len; i++) {
        const char *label = csv_get(csv, i, l->label, error);
        if (!label)
            return false;
        if (takes_part(r, csv, i, l) && g_hash_table_add(seen, (char *)label))
            g_ptr_array_add(names, (char *)label);
    }
    g_ptr_array_sort(names, compare_strings);
    take_classes_from(r->dataset, names);
    return true;
}

static bool
read_rows(Reader *r, const Csv *csv, List *l, GError **error)
{
    if (!find_columns(csv, l, error))
        return false;
    if (l->path < 0 && !(l->videos = file_index_new(l->root, true, error)))
        return false;
    if (!r->dataset->classes && !collect_classes(r, csv, l, error))
        return false;
    index_classes(r);
    for (guint i = 1; i < csv->rows->len; i++) {
        if (takes_part(r, csv, i, l) && !read_row(r, csv, i, l, error))
            return false;
    }
    return true;
}

static bool
read_list(Reader *r, GError **error)
{
    Csv *csv = csv_open(r->dataset->path, error);
    if (!csv)
        return false;
    g_autofree char *folder = g_path_get_dirname(r->dataset->path);
    g_autofree char *root = g_canonicalize_filename(
        r->params->root ? r->params->root : folder, NULL);
    List l = {.root = root};
    bool ok = read_rows(r, csv, &l, error);
    file_index_free(l.videos);
    csv_free(csv);
    return ok;
}

// ---- All ------------------------------------------------------------------

Dataset *
dataset_open_classes(const DatasetParams *params, GPtrArray *classes,
                     bool partial, GError **error)
{
    Dataset *d = dataset_new(params->path);
    d->classes = classes;
    Reader r = {params, d, g_hash_table_new(g_str_hash, g_str_equal), partial};
    bool ok = g_file_test(params->path, G_FILE_TEST_IS_DIR)
                  ? read_folders(&r, error)
                  : read_list(&r, error);
    g_hash_table_unref(r.numbers);
    if (ok && d->items->len == 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: found no %s; expected at least one%s", params->path,
                    params->videos ? "video" : "picture",
                    params->videos ? "" : " (videos need --video)");
        ok = false;
    }
    if (ok)
        return d;
    dataset_free(d);
    return NULL;
}
