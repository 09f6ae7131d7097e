// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tokens.c - what moves numbers around the towers without multiplying them by
// matrices: patches, class token and positions, rows, types. Bandwidth bound
// and small beside the rest, so plain C is the only variant of most.

#include "ops.h"

#include <glib.h>

// Cut pictures into patches.
//
//   pixels  [B, 3, h, w] f32      y  [B * gh * gw, k_padded] act
//
//   y[b, gy * gw + gx, (c * P + py) * P + px] =
//       pixels[b, c, gy * P + py, gx * P + px] * PE_PIXEL_SCALE
//
// The order of k is that of conv1.weight [D, 3, P, P], so that the patch
// embedding is a linear layer. Source: pe.py, conv1.
void
pe_patchify_f32_c(PeBackend *be, void *y, const float *pixels, int b, int h,
                  int w, int patch, int k_padded)
{
    int gh = h / patch, gw = w / patch, k = 3 * patch * patch;
    for (int row = 0; row < b * gh * gw; row++) {
        int image = row / (gh * gw), gy = row / gw % gh, gx = row % gw;
        size_t out = (size_t)row * (size_t)k_padded;
        for (int line = 0; line < 3 * patch; line++) {
            int c = line / patch, py = line % patch;
            const float *in =
                pixels + (((size_t)image * 3 + c) * h + gy * patch + py) * w +
                gx * patch;
            for (int px = 0; px < patch; px++)
                pe_act_set(be->act, y, out++, in[px] * PE_PIXEL_SCALE);
        }
        for (int i = k; i < k_padded; i++)
            pe_act_set(be->act, y, out++, 0);
    }
}

// Class token and positions.
//
//   patches  [B * np, D] f32      cls  [D] f32 or NULL, then c = 0
//   pos  [c + np, D] f32          x  [B, c + np, D] f32, not patches
//
//   x[b] = concat(cls, patches[b]) + pos
//
// Source: pe.py, VisionTransformer.forward_features.
void
pe_tokens_c(PeBackend *be, float *x, const float *patches, const float *cls,
            const float *pos, int b, int np, int d)
{
    int c = cls ? 1 : 0, n = c + np;
    for (int row = 0; row < b * n; row++) {
        int image = row / n, token = row % n;
        const float *from =
            token < c ? cls : patches + ((size_t)image * np + token - c) * d;
        for (int i = 0; i < d; i++)
            x[(size_t)row * d + i] = from[i] + pos[(size_t)token * d + i];
    }
}

// y[i,:] = x[rows[i],:], x [.., d] and y [n, d] f32, not overlapping.
void
pe_gather_c(PeBackend *be, float *y, const float *x, const int *rows, int n,
            int d)
{
    for (int i = 0; i < n; i++)
        memcpy(y + (size_t)i * d, x + (size_t)rows[i] * d,
               (size_t)d * sizeof(float));
}

// y act = x f32, n elements; bf16 rounds to nearest, ties to even.
void
pe_convert_c(PeBackend *be, void *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pe_act_set(be->act, y, i, x[i]);
}
