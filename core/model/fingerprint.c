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

// Where position `index` of the row-major order is, in elements.
static int64_t
find_offset(const PeTensor *t, int64_t index)
{
    int64_t offset = 0;
    for (int i = t->n_dims - 1; i >= 0; i--) {
        offset += index % t->shape[i] * t->strides[i];
        index /= t->shape[i];
    }
    return offset;
}

// n values from position `first` of the row-major order on.
static bool
read_run(const PeModel *model, const PeTensor *t, int64_t first, int64_t n,
         float *values, GError **error)
{
    int64_t offsets[RUN_LENGTH], low = INT64_MAX, high = 0;
    for (int64_t i = 0; i < n; i++) {
        offsets[i] = find_offset(t, first + i);
        low = MIN(low, offsets[i]);
        high = MAX(high, offsets[i]);
    }
    size_t element = pe_dtype_size(t->dtype);
    int64_t reach = high - low + 1;
    PeTensor all = pe_tensor_new(t->dtype, 1, &reach,
                                 (const char *)t->data + (size_t)low * element);
    g_auto(PeLoaded) loaded = {0};
    if (!pe_checkpoint_load(model->ckpt, &all, &loaded, error))
        return false;
    for (int64_t i = 0; i < n; i++) {
        PeTensor one = pe_tensor_rows(&loaded.tensor, offsets[i] - low, 1);
        pe_tensor_to_f32(&one, values + i);
    }
    return true;
}

static bool
hash_tensor(GChecksum *sum, const PeModel *model, const PeTensor *t,
            GError **error)
{
    g_checksum_update(sum, (const guchar *)t->shape,
                      t->n_dims * (gssize)sizeof t->shape[0]);
    int64_t size = pe_tensor_size(t);
    int64_t length = MIN(size, RUN_LENGTH);
    float values[RUN_LENGTH];
    for (int run = 0; run < RUNS; run++) {
        int64_t first = (size - length) / (RUNS - 1) * run;
        if (!read_run(model, t, first, length, values, error))
            return false;
        g_checksum_update(sum, (const guchar *)values,
                          (gssize)length * (gssize)sizeof values[0]);
    }
    return true;
}

bool
pe_model_make_fingerprint(PeModel *model, GError **error)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    int heads[] = {model->vision.heads, model->vision.pool_heads,
                   model->has_text ? model->text.heads : 0};
    bool ok = true;
    g_checksum_update(sum, (const guchar *)heads, sizeof heads);
    for (guint i = 0; ok && i < model->weights->len; i++)
        ok = hash_tensor(sum, model,
                         g_array_index(model->weights, PeWeight, i).tensor,
                         error);
    g_checksum_update(sum, (const guchar *)&model->logit_scale,
                      sizeof model->logit_scale);
    g_strlcpy(model->fingerprint, g_checksum_get_string(sum), 17);
    g_checksum_free(sum);
    return ok;
}

const char *
pe_model_get_fingerprint(const PeModel *model)
{
    return model->fingerprint;
}
