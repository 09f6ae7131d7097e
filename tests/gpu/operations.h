// SPDX-License-Identifier: LGPL-2.1-or-later
//
// operations.h - single operations of a tower, for measure.c.

#pragma once

#include "core/device/backend.h"
#include "core/model/model.h"

// Reports, under "operations", microseconds of attention over `batch` images
// and of the layers' products without any epilogue, in 16 bits: what the log
// lines of the real ones are compared with. Beside them the tower's shape, and
// the batch size that the backend likes best.
void measure_operations(PeBackend *be, PeModel *model, int batch);
