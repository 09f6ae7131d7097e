// SPDX-License-Identifier: LGPL-2.1-or-later
//
// export.h - moments as files of other programs.

#pragma once

#include "moments.h"

#define EXPORT_FORMATS "csv, json, vtt, edl, otio or npy"

bool export_has_format(const char *format);
bool export_is_binary(const char *format);
// dim  of vectors
// The moments as a file of one of these formats. Returns, g_bytes_unref().
GBytes *export_make(const GPtrArray *moments, const Query *query, int dim,
                    const char *format);
