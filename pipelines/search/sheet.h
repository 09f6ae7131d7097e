// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sheet.h - a contact sheet of moments in a terminal, by the program chafa.

#pragma once

#include "moments.h"

// Is chafa there? false with PE_ERROR_FORMAT.
bool sheet_check(GError **error);
// Print it, as wide as the terminal; without colours when standard output is
// none. false with the error.
bool sheet_print(const GPtrArray *moments, GError **error);
