// SPDX-License-Identifier: LGPL-2.1-or-later
//
// open_cuda.h - the module on the emulated device, which is there for sure.

#pragma once

#include "core/device/backend.h"

#include <glib.h>
#include <gmodule.h>

static inline PeBackend *
open_cuda(PePrecision precision)
{
    g_autoptr(GError) error = NULL;
    PeBackend *be = pe_backend_open("cuda", precision, 0, &error);
    g_assert_no_error(error);
    return be;
}

// A symbol of the emulated module, which stays open.
static inline void *
find_in_cuda(const char *name)
{
    GModule *module =
        g_module_open(g_getenv("GST_PE_CUDA_MODULE"), G_MODULE_BIND_LAZY);
    void *symbol = NULL;
    g_assert_nonnull(module);
    g_assert_true(g_module_symbol(module, name, &symbol));
    return symbol;
}
