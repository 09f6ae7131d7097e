// SPDX-License-Identifier: LGPL-2.1-or-later
//
// open_cuda.h - the module on the emulated device, which is there for sure.

#pragma once

#include "core/device/backend.h"

#include <glib.h>

static inline PeBackend *
open_cuda(PePrecision precision)
{
    g_autoptr(GError) error = NULL;
    PeBackend *be = pe_backend_open("cuda", precision, 0, &error);
    g_assert_no_error(error);
    return be;
}
