// SPDX-License-Identifier: LGPL-2.1-or-later
//
// known_answer.h - does a backend compute what the plain C operations compute?
// Called by the engine on load and by pe_device_check().

#pragma once

#include "core/device/backend.h"
#include "core/pe.h"

typedef enum {
    PE_KNOWN_ANSWER_QUICK, // the image, one layer
    PE_KNOWN_ANSWER_FULL,  // image and texts, two layers; finite through all
} PeKnownAnswerDepth;

// Borrows everything; `report` may be NULL. PE_ERROR_BACKEND when an answer is
// wrong.
bool pe_known_answer_check(PeBackend *be, const PeModel *model,
                           PeKnownAnswerDepth depth, PeDeviceReport *report,
                           GError **error);
