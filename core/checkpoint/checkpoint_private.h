// SPDX-License-Identifier: LGPL-2.1-or-later
//
// checkpoint_private.h - the table of tensors, for who opens a file and for the
// readers of the two containers. Nobody else includes it.

#pragma once

#include "checkpoint.h"
#include "file.h"

struct PeCheckpoint {
    PeFile *file;
    // Of the file: its name, addresses and bytes.
    const char *path;
    const uint8_t *base;
    size_t size;
    const char *container;
    GArray *entries;      // of PeNamedTensor, in file order
    GHashTable *index;    // name -> position in `entries`
    GHashTable *metadata; // name -> value
    GPtrArray *unread;    // of char *: what was not read, and why
    GPtrArray *shards;    // of PeCheckpoint: other files, with all the tensors
};

typedef struct {
    char *name;
    PeTensor tensor;
} PeNamedTensor;

// An empty table; takes `file`. Release with pe_checkpoint_free().
PeCheckpoint *pe_checkpoint_new(PeFile *file);

// The number of elements, and how far the view reaches from its first element
// to behind its last one. False when either overflows.
bool pe_tensor_measure(const PeTensor *t, int64_t *size, int64_t *span);

// Enter a tensor whose whole span lies inside the file. Fails when there is one
// of that name already.
bool pe_checkpoint_add(PeCheckpoint *ckpt, const char *name,
                       const PeTensor *tensor, GError **error);

// Note a tensor that we cannot read. That is no failure: the model may do
// without it.
void pe_checkpoint_add_unread(PeCheckpoint *ckpt, const char *name,
                              const char *format, ...) G_GNUC_PRINTF(3, 4);
