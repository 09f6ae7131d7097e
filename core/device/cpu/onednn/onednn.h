// SPDX-License-Identifier: LGPL-2.1-or-later
//
// onednn.h - linear layers by oneDNN, for cpu.c and choice.c only.

#pragma once

#include "core/device/cpu/ops.h"

typedef struct PeOnednn PeOnednn;

// Fills the entry gemm_seconds of the table. False, with nothing changed, when
// oneDNN has no fast product of the activation type on this machine.
bool pe_onednn_init(PeCpu *cpu);
void pe_onednn_clear(PeCpu *cpu);

// As the entries of the table, after pe_onednn_init(). NULL, too, where oneDNN
// has nothing for the sizes. `linear` is for what pe_onednn_linear_new() made;
// `free` for every linear.
PeLinear *pe_onednn_linear_new(PeBackend *be, const PeLinearParams *params);
void pe_onednn_linear_free(PeBackend *be, PeLinear *l);
void pe_onednn_linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
                      const PeRope *rope, void *y, const void *x, int rows);

// "oneDNN 2.6.3"; free with g_free().
char *pe_onednn_version(void);
