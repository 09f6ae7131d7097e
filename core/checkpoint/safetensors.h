// SPDX-License-Identifier: LGPL-2.1-or-later
//
// safetensors.h - the tensors and metadata of a safetensors file.

#pragma once

#include "checkpoint_private.h"

// Enter what is in the map. On failure the table holds a part of it.
bool pe_checkpoint_read_safetensors(PeCheckpoint *ckpt, GError **error);
