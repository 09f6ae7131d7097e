// SPDX-License-Identifier: LGPL-2.1-or-later
//
// choice.h - which linears are oneDNN's and which our own. For cpu.c only.

#pragma once

#include "core/device/cpu/ops.h"

// Replaces the linear entries of the table by ones that use oneDNN, which is
// open, where it is the faster one: PE_CPU_GEMM is "auto" (the default: by the
// machine's instructions), "onednn", "own", or "timed" (by the clock, for each
// size). False with PE_ERROR_DEVICE when it is something else.
bool pe_choice_init(PeCpu *cpu, GError **error);
void pe_choice_clear(PeCpu *cpu);
