// SPDX-License-Identifier: LGPL-2.1-or-later
//
// onednn.h - linear layers by oneDNN, for cpu.c only.

#pragma once

#include "ops.h"

typedef struct PeOnednn PeOnednn;

// Replaces the linear entries of the table. False, with nothing changed, when
// oneDNN has no fast product of the activation type on this machine.
bool pe_onednn_init(PeCpu *cpu);
void pe_onednn_clear(PeCpu *cpu);

// "oneDNN 2.6.3"; free with g_free().
char *pe_onednn_version(void);
