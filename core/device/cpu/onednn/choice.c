// SPDX-License-Identifier: LGPL-2.1-or-later
//
// choice.c - see choice.h.
//
// Our own products were as fast as oneDNN's or faster with AVX2, and with
// AVX-512 but for 2 % of fp32's (bench/results), and a row has the same bits
// whatever is beside it in a batch. oneDNN's depend on the number of rows, so
// that what one process has stored another could not continue.

#include "choice.h"

#include <glib.h>

#include "onednn.h"

static PeLinear *
linear_new(PeBackend *be, const PeLinearParams *params)
{
    PeLinear *l = pe_onednn_linear_new(be, params);
    return l ? l : ((PeCpu *)be)->own->linear_new(be, params);
}

static void
linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
       const PeRope *rope, void *y, const void *x, int rows)
{
    if (l->onednn)
        pe_onednn_linear(be, l, epilogue, rope, y, x, rows);
    else
        ((PeCpu *)be)->own->linear(be, l, epilogue, rope, y, x, rows);
}

bool
pe_choice_init(PeCpu *cpu, GError **error)
{
    const char *name = g_getenv("PE_CPU_GEMM");
    bool onednn = cpu->isa == PE_ISA_C;
    if (g_strcmp0(name, "onednn") == 0 || g_strcmp0(name, "own") == 0) {
        onednn = strcmp(name, "onednn") == 0;
    } else if (name && *name && strcmp(name, "auto") != 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                    "PE_CPU_GEMM is \"%s\", expected auto, onednn or own",
                    name);
        return false;
    }
    if (!onednn)
        return true;
    cpu->own = g_memdup2(&cpu->ops, sizeof cpu->ops);
    cpu->ops.linear_new = linear_new;
    cpu->ops.linear_free = pe_onednn_linear_free;
    cpu->ops.linear = linear;
    return true;
}
