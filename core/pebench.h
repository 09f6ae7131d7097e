// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pebench.h - how near an engine comes to what its machine can do. For programs
// that measure; all functions may be called from any thread, and wait for the
// engine's worker.

#pragma once

#include "pe.h"

G_BEGIN_DECLS
#pragma GCC visibility push(default)

// FLOP/s that `n_threads` threads together reach in the engine's precision with
// operands in registers: what no program passes on this machine. 0 threads: as
// many as the engine has. 0 when it cannot say.
double pe_engine_measure_peak(PeEngine *engine, int n_threads);

// What the operations of one kind and size have taken.
typedef struct {
    char name[56]; // "linear 768 x 2304, 197 rows, own"
    int calls;
    double seconds;
    double flops; // 2 x multiply-accumulates; 0: it moves numbers only
} PeOperation;

// The operations since the last call, the costliest first; the first call
// begins to count. Returns how many there were, of which at most n are written;
// 0 when the device cannot say, as where operations run late.
int pe_engine_profile(PeEngine *engine, PeOperation *operations, int n);

#pragma GCC visibility pop
G_END_DECLS
