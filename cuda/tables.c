// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tables.c - see tables.h. Memory of a table that is thrown out is kept for the
// next one: freeing would wait for everything that the device has to do.

#include "cuda/tables.h"

#include <string.h>

// Different (input, output) sizes whose tables are kept.
#define MAX_TABLES 64
// The table of 4K to 448 has 40 KB.
#define MIN_SIZE ((size_t)64 << 10)

// Of one axis.
typedef struct {
    PeCudaAxis axis;
    int32_t *host;     // pinned: what is copied to the device
    int32_t *memory;   // on the device
    size_t size;       // bytes of both
    cudaEvent_t ready; // the copy
} Table;

struct PeCudaTables {
    PeCuda *cuda;
    cudaStream_t stream;
    GMutex lock;
    GQueue unused; // of Table: memory that is neither kept nor in use
    PeResizeCache *cache;
};

static void
table_free(Table *t)
{
    if (t->ready)
        cudaEventDestroy(t->ready);
    cudaFreeHost(t->host);
    cudaFree(t->memory);
    g_free(t);
}

// At least `size` bytes in both memories, and nothing on its way into them.
static cudaError_t
make_room(Table *t, size_t size)
{
    cudaError_t status = cudaSuccess;
    if (!t->ready)
        status = pe_cuda_event_new(&t->ready);
    if (status == cudaSuccess)
        status = cudaEventSynchronize(t->ready);
    if (status != cudaSuccess || t->size >= size)
        return status;
    cudaFreeHost(t->host);
    cudaFree(t->memory);
    t->host = t->memory = NULL;
    t->size = 0;
    size_t larger = MIN_SIZE;
    while (larger < size)
        larger *= 2;
    status = cudaMallocHost((void **)&t->host, larger);
    if (status == cudaSuccess)
        status = cudaMalloc((void **)&t->memory, larger);
    if (status == cudaSuccess)
        t->size = larger;
    return status;
}

// first [n], count [n], weights [n, taps] in one piece of memory.
static cudaError_t
fill(Table *t, const PeResizeAxis *axis, cudaStream_t stream)
{
    size_t n = (size_t)axis->out_size, taps = (size_t)axis->taps;
    size_t size = n * (2 + taps) * sizeof(int32_t);
    cudaError_t status = make_room(t, size);
    if (status != cudaSuccess)
        return status;
    memcpy(t->host, axis->first, n * sizeof(int32_t));
    memcpy(t->host + n, axis->count, n * sizeof(int32_t));
    memcpy(t->host + 2 * n, axis->weights, n * taps * sizeof(int32_t));
    t->axis = (PeCudaAxis){.in_size = axis->in_size,
                           .out_size = axis->out_size,
                           .taps = axis->taps,
                           .first = t->memory,
                           .count = t->memory + n,
                           .weights = t->memory + 2 * n};
    status = cudaMemcpyAsync(t->memory, t->host, size, cudaMemcpyHostToDevice,
                             stream);
    if (status == cudaSuccess)
        status = cudaEventRecord(t->ready, stream);
    return status;
}

static void *
build(int in_size, int out_size, void *user_data, GError **error)
{
    PeCudaTables *tables = user_data;
    g_mutex_lock(&tables->lock);
    Table *t = g_queue_pop_head(&tables->unused);
    g_mutex_unlock(&tables->lock);
    if (!t)
        t = g_new0(Table, 1);
    PeResizeAxis *axis = pe_resize_axis_new(in_size, out_size);
    cudaError_t status = fill(t, axis, tables->stream);
    pe_resize_axis_free(axis);
    if (pe_cuda_expect(tables->cuda, status, "the tables of a resize", error))
        return t;
    table_free(t);
    return NULL;
}

static void
keep_memory(void *data, void *user_data)
{
    PeCudaTables *tables = user_data;
    g_mutex_lock(&tables->lock);
    g_queue_push_tail(&tables->unused, data);
    g_mutex_unlock(&tables->lock);
}

PeCudaTables *
pe_cuda_tables_new(PeCuda *cuda, cudaStream_t stream)
{
    PeCudaTables *tables = g_new0(PeCudaTables, 1);
    tables->cuda = cuda;
    tables->stream = stream;
    g_mutex_init(&tables->lock);
    g_queue_init(&tables->unused);
    tables->cache = pe_resize_cache_new(MAX_TABLES, build, keep_memory, tables);
    return tables;
}

void
pe_cuda_tables_free(PeCudaTables *tables)
{
    Table *t;
    if (!tables)
        return;
    pe_resize_cache_free(tables->cache);
    while ((t = g_queue_pop_head(&tables->unused)))
        table_free(t);
    g_mutex_clear(&tables->lock);
    g_free(tables);
}

PeResizeTable *
pe_cuda_tables_get(PeCudaTables *tables, int in_size, int out_size,
                   cudaStream_t stream, GError **error)
{
    PeResizeTable *found =
        pe_resize_cache_get(tables->cache, in_size, out_size, error);
    if (!found || stream == tables->stream)
        return found;
    const Table *t = found->data;
    cudaError_t status = cudaStreamWaitEvent(stream, t->ready, 0);
    if (pe_cuda_expect(tables->cuda, status, "waiting for tables", error))
        return found;
    pe_resize_cache_put(tables->cache, found);
    return NULL;
}

void
pe_cuda_tables_put(PeCudaTables *tables, PeResizeTable *table)
{
    pe_resize_cache_put(tables->cache, table);
}
