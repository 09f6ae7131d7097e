// SPDX-License-Identifier: LGPL-2.1-or-later
//
// weight.c - see weight.h.

#include "core/device/weight.h"

#include <string.h>

void
pe_weight_rows(const PeLinearParams *params, int first, int n, float *out)
{
    int k = (int)params->weight.shape[1], k_padded = params->k_padded;
    for (int i = 0; i < n; i++) {
        float *row = out + (size_t)i * (size_t)k_padded;
        PeTensor t = pe_tensor_rows(&params->weight, first + i, 1);
        pe_tensor_to_f32(&t, row);
        for (int j = 0; params->in_scale && j < k; j++)
            row[j] *= params->in_scale[j];
        for (int j = 0; params->scale && j < k; j++)
            row[j] *= params->scale[first + i];
        memset(row + k, 0, (size_t)(k_padded - k) * sizeof(float));
    }
}
