// SPDX-License-Identifier: LGPL-2.1-or-later
//
// memory.cpp - the fake driver's memory. Device memory is the host's: starts as
// NaN, and AddressSanitizer sees accesses outside. Each piece belongs to the
// context that was current when it was made. Allocations beyond
// PE_FAKE_CUDA_MEMORY bytes fail.

#include "tests/cuda_host/driver/device.h"

#include <cstdlib>
#include <cstring>

static const size_t alignment = 256, pitch_alignment = 512;

static size_t
memory_size(void)
{
    const char *text = getenv("PE_FAKE_CUDA_MEMORY");
    return text ? strtoull(text, nullptr, 10) : (size_t)4 << 30;
}

const Allocation *
find_allocation(uintptr_t p, uintptr_t *first)
{
    auto it = device.allocations.upper_bound(p);
    if (it == device.allocations.begin())
        return nullptr;
    --it;
    *first = it->first;
    return p - it->first < it->second.size ? &it->second : nullptr;
}

static CUresult
allocate(uintptr_t *p, size_t size, bool on_host)
{
    Guard guard(lock);
    CUcontext context;
    CUresult status = current_context(&context);
    if (status != CUDA_SUCCESS)
        return status;
    if (size == 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (!on_host && device.used + size > memory_size())
        return CUDA_ERROR_OUT_OF_MEMORY;
    void *memory = nullptr;
    if (posix_memalign(&memory, alignment, size) != 0)
        return CUDA_ERROR_OUT_OF_MEMORY;
    memset(memory, 0xff, size);
    *p = (uintptr_t)memory;
    device.allocations[*p] = {size, context, on_host};
    device.used += on_host ? 0 : size;
    return CUDA_SUCCESS;
}

static void
free_one(std::map<uintptr_t, Allocation>::iterator it)
{
    device.used -= it->second.on_host ? 0 : it->second.size;
    free((void *)it->first);
    device.allocations.erase(it);
}

void
free_allocations(CUcontext context)
{
    auto it = device.allocations.begin();
    while (it != device.allocations.end()) {
        auto next = std::next(it);
        if (it->second.context == context)
            free_one(it);
        it = next;
    }
}

// Waits for the context, as the real one does.
static CUresult
give_back(uintptr_t p, bool on_host)
{
    Guard guard(lock);
    CUcontext context;
    CUresult status = current_context(&context);
    if (status != CUDA_SUCCESS)
        return status;
    auto it = device.allocations.find(p);
    if (it == device.allocations.end() || it->second.context != context ||
        it->second.on_host != on_host)
        return CUDA_ERROR_INVALID_VALUE;
    drain_context(context);
    free_one(it);
    return CUDA_SUCCESS;
}

static CUresult
attribute_of(void *data, CUpointer_attribute attribute, CUdeviceptr p)
{
    uintptr_t first;
    const Allocation *a = find_allocation(p, &first);
    if (!a)
        return CUDA_ERROR_INVALID_VALUE;
    switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
        *(CUcontext *)data = a->context;
        break;
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        *(unsigned *)data =
            a->on_host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        break;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
        *(CUdeviceptr *)data = p;
        break;
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        if (!a->on_host)
            return CUDA_ERROR_INVALID_VALUE;
        *(void **)data = (void *)p;
        break;
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
        *(int *)data = 0;
        break;
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
        *(CUdeviceptr *)data = first;
        break;
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
        *(size_t *)data = a->size;
        break;
    default:
        return CUDA_ERROR_NOT_SUPPORTED;
    }
    return CUDA_SUCCESS;
}

extern "C" {

CUresult
cuMemAlloc(CUdeviceptr *p, size_t size)
{
    uintptr_t memory = 0;
    CUresult status = allocate(&memory, size, false);
    *p = memory;
    return status;
}

CUresult
cuMemAllocPitch(CUdeviceptr *p, size_t *pitch, size_t width, size_t height,
                unsigned element_size)
{
    *pitch = (width + pitch_alignment - 1) / pitch_alignment * pitch_alignment;
    return cuMemAlloc(p, *pitch * height);
}

CUresult
cuMemFree(CUdeviceptr p)
{
    return give_back(p, false);
}

CUresult
cuMemAllocHost(void **p, size_t size)
{
    uintptr_t memory = 0;
    CUresult status = allocate(&memory, size, true);
    *p = (void *)memory;
    return status;
}

CUresult
cuMemHostAlloc(void **p, size_t size, unsigned flags)
{
    return cuMemAllocHost(p, size);
}

CUresult
cuMemFreeHost(void *p)
{
    return give_back((uintptr_t)p, true);
}

CUresult
cuMemGetInfo(size_t *n_free, size_t *total)
{
    Guard guard(lock);
    CUcontext context;
    *total = memory_size();
    *n_free = *total > device.used ? *total - device.used : 0;
    return current_context(&context);
}

CUresult
cuMemGetAddressRange(CUdeviceptr *base, size_t *size, CUdeviceptr p)
{
    Guard guard(lock);
    uintptr_t first;
    const Allocation *a = find_allocation(p, &first);
    if (!a)
        return CUDA_ERROR_NOT_FOUND;
    if (base)
        *base = first;
    if (size)
        *size = a->size;
    return CUDA_SUCCESS;
}

// What nobody has allocated here is CUDA_ERROR_INVALID_VALUE.
CUresult
cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr p)
{
    Guard guard(lock);
    if (!device.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    return attribute_of(data, attribute, p);
}

// What does not apply to the pointer becomes zero.
CUresult
cuPointerGetAttributes(unsigned n, CUpointer_attribute *attributes, void **data,
                       CUdeviceptr p)
{
    Guard guard(lock);
    if (!device.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    for (unsigned i = 0; i < n; i++) {
        if (attribute_of(data[i], attributes[i], p) == CUDA_SUCCESS)
            continue;
        bool is_int = attributes[i] == CU_POINTER_ATTRIBUTE_MEMORY_TYPE ||
                      attributes[i] == CU_POINTER_ATTRIBUTE_IS_MANAGED ||
                      attributes[i] == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL;
        memset(data[i], 0, is_int ? sizeof(int) : sizeof(void *));
    }
    return CUDA_SUCCESS;
}

} // extern "C"
