// SPDX-License-Identifier: LGPL-2.1-or-later
//
// calibration.h - the line that turns what was measured into a probability:
// slope and offset of the log-odds, fitted to one model. Private to core.

#pragma once

#include <json-glib/json-glib.h>

#include "core/pe.h"

typedef struct {
    char *where; // it was read, for messages
    char *model; // fingerprint of the model that it was fitted to
    PeLabelsMode mode;
    float slope; // > 0
    float offset;
} PeCalibration;

void pe_calibration_free(PeCalibration *calibration);

// Read {"slope": a, "offset": b, "model": "<fingerprint>", "mode": "..."}, of
// which only the mode may be left out: it is "exclusive" then. NULL on failure.
PeCalibration *pe_calibration_read(JsonNode *node, const char *where,
                                   GError **error);

// Of the file beside the model, when there is one and it is for that mode.
// *calibration may become NULL.
bool pe_calibration_find(const PeModel *model, PeLabelsMode mode,
                         PeCalibration **calibration, GError **error);

// Fails when it is of another model or for another mode.
bool pe_calibration_check(const PeCalibration *calibration,
                          const PeModel *model, PeLabelsMode mode,
                          GError **error);
