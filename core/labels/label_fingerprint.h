// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_fingerprint.h - which label set a score comes from. Private to core.

#pragma once

#include "label_examples.h"
#include "label_spec.h"

// 16 hexadecimal digits over all that decides about scores. Returns, g_free().
//   slope, offset     of the calibration, wherever it is from
//   model, tokenizer  their fingerprints
char *pe_label_fingerprint(const PeLabelSpec *spec, const PeExamples *examples,
                           float slope, float offset, const char *model,
                           const char *tokenizer);
