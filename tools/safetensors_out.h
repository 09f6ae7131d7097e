// SPDX-License-Identifier: LGPL-2.1-or-later
//
// safetensors_out.h - vectors and what they belong to, in one safetensors file:
// "embeddings" f32 [n, dim], and in its metadata the model and, as a JSON list,
// "items": [{"type": .., "name": ..}].

#pragma once

#include "core/pe.h"

typedef struct SafetensorsOut SafetensorsOut;

SafetensorsOut *safetensors_out_new(PeModel *model, int dim);
void safetensors_out_free(SafetensorsOut *out);
//   embedding  [dim], copied
void safetensors_out_add(SafetensorsOut *out, const char *type,
                         const char *name, const float *embedding);
// The file appears whole or not at all.
bool safetensors_out_write(const SafetensorsOut *out, const char *path,
                           GError **error);
