// SPDX-License-Identifier: LGPL-2.1-or-later
//
// profile.h - how long the operations of the CPU backend take, by kind and
// size. Private to this folder.

#pragma once

#include "ops.h"

// The table's entry, see pe_engine_profile(). The first call puts a clock
// around the operations of `be`.
int pe_cpu_profile(PeBackend *be, PeOperation *operations, int n);
void pe_cpu_profile_clear(PeCpu *cpu);

// The table's entry, see pe_engine_measure_peak().
double pe_cpu_peak_flops(PeBackend *be, int n_threads);
