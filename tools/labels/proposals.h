// SPDX-License-Identifier: LGPL-2.1-or-later
//
// proposals.h - negatives that would help: everyday things that are near a
// label without being it, and what clips show in which no label fires. For
// pe-labels.

#pragma once

#include "tools/labels/check.h"

// Add advice.
//   fired  [n_clips]: does a label fire in this clip?
// false with the error.
bool proposals_make(Check *check, const bool *fired, GError **error);
