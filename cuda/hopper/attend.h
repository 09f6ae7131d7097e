// SPDX-License-Identifier: LGPL-2.1-or-later
//
// attend.h - Hopper's own attention, which attention/choose.c compares with the
// kernel for all devices. Modules that were not built for it never have it.

#pragma once

#include "cuda/cuda.h"

// Is there a kernel for heads of so many channels, in the activations' type, on
// this device, and does it give a known answer? It is asked once, and that may
// be done `now`; until then: false.
bool pe_hopper_is_trusted(PeCuda *cuda, int head_dim, bool now);

// Queue an attention with a kernel that is trusted; see
// PeBackendOps.attention(), this is neither ragged nor causal, and y is act.
// False: it does not start, nothing was queued.
bool pe_hopper_attend(PeCuda *cuda, void *y, const void *qkv, int b, int n,
                      int heads, int head_dim);
