// SPDX-License-Identifier: LGPL-2.1-or-later
//
// checkpoint.h - a file of named tensors, whatever its format.
//
// Knows nothing of the model: it maps the file, checks that every tensor lies
// inside it, and hands out views. Nothing in a file is ever executed.

#pragma once

#include "core/base/tensor.h"
#include "core/pe.h"

typedef struct PeCheckpoint PeCheckpoint;

// By the file's first bytes: safetensors, or a torch zip. The old torch format
// (a bare pickle) gets an error that says how to save the file again.
PeCheckpoint *pe_checkpoint_open(const char *path, GError **error);
void pe_checkpoint_free(PeCheckpoint *ckpt);

const char *pe_checkpoint_get_path(const PeCheckpoint *ckpt);

// "safetensors" or "torch-zip".
const char *pe_checkpoint_get_container(const PeCheckpoint *ckpt);

// Wrappers ("state_dict", "weights", "model", "module", "model_ema") have been
// taken off and every "module." removed from names.
int pe_checkpoint_count(const PeCheckpoint *ckpt);
const char *pe_checkpoint_get_name(const PeCheckpoint *ckpt, int index);
const PeTensor *pe_checkpoint_get_nth(const PeCheckpoint *ckpt, int index);

// NULL when there is none of that name. Borrowed from the checkpoint.
const PeTensor *pe_checkpoint_get(const PeCheckpoint *ckpt, const char *name);

// safetensors "__metadata__" entry, NULL when absent.
const char *pe_checkpoint_get_metadata(const PeCheckpoint *ckpt,
                                       const char *key);

// The tensor has been read for now: lets the kernel drop the map's pages, so
// that the file does not count as resident memory.
void pe_checkpoint_release(const PeCheckpoint *ckpt, const PeTensor *tensor);
