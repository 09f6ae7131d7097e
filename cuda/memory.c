// SPDX-License-Identifier: LGPL-2.1-or-later
//
// memory.c - device memory and the way to it: two pinned buffers that take
// turns, so that the host fills one while the other is being copied. All of it
// belongs to the worker's thread and the model's stream.

#include "cuda/cuda.h"

#include <string.h>

bool
pe_cuda_memory_init(PeCuda *cuda)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cuda->stages); i++) {
        PeStage *stage = &cuda->stages[i];
        if (cudaMallocHost(&stage->host, PE_STAGE_SIZE) != cudaSuccess ||
            cudaEventCreateWithFlags(&stage->done, cudaEventDisableTiming) !=
                cudaSuccess)
            return false;
        if (cudaEventCreateWithFlags(&cuda->turns[i].done,
                                     cudaEventDisableTiming) != cudaSuccess)
            return false;
    }
    return true;
}

static void
clear_stage(PeStage *stage)
{
    if (stage->done)
        cudaEventDestroy(stage->done);
    cudaFreeHost(stage->host);
}

void
pe_cuda_memory_clear(PeCuda *cuda)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cuda->stages); i++) {
        clear_stage(&cuda->stages[i]);
        clear_stage(&cuda->turns[i]);
    }
}

void *
pe_cuda_alloc(PeBackend *be, size_t size)
{
    PeCuda *cuda = (PeCuda *)be;
    void *p = NULL;
    pe_cuda_check(cuda, cudaGetLastError(), "an earlier operation");
    cudaError_t status = cudaMalloc(&p, MAX(size, 1));
    if (status == cudaSuccess)
        return p;
    cudaGetLastError(); // having no memory left is no failure of the device
    if (status != cudaErrorMemoryAllocation)
        pe_cuda_check(cuda, status, "an allocation");
    return NULL;
}

void
pe_cuda_free(PeBackend *be, void *p)
{
    if (p)
        pe_cuda_check((PeCuda *)be, cudaFree(p), "freeing memory");
}

PeStage *
pe_cuda_next_stage(PeCuda *cuda)
{
    PeStage *stage = &cuda->stages[cuda->next_stage];
    cuda->next_stage = (cuda->next_stage + 1) % (int)G_N_ELEMENTS(cuda->stages);
    return pe_cuda_check(cuda, cudaEventSynchronize(stage->done), "a copy")
               ? stage
               : NULL;
}

void
pe_cuda_stage_upload(PeCuda *cuda, PeStage *stage, void *dst, size_t size)
{
    if (pe_cuda_check(cuda,
                      cudaMemcpyAsync(dst, stage->host, size,
                                      cudaMemcpyHostToDevice, cuda->stream),
                      "a copy to the device"))
        pe_cuda_check(cuda, cudaEventRecord(stage->done, cuda->stream),
                      "a copy to the device");
}

void
pe_cuda_upload(PeBackend *be, void *dst, const void *src, size_t size)
{
    PeCuda *cuda = (PeCuda *)be;
    for (size_t i = 0; i < size; i += PE_STAGE_SIZE) {
        size_t n = MIN(size - i, PE_STAGE_SIZE);
        PeStage *stage = pe_cuda_next_stage(cuda);
        if (!stage)
            return;
        memcpy(stage->host, (const char *)src + i, n);
        pe_cuda_stage_upload(cuda, stage, (char *)dst + i, n);
    }
}

void *
pe_cuda_send(PeBackend *be, const void *src, size_t size)
{
    void *dst = pe_cuda_alloc(be, size);
    if (dst)
        pe_cuda_upload(be, dst, src, size);
    return dst;
}

void
pe_cuda_download(PeBackend *be, void *dst, const void *src, size_t size)
{
    PeCuda *cuda = (PeCuda *)be;
    for (size_t i = 0; i < size; i += PE_STAGE_SIZE) {
        size_t n = MIN(size - i, PE_STAGE_SIZE);
        PeStage *stage = pe_cuda_next_stage(cuda);
        if (!stage ||
            !pe_cuda_check(cuda,
                           cudaMemcpyAsync(stage->host, (const char *)src + i,
                                           n, cudaMemcpyDeviceToHost,
                                           cuda->stream),
                           "a copy from the device") ||
            !pe_cuda_check(cuda, cudaStreamSynchronize(cuda->stream),
                           "an operation"))
            return;
        memcpy((char *)dst + i, stage->host, n);
    }
}

// Pinned memory for a turn's results, as much as the largest so far.
static bool
make_room(PeCuda *cuda, int turn, size_t size)
{
    PeStage *stage = &cuda->turns[turn];
    if (size <= cuda->turn_sizes[turn])
        return true;
    cudaFreeHost(stage->host);
    stage->host = NULL;
    cuda->turn_sizes[turn] = 0;
    if (!pe_cuda_check(cuda, cudaMallocHost(&stage->host, size),
                       "allocating pinned memory"))
        return false;
    cuda->turn_sizes[turn] = size;
    return true;
}

bool
pe_cuda_download_begin(PeBackend *be, int turn, const void *src, size_t size)
{
    PeCuda *cuda = (PeCuda *)be;
    PeStage *stage = &cuda->turns[turn];
    return pe_cuda_check(cuda, cudaGetLastError(), "starting an operation") &&
           make_room(cuda, turn, size) &&
           pe_cuda_check(cuda,
                         cudaMemcpyAsync(stage->host, src, size,
                                         cudaMemcpyDeviceToHost, cuda->stream),
                         "a copy from the device") &&
           pe_cuda_check(cuda, cudaEventRecord(stage->done, cuda->stream),
                         "a copy from the device");
}

const char *
pe_cuda_download_end(PeBackend *be, int turn, void *dst, size_t size)
{
    PeCuda *cuda = (PeCuda *)be;
    PeStage *stage = &cuda->turns[turn];
    if (pe_cuda_check(cuda, cudaEventSynchronize(stage->done),
                      "an operation") &&
        size <= cuda->turn_sizes[turn])
        memcpy(dst, stage->host, size);
    return g_atomic_pointer_get(&cuda->error);
}
