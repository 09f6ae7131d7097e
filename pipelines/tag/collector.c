// SPDX-License-Identifier: LGPL-2.1-or-later
//
// collector.c - see collector.h. Knows no pipeline; video.c fills it.

#include "collector.h"

#include "shots.h"

struct Collector {
    int dim;
    float min_cosine;
    float *stored;       // [dim], the last stored vector as it was
    GArray *frames;      // ArchiveFrame
    GArray *vectors;     // uint16_t [n_frames, dim]
    GPtrArray *pictures; // GBytes of each frame, or NULL
    gint64 n_samples;
};

static void
free_picture(gpointer picture)
{
    if (picture)
        g_bytes_unref(picture);
}

Collector *
collector_new(int dim, float min_cosine)
{
    Collector *collector = g_new0(Collector, 1);
    collector->dim = dim;
    collector->min_cosine = min_cosine;
    collector->stored = g_new0(float, (size_t)dim);
    collector->frames = g_array_new(FALSE, FALSE, sizeof(ArchiveFrame));
    collector->vectors = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    collector->pictures = g_ptr_array_new_with_free_func(free_picture);
    return collector;
}

void
collector_free(Collector *collector)
{
    g_free(collector->stored);
    g_array_unref(collector->frames);
    g_array_unref(collector->vectors);
    g_ptr_array_unref(collector->pictures);
    g_free(collector);
}

static ArchiveFrame *
get_last(Collector *collector)
{
    guint n = collector->frames->len;
    return n ? &g_array_index(collector->frames, ArchiveFrame, n - 1) : NULL;
}

static bool
is_like_last(const Collector *collector, const float *embedding)
{
    float cosine = 0;
    for (int i = 0; i < collector->dim; i++)
        cosine += collector->stored[i] * embedding[i];
    return cosine >= collector->min_cosine;
}

static void
store(Collector *collector, const ArchiveFrame *frame, const float *embedding)
{
    size_t dim = (size_t)collector->dim;
    guint n = collector->vectors->len;
    g_array_set_size(collector->vectors, n + (guint)dim);
    pe_halves_from_floats(embedding, dim,
                          &g_array_index(collector->vectors, uint16_t, n));
    for (size_t i = 0; i < dim; i++)
        collector->stored[i] = embedding[i];
    g_array_append_val(collector->frames, *frame);
    g_ptr_array_add(collector->pictures, NULL);
}

bool
collector_add(Collector *collector, gint64 start, gint64 end,
              const float *embedding)
{
    ArchiveFrame *last = get_last(collector);
    collector->n_samples++;
    if (last) {
        start = MAX(start, last->start); // a stream that jumps back
        last->end = MAX(last->end, start);
    }
    end = MAX(end, start);
    if (last && is_like_last(collector, embedding)) {
        last->n_samples++;
        last->end = MAX(last->end, end);
        return false;
    }
    store(collector, &(ArchiveFrame){start, end, 1}, embedding);
    return true;
}

void
collector_set_picture(Collector *collector, GBytes *jpeg)
{
    guint n = collector->pictures->len;
    g_return_if_fail(n > 0);
    free_picture(collector->pictures->pdata[n - 1]);
    collector->pictures->pdata[n - 1] = jpeg;
}

gint64
collector_count_samples(const Collector *collector)
{
    return collector->n_samples;
}

void
collector_extend(Collector *collector, gint64 end, gint64 most)
{
    ArchiveFrame *last = get_last(collector);
    if (last)
        last->end = MAX(last->end, MIN(end, last->end + most));
}

uint16_t *
collector_finish(Collector *collector, ArchiveContent *content,
                 float min_shot_cosine)
{
    guint n = collector->frames->len;
    g_array_set_size(content->frames, 0);
    if (n > 0)
        g_array_append_vals(content->frames, collector->frames->data, n);
    const uint16_t *vectors = (const uint16_t *)collector->vectors->data;
    shots_find(content, vectors, collector->dim, min_shot_cosine);
    for (guint i = 0; i < content->segments->len; i++) {
        ArchiveSegment *segment = content->segments->pdata[i];
        GBytes *picture = collector->pictures->pdata[segment->peak];
        segment->thumbnail = picture ? g_bytes_ref(picture) : NULL;
    }
    return g_memdup2(vectors, sizeof *vectors * n * (size_t)collector->dim);
}
