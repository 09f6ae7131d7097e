// SPDX-License-Identifier: LGPL-2.1-or-later
//
// choice.h - which linears are oneDNN's and which our own. For cpu.c only.

#pragma once

#include "core/device/cpu/ops.h"

// Replaces the linear entries of the table by ones that use oneDNN, which is
// open, where PE_CPU_GEMM is "onednn", or is "auto" (the default) and there are
// none of our own for the machine's instructions. "own" leaves them as they
// are. False with PE_ERROR_DEVICE when it is something else.
bool pe_choice_init(PeCpu *cpu, GError **error);
