// SPDX-License-Identifier: LGPL-2.1-or-later
//
// model.h - the weights of a model by their place in the towers, whatever names
// the checkpoint gave them. Private to core: the towers and nobody else.
//
// All tensors are views with torch's [out, in] layout for linears; a tensor
// whose data is NULL is absent in this configuration. The numbers are there
// only after pe_model_load().

#pragma once

#include "core/base/tensor.h"
#include "core/checkpoint/checkpoint.h"
#include "core/pe.h"

typedef struct {
    PeTensor ln_1_weight, ln_1_bias; // [D]
    PeTensor qkv_weight, qkv_bias;   // [3D, D], [3D]: Q, K, V rows
    PeTensor out_weight, out_bias;   // [D, D], [D]
    PeTensor ls_1;                   // [D], LayerScale only
    PeTensor ln_2_weight, ln_2_bias; // [D]
    PeTensor fc_weight, fc_bias;     // [M, D], [M]
    PeTensor proj_weight, proj_bias; // [D, M], [D]
    PeTensor ls_2;                   // [D], LayerScale only
} PeBlockWeights;

typedef struct {
    PeTensor conv;                       // [D, 3, P, P]
    PeTensor cls;                        // [D], cls_token only
    PeTensor pos;                        // [c + g * g, D]
    PeTensor ln_pre_weight, ln_pre_bias; // [D]
    PeBlockWeights *blocks;              // [layers]
    PeTensor ln_post_weight, ln_post_bias;
    // Attention pool, pool_heads > 0 only.
    PeTensor probe;                            // [D]
    PeTensor pool_q_weight, pool_q_bias;       // [D, D], [D]
    PeTensor pool_kv_weight, pool_kv_bias;     // [2D, D], [2D]
    PeTensor pool_out_weight, pool_out_bias;   // [D, D], [D]
    PeTensor pool_ln_weight, pool_ln_bias;     // [D]
    PeTensor pool_fc_weight, pool_fc_bias;     // [4D, D], [4D]
    PeTensor pool_proj_weight, pool_proj_bias; // [D, 4D], [D]
    PeTensor proj_weight;                      // [E, D], output_dim > 0 only
    PeTensor proj_bias;                        // [E], timm's head only
} PeVisionWeights;

typedef struct {
    PeTensor token_embedding; // [vocab, W]
    PeTensor pos;             // [C, W]
    PeBlockWeights *blocks;   // [layers]
    PeTensor ln_final_weight, ln_final_bias;
    PeTensor projection; // [E, W]
} PeTextWeights;

// A model of an open checkpoint, as pe_model_open() makes one; takes `ckpt`.
PeModel *pe_model_new_from_checkpoint(PeCheckpoint *ckpt, GError **error);

const PeVisionWeights *pe_model_get_vision_weights(const PeModel *model);
// NULL when there is no text tower.
const PeTextWeights *pe_model_get_text_weights(const PeModel *model);

// The numbers of a weight, or of a part of one; see pe_checkpoint_load(). Any
// other tensor comes back as it is.
bool pe_model_load(const PeModel *model, const PeTensor *tensor,
                   PeLoaded *loaded, GError **error);
