// SPDX-License-Identifier: LGPL-2.1-or-later
//
// example_files.c - see example_files.h.

#include "example_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/clips.h"
#include "tools/eval/embed.h"
#include "tools/program.h"

#define SECOND 1e9
#define CLIP_NS ((uint64_t)CLIP_SECONDS * 1000000000)
#define MAX_SECONDS 1e9

// ---- Names ----------------------------------------------------------------

static void
file_free(ExampleFile *file)
{
    g_free(file->item.path);
    g_free(file->item.problem);
    g_free(file);
}

// "12.5", "1:02" or "1:02:03.5" as seconds, or -1.
static double
parse_time(const char *text)
{
    double seconds = 0;
    for (int part = 0; part < 3; part++) {
        char *end;
        if (!g_ascii_isdigit(*text))
            return -1;
        seconds = 60 * seconds + g_ascii_strtod(text, &end);
        if (!*end)
            return seconds <= MAX_SECONDS ? seconds : -1;
        if (*end != ':')
            return -1;
        text = end + 1;
    }
    return -1;
}

// Takes a time off the name's end, unless there is a file of the whole name.
static ExampleFile *
file_new(const char *name, bool positive)
{
    ExampleFile *file = g_new0(ExampleFile, 1);
    const char *at = strrchr(name, '@');
    double seconds = at ? parse_time(at + 1) : -1;
    file->item.class_index = positive;
    file->time = PE_TIME_NONE;
    if (seconds < 0 || g_file_test(name, G_FILE_TEST_EXISTS)) {
        file->item.path = g_strdup(name);
    } else {
        file->item.path = g_strndup(name, (gsize)(at - name));
        file->time = (uint64_t)llround(seconds * SECOND);
    }
    return file;
}

// ---- The list -------------------------------------------------------------

typedef struct {
    GPtrArray *files;
    GHashTable *seen; // full path -> GPtrArray of ExampleFile *, borrowed
} List;

// Are both the same, or moments that share frames?
static bool
overlap(const ExampleFile *a, const ExampleFile *b)
{
    if (a->time == PE_TIME_NONE || b->time == PE_TIME_NONE)
        return true;
    return (a->time > b->time ? a->time - b->time : b->time - a->time) <
           CLIP_NS;
}

static bool
fail_overlap(const ExampleFile *a, const ExampleFile *b, GError **error)
{
    if (a->time == PE_TIME_NONE && b->time == PE_TIME_NONE)
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: is given twice; an example counts once, as one kind",
                    a->item.path);
    else if (a->time == PE_TIME_NONE || b->time == PE_TIME_NONE)
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: is given as a whole and at a time; expected either",
                    a->item.path);
    else
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: the times %.3f and %.3f s share frames; expected "
                    "times that are %d s apart",
                    a->item.path, (double)b->time / SECOND,
                    (double)a->time / SECOND, CLIP_SECONDS);
    return false;
}

// Takes the file.
static bool
add_file(List *list, ExampleFile *file, GError **error)
{
    g_autofree char *full = g_canonicalize_filename(file->item.path, NULL);
    GPtrArray *same = g_hash_table_lookup(list->seen, full);
    g_ptr_array_add(list->files, file);
    if (!same) {
        same = g_ptr_array_new();
        g_hash_table_insert(list->seen, g_steal_pointer(&full), same);
    }
    for (guint i = 0; i < same->len; i++) {
        if (overlap(file, same->pdata[i]))
            return fail_overlap(file, same->pdata[i], error);
    }
    g_ptr_array_add(same, file);
    return true;
}

// Pictures and videos of a folder.
static bool
add_folder(List *list, const char *path, bool positive, GError **error)
{
    guint n_left_out = 0;
    for (int videos = 0; videos < 2; videos++) {
        g_autoptr(GPtrArray) files =
            dataset_list_files(path, videos, &n_left_out, error);
        if (!files)
            return false;
        for (guint i = 0; i < files->len; i++) {
            // A GIF is listed as both, and taken as a picture.
            if (videos && dataset_has_kind(files->pdata[i], false))
                continue;
            ExampleFile *file = g_new0(ExampleFile, 1);
            file->item.path = g_strdup(files->pdata[i]);
            file->item.class_index = positive;
            file->time = PE_TIME_NONE;
            if (!add_file(list, file, error))
                return false;
        }
    }
    return true;
}

static bool
add_all(List *list, char **paths, bool positive, GError **error)
{
    for (; paths && *paths; paths++) {
        bool ok = g_file_test(*paths, G_FILE_TEST_IS_DIR)
                      ? add_folder(list, *paths, positive, error)
                      : add_file(list, file_new(*paths, positive), error);
        if (!ok)
            return false;
    }
    return true;
}

GPtrArray *
example_files_list(char **positives, char **negatives, GError **error)
{
    List list = {
        g_ptr_array_new_with_free_func((GDestroyNotify)file_free),
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                              (GDestroyNotify)g_ptr_array_unref),
    };
    bool ok = add_all(&list, positives, true, error) &&
              add_all(&list, negatives, false, error);
    g_hash_table_unref(list.seen);
    if (!ok)
        g_clear_pointer(&list.files, g_ptr_array_unref);
    return list.files;
}

// ---- Vectors --------------------------------------------------------------

static bool
is_video(const ExampleFile *file)
{
    return file->time == PE_TIME_NONE &&
           dataset_has_kind(file->item.path, true) &&
           !dataset_has_kind(file->item.path, false);
}

static bool
is_picture(const ExampleFile *file)
{
    return file->time == PE_TIME_NONE && !is_video(file);
}

// The whole files of one kind.
static bool
embed_kind(GPtrArray *files, PeEngine *engine, int n_frames, float *vectors,
           GError **error)
{
    Embedding embedding = {
        .engine = engine,
        .n_frames = n_frames,
        .n_jobs = (int)MIN(g_get_num_processors(), 8),
    };
    size_t dim = (size_t)pe_engine_get_dim(engine);
    g_autoptr(GPtrArray) some = g_ptr_array_new();
    g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < files->len; i++) {
        ExampleFile *file = files->pdata[i];
        if (n_frames ? !is_video(file) : !is_picture(file))
            continue;
        g_ptr_array_add(some, &file->item);
        g_array_append_val(numbers, i);
    }
    g_autofree float *found = g_new(float, some->len *dim);
    if (some->len > 0 && !eval_embed_items(&embedding, some, found, error))
        return false;
    for (guint i = 0; i < some->len; i++)
        memcpy(vectors + g_array_index(numbers, guint, i) * dim,
               found + i * dim, dim * sizeof *found);
    return true;
}

typedef struct {
    float *vector;
    size_t dim;
} Moment;

// The first clip is the one that was asked for.
static bool
take_clip(const Clip *clip, void *data, GError **error)
{
    Moment *moment = data;
    memcpy(moment->vector, clip->embedding,
           moment->dim * sizeof *moment->vector);
    return false;
}

static bool
embed_moment(ClipReader *reader, ExampleFile *file, Moment *moment,
             GError **error)
{
    GError *e = NULL;
    uint64_t from = file->time > CLIP_NS / 2 ? file->time - CLIP_NS / 2 : 0;
    if (clip_reader_read_video(reader, file->item.path, from, take_clip, moment,
                               &e))
        return true;
    if (!eval_is_of_file(e)) {
        g_propagate_error(error, e);
        return false;
    }
    program_fail(e);
    file->item.problem = g_strdup(e->message);
    g_error_free(e);
    return true;
}

static bool
embed_moments(GPtrArray *files, PeEngine *engine, float *vectors,
              GError **error)
{
    size_t dim = (size_t)pe_engine_get_dim(engine);
    ClipReader *reader = clip_reader_new(engine);
    bool ok = true;
    for (guint i = 0; i < files->len && ok; i++) {
        ExampleFile *file = files->pdata[i];
        Moment moment = {vectors + i * dim, dim};
        if (file->time != PE_TIME_NONE)
            ok = embed_moment(reader, file, &moment, error);
    }
    clip_reader_free(reader);
    return ok;
}

bool
example_files_embed(GPtrArray *files, PeEngine *engine, int n_frames,
                    float *vectors, GError **error)
{
    return embed_kind(files, engine, 0, vectors, error) &&
           embed_kind(files, engine, n_frames, vectors, error) &&
           embed_moments(files, engine, vectors, error);
}
