// SPDX-License-Identifier: LGPL-2.1-or-later
//
// compared.h - what labels are compared with although nobody asked for it:
// default negatives and the bank. Private to core.

#pragma once

#include "label_spec.h"

// Take those out that are too near to a label: they would take its score away.
//   vectors   [pe_label_spec_count_all(), dim], unit; those that are left out
//             are closed up
//   warnings  array of char *, for g_free(); gets what of the bank is left out
// Returns how many vectors are left.
int pe_compared_hide(const PeLabelSpec *spec, float *vectors, int dim,
                     GPtrArray *warnings);
