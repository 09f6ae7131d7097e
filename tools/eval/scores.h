// SPDX-License-Identifier: LGPL-2.1-or-later
//
// scores.h - the dot products of many vectors with many others, a row at a
// time, on several threads.

#pragma once

#include <stddef.h>

// Called once for each row, from any thread; may change the scores [n_columns].
typedef void (*ScoresFunc)(size_t row, double *scores, void *user_data);

// The scores of row i are its dot products with all columns, in double; those
// of a pair are the same to the bit whichever of the two is the row.
//   rows     [n_rows, dim]
//   columns  [n_columns, dim]
void scores_for_each_row(const double *rows, size_t n_rows,
                         const double *columns, size_t n_columns, size_t dim,
                         ScoresFunc func, void *user_data);
