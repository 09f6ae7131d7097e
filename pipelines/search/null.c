// SPDX-License-Identifier: LGPL-2.1-or-later
//
// null.c - see null.h.

#include "null.h"

#include <math.h>
#include <string.h>

#define MIN_SPREAD 0.02 // of cosines; fewer rows than that say nothing
#define SAME_SHOT 0.8   // cosine of pictures that certainly show the same
#define MAX_LOOKED 4096 // rows of which a picture's null is made

// Things, places and weather, drawn or filmed. Some of them may be there, or
// what is like them: the median and what is below it do not mind.
static const char *const texts[] = {
    "a blue square",
    "a green triangle",
    "two yellow hearts",
    "a purple cross",
    "an orange ring",
    "a pink crescent",
    "four green circles",
    "a black star",
    "a road with cars",
    "a forest",
    "a beach",
    "mountains",
    "a desert",
    "a living room",
    "a football pitch",
    "a bridge over a river",
    "a city skyline",
    "rain",
    "falling snow",
    "a sunset",
    "static noise",
    "a black and white photo",
    "a pixelated picture",
    "a dog",
    "a person riding a bicycle",
    "an airplane in the sky",
    "people at a table",
    "a crowd in a stadium",
    "a kitchen",
    "a horse in a field",
    "a plate of food",
    "a child on a swing",
    "a parking lot",
    "a train at a station",
    "a computer screen with text",
    "a person speaking to the camera",
};

#define N_TEXTS ((int)G_N_ELEMENTS(texts))

static int
compare(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
find_median(GArray *values)
{
    g_array_sort(values, compare);
    return values->len ? g_array_index(values, double, values->len / 2) : 0;
}

// Changes the values.
static Null
make(GArray *values)
{
    Null null = {.middle = find_median(values)};
    for (guint i = 0; i < values->len; i++) {
        double *value = &g_array_index(values, double, i);
        *value = fabs(*value - null.middle);
    }
    // Of a normal distribution, the median deviation is 0.6745 sigma.
    null.spread = MAX(find_median(values) / 0.6745, MIN_SPREAD);
    return null;
}

// As make(), of what is below the median: what is above it may be there. The
// deviations of that half have the same mean square as all of a normal
// distribution.
static Null
make_of_lower_half(GArray *values)
{
    Null null = {.middle = find_median(values)};
    double squares = 0;
    guint n = values->len / 2;
    for (guint i = 0; i < n; i++) {
        double value = null.middle - g_array_index(values, double, i);
        squares += value * value;
    }
    null.spread = MAX(n ? sqrt(squares / n) : 0, MIN_SPREAD);
    return null;
}

float *
null_embed_texts(const Model *model, int row_dim, GError **error)
{
    const char *all[NULL_N_RIVALS];
    const char *const *negative = pe_default_negatives();
    G_STATIC_ASSERT(sizeof texts < sizeof all);
    memcpy(all, texts, sizeof texts);
    // What a picture may be besides: these are rivals alone.
    for (int i = N_TEXTS; i < NULL_N_RIVALS; i++) {
        g_assert(*negative);
        all[i] = *negative++;
    }
    g_assert(!*negative);
    return query_embed_texts(model, row_dim, all, NULL_N_RIVALS, error);
}

bool
null_of_texts(const float *vectors, Archive *archive, const PeRows *rows,
              const Selection *selection, Null *null, GError **error)
{
    PeHit hits[N_TEXTS];
    int n_hits[N_TEXTS];
    PeSearch search = {
        .queries = vectors,
        .n_queries = N_TEXTS,
        .top_k = 1,
    };
    selection_apply(selection, rows, &search);
    if (!archive_search(archive, rows, &search, hits, n_hits, error))
        return false;
    g_autoptr(GArray) best = g_array_new(FALSE, FALSE, sizeof(double));
    for (int i = 0; i < N_TEXTS; i++) {
        double value = (double)hits[i].similarity;
        if (n_hits[i] > 0)
            g_array_append_val(best, value);
    }
    *null = make_of_lower_half(best);
    return true;
}

// Rows all over the selection, MAX_LOOKED at most. Returns, g_array_unref().
static GArray *
choose_looked(const Selection *selection)
{
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(guint64));
    guint step = selection->rows->len / MAX_LOOKED + 1;
    for (guint i = 0; i < selection->rows->len; i += step)
        g_array_append_val(rows, g_array_index(selection->rows, guint64, i));
    return rows;
}

bool
null_of_picture(const float *vector, Archive *archive, const PeRows *rows,
                const Selection *selection, Null *null, GError **error)
{
    g_autoptr(GArray) looked = choose_looked(selection);
    const guint64 *list = (const guint64 *)(const void *)looked->data;
    if (!archive_fetch(archive, list, looked->len, error))
        return false;
    g_autoptr(GArray) cosines = g_array_new(FALSE, FALSE, sizeof(double));
    size_t dim = (size_t)rows->dim;
    g_autofree float *x = g_new(float, dim);
    for (guint i = 0; i < looked->len; i++) {
        double sum = 0;
        pe_halves_to_floats(rows->values + list[i] * dim, dim, x);
        for (size_t k = 0; k < dim; k++)
            sum += (double)(x[k] * vector[k]);
        g_array_append_val(cosines, sum);
    }
    *null = make(cosines);
    // Where much of the archive is like it, the rest cannot tell by itself.
    double most = (SAME_SHOT - null->middle) / NULL_LIMIT;
    null->spread = MAX(MIN(null->spread, most), MIN_SPREAD);
    return true;
}
