// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fake_cuda.cpp - a CUDA runtime over the fake driver, so that the backend's
// host code runs, with its kernels in the emulator, where there is no device.
// Like the real runtime it works in the context that is current, and makes the
// device's primary one current where there is none. A device with an address in
// another place, and everything that runs in parallel, is not emulated.

#include "tests/cuda_host/fake_cuda.h"

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "tests/cuda_host/driver/fake_driver.h"

extern void (*pe_emulator_queue)(void *stream, const char *name,
                                 std::function<void()> run,
                                 std::function<void()> begin);

static thread_local cudaError_t last_error;

static void bind(void);

// The runtime's errors have the numbers of the driver's.
static cudaError_t
result(int status)
{
    if (status != CUDA_SUCCESS)
        last_error = (cudaError_t)status;
    return (cudaError_t)status;
}

void
fake_cuda_compute(void *stream, std::function<void()> work, double ms,
                  std::function<void()> begin)
{
    bool dependent = begin != nullptr;
    bind();
    result(fake_driver_push_kernel(
        stream,
        [=] {
            if (!getenv("PE_FAKE_CUDA_IDLE"))
                work();
            fake_driver_spend(ms, dependent);
        },
        dependent ? [=] {
            if (!getenv("PE_FAKE_CUDA_IDLE"))
                begin();
        } : std::function<void()>()));
}

// Whether an environment variable has a part of a kernel's name, or several
// with | between them.
static bool
names(const char *variable, const char *kernel)
{
    const char *value = getenv(variable);
    std::stringstream parts(value ? value : "");
    for (std::string part; std::getline(parts, part, '|');) {
        if (strstr(kernel, part.c_str()))
            return true;
    }
    return false;
}

// A kernel takes 10 us, a dependent one 9; for tests, some are slow, do
// nothing, cannot start, or do not wait for those before.
static void
queue_kernel(void *stream, const char *name, std::function<void()> run,
             std::function<void()> begin)
{
    if (names("PE_FAKE_CUDA_REFUSES", name)) {
        result(CUDA_ERROR_INVALID_VALUE);
        return;
    }
    double ms = names("PE_FAKE_CUDA_SLOW", name) ? 1 : begin ? 0.009 : 0.01;
    if (begin && names("PE_FAKE_CUDA_SLOW_DEPENDENT", name))
        ms = 1;
    if (names("PE_FAKE_CUDA_LAZY", name)) {
        run = [] {};
        begin = begin ? run : nullptr;
    }
    if (begin && names("PE_FAKE_CUDA_HASTY", name)) {
        auto has_run = std::make_shared<bool>(false);
        begin = [=] {
            run();
            *has_run = true;
        };
        run = [=, all = std::move(run)] {
            if (!std::exchange(*has_run, false))
                all();
        };
    }
    fake_cuda_compute(stream, std::move(run), ms, std::move(begin));
}

static CUdeviceptr
address(const void *p)
{
    return (CUdeviceptr)(uintptr_t)p;
}

// One reference to the primary context for the whole process.
static CUresult
get_primary(CUcontext *context)
{
    static CUcontext primary;
    static CUresult status = [] {
        CUresult s = cuInit(0);
        pe_emulator_queue = queue_kernel;
        return s == CUDA_SUCCESS ? cuDevicePrimaryCtxRetain(&primary, 0) : s;
    }();
    *context = primary;
    return status;
}

static void
bind(void)
{
    CUcontext primary, current = nullptr;
    if (get_primary(&primary) == CUDA_SUCCESS &&
        cuCtxGetCurrent(&current) == CUDA_SUCCESS && !current)
        cuCtxSetCurrent(primary);
}

void
fake_cuda_push(void *stream, std::function<void()> operation)
{
    bind();
    result(fake_driver_push(stream, std::move(operation)));
}

extern "C" {

void *
fake_cuda_new_stream(void)
{
    static cudaStream_t stream;
    cudaStreamCreateWithFlags(&stream, 0);
    return stream;
}

// ---- Streams ----------------------------------------------------------------

cudaError_t
cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    bind();
    return result(cuStreamCreate(stream, flags));
}

cudaError_t
cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int priority)
{
    bind();
    return result(cuStreamCreateWithPriority(stream, flags, priority));
}

cudaError_t
cudaDeviceGetStreamPriorityRange(int *least, int *greatest)
{
    *least = 0;
    *greatest = -5;
    return cudaSuccess;
}

cudaError_t
cudaStreamDestroy(cudaStream_t stream)
{
    return result(cuStreamDestroy(stream));
}

cudaError_t
cudaStreamSynchronize(cudaStream_t stream)
{
    bind();
    return result(cuStreamSynchronize(stream));
}

cudaError_t
cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    bind();
    return result(cuStreamWaitEvent(stream, event, flags));
}

// ---- Events -----------------------------------------------------------------

cudaError_t
cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    bind();
    return result(cuEventCreate(event, flags));
}

cudaError_t
cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, 0);
}

cudaError_t
cudaEventDestroy(cudaEvent_t event)
{
    return result(cuEventDestroy(event));
}

cudaError_t
cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    bind();
    return result(cuEventRecord(event, stream));
}

cudaError_t
cudaEventSynchronize(cudaEvent_t event)
{
    return result(cuEventSynchronize(event));
}

cudaError_t
cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
    return result(cuEventElapsedTime(ms, start, end));
}

// ---- Graphs -----------------------------------------------------------------

cudaError_t
cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode)
{
    bind();
    return result(cuStreamBeginCapture(stream, (CUstreamCaptureMode)mode));
}

cudaError_t
cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    bind();
    return result(cuStreamEndCapture(stream, graph));
}

cudaError_t
cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                     unsigned long long flags)
{
    return result(cuGraphInstantiate(exec, graph, flags));
}

cudaError_t
cudaGraphDestroy(cudaGraph_t graph)
{
    return result(cuGraphDestroy(graph));
}

cudaError_t
cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    return result(cuGraphExecDestroy(exec));
}

cudaError_t
cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    bind();
    return result(cuGraphLaunch(exec, stream));
}

// ---- Memory -----------------------------------------------------------------

cudaError_t
cudaMalloc(void **p, size_t size)
{
    CUdeviceptr memory = 0;
    bind();
    CUresult status = cuMemAlloc(&memory, size);
    *p = (void *)memory;
    return result(status);
}

cudaError_t
cudaFree(void *p)
{
    bind();
    return p ? result(cuMemFree(address(p))) : cudaSuccess;
}

cudaError_t
cudaMallocHost(void **p, size_t size)
{
    bind();
    return result(cuMemAllocHost(p, size));
}

cudaError_t
cudaFreeHost(void *p)
{
    bind();
    return p ? result(cuMemFreeHost(p)) : cudaSuccess;
}

cudaError_t
cudaMemcpyAsync(void *dst, const void *src, size_t size, cudaMemcpyKind kind,
                cudaStream_t stream)
{
    bind();
    if (kind == cudaMemcpyHostToDevice)
        return result(cuMemcpyHtoDAsync(address(dst), src, size, stream));
    if (kind == cudaMemcpyDeviceToHost)
        return result(cuMemcpyDtoHAsync(dst, address(src), size, stream));
    return result(cuMemcpyAsync(address(dst), address(src), size, stream));
}

cudaError_t
cudaMemsetAsync(void *dst, int value, size_t size, cudaStream_t stream)
{
    bind();
    return result(
        cuMemsetD8Async(address(dst), (unsigned char)value, size, stream));
}

// Of any context's memory, like the real one's.
cudaError_t
cudaPointerGetAttributes(cudaPointerAttributes *attributes, const void *p)
{
    unsigned type = 0;
    *attributes = {};
    attributes->type = cudaMemoryTypeUnregistered;
    bind();
    if (cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                              address(p)) != CUDA_SUCCESS)
        return cudaSuccess;
    bool on_host = type == CU_MEMORYTYPE_HOST;
    attributes->type = on_host ? cudaMemoryTypeHost : cudaMemoryTypeDevice;
    attributes->devicePointer = (void *)p;
    attributes->hostPointer = on_host ? (void *)p : nullptr;
    return cudaSuccess;
}

// ---- The device -------------------------------------------------------------

cudaError_t
cudaGetDeviceCount(int *count)
{
    CUcontext primary;
    get_primary(&primary);
    return result(cuDeviceGetCount(count));
}

cudaError_t
cudaDriverGetVersion(int *version)
{
    return result(cuDriverGetVersion(version));
}

cudaError_t
cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

// They have the numbers of the driver's.
cudaError_t
cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    return result(
        cuDeviceGetAttribute(value, (CUdevice_attribute)attribute, device));
}

cudaError_t
cudaGetDeviceProperties(cudaDeviceProp *p, int device)
{
    CUcontext primary;
    get_primary(&primary);
    *p = {};
    cuDeviceGetAttribute(&p->major,
                         CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device);
    cuDeviceGetAttribute(&p->minor,
                         CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
    cuDeviceGetAttribute(&p->multiProcessorCount,
                         CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device);
    p->l2CacheSize = 1 << 16;
    return result(cuDeviceGetName(p->name, sizeof p->name, device));
}

// Takes the place of whatever context is current.
cudaError_t
cudaSetDevice(int device)
{
    CUcontext primary;
    if (device != 0)
        return result(cudaErrorInvalidDevice);
    CUresult status = get_primary(&primary);
    return result(status == CUDA_SUCCESS ? cuCtxSetCurrent(primary) : status);
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
    const char *text;
    cuGetErrorString((CUresult)error, &text);
    return text;
}

const char *
cudaGetErrorName(cudaError_t error)
{
    const char *name;
    cuGetErrorName((CUresult)error, &name);
    return name;
}

} // extern "C"
