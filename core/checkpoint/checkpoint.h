// SPDX-License-Identifier: LGPL-2.1-or-later
//
// checkpoint.h - a file of named tensors, whatever its format.
//
// Knows nothing of the model: it checks that every tensor lies inside the file,
// and hands out views. Their numbers are read when they are asked for, so that
// a file that is overwritten meanwhile is an error and no crash. Nothing in a
// file is ever executed.

#pragma once

#include "core/base/tensor.h"
#include "core/pe.h"

typedef struct PeCheckpoint PeCheckpoint;

// By the file's first bytes: safetensors, or a torch zip. The old torch format
// (a bare pickle) gets an error that says how to save the file again. A path
// that ends in ".safetensors.index.json" is all of the files that it names.
PeCheckpoint *pe_checkpoint_open(const char *path, GError **error);
void pe_checkpoint_free(PeCheckpoint *ckpt);

const char *pe_checkpoint_get_path(const PeCheckpoint *ckpt);

// "safetensors" or "torch-zip".
const char *pe_checkpoint_get_container(const PeCheckpoint *ckpt);

// Wrappers ("state_dict", "model_ema" and others that training programs use)
// have been taken off, and every "module." and "_orig_mod." removed from names.
// A pickled module has the names that its state_dict() would have.
int pe_checkpoint_count(const PeCheckpoint *ckpt);
const char *pe_checkpoint_get_name(const PeCheckpoint *ckpt, int index);
const PeTensor *pe_checkpoint_get_nth(const PeCheckpoint *ckpt, int index);

// NULL when there is none of that name. Borrowed from the checkpoint. There is
// nothing at its `data` before pe_checkpoint_load().
const PeTensor *pe_checkpoint_get(const PeCheckpoint *ckpt, const char *name);

// Tensors of the file that cannot be read, such as sparse and quantised ones: a
// sentence that names some and says what to do, NULL when there are none.
// Returns, g_free().
char *pe_checkpoint_describe_unread(const PeCheckpoint *ckpt);

// safetensors "__metadata__" entry, NULL when absent.
const char *pe_checkpoint_get_metadata(const PeCheckpoint *ckpt,
                                       const char *key);

// A tensor whose numbers are there; use with g_auto().
typedef struct {
    PeTensor tensor;
    void *memory; // that `tensor` is in; NULL: it is somebody else's
} PeLoaded;

// Read the numbers of a tensor of the file, or of a view of one, with the
// strides that it has. A tensor that is not of the file comes back as it is,
// and so does any when there is no checkpoint (NULL). Fails with PE_ERROR_FILE
// when the file has been changed. Any thread.
bool pe_checkpoint_load(const PeCheckpoint *ckpt, const PeTensor *tensor,
                        PeLoaded *loaded, GError **error);
void pe_loaded_clear(PeLoaded *loaded);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PeLoaded, pe_loaded_clear)

// Read the whole file: from then on all tensors can be read in place. For small
// files; one thread.
bool pe_checkpoint_load_all(PeCheckpoint *ckpt, GError **error);
