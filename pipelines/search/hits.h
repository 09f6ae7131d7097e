// SPDX-License-Identifier: LGPL-2.1-or-later
//
// hits.h - what the user's last search of an archive has found, for the next
// one.

#pragma once

#include "moments.h"

// Remember the moments, in a file of the user's own, not in the archive, which
// others may search and which may not be writable. false with the error.
bool hits_save(const char *archive, const GPtrArray *moments, GError **error);

// The hit of that number, from 1, as "FILE@SECONDS", g_free(). NULL with
// PE_ERROR_FORMAT when there is none.
char *hits_load(const char *archive, int number, GError **error);
