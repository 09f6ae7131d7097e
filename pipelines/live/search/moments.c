// SPDX-License-Identifier: LGPL-2.1-or-later
//
// moments.c - see moments.h. One queue of all streams, in the order in which
// clips ended, so that the oldest is always at its head.

#include "moments.h"

#include <string.h>

#include "core/pe.h"

#define MAX_AGE (G_GINT64_CONSTANT(60) * 60 * G_USEC_PER_SEC)

typedef struct {
    guint64 number;
    char *stream; // GRefString
    gint64 start, end;
    uint16_t *vector; // [dim]
    GBytes *jpeg;     // NULL: none yet
    int dim;
} Moment;

struct Moments {
    guint64 limit;
    GMutex lock;  // of all below
    GQueue queue; // Moment, oldest first
    guint64 last; // number
    guint64 bytes;
};

static guint64
count_bytes(const Moment *moment)
{
    return sizeof *moment + sizeof(GList) +
           (guint64)moment->dim * sizeof *moment->vector +
           (moment->jpeg ? g_bytes_get_size(moment->jpeg) : 0);
}

// ---- Moments ---------------------------------------------------------------

static void
drop_oldest(Moments *moments)
{
    Moment *moment = g_queue_pop_head(&moments->queue);
    moments->bytes -= count_bytes(moment);
    g_ref_string_release(moment->stream);
    g_clear_pointer(&moment->jpeg, g_bytes_unref);
    g_free(moment->vector);
    g_free(moment);
}

static void
keep_bounds(Moments *moments)
{
    gint64 limit = g_get_real_time() - MAX_AGE;
    const Moment *oldest;
    while ((oldest = g_queue_peek_head(&moments->queue)) &&
           (moments->bytes > moments->limit || oldest->end < limit))
        drop_oldest(moments);
}

Moments *
moments_new(guint64 limit)
{
    Moments *moments = g_new0(Moments, 1);
    moments->limit = limit;
    g_mutex_init(&moments->lock);
    g_queue_init(&moments->queue);
    return moments;
}

void
moments_free(Moments *moments)
{
    while (!g_queue_is_empty(&moments->queue))
        drop_oldest(moments);
    g_mutex_clear(&moments->lock);
    g_free(moments);
}

guint64
moments_add(Moments *moments, const char *stream, gint64 start, gint64 end,
            const float *vector, int dim)
{
    Moment *moment = g_new0(Moment, 1);
    moment->stream = g_ref_string_new_intern(stream);
    moment->start = start;
    moment->end = end;
    moment->dim = dim;
    moment->vector = g_new(uint16_t, (size_t)dim);
    pe_halves_from_floats(vector, (size_t)dim, moment->vector);
    g_mutex_lock(&moments->lock);
    guint64 number = moment->number = ++moments->last;
    g_queue_push_tail(&moments->queue, moment);
    moments->bytes += count_bytes(moment);
    keep_bounds(moments);
    g_mutex_unlock(&moments->lock);
    return number;
}

// Numbers are consecutive. NULL: it is gone.
static Moment *
find_locked(Moments *moments, guint64 number)
{
    const Moment *oldest = g_queue_peek_head(&moments->queue);
    if (!oldest || number < oldest->number || number > moments->last)
        return NULL;
    return g_queue_peek_nth(&moments->queue, (guint)(number - oldest->number));
}

void
moments_set_picture(Moments *moments, guint64 number, GBytes *jpeg)
{
    g_mutex_lock(&moments->lock);
    Moment *moment = find_locked(moments, number);
    if (moment && !moment->jpeg) {
        moment->jpeg = g_bytes_ref(jpeg);
        moments->bytes += g_bytes_get_size(jpeg);
        keep_bounds(moments);
    }
    g_mutex_unlock(&moments->lock);
    g_bytes_unref(jpeg);
}

GBytes *
moments_get_picture(Moments *moments, guint64 number)
{
    g_mutex_lock(&moments->lock);
    const Moment *moment = find_locked(moments, number);
    GBytes *jpeg = moment && moment->jpeg ? g_bytes_ref(moment->jpeg) : NULL;
    g_mutex_unlock(&moments->lock);
    return jpeg;
}

MomentsUse
moments_get_use(Moments *moments)
{
    g_mutex_lock(&moments->lock);
    keep_bounds(moments);
    const Moment *oldest = g_queue_peek_head(&moments->queue);
    MomentsUse use = {
        .n = g_queue_get_length(&moments->queue),
        .bytes = moments->bytes,
        .limit = moments->limit,
        .oldest = oldest ? oldest->start : 0,
    };
    g_mutex_unlock(&moments->lock);
    return use;
}

// ---- Search ----------------------------------------------------------------

static void
clear_found(gpointer data)
{
    g_free(((FoundMoment *)data)->stream);
}

// What a search looks at, in one piece, so that it holds up nobody.
//   *numbers  [return value], g_free()
//   *values   [return value, dim], g_free()
static size_t
copy_rows_locked(Moments *moments, int dim, const char *stream,
                 guint64 **numbers, uint16_t **values)
{
    size_t max = g_queue_get_length(&moments->queue), n = 0;
    *numbers = g_new(guint64, max);
    *values = g_new(uint16_t, max * (size_t)dim);
    for (const GList *l = moments->queue.head; l; l = l->next) {
        const Moment *moment = l->data;
        if (moment->dim != dim || (stream && strcmp(stream, moment->stream)))
            continue;
        memcpy(*values + n * (size_t)dim, moment->vector,
               (size_t)dim * sizeof **values);
        (*numbers)[n++] = moment->number;
    }
    return n;
}

static void
append_found(Moments *moments, GArray *found, guint64 number, float similarity)
{
    g_mutex_lock(&moments->lock);
    const Moment *moment = find_locked(moments, number);
    if (moment) {
        FoundMoment hit = {
            .number = number,
            .stream = g_strdup(moment->stream),
            .start = moment->start,
            .end = moment->end,
            .similarity = similarity,
            .has_picture = moment->jpeg != NULL,
        };
        g_array_append_val(found, hit);
    }
    g_mutex_unlock(&moments->lock);
}

GArray *
moments_search(Moments *moments, const float *query, int dim,
               const char *stream, int top)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(FoundMoment));
    g_autofree guint64 *numbers = NULL;
    g_autofree uint16_t *values = NULL;
    g_autofree PeHit *hits = g_new(PeHit, (size_t)top);
    int n_hits = 0;
    g_array_set_clear_func(found, clear_found);
    g_mutex_lock(&moments->lock);
    keep_bounds(moments);
    size_t n = copy_rows_locked(moments, dim, stream, &numbers, &values);
    g_mutex_unlock(&moments->lock);
    const PeRows rows = {.values = values, .n = n, .dim = dim};
    const PeSearch search = {
        .queries = query, .n_queries = 1, .top_k = top, .n_threads = 1};
    if (n > 0)
        pe_search(&rows, &search, hits, &n_hits);
    for (int i = 0; i < n_hits; i++)
        append_found(moments, found, numbers[hits[i].row], hits[i].similarity);
    return found;
}
