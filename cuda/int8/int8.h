// SPDX-License-Identifier: LGPL-2.1-or-later
//
// int8.h - linear layers of precision=int8, for cuda/linear.c.

#pragma once

#include "cuda/linear.h"

// Is it to be done in bytes?
bool pe_cuda_int8_takes(const PeCuda *cuda, const PeLinearParams *params);

// Weight and scales of a layer whose n and k are known. False when there is no
// memory left; what there is goes with the layer.
bool pe_cuda_int8_upload(PeCuda *cuda, PeLinear *l,
                         const PeLinearParams *params);

// As pe_cuda_linear(), but does not rotate.
void pe_cuda_int8_linear(PeCuda *cuda, const PeLinear *l, PeEpilogue epilogue,
                         void *y, const void *x, int rows);
