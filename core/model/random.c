// SPDX-License-Identifier: LGPL-2.1-or-later
//
// random.c - models of published shapes with random weights: views into
// one pool of bf16 values, so that even two billion parameters take 32 MB.

#include <math.h>
#include <string.h>

#include "model_private.h"

// The largest matrix of the towers (G's MLP) fits. Token embeddings do not:
// their rows overlap.
#define POOL_VALUES (16 << 20)
// Weights start somewhere in here, so that no two are equal.
#define START_VALUES (1 << 16)
// Norms and LayerScale have values about one from a pool of their own.
#define NORM_VALUES (START_VALUES + 4096)
#define ALIGNMENT 64 // values
#define WEIGHT_STD 0.02f

// Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
// generators" (SplitMix64).
static uint64_t
next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// The sum of four uniform 16 bit numbers is close enough to a normal.
static void
fill(uint16_t *pool, size_t n, float mean, uint64_t *state)
{
    // Variance of one of the four: 65536^2 / 12.
    const float scale = WEIGHT_STD / (65536.0f * sqrtf(4.0f / 12.0f));
    for (size_t i = 0; i < n; i++) {
        uint64_t r = next_random(state);
        int sum = (int)(r & 0xffff) + (int)(r >> 16 & 0xffff) +
                  (int)(r >> 32 & 0xffff) + (int)(r >> 48) - 2 * 65535;
        pool[i] = pe_bf16_from_f32(mean + scale * (float)sum);
    }
}

static bool
is_norm(const PeWeight *weight)
{
    const char *name = weight->spec->meta;
    return weight->n_dims == 1 && (g_str_has_suffix(name, "weight") ||
                                   g_str_has_suffix(name, "gamma"));
}

// A view of `weight`'s shape, `size` values of pool from a random start on.
static PeTensor
view_pool(const PeWeight *weight, const uint16_t *pool, size_t size,
          uint64_t *state)
{
    size_t start = next_random(state) % (START_VALUES / ALIGNMENT) * ALIGNMENT;
    PeTensor t = pe_tensor_new(PE_DTYPE_BF16, weight->n_dims, weight->shape,
                               pool + start);
    size_t room = size - START_VALUES;
    if ((size_t)pe_tensor_size(&t) > room) {
        size_t rows = (size_t)t.shape[0];
        t.strides[0] = (int64_t)((room - (size_t)t.shape[1]) / rows /
                                 ALIGNMENT * ALIGNMENT);
    }
    return t;
}

// Values that the towers' largest matrix needs.
static size_t
measure_pool(const PeModel *model)
{
    size_t largest = 0;
    for (guint i = 0; i < model->weights->len; i++) {
        const PeWeight *weight = &g_array_index(model->weights, PeWeight, i);
        size_t size = 1;
        for (int a = 0; a < weight->n_dims; a++)
            size *= (size_t)weight->shape[a];
        largest = MAX(largest, size);
    }
    return MIN(largest + START_VALUES, POOL_VALUES);
}

PeModel *
pe_model_new_random(const char *config, uint32_t seed, GError **error)
{
    g_return_val_if_fail(config != NULL, NULL);
    PeModel *model = pe_model_new();
    if (!pe_model_set_published(model, config)) {
        g_autofree char *names =
            g_strjoinv(", ", (char **)pe_model_list_configs());
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "there is no model '%s'; there are %s", config, names);
        pe_model_unref(model);
        return NULL;
    }
    pe_model_make_weights(model);
    size_t size = measure_pool(model);
    model->pool = g_try_malloc((size + NORM_VALUES) * sizeof(uint16_t));
    if (!model->pool) {
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM,
                    "no memory for random weights of %s", config);
        pe_model_unref(model);
        return NULL;
    }
    uint16_t *values = model->pool, *norms = values + size;
    uint64_t state = seed;
    fill(values, size, 0, &state);
    fill(norms, NORM_VALUES, 1, &state);
    for (guint i = 0; i < model->weights->len; i++) {
        const PeWeight *weight = &g_array_index(model->weights, PeWeight, i);
        *weight->tensor = is_norm(weight)
                              ? view_pool(weight, norms, NORM_VALUES, &state)
                              : view_pool(weight, values, size, &state);
    }
    pe_model_make_fingerprint(model, NULL);
    model->format = "random";
    model->name = g_strdup(config);
    model->path = g_strdup("");
    return model;
}
