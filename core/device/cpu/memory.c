// SPDX-License-Identifier: LGPL-2.1-or-later
//
// memory.c - what every operation of the CPU backend may ask for: memory,
// scratch space and a place for its failure.

#include "ops.h"

#include "core/base/block.h"

void
pe_cpu_fail(PeCpu *cpu, const char *error)
{
    if (!cpu->error)
        cpu->error = error;
}

char *
pe_cpu_scratch(PeCpu *cpu, size_t size, size_t *stride)
{
    *stride = (size + 63) & ~(size_t)63;
    size_t total = *stride * (size_t)cpu->n_threads;
    if (total > cpu->scratch_size) {
        pe_block_free(cpu->scratch);
        cpu->scratch = pe_block_alloc(total);
        cpu->scratch_size = cpu->scratch ? total : 0;
        if (!cpu->scratch)
            pe_cpu_fail(cpu, "out of memory for scratch space");
    }
    return cpu->scratch;
}
