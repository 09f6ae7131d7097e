// SPDX-License-Identifier: LGPL-2.1-or-later
//
// torch_zip.h - the tensors of a file of torch.save().

#pragma once

#include "checkpoint_private.h"

// Enter what is in the map. On failure the table holds a part of it.
bool pe_checkpoint_read_torch_zip(PeCheckpoint *ckpt, GError **error);
