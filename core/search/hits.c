// SPDX-License-Identifier: LGPL-2.1-or-later
//
// hits.c - see hits.h.

#include "hits.h"

#include <math.h>
#include <stdlib.h>

static bool
is_better(const PeCandidate *a, const PeCandidate *b)
{
    return a->similarity != b->similarity ? a->similarity > b->similarity
                                          : a->row < b->row;
}

double
pe_best_get_limit(const PeBest *best)
{
    return best->n < best->size ? -INFINITY : best->items[0].similarity;
}

static void
rise(PeBest *best, PeCandidate item)
{
    int i = best->n++;
    while (i > 0 && is_better(&best->items[(i - 1) / 2], &item)) {
        best->items[i] = best->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    best->items[i] = item;
}

static void
replace_top(PeBest *best, PeCandidate item)
{
    int i = 0;
    for (;;) {
        int child = 2 * i + 1;
        if (child >= best->n)
            break;
        if (child + 1 < best->n &&
            is_better(&best->items[child], &best->items[child + 1]))
            child++;
        if (!is_better(&item, &best->items[child]))
            break;
        best->items[i] = best->items[child];
        i = child;
    }
    best->items[i] = item;
}

void
pe_best_add(PeBest *best, PeCandidate item)
{
    if (best->n < best->size)
        rise(best, item);
    else if (is_better(&item, &best->items[0]))
        replace_top(best, item);
}

static int
compare(const void *a, const void *b)
{
    return is_better(a, b) ? -1 : is_better(b, a);
}

void
pe_best_sort(PeBest *best)
{
    if (best->n > 1)
        qsort(best->items, (size_t)best->n, sizeof *best->items, compare);
}
