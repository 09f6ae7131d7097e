// SPDX-License-Identifier: LGPL-2.1-or-later
//
// merge.c - see merge.h. The caller's thread fills the index while another one
// copies vectors.

#include "merge.h"

#include <string.h>

#include "archive_private.h"
#include "gst/database/copy.h"
#include "words.h"

// One of the archives that are merged.
typedef struct {
    Archive *archive;
    GPtrArray *files; // ArchiveFile *, by name
    guint next;       // of files
    GHashTable *ids;  // gint64 * of a content to gint64 * of the merged one
} Part;

typedef struct {
    Archive *to;
    GArray *parts; // Part
    GThreadPool *copier;
    GMutex lock;        // of copy_error
    GError *copy_error; // the first
    int has_failed;     // atomic: copy no more
} Merge;

// ---- Do they fit? ---------------------------------------------------------

static bool
check_models(const Archive *first, const Archive *other, GError **error)
{
    ArchiveModel model = archive_describe_model(other);
    float cosine = archive_compare_model(first, &model);
    if (cosine >= ARCHIVE_MIN_COSINE)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                "the vectors of %s were made by %s (%d values, fingerprint "
                "%s), and those of %s by %s (%d values, fingerprint %s): their "
                "probes have a cosine of %.4f, and %.3f is needed; tag the "
                "files of one of them again with the model of the other",
                first->folder, first->model, first->dim, first->fingerprint,
                other->folder, other->model, other->dim, other->fingerprint,
                (double)cosine, (double)ARCHIVE_MIN_COSINE);
    return false;
}

// What the first archive has that has any.
typedef struct {
    char *value;       // g_free(); NULL: none has yet
    const char *where; // its folder, borrowed
} First;

// The first of an archive's values that is another one; NULL: there is none.
static const char *
find_other(First *first, const Archive *archive, const GPtrArray *values)
{
    for (guint i = 0; i < values->len; i++) {
        const char *value = values->pdata[i];
        if (!first->value)
            *first = (First){g_strdup(value), archive->folder};
        else if (!g_str_equal(first->value, value))
            return value;
    }
    return NULL;
}

static bool
check_settings(First *first, Archive *archive, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    if (!database_add_texts(archive->database, found, error,
                            "SELECT DISTINCT ifnull(settings, 'unknown') "
                            "FROM contents ORDER BY 1"))
        return false;
    const char *other = find_other(first, archive, found);
    if (other)
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "the samples of %s were taken at \"%s\", and those of "
                    "%s at \"%s\"; tag the files of one of them again as "
                    "the others",
                    first->where, first->value, archive->folder, other);
    return !other;
}

// Two label sets are no fault, but scores of one say nothing of the other's.
static bool
check_label_sets(First *first, Archive *archive, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    if (!database_add_texts(archive->database, found, error,
                            "SELECT DISTINCT label_set FROM contents "
                            "WHERE label_set IS NOT NULL ORDER BY 1"))
        return false;
    const char *other = find_other(first, archive, found);
    if (other)
        pe_log(PE_LOG_WARNING,
               "%s has labels of another set (%s) than %s (%s); pe-tag "
               "relabel gives what was merged those of one",
               archive->folder, other, first->where, first->value);
    return true;
}

static bool
check_all(const GPtrArray *archives, GError **error)
{
    First settings = {0}, set = {0};
    bool ok = true;
    for (guint i = 0; ok && i < archives->len; i++) {
        Archive *archive = archives->pdata[i];
        ok = check_models(archives->pdata[0], archive, error) &&
             archive_check_frames(archive, error) &&
             check_settings(&settings, archive, error) &&
             check_label_sets(&set, archive, error);
    }
    g_free(settings.value);
    g_free(set.value);
    return ok;
}

// A copy of a model in another precision fits, too, so one must be chosen.
static int
compare_facts(const Archive *a, const Archive *b)
{
    if (a->n_probes != b->n_probes)
        return a->n_probes > b->n_probes ? -1 : 1;
    int order = strcmp(a->fingerprint, b->fingerprint);
    if (order == 0)
        order = strcmp(a->model, b->model);
    return order ? order
                 : memcmp(a->probes, b->probes,
                          sizeof(float) * (size_t)a->n_probes * (size_t)a->dim);
}

static const Archive *
choose_facts(const GPtrArray *archives)
{
    const Archive *best = archives->pdata[0];
    for (guint i = 1; i < archives->len; i++) {
        if (compare_facts(archives->pdata[i], best) < 0)
            best = archives->pdata[i];
    }
    return best;
}

// ---- Vectors --------------------------------------------------------------

typedef struct {
    const Packs *from;
    gint64 first, n, to;
} Range;

static void
copy_range(gpointer data, gpointer user_data)
{
    g_autofree Range *range = data;
    Merge *merge = user_data;
    GError *error = NULL;
    if (g_atomic_int_get(&merge->has_failed) ||
        packs_copy(&merge->to->packs, range->to, range->from, range->first,
                   range->n, &error))
        return;
    g_atomic_int_set(&merge->has_failed, 1);
    g_mutex_lock(&merge->lock);
    if (merge->copy_error)
        g_error_free(error);
    else
        merge->copy_error = error;
    g_mutex_unlock(&merge->lock);
}

// Wait for all that was asked for.
static bool
finish_copying(Merge *merge, GError **error)
{
    g_thread_pool_free(g_steal_pointer(&merge->copier), FALSE, TRUE);
    if (merge->copy_error) {
        g_propagate_error(error, g_steal_pointer(&merge->copy_error));
        return false;
    }
    return true;
}

// ---- Contents -------------------------------------------------------------

// All that is known about a content but its hash; NULL with the error.
static char *
describe(Archive *archive, gint64 id, GError **error)
{
    StoredRows stored;
    GString *text = g_string_new(NULL);
    g_autoptr(ArchiveContent) content =
        archive_read_content(archive, id, error);
    bool ok = content && archive_find_stored(archive, id, &stored, error);
    if (ok) {
        archive_dump_content(content, stored.sum ? stored.sum : "unknown",
                             text);
        g_free(stored.sum);
    }
    return g_string_free(text, !ok);
}

static bool
are_equal(Archive *a, gint64 a_id, Archive *b, gint64 b_id, bool *equal,
          GError **error)
{
    g_autofree char *a_text = describe(a, a_id, error);
    g_autofree char *b_text = a_text ? describe(b, b_id, error) : NULL;
    *equal = g_strcmp0(a_text, b_text) == 0;
    return b_text != NULL;
}

// The content of the merged archive that is the same; *id 0: none is.
static bool
find_equal(Merge *merge, Part *part, gint64 content, const char *key,
           gint64 *id, GError **error)
{
    *id = 0;
    if (!key)
        return true;
    g_autoptr(GArray) ids = archive_find_contents(merge->to, key, error);
    for (guint i = 0; ids && i < ids->len && *id == 0; i++) {
        bool equal;
        gint64 other = g_array_index(ids, gint64, i);
        if (!are_equal(part->archive, content, merge->to, other, &equal, error))
            return false;
        if (equal)
            *id = other;
    }
    return ids != NULL;
}

// Frames, segments and thumbnails.
static bool
copy_tables(Archive *to, gint64 id, Archive *from, gint64 content,
            GError **error)
{
    Database *a = to->database, *b = from->database;
    gint64 n;
    return database_copy_rows(
               a, "INSERT INTO frames SELECT ?, a, b FROM rows", id, b,
               "SELECT n_samples, records FROM frames WHERE content = ?",
               content, &n, error) &&
           database_copy_rows(
               a, "INSERT INTO segments SELECT ?, a, b, c FROM rows", id, b,
               "SELECT records, names, labels FROM segments WHERE content = ?",
               content, &n, error) &&
           database_copy_rows(
               a, "INSERT INTO thumbnails SELECT ?, a, b FROM rows", id, b,
               "SELECT piece, bytes FROM thumbnails WHERE content = ? "
               "ORDER BY piece",
               content, &n, error);
}

static bool
insert(Merge *merge, Part *part, ArchiveContent *content, gint64 *id,
       GError **error)
{
    Archive *to = merge->to;
    StoredRows stored;
    if (!archive_find_stored(part->archive, content->id, &stored, error))
        return false;
    g_autofree char *sum = stored.sum;
    g_clear_pointer(&content->hash, g_free);
    if (!archive_insert_content(to, content, to->n_rows, stored.n, sum, id,
                                error) ||
        !copy_tables(to, *id, part->archive, content->id, error))
        return false;
    if (stored.n > 0) {
        Range range = {&part->archive->packs, stored.first, stored.n,
                       to->n_rows};
        g_thread_pool_push(merge->copier, g_memdup2(&range, sizeof range),
                           NULL);
        to->n_rows += stored.n;
    }
    return true;
}

static void
remember(Part *part, gint64 content, gint64 id)
{
    g_hash_table_insert(part->ids, g_memdup2(&content, sizeof content),
                        g_memdup2(&id, sizeof id));
}

// *id: of the merged archive's content that a content has become.
static bool
take_content(Merge *merge, Part *part, gint64 content, gint64 *id,
             GError **error)
{
    const gint64 *known = g_hash_table_lookup(part->ids, &content);
    if (known) {
        *id = *known;
        return true;
    }
    g_autoptr(ArchiveContent) found =
        archive_read_content_facts(part->archive, content, error);
    if (!found || !find_equal(merge, part, content, found->key, id, error) ||
        (*id == 0 && !insert(merge, part, found, id, error)))
        return false;
    remember(part, content, *id);
    return true;
}

// ---- Files ----------------------------------------------------------------

static const ArchiveFile *
peek(const Part *part)
{
    return part->next < part->files->len ? part->files->pdata[part->next]
                                         : NULL;
}

// The part whose next file has the first name of all; NULL: there is none.
static Part *
find_next(Merge *merge)
{
    Part *first = NULL;
    for (guint i = 0; i < merge->parts->len; i++) {
        Part *part = &g_array_index(merge->parts, Part, i);
        if (peek(part) &&
            (!first || strcmp(peek(part)->name, peek(first)->name) < 0))
            first = part;
    }
    return first;
}

static bool
have_same_facts(const ArchiveFile *a, const ArchiveFile *b)
{
    return a->size == b->size && a->mtime == b->mtime &&
           g_strcmp0(a->etag, b->etag) == 0 && a->wall_start == b->wall_start &&
           g_strcmp0(a->wall_source, b->wall_source) == 0;
}

// A file that another part has, too: nothing else may be known about it there.
static bool
skip_copy(Merge *merge, const Part *first, Part *part, gint64 id,
          GError **error)
{
    const ArchiveFile *file = peek(part);
    bool equal;
    if (!are_equal(part->archive, file->content, merge->to, id, &equal, error))
        return false;
    if (!equal || !have_same_facts(file, peek(first))) {
        g_autofree char *name = g_utf8_make_valid(file->name, -1);
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "%s and %s know different things of %s: leave out the "
                    "older of them, or bring it up to date",
                    first->archive->folder, part->archive->folder, name);
        return false;
    }
    if (!g_hash_table_contains(part->ids, &file->content))
        remember(part, file->content, id);
    part->next++;
    return true;
}

static bool
take_file(Merge *merge, Part *first, GError **error)
{
    const ArchiveFile *file = peek(first);
    gint64 id;
    if (!take_content(merge, first, file->content, &id, error) ||
        !database_run(merge->to->database, error,
                      "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
                      "tiititi", file->name, file->size, file->mtime,
                      file->etag, file->wall_start, file->wall_source, id))
        return false;
    for (guint i = 0; i < merge->parts->len; i++) {
        Part *part = &g_array_index(merge->parts, Part, i);
        if (part != first && peek(part) &&
            g_str_equal(peek(part)->name, file->name) &&
            !skip_copy(merge, first, part, id, error))
            return false;
    }
    first->next++;
    return true;
}

// ---- All of it ------------------------------------------------------------

// An ArchiveStep.
static bool
merge_all(Archive *to, void *data, GError **error)
{
    Merge *merge = data;
    Part *next;
    while ((next = find_next(merge))) {
        if (g_atomic_int_get(&merge->has_failed))
            break; // finish_copying() says why
        if (!take_file(merge, next, error))
            return false;
    }
    return database_run(to->database, error,
                        "UPDATE facts SET number = ? WHERE name = 'rows'", "i",
                        to->n_rows) &&
           words_prepare(to, NULL, error) && finish_copying(merge, error);
}

static void
clear_part(gpointer data)
{
    Part *part = data;
    g_ptr_array_unref(part->files);
    g_hash_table_unref(part->ids);
}

// Part; NULL with the error.
static GArray *
make_parts(const GPtrArray *archives, GError **error)
{
    GArray *parts = g_array_new(FALSE, FALSE, sizeof(Part));
    g_array_set_clear_func(parts, clear_part);
    for (guint i = 0; i < archives->len; i++) {
        Part part = {.archive = archives->pdata[i]};
        part.files = archive_list_files(part.archive, error);
        if (!part.files) {
            g_array_unref(parts);
            return NULL;
        }
        part.ids =
            g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
        g_array_append_val(parts, part);
    }
    return parts;
}

Archive *
archive_merge(const GPtrArray *archives, const char *folder, GError **error)
{
    if (!check_all(archives, error))
        return NULL;
    g_autoptr(GArray) parts = make_parts(archives, error);
    ArchiveModel model = archive_describe_model(choose_facts(archives));
    Archive *to = parts ? archive_create(folder, &model, error) : NULL;
    if (!to)
        return NULL;
    Merge merge = {.to = to, .parts = parts};
    g_mutex_init(&merge.lock);
    merge.copier = g_thread_pool_new(copy_range, &merge, 1, FALSE, NULL);
    bool ok = archive_change(to, merge_all, &merge, error) &&
              archive_finish(to, error);
    if (merge.copier) { // the index failed
        g_atomic_int_set(&merge.has_failed, 1);
        g_thread_pool_free(merge.copier, FALSE, TRUE);
    }
    g_clear_error(&merge.copy_error);
    g_mutex_clear(&merge.lock);
    if (ok)
        return to;
    archive_close(to);
    return NULL;
}
