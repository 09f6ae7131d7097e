// SPDX-License-Identifier: LGPL-2.1-or-later
//
// shots.c - see shots.h.

#include "shots.h"

static const ArchiveFrame *
get_frame(const ArchiveContent *content, gint64 i)
{
    return &g_array_index(content->frames, ArchiveFrame, i);
}

static float
multiply(const float *a, const float *b, int dim)
{
    float sum = 0;
    for (int i = 0; i < dim; i++)
        sum += a[i] * b[i];
    return sum;
}

void
shots_mean(const ArchiveContent *content, const ArchiveSegment *segment,
           const uint16_t *vectors, int dim, float *out)
{
    g_autofree float *x = g_new(float, (size_t)dim);
    for (int k = 0; k < dim; k++)
        out[k] = 0;
    for (gint64 i = segment->first; i < segment->first + segment->n; i++) {
        float weight = (float)get_frame(content, i)->n_samples;
        pe_halves_to_floats(vectors + i * dim, (size_t)dim, x);
        for (int k = 0; k < dim; k++)
            out[k] += weight * x[k];
    }
    pe_embedding_normalize(out, dim);
}

static gint64
find_peak(const ArchiveContent *content, const ArchiveSegment *segment,
          const uint16_t *vectors, int dim)
{
    g_autofree float *mean = g_new(float, (size_t)dim);
    g_autofree float *x = g_new(float, (size_t)dim);
    gint64 peak = segment->first;
    float best = -2;
    shots_mean(content, segment, vectors, dim, mean);
    for (gint64 i = segment->first; i < segment->first + segment->n; i++) {
        pe_halves_to_floats(vectors + i * dim, (size_t)dim, x);
        float cosine = multiply(x, mean, dim);
        if (cosine > best) {
            best = cosine;
            peak = i;
        }
    }
    return peak;
}

static void
add_segment(ArchiveContent *content, gint64 first, gint64 end,
            const uint16_t *vectors, int dim)
{
    ArchiveSegment *segment = archive_segment_new();
    segment->first = first;
    segment->n = end - first;
    segment->start = get_frame(content, first)->start;
    segment->end = get_frame(content, end - 1)->end;
    segment->peak = find_peak(content, segment, vectors, dim);
    g_ptr_array_add(content->segments, segment);
}

void
shots_find(ArchiveContent *content, const uint16_t *vectors, int dim,
           float min_cosine)
{
    g_autofree float *x = g_new0(float, (size_t)dim);
    g_autofree float *last = g_new0(float, (size_t)dim);
    gint64 n = content->frames->len, first = 0;
    g_ptr_array_set_size(content->segments, 0);
    for (gint64 i = 0; i < n; i++) {
        pe_halves_to_floats(vectors + i * dim, (size_t)dim, x);
        if (i > 0 && multiply(x, last, dim) < min_cosine) {
            add_segment(content, first, i, vectors, dim);
            first = i;
        }
        float *swap = last;
        last = x;
        x = swap;
    }
    if (n > 0)
        add_segment(content, first, n, vectors, dim);
}
