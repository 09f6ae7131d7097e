// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fake_cuda.cpp - a CUDA runtime on the host, so that the backend's host code
// runs, with its kernels in the emulator, where there is no device.
//
// Streams are as lazy as they may be: an operation runs when somebody waits for
// it, so a copy whose source is reused too early, or a kernel that is not
// ordered behind its input by an event, shows in the results. Device memory is
// the host's: starts as NaN, and AddressSanitizer sees accesses outside.
// Allocations beyond PE_FAKE_CUDA_MEMORY bytes fail. A device with an address
// in another place, and everything that runs in parallel, is not emulated.

#include "tests/cuda_host/fake_cuda.h"

#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

typedef std::function<void()> Operation;

extern void (*pe_emulator_queue)(void *stream, Operation launch);

struct CUstream_st {
    std::deque<Operation> queue;
    uint64_t n_pushed = 0, n_run = 0;
    std::vector<Operation> *recording = nullptr;
};

struct CUevent_st {
    cudaStream_t stream = nullptr; // NULL: never recorded
    uint64_t position = 0;
};

struct CUgraph_st {
    std::vector<Operation> operations;
};

struct CUgraphExec_st {
    std::vector<Operation> operations;
};

// The emulator runs one kernel at a time, so one lock does for everything.
static std::recursive_mutex lock;
typedef std::lock_guard<std::recursive_mutex> Guard;
static std::vector<cudaStream_t> streams;
static std::map<void *, size_t> allocations;
static size_t n_allocated;
static int n_graph_launches;
static thread_local cudaError_t last_error;

static cudaError_t
result(cudaError_t status)
{
    if (status != cudaSuccess)
        last_error = status;
    return status;
}

// ---- Streams ----------------------------------------------------------------

// Run what was queued before `position`.
static void
drain(cudaStream_t stream, uint64_t position)
{
    while (stream->n_run < position) {
        Operation operation = stream->queue.front();
        stream->queue.pop_front();
        stream->n_run++;
        operation();
    }
}

static void
drain_all(void)
{
    for (cudaStream_t stream : streams)
        drain(stream, stream->n_pushed);
}

void
fake_cuda_push(void *stream_pointer, Operation operation)
{
    Guard guard(lock);
    cudaStream_t stream = (cudaStream_t)stream_pointer;
    if (stream->recording) {
        stream->recording->push_back(operation);
        return;
    }
    stream->queue.push_back(operation);
    stream->n_pushed++;
}

int
fake_cuda_graph_launches(void)
{
    Guard guard(lock);
    return n_graph_launches;
}

extern "C" {

cudaError_t
cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    Guard guard(lock);
    pe_emulator_queue = fake_cuda_push;
    *stream = new CUstream_st;
    streams.push_back(*stream);
    return cudaSuccess;
}

void *
fake_cuda_new_stream(void)
{
    static cudaStream_t stream;
    cudaStreamCreateWithFlags(&stream, 0);
    return stream;
}

cudaError_t
cudaStreamDestroy(cudaStream_t stream)
{
    Guard guard(lock);
    drain(stream, stream->n_pushed);
    for (size_t i = 0; i < streams.size(); i++) {
        if (streams[i] == stream)
            streams.erase(streams.begin() + (long)i);
    }
    delete stream;
    return cudaSuccess;
}

cudaError_t
cudaStreamSynchronize(cudaStream_t stream)
{
    Guard guard(lock);
    if (stream->recording)
        return result(cudaErrorStreamCaptureUnsupported);
    drain(stream, stream->n_pushed);
    return cudaSuccess;
}

cudaError_t
cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    Guard guard(lock);
    cudaStream_t other = event->stream;
    uint64_t position = event->position;
    if (other && other != stream)
        fake_cuda_push(stream, [=] { drain(other, position); });
    return cudaSuccess;
}

// ---- Events -----------------------------------------------------------------

cudaError_t
cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    *event = new CUevent_st;
    return cudaSuccess;
}

cudaError_t
cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, 0);
}

cudaError_t
cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t
cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    Guard guard(lock);
    if (stream->recording)
        return result(cudaErrorStreamCaptureUnsupported);
    event->stream = stream;
    event->position = stream->n_pushed;
    return cudaSuccess;
}

cudaError_t
cudaEventSynchronize(cudaEvent_t event)
{
    Guard guard(lock);
    if (event->stream)
        drain(event->stream, event->position);
    return cudaSuccess;
}

cudaError_t
cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
    *ms = 0.5f;
    return cudaSuccess;
}

// ---- Graphs -----------------------------------------------------------------

cudaError_t
cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode)
{
    Guard guard(lock);
    if (getenv("PE_FAKE_CUDA_NO_GRAPHS"))
        return result(cudaErrorStreamCaptureUnsupported);
    stream->recording = new std::vector<Operation>;
    return cudaSuccess;
}

cudaError_t
cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    Guard guard(lock);
    *graph = nullptr;
    std::unique_ptr<std::vector<Operation>> recorded(stream->recording);
    stream->recording = nullptr;
    if (getenv("PE_FAKE_CUDA_BAD_GRAPHS"))
        return result(cudaErrorStreamCaptureInvalidated);
    *graph = new CUgraph_st{*recorded};
    return cudaSuccess;
}

cudaError_t
cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                     unsigned long long flags)
{
    *exec = new CUgraphExec_st{graph->operations};
    return cudaSuccess;
}

cudaError_t
cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t
cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return cudaSuccess;
}

cudaError_t
cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    Guard guard(lock);
    n_graph_launches++;
    for (const Operation &operation : exec->operations)
        fake_cuda_push(stream, operation);
    return cudaSuccess;
}

// ---- Memory -----------------------------------------------------------------

static size_t
memory_size(void)
{
    const char *text = getenv("PE_FAKE_CUDA_MEMORY");
    return text ? strtoull(text, nullptr, 10) : (size_t)4 << 30;
}

cudaError_t
cudaMalloc(void **p, size_t size)
{
    Guard guard(lock);
    *p = nullptr;
    if (n_allocated + size > memory_size() || posix_memalign(p, 256, size) != 0)
        return result(cudaErrorMemoryAllocation);
    memset(*p, 0xff, size);
    allocations[*p] = size;
    n_allocated += size;
    return cudaSuccess;
}

cudaError_t
cudaFree(void *p)
{
    Guard guard(lock);
    drain_all();
    if (!p)
        return cudaSuccess;
    auto it = allocations.find(p);
    if (it == allocations.end())
        return result(cudaErrorInvalidValue);
    n_allocated -= it->second;
    allocations.erase(it);
    free(p);
    return cudaSuccess;
}

cudaError_t
cudaMallocHost(void **p, size_t size)
{
    return posix_memalign(p, 256, size) ? result(cudaErrorMemoryAllocation)
                                        : cudaSuccess;
}

cudaError_t
cudaFreeHost(void *p)
{
    Guard guard(lock);
    drain_all();
    free(p);
    return cudaSuccess;
}

cudaError_t
cudaMemcpyAsync(void *dst, const void *src, size_t size, cudaMemcpyKind kind,
                cudaStream_t stream)
{
    if (stream->recording)
        return result(cudaErrorStreamCaptureUnsupported);
    fake_cuda_push(stream, [=] { memcpy(dst, src, size); });
    return cudaSuccess;
}

cudaError_t
cudaMemsetAsync(void *dst, int value, size_t size, cudaStream_t stream)
{
    fake_cuda_push(stream, [=] { memset(dst, value, size); });
    return cudaSuccess;
}

cudaError_t
cudaPointerGetAttributes(cudaPointerAttributes *attributes, const void *p)
{
    Guard guard(lock);
    *attributes = {};
    attributes->type = cudaMemoryTypeUnregistered;
    auto it = allocations.upper_bound((void *)p);
    if (it != allocations.begin() &&
        (const char *)p < (const char *)(--it)->first + it->second)
        attributes->type = cudaMemoryTypeDevice;
    return cudaSuccess;
}

// ---- The device -------------------------------------------------------------

cudaError_t
cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

cudaError_t
cudaDriverGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t
cudaGetDeviceProperties(cudaDeviceProp *p, int device)
{
    const char *sm = getenv("PE_FAKE_CUDA_SM");
    int capability = sm ? atoi(sm) : 90;
    *p = {};
    snprintf(p->name, sizeof p->name, "host emulator");
    p->major = capability / 10;
    p->minor = capability % 10;
    p->multiProcessorCount = 132;
    p->l2CacheSize = 1 << 16;
    return cudaSuccess;
}

cudaError_t
cudaSetDevice(int device)
{
    return device == 0 ? cudaSuccess : result(cudaErrorInvalidDevice);
}

cudaError_t
cudaGetLastError(void)
{
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

const char *
cudaGetErrorString(cudaError_t error)
{
    return "an error of the fake runtime";
}

const char *
cudaGetErrorName(cudaError_t error)
{
    return "cudaErrorFake";
}

} // extern "C"
