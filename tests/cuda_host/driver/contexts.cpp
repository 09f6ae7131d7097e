// SPDX-License-Identifier: LGPL-2.1-or-later
//
// contexts.cpp - the fake driver's device, its contexts, and which of them is
// current in a thread.

#include "tests/cuda_host/driver/device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

// Never freed: other libraries may call the driver while the process ends.
std::recursive_mutex &lock = *new std::recursive_mutex;
Device &device = *new Device;

static thread_local std::vector<CUcontext> current;

static bool
is_alive(CUcontext context)
{
    return device.contexts.count(context) > 0;
}

CUresult
current_context(CUcontext *context)
{
    if (!device.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (current.empty())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (!is_alive(current.back()))
        return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    *context = current.back();
    return (*context)->error;
}

static CUcontext
make_context(unsigned flags)
{
    CUcontext context = new CUctx_st;
    context->flags = flags;
    device.contexts.insert(context);
    return context;
}

static void
end_context(CUcontext context)
{
    drain_context(context);
    free_allocations(context);
    for (CUstream stream : context->streams)
        delete stream;
    for (CUevent event : context->events)
        delete event;
    device.contexts.erase(context);
    delete context;
}

extern "C" {

// ---- The device -------------------------------------------------------------

CUresult
cuInit(unsigned flags)
{
    Guard guard(lock);
    device.initialised = true;
    return flags == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult
cuDriverGetVersion(int *version)
{
    const char *asked = getenv("PE_FAKE_CUDA_DRIVER");
    *version = asked ? atoi(asked) : 13000;
    return CUDA_SUCCESS;
}

CUresult
cuDeviceGetCount(int *count)
{
    *count = 1;
    return device.initialised ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

CUresult
cuDeviceGet(CUdevice *dev, int ordinal)
{
    *dev = ordinal;
    if (!device.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult
cuDeviceGetName(char *name, int size, CUdevice dev)
{
    if (dev != 0 || size < 1)
        return CUDA_ERROR_INVALID_DEVICE;
    snprintf(name, (size_t)size, "host emulator");
    return CUDA_SUCCESS;
}

// What is not named here is zero: the device cannot do it.
CUresult
cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice dev)
{
    const char *sm = getenv("PE_FAKE_CUDA_SM");
    int capability = sm ? atoi(sm) : 90;
    if (dev != 0)
        return CUDA_ERROR_INVALID_DEVICE;
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *value = capability / 10;
        break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
        *value = capability % 10;
        break;
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
        *value = 1;
        break;
    case CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT:
        *value = 512;
        break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
        *value = 132;
        break;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
        *value = 1980000;
        break;
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE:
        *value = 3200000;
        break;
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH:
        *value = 6144;
        break;
    default:
        *value = 0;
    }
    return CUDA_SUCCESS;
}

// Not even itself: contexts of one device are no peers.
CUresult
cuDeviceCanAccessPeer(int *can, CUdevice dev, CUdevice peer)
{
    *can = 0;
    return dev == 0 && peer == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult
cuCtxEnablePeerAccess(CUcontext peer, unsigned flags)
{
    return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
}

CUresult
cuCtxDisablePeerAccess(CUcontext peer)
{
    return CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
}

// ---- Contexts ---------------------------------------------------------------

// Under this name because cuda.h changes what cuCtxCreate stands for.
CUresult
cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice dev)
{
    Guard guard(lock);
    if (!device.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (dev != 0)
        return CUDA_ERROR_INVALID_DEVICE;
    *context = make_context(flags);
    current.push_back(*context);
    return CUDA_SUCCESS;
}

CUresult
cuCtxDestroy(CUcontext context)
{
    Guard guard(lock);
    if (!is_alive(context) || context == device.primary)
        return CUDA_ERROR_INVALID_CONTEXT;
    end_context(context);
    if (!current.empty() && current.back() == context)
        current.pop_back();
    return CUDA_SUCCESS;
}

CUresult
cuCtxPushCurrent(CUcontext context)
{
    Guard guard(lock);
    if (!is_alive(context))
        return CUDA_ERROR_INVALID_CONTEXT;
    current.push_back(context);
    return CUDA_SUCCESS;
}

CUresult
cuCtxPopCurrent(CUcontext *context)
{
    if (current.empty())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (context)
        *context = current.back();
    current.pop_back();
    return CUDA_SUCCESS;
}

CUresult
cuCtxGetCurrent(CUcontext *context)
{
    *context = current.empty() ? nullptr : current.back();
    return device.initialised ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

CUresult
cuCtxSetCurrent(CUcontext context)
{
    Guard guard(lock);
    if (context && !is_alive(context))
        return CUDA_ERROR_INVALID_CONTEXT;
    if (!current.empty())
        current.pop_back();
    if (context)
        current.push_back(context);
    return CUDA_SUCCESS;
}

CUresult
cuCtxGetDevice(CUdevice *dev)
{
    Guard guard(lock);
    CUcontext context;
    *dev = 0;
    return current_context(&context);
}

CUresult
cuCtxSynchronize(void)
{
    Guard guard(lock);
    CUcontext context;
    CUresult status = current_context(&context);
    if (status != CUDA_SUCCESS)
        return status;
    device.context_waits++;
    drain_context(context);
    return context->error;
}

// ---- The primary context ----------------------------------------------------

CUresult
cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice dev)
{
    Guard guard(lock);
    if (!device.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (dev != 0)
        return CUDA_ERROR_INVALID_DEVICE;
    if (!device.primary)
        device.primary = make_context(0);
    device.primary->n_retained++;
    *context = device.primary;
    return CUDA_SUCCESS;
}

CUresult
cuDevicePrimaryCtxRelease(CUdevice dev)
{
    Guard guard(lock);
    if (dev != 0)
        return CUDA_ERROR_INVALID_DEVICE;
    if (!device.primary)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (--device.primary->n_retained == 0) {
        end_context(device.primary);
        device.primary = nullptr;
    }
    return CUDA_SUCCESS;
}

CUresult
cuDevicePrimaryCtxGetState(CUdevice dev, unsigned *flags, int *active)
{
    Guard guard(lock);
    *flags = device.primary ? device.primary->flags : 0;
    *active = device.primary != nullptr;
    return dev == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

// ---- Errors -----------------------------------------------------------------

static const struct {
    CUresult status;
    const char *name, *text;
} errors[] = {
#define ERROR(status, text) \
    { \
        status, #status, text \
    }
    ERROR(CUDA_SUCCESS, "no error"),
    ERROR(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    ERROR(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    ERROR(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    ERROR(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    ERROR(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    ERROR(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    ERROR(CUDA_ERROR_NOT_READY, "device not ready"),
    ERROR(CUDA_ERROR_NO_BINARY_FOR_GPU,
          "no kernel image is available for execution on the device"),
    ERROR(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access"),
    ERROR(CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed"),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
          "operation not permitted when stream is capturing"),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
          "operation failed due to a previous error during capture"),
    ERROR(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
#undef ERROR
};

CUresult
cuGetErrorName(CUresult status, const char **name)
{
    *name = "CUDA_ERROR_FAKE";
    for (const auto &e : errors) {
        if (e.status == status)
            *name = e.name;
    }
    return CUDA_SUCCESS;
}

CUresult
cuGetErrorString(CUresult status, const char **text)
{
    *text = "an error of the fake driver";
    for (const auto &e : errors) {
        if (e.status == status)
            *text = e.text;
    }
    return CUDA_SUCCESS;
}

// ---- Counters ---------------------------------------------------------------

#define COUNTER(type, name, expression) \
    type fake_cuda_##name(void) \
    { \
        Guard guard(lock); \
        return (type)(expression); \
    }
COUNTER(uint64_t, bytes_to_device, device.to_device)
COUNTER(uint64_t, bytes_to_host, device.to_host)
COUNTER(uint64_t, bytes_on_device, device.on_device)
COUNTER(uint64_t, bytes_between_contexts, device.between_contexts)
COUNTER(int, context_waits, device.context_waits)
COUNTER(int, stream_waits, device.stream_waits)
COUNTER(int, event_waits, device.event_waits)
COUNTER(int, spinning_waits, device.spinning_waits)
COUNTER(int, graph_recordings, device.graph_recordings)
COUNTER(int, graph_launches, device.graph_launches)
COUNTER(int, launches, device.launches)
COUNTER(int, dependent_launches, device.dependent_launches)
COUNTER(int, live_contexts, device.contexts.size())

int
fake_cuda_live_streams(void)
{
    Guard guard(lock);
    size_t n = 0;
    for (CUcontext context : device.contexts)
        n += context->streams.size();
    return (int)n;
}

int
fake_cuda_live_events(void)
{
    Guard guard(lock);
    size_t n = 0;
    for (CUcontext context : device.contexts)
        n += context->events.size();
    return (int)n;
}

int
fake_cuda_live_allocations(void)
{
    Guard guard(lock);
    auto on_device = [](const auto &a) { return !a.second.on_host; };
    return (int)std::count_if(device.allocations.begin(),
                              device.allocations.end(), on_device);
}

} // extern "C"
