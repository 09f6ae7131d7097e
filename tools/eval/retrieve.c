// SPDX-License-Identifier: LGPL-2.1-or-later
//
// retrieve.c - see retrieve.h.

#include "retrieve.h"

#include "tools/eval/metrics.h"
#include "tools/eval/scores.h"

const int retrieval_depths[RETRIEVAL_DEPTHS] = {1, 5, 10};

// Those that have a vector, numbered anew.
typedef struct {
    size_t dim, n_items, n_texts;
    double *items;   // [n_items, dim]
    double *texts;   // [n_texts, dim]
    size_t *item_of; // [n_texts]
    size_t *first;   // [n_items + 1], of an item's texts
    size_t *ranks;   // [max(n_items, n_texts)], of the answers
} Pairs;

static void
copy(double *to, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
}

static void
select_pairs(Pairs *p, const Dataset *d, const float *items, const float *texts)
{
    for (guint i = 0; i < d->items->len; i++) {
        const EvalItem *item = d->items->pdata[i];
        if (item->problem)
            continue;
        copy(p->items + p->n_items * p->dim, items + i * p->dim, p->dim);
        copy(p->texts + p->n_texts * p->dim,
             texts + item->first_caption * p->dim, item->n_captions * p->dim);
        p->first[p->n_items] = p->n_texts;
        for (guint j = 0; j < item->n_captions; j++)
            p->item_of[p->n_texts++] = p->n_items;
        p->first[++p->n_items] = p->n_texts;
    }
}

static void
rank_item(size_t text, double *scores, void *data)
{
    Pairs *p = data;
    p->ranks[text] = metrics_rank(scores, p->n_items, p->item_of[text]);
}

static void
rank_text(size_t item, double *scores, void *data)
{
    Pairs *p = data;
    p->ranks[item] = metrics_rank_of_best(scores, p->n_texts, p->first[item],
                                          p->first[item + 1]);
}

static void
measure(const size_t *ranks, size_t n, double recalls[RETRIEVAL_DEPTHS])
{
    for (int d = 0; d < RETRIEVAL_DEPTHS; d++) {
        size_t n_found = 0;
        for (size_t i = 0; i < n; i++)
            n_found += ranks[i] < (size_t)retrieval_depths[d];
        recalls[d] = (double)n_found / (double)n;
    }
}

void
retrieve(const Dataset *dataset, const float *items, const float *texts,
         size_t dim, Retrieval *result)
{
    size_t n_items = dataset->items->len, n_texts = dataset->captions->len;
    Pairs p = {
        .dim = dim,
        .items = g_new(double, n_items *dim),
        .texts = g_new(double, n_texts *dim),
        .item_of = g_new(size_t, n_texts),
        .first = g_new(size_t, n_items + 1),
        .ranks = g_new(size_t, MAX(n_items, n_texts)),
    };
    select_pairs(&p, dataset, items, texts);
    result->n_items = p.n_items;
    result->n_texts = p.n_texts;
    scores_for_each_row(p.texts, p.n_texts, p.items, p.n_items, dim, rank_item,
                        &p);
    measure(p.ranks, p.n_texts, result->text_to_item);
    scores_for_each_row(p.items, p.n_items, p.texts, p.n_texts, dim, rank_text,
                        &p);
    measure(p.ranks, p.n_items, result->item_to_text);
    g_free(p.items);
    g_free(p.texts);
    g_free(p.item_of);
    g_free(p.first);
    g_free(p.ranks);
}
