// SPDX-License-Identifier: LGPL-2.1-or-later
//
// block.h - memory for weights and activations. Large blocks come from the
// kernel and go back to it: the heap would keep what is freed in it, which is
// gigabytes once a model has been closed.

#pragma once

#include <stddef.h>

// 64-byte aligned, not cleared. NULL when there is no memory left.
void *pe_block_alloc(size_t size);
void pe_block_free(void *block);
