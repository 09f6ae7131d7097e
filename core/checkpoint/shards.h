// SPDX-License-Identifier: LGPL-2.1-or-later
//
// shards.h - one checkpoint of several safetensors files, by their index.

#pragma once

#include "checkpoint_private.h"

// "model.safetensors.index.json"
bool pe_checkpoint_is_index(const char *path);

// Returns the checkpoint of all files that the index at `path` names; they lie
// beside it. `open` opens one of them.
PeCheckpoint *pe_checkpoint_open_shards(const char *path,
                                        PeCheckpoint *(*open)(const char *path,
                                                              GError **error),
                                        GError **error);
