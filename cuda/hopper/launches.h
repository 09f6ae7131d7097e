// SPDX-License-Identifier: LGPL-2.1-or-later
//
// launches.h - whether the kernels of the blocks begin before those before them
// have ended; see dependent.h.

#pragma once

#include "cuda/plan.h"

// Whether they may in a run over the blocks: where that is right and faster for
// the first block, which `queue` puts on the stream with `data`, reading and
// changing a copy of the residual stream.
bool pe_cuda_choose_launches(PeCuda *cuda, const PeBlockRun *run,
                             PeTimedFunc queue, const void *data);
