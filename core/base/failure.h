// SPDX-License-Identifier: LGPL-2.1-or-later
//
// failure.h - messages about a file that is not what it should be.

#pragma once

#include "core/pe.h"

// Set "PATH: message" and return false, so that a check can end with
// `return pe_fail(...)`. `path` may be whatever the message is about.
bool pe_fail(GError **error, PeError code, const char *path, const char *format,
             ...) G_GNUC_PRINTF(4, 5);
