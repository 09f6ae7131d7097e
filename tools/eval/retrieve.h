// SPDX-License-Identifier: LGPL-2.1-or-later
//
// retrieve.h - retrieval from vectors: how often a text finds its picture, and
// a picture one of its texts. Knows neither engine nor files.

#pragma once

#include "tools/eval/dataset.h"

#define RETRIEVAL_DEPTHS 3
extern const int retrieval_depths[RETRIEVAL_DEPTHS]; // 1, 5, 10

typedef struct {
    size_t n_items, n_texts; // that were evaluated
    // The share of texts whose item is among the first 1, 5, 10 of all items,
    // and of items of which any text is among the first of all texts. NaN: no
    // item has a vector.
    double text_to_item[RETRIEVAL_DEPTHS];
    double item_to_text[RETRIEVAL_DEPTHS];
} Retrieval;

// Items with a problem do not count, and neither do their texts.
//   items  [dataset->items, dim], unit
//   texts  [dataset->captions, dim], unit
// Source: the reference's
// apps/pe/clip_benchmark/metrics/zeroshot_retrieval.py.
void retrieve(const Dataset *dataset, const float *items, const float *texts,
              size_t dim, Retrieval *result);
