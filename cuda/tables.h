// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tables.h - the tables of resizes in device memory, shared by all frames that
// need them. For slots.c.

#pragma once

#include "core/device/resize_cache.h"
#include "cuda/cuda.h"
#include "cuda/kernels.h"

typedef struct PeCudaTables PeCudaTables;

// Tables are copied to the device on `stream`. To be freed when nothing is left
// to do there.
PeCudaTables *pe_cuda_tables_new(PeCuda *cuda, cudaStream_t stream);
void pe_cuda_tables_free(PeCudaTables *tables);

// The table of a resize, whose data is a PeCudaAxis, for kernels on `stream`.
// Returns a reference, to be given back with pe_cuda_tables_put() when those
// kernels are done, or queued if the stream is the tables' own. NULL with the
// error. Any thread.
PeResizeTable *pe_cuda_tables_get(PeCudaTables *tables, int in_size,
                                  int out_size, cudaStream_t stream,
                                  GError **error);
void pe_cuda_tables_put(PeCudaTables *tables, PeResizeTable *table);
