// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vision_pool.h - the attention pool behind the image tower: one learned probe
// asks all tokens, then an MLP with a residual. Private to vision.c.

#pragma once

#include "core/model/model.h"
#include "tower.h"

typedef struct {
    int heads;
    float *u;       // f32 [heads, D], what each head multiplies tokens with
    PeLinear *out;  // heads * D -> D: values, out_proj and ln_post's weights
    PeLinear *fc;   // D -> 4D
    PeLinear *proj; // 4D -> D

    // Buffers [max_batch, ..].
    void *mixed; // act [max_batch, heads * D]
    float *y;    // f32 [max_batch, D]
    void *h;     // act [max_batch, D]
    void *mlp;   // act [max_batch, 4D]
} PeVisionPool;

// Loads weights and makes buffers like the tower's own, see tower.h; both end
// with the tower.
void pe_vision_pool_load(PeVisionPool *p, PeTower *t, const PeVisionWeights *w,
                         int heads, int max_batch);

// The pooled images act [b, D] from t->h act [b * n, D], the norm of the tokens
// without weight and bias; uses t->wide. Valid until the next call.
const void *pe_vision_pool_run(const PeVisionPool *p, PeTower *t, int b, int n);
