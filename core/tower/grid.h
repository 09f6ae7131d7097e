// SPDX-License-Identifier: LGPL-2.1-or-later
//
// grid.h - the tables that belong to a grid of patches: rotations and absolute
// positions. Pure arithmetic on the host; used by vision.c and by tests.

#pragma once

#include <stdbool.h>

// f_i = 10000^(-2i / a), i = 0 .. head_dim / 4 - 1, with a = head_dim / 2.
void pe_rope_frequencies(int head_dim, float *f);

// (cos, sin) of every pair of channels of a head, for PeRope.
//   table  f32 [c + gh * gw, head_dim / 2, 2], c = 1 with a class token
void pe_rope_table(int gh, int gw, bool cls_token, int head_dim, float *table);

// Resize positions [g, g, D] to [gh, gw, D], bilinear without antialiasing.
void pe_positions_resize(const float *pos, int g, int d, int gh, int gw,
                         float *out);
