// SPDX-License-Identifier: LGPL-2.1-or-later
//
// copy.h - rows in PostgreSQL's binary COPY format.

#pragma once

#include <glib.h>
#include <stdint.h>

// Begin, n_values of each row, end; then it is whole. Returns,
// g_byte_array_unref().
GByteArray *copy_begin(void);
void copy_end(GByteArray *copy);

void copy_row(GByteArray *copy, int n_values);
void copy_int64(GByteArray *copy, gint64 value);
void copy_double(GByteArray *copy, double value);
void copy_text(GByteArray *copy, const char *text); // made valid UTF-8
void copy_bytes(GByteArray *copy, GBytes *bytes);   // NULL: null
// A halfvec of pgvector.
void copy_halves(GByteArray *copy, const uint16_t *halves, int dim);
// Such a value as it comes. false: it has another dimension.
gboolean copy_unpack_halves(const void *value, int size, int dim,
                            uint16_t *halves);
