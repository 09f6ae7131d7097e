// SPDX-License-Identifier: LGPL-2.1-or-later
//
// failure.c - see failure.h.

#include "failure.h"

bool
pe_fail(GError **error, PeError code, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, PE_ERROR, code, "%s: %s", path, message);
    return false;
}
