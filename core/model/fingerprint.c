// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fingerprint.c - tells two models apart without reading ten gigabytes:
// hashes the shapes and a few runs of values of every weight. Weights are
// walked in their own order, not the file's, and as f32, so that the container
// and the names do not matter.

#include <string.h>

#include "model_private.h"

#define RUNS 4
#define RUN_LENGTH 16

// The value at position `index` of the row-major order.
static float
get_value(const PeTensor *t, int64_t index)
{
    int64_t offset = 0;
    for (int i = t->n_dims - 1; i >= 0; i--) {
        offset += index % t->shape[i] * t->strides[i];
        index /= t->shape[i];
    }
    PeTensor one = pe_tensor_new(t->dtype, 0, NULL,
                                 (const char *)t->data +
                                     (size_t)offset * pe_dtype_size(t->dtype));
    float value;
    pe_tensor_to_f32(&one, &value);
    return value;
}

static void
hash_tensor(GChecksum *sum, const PeTensor *t)
{
    g_checksum_update(sum, (const guchar *)t->shape,
                      t->n_dims * (gssize)sizeof t->shape[0]);
    int64_t size = pe_tensor_size(t);
    int64_t length = MIN(size, RUN_LENGTH);
    float values[RUN_LENGTH];
    for (int run = 0; run < RUNS; run++) {
        int64_t first = (size - length) / (RUNS - 1) * run;
        for (int64_t i = 0; i < length; i++)
            values[i] = get_value(t, first + i);
        g_checksum_update(sum, (const guchar *)values,
                          (gssize)length * (gssize)sizeof values[0]);
    }
}

static void
make_fingerprint(const PeModel *model, char *fingerprint)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    int heads[] = {model->vision.heads, model->vision.pool_heads,
                   model->has_text ? model->text.heads : 0};
    g_checksum_update(sum, (const guchar *)heads, sizeof heads);
    for (guint i = 0; i < model->weights->len; i++)
        hash_tensor(sum, g_array_index(model->weights, PeWeight, i).tensor);
    g_checksum_update(sum, (const guchar *)&model->logit_scale,
                      sizeof model->logit_scale);
    g_strlcpy(fingerprint, g_checksum_get_string(sum), 17);
    g_checksum_free(sum);
}

const char *
pe_model_get_fingerprint(const PeModel *model)
{
    // Immutable to the outside: the first question pays.
    PeModel *m = (PeModel *)model;
    g_mutex_lock(&m->lock);
    if (!m->fingerprint[0])
        make_fingerprint(model, m->fingerprint);
    g_mutex_unlock(&m->lock);
    return m->fingerprint;
}
