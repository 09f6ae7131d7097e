// SPDX-License-Identifier: LGPL-2.1-or-later
//
// moments.c - see moments.h.

#include "moments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CANDIDATES 4096 // frames that come nearest to each part
#define FALL 0.7            // of the peak's score, down to which it goes on
#define MAX_LINE 2000       // frames of a file that are looked at for its line

typedef struct {
    Archive *archive;
    const Query *query;
    const Gauge *gauges;
    const PeRows *rows;
    const Selection *selection;
    const MomentParams *params;
    GHashTable *taken; // rows of moments that have been found
    GError *error;     // rows could not be read; the first one
} Finder;

static void
moment_free(gpointer data)
{
    Moment *moment = data;
    g_free(moment->parts);
    g_free(moment->label);
    g_free(moment->vector);
    g_free(moment->line);
    g_clear_pointer(&moment->thumbnail, g_bytes_unref);
    g_free(moment);
}

// ---- Scores ---------------------------------------------------------------

// What a frame is for all parts.
static void
measure(const Finder *finder, guint64 row, Measure *parts)
{
    int row_dim = finder->rows->dim;
    size_t dim = (size_t)row_dim;
    g_autofree float *x = g_new(float, dim);
    pe_halves_to_floats(finder->rows->values + row * dim, dim, x);
    for (guint i = 0; i < finder->query->parts->len; i++)
        parts[i] =
            gauge_measure(&finder->gauges[i],
                          finder->query->vectors + (size_t)i * dim, x, row_dim);
}

static double
log_sigmoid(double x)
{
    return x < 0 ? x - log1p(exp(x)) : -log1p(exp(-x));
}

// How well a frame fits: the logarithm of the product of what speaks for each
// wanted part and against each unwanted one.
//   least  gets the score of the wanted part that fits worst, or -infinity when
//          an unwanted one is there
static double
rate(const Finder *finder, guint64 row, double *least)
{
    double sum = 0;
    guint n = finder->query->parts->len;
    g_autofree Measure *parts = g_new(Measure, n);
    measure(finder, row, parts);
    *least = INFINITY;
    for (guint i = 0; i < n; i++) {
        const QueryPart *part =
            &g_array_index(finder->query->parts, QueryPart, i);
        double odds = part->weight * (parts[i].score - GAUGE_LIMIT);
        sum += log_sigmoid(part->is_unwanted ? -odds : odds);
        if (!part->is_unwanted)
            *least = MIN(*least, parts[i].score);
        else if (parts[i].score >= GAUGE_LIMIT)
            *least = -INFINITY;
    }
    return sum;
}

// ---- Candidates -----------------------------------------------------------

typedef struct {
    guint64 row;
    double rating, least;
} Candidate;

// The best first. Saturated ratings are equal, but scores are not.
static int
compare(gconstpointer a, gconstpointer b)
{
    const Candidate *x = a, *y = b;
    if (fabs(x->rating - y->rating) > 1e-3)
        return x->rating > y->rating ? -1 : 1;
    if (x->least != y->least)
        return x->least > y->least ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void
add_candidates(Finder *finder, guint part, GHashTable *seen, GArray *candidates)
{
    int k = (int)MIN(MAX_CANDIDATES, finder->selection->rows->len);
    g_autofree PeHit *hits = g_new(PeHit, (size_t)MAX(k, 1));
    int n = 0;
    PeSearch search = {
        .queries =
            finder->query->vectors + (size_t)part * (size_t)finder->rows->dim,
        .n_queries = 1,
        .top_k = MAX(k, 1),
    };
    selection_apply(finder->selection, finder->rows, &search);
    if (k > 0 && !finder->error)
        archive_search(finder->archive, finder->rows, &search, hits, &n,
                       &finder->error);
    for (int i = 0; i < n; i++) {
        Candidate candidate = {.row = hits[i].row};
        gint64 key = (gint64)hits[i].row;
        if (!g_hash_table_add(seen, g_memdup2(&key, sizeof key)))
            continue;
        candidate.rating = rate(finder, candidate.row, &candidate.least);
        if (candidate.least >= GAUGE_LIMIT)
            g_array_append_val(candidates, candidate);
    }
}

static GArray *
list_candidates(Finder *finder)
{
    GArray *candidates = g_array_new(FALSE, FALSE, sizeof(Candidate));
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    for (guint i = 0; i < finder->query->parts->len; i++) {
        if (!g_array_index(finder->query->parts, QueryPart, i).is_unwanted)
            add_candidates(finder, i, seen, candidates);
    }
    g_array_sort(candidates, compare);
    return candidates;
}

// ---- Moments --------------------------------------------------------------

static bool
is_taken(const Finder *finder, guint64 row)
{
    gint64 key = (gint64)row;
    return g_hash_table_contains(finder->taken, &key);
}

static bool
goes_on(Finder *finder, guint64 row, double peak)
{
    double least;
    if (finder->error ||
        !archive_fetch_around(finder->archive, row, &finder->error))
        return false;
    rate(finder, row, &least);
    return !is_taken(finder, row) && least >= MAX(GAUGE_LIMIT, FALL * peak);
}

// From the peak to both sides, as long as frames fit.
static void
grow(Finder *finder, const ArchiveRows *rows, const Candidate *peak,
     guint64 *first, guint64 *last)
{
    *first = *last = peak->row;
    while (*first > (guint64)rows->first_row &&
           goes_on(finder, *first - 1, peak->least))
        --*first;
    while (*last + 1 < (guint64)(rows->first_row + rows->n_rows) &&
           goes_on(finder, *last + 1, peak->least))
        ++*last;
    for (guint64 row = *first; row <= *last; row++) {
        gint64 key = (gint64)row;
        g_hash_table_add(finder->taken, g_memdup2(&key, sizeof key));
    }
}

// The frame stands for all parts of the file up to the next one.
static void
mark(Moment *moment, const ArchiveFrame *frame, double score)
{
    double whole = (double)MAX(moment->duration, 1);
    int first = (int)((double)frame->start / whole * MOMENT_LINE);
    int last = (int)((double)(frame->end - 1) / whole * MOMENT_LINE);
    for (int i = MAX(first, 0); i <= MIN(last, MOMENT_LINE - 1); i++)
        moment->line[i] = MAX(moment->line[i], (float)score);
}

static void
fetch_for_line(Finder *finder, gint64 base, gint64 n, gint64 step)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(guint64));
    for (gint64 i = 0; i < n; i += step) {
        guint64 row = (guint64)(base + i);
        g_array_append_val(rows, row);
    }
    if (!finder->error)
        archive_fetch(finder->archive,
                      (const guint64 *)(const void *)rows->data, rows->len,
                      &finder->error);
}

static void
draw_line(Finder *finder, const ArchiveContent *content, gint64 base,
          Moment *moment)
{
    gint64 n = content->frames->len, step = n / MAX_LINE + 1;
    moment->line = g_new0(float, MOMENT_LINE);
    fetch_for_line(finder, base, n, step);
    for (gint64 i = 0; i < n; i += step) {
        double least;
        rate(finder, (guint64)(base + i), &least);
        mark(moment, &g_array_index(content->frames, ArchiveFrame, i), least);
    }
    mark(moment,
         &g_array_index(content->frames, ArchiveFrame, moment->row - base),
         moment->score);
}

static float *
copy_vector(const Finder *finder, guint64 row)
{
    size_t dim = (size_t)finder->rows->dim;
    float *vector = g_new(float, dim);
    pe_halves_to_floats(finder->rows->values + row * dim, dim, vector);
    return vector;
}

static void
describe(Moment *moment, const ArchiveContent *content, gint64 frame)
{
    for (guint i = 0; i < content->segments->len; i++) {
        const ArchiveSegment *segment = content->segments->pdata[i];
        if (frame < segment->first || frame >= segment->first + segment->n)
            continue;
        if (segment->thumbnail)
            moment->thumbnail = g_bytes_ref(segment->thumbnail);
        if (segment->labels->len)
            moment->label =
                g_strdup(g_array_index(segment->labels, ArchiveLabel, 0).name);
    }
}

static Moment *
make(Finder *finder, const SelectedContent *selected, const Candidate *peak,
     GError **error)
{
    guint64 first, last;
    gint64 base = selected->rows.first_row;
    g_autoptr(ArchiveContent) content =
        archive_read_content(finder->archive, selected->rows.content, error);
    if (!content)
        return NULL;
    grow(finder, &selected->rows, peak, &first, &last);
    const ArchiveFrame *frames =
        (const ArchiveFrame *)(const void *)content->frames->data;
    gint64 end = frames[content->frames->len - 1].end;
    guint n = finder->query->parts->len;
    Moment *moment = g_new0(Moment, 1);
    *moment = (Moment){.file = selected->file,
                       .content = selected->rows.content,
                       .n_copies = selected->n_copies,
                       .start = frames[(gint64)first - base].start,
                       .end = frames[(gint64)last - base].end,
                       .duration = MAX(content->duration, end),
                       .peak = frames[(gint64)peak->row - base].start,
                       .score = peak->least,
                       .row = (gint64)peak->row,
                       .first = (gint64)first,
                       .last = (gint64)last,
                       .vector = copy_vector(finder, peak->row),
                       .parts = g_new(Measure, n)};
    measure(finder, peak->row, moment->parts);
    describe(moment, content, (gint64)peak->row - base);
    if (finder->params->with_lines)
        draw_line(finder, content, base, moment);
    return moment;
}

static int
count_of(const GPtrArray *moments, gint64 content)
{
    int n = 0;
    for (guint i = 0; i < moments->len; i++)
        n += ((Moment *)moments->pdata[i])->content == content;
    return n;
}

static bool
collect(Finder *finder, GArray *candidates, GPtrArray *moments, GError **error)
{
    const MomentParams *params = finder->params;
    for (guint i = 0; i < candidates->len &&
                      moments->len < (guint)params->top && !finder->error;
         i++) {
        const Candidate *peak = &g_array_index(candidates, Candidate, i);
        const SelectedContent *selected =
            selection_find(finder->selection, peak->row);
        if (!selected || is_taken(finder, peak->row) ||
            (params->per_file > 0 &&
             count_of(moments, selected->rows.content) >= params->per_file))
            continue;
        Moment *moment = make(finder, selected, peak, error);
        if (!moment)
            return false;
        g_ptr_array_add(moments, moment);
    }
    return true;
}

GPtrArray *
moments_find(Archive *archive, const Query *query, const Gauge *gauges,
             const PeRows *rows, const Selection *selection,
             const MomentParams *params, GError **error)
{
    Finder finder = {.archive = archive,
                     .query = query,
                     .gauges = gauges,
                     .rows = rows,
                     .selection = selection,
                     .params = params};
    g_autoptr(GHashTable) taken =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    finder.taken = taken;
    g_autoptr(GArray) candidates = list_candidates(&finder);
    GPtrArray *moments = g_ptr_array_new_with_free_func(moment_free);
    if (!finder.error)
        collect(&finder, candidates, moments, &finder.error);
    if (!finder.error)
        return moments;
    g_propagate_error(error, finder.error);
    g_ptr_array_unref(moments);
    return NULL;
}
