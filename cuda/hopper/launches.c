// SPDX-License-Identifier: LGPL-2.1-or-later
//
// launches.c - see launches.h. With a batch of one, a tower is a hundred
// kernels of a few microseconds each, and what lies between them is a fifth of
// the time or more. Where kernels are long that does not count, and blocks that
// lie in wait might be in the way; so both ways to start them are timed, over a
// whole block, while an engine is loaded.

#include "cuda/hopper/launches.h"

#include <string.h>

// The first version whose recordings keep what begins early. Source: CUDA 12.3
// release notes, programmatic dependent launch in graphs.
#define FIRST_VERSION 12030

// Capability of the first devices, and of code for them.
#define FIRST_SM 90

// Bytes of the stream that are compared: all of a picture's or of a few.
#define MOST_COMPARED ((size_t)8 << 20)

static const char *const names[PE_N_LAUNCHES] = {
    [PE_LAUNCHES_PLAIN] = "plain",
    [PE_LAUNCHES_DEPENDENT] = "dependent",
};

// Why no kernel can begin early, or NULL.
static const char *
find_obstacle(const PeCuda *cuda)
{
    int runtime = 0, driver = 0;
    if (cuda->rates.sm < FIRST_SM)
        return "the device has a compute capability before 9.0";
    if (cuda->code_version < FIRST_SM)
        return "this build has no code for compute capability 9.0 or later";
    if (cudaRuntimeGetVersion(&runtime) != cudaSuccess ||
        runtime < FIRST_VERSION)
        return "this build is for CUDA before 12.3";
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver < FIRST_VERSION)
        return "the driver is for CUDA before 12.3";
    return NULL;
}

void
pe_cuda_ask_launches(PeCuda *cuda)
{
    const char *obstacle = find_obstacle(cuda);
    cuda->launches = (PeLaunches)pe_cuda_read_way(
        "PE_CUDA_LAUNCHES", names, PE_LAUNCHES_PLAIN, PE_LAUNCHES_DEPENDENT);
    if (!obstacle)
        return;
    pe_log(cuda->launches == PE_LAUNCHES_DEPENDENT ? PE_LOG_WARNING
                                                   : PE_LOG_DEBUG,
           "%s: no kernel begins before the one before it has ended: %s",
           cuda->description, obstacle);
    cuda->launches = PE_LAUNCHES_PLAIN;
}

// ---- The faster -------------------------------------------------------------

typedef struct {
    const PeBlockRun *run;
    PeTimedFunc queue;
    const void *data;
} Attempt;

static size_t
stream_size(const PeBlockRun *run)
{
    return (size_t)run->seq->rows * (size_t)run->width * sizeof(float);
}

static double
time_way(PeCuda *cuda, int way, const void *data)
{
    const Attempt *attempt = data;
    cuda->dependent = way == PE_LAUNCHES_DEPENDENT;
    double seconds = pe_cuda_time(cuda, attempt->queue, attempt->data,
                                  attempt->run->x, stream_size(attempt->run));
    cuda->dependent = false;
    return seconds;
}

// The residual stream behind the block; false where it cannot be had.
static bool
answer(PeCuda *cuda, const Attempt *attempt, bool dependent, void *copy,
       void *result, size_t size)
{
    cudaMemcpyAsync(copy, attempt->run->x, stream_size(attempt->run),
                    cudaMemcpyDeviceToDevice, cuda->stream);
    cuda->dependent = dependent;
    bool ok = attempt->queue(cuda, copy, attempt->data);
    cuda->dependent = false;
    cudaGetLastError();
    if (ok)
        pe_cuda_download(&cuda->be, result, copy, size);
    return ok && !g_atomic_pointer_get(&cuda->error);
}

// Do both ways give the same, to the bit? The same kernels compute it.
static bool
agree(PeCuda *cuda, const Attempt *attempt)
{
    size_t size = MIN(stream_size(attempt->run), MOST_COMPARED);
    g_autofree char *plain = g_malloc(size);
    g_autofree char *dependent = g_malloc(size);
    void *copy = pe_cuda_alloc(&cuda->be, stream_size(attempt->run));
    bool same = copy && answer(cuda, attempt, false, copy, plain, size) &&
                answer(cuda, attempt, true, copy, dependent, size) &&
                memcmp(plain, dependent, size) == 0;
    pe_cuda_free(&cuda->be, copy);
    return same;
}

static char *
describe(const void *data)
{
    const PeBlockRun *run = ((const Attempt *)data)->run;
    return g_strdup_printf("launches [%d x %d, %d]", run->seq->b, run->seq->n,
                           run->width);
}

bool
pe_cuda_choose_launches(PeCuda *cuda, const PeBlockRun *run, PeTimedFunc queue,
                        const void *data)
{
    const Attempt attempt = {run, queue, data};
    const PeWays ways = {
        .describe = describe,
        .names = names,
        .n = PE_N_LAUNCHES,
        .key = {.in = (int)cuda->be.act,
                .out = (int)cuda->be.narrow,
                .residual = 1,
                .bias = (int)cuda->block_now,
                .m = run->seq->b,
                .n = run->seq->n,
                .k = run->width,
                .align = run->mlp_width,
                .heads = run->heads,
                .ways = 1 << PE_LAUNCHES_PLAIN | 1 << PE_LAUNCHES_DEPENDENT},
        .time = time_way,
        .data = &attempt,
    };
    if (cuda->launches != PE_LAUNCHES_FASTEST)
        return cuda->launches == PE_LAUNCHES_DEPENDENT;
    if (pe_cuda_find_way(cuda, &ways, PE_LAUNCHES_PLAIN) == PE_LAUNCHES_PLAIN)
        return false;
    if (pe_cuda_graphs_tuning(cuda->graphs) && !agree(cuda, &attempt))
        pe_cuda_drop_launches(cuda, "give other results");
    return cuda->launches == PE_LAUNCHES_FASTEST;
}
