// SPDX-License-Identifier: LGPL-2.1-or-later
//
// memory.cpp - the fake driver's memory. Device memory is the host's: starts as
// NaN, and AddressSanitizer sees accesses outside. Each piece belongs to the
// context that was current when it was made. Allocations beyond
// PE_FAKE_CUDA_MEMORY bytes fail; with PE_FAKE_CUDA_LOST all of them do, as
// after a kernel's fault.
//
// Device memory can be touched only while an operation of its context runs. A
// kernel that is given another context's memory, and a host that reads what
// only the device may, end in SIGSEGV as they would on a card, here with a line
// that says whose memory it was. Under AddressSanitizer the memory is poisoned
// instead.

#include "tests/cuda_host/driver/device.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#endif

static const size_t pitch_alignment = 512;
static CUcontext opened; // whose memory may be touched

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

// ---- Access -----------------------------------------------------------------

#ifdef HAS_ASAN

static void *
get_memory(size_t size)
{
    void *p = nullptr;
    return posix_memalign(&p, 256, size) == 0 ? p : nullptr;
}

void
set_access(uintptr_t first, const Allocation &a, bool allowed)
{
    if (allowed)
        ASAN_UNPOISON_MEMORY_REGION((void *)first, a.size);
    else
        ASAN_POISON_MEMORY_REGION((void *)first, a.size);
}

static void
put_memory(uintptr_t first, const Allocation &a)
{
    set_access(first, a, true);
    free((void *)first);
}

static void
explain_faults(void)
{
}

#else

static size_t
whole_pages(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

static void *
get_memory(size_t size)
{
    void *p = mmap(nullptr, whole_pages(size), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? nullptr : p;
}

void
set_access(uintptr_t first, const Allocation &a, bool allowed)
{
    mprotect((void *)first, whole_pages(a.size),
             allowed ? PROT_READ | PROT_WRITE : PROT_NONE);
}

static void
put_memory(uintptr_t first, const Allocation &a)
{
    munmap((void *)first, whole_pages(a.size));
}

// The process ends here, so what is not allowed in a signal's handler may be
// tried.
static void
explain_fault(int number, siginfo_t *info, void *data)
{
    uintptr_t first;
    const Allocation *a = find_allocation((uintptr_t)info->si_addr, &first);
    if (a)
        fprintf(stderr,
                "fake driver: memory of context %p was touched by %s %p\n",
                (void *)a->context, opened ? "context" : "the host",
                (void *)opened);
    signal(SIGSEGV, SIG_DFL); // and again
}

static void
explain_faults(void)
{
    static bool done;
    struct sigaction old, action = {};
    if (done || sigaction(SIGSEGV, nullptr, &old) != 0 ||
        old.sa_handler != SIG_DFL)
        return;
    action.sa_sigaction = explain_fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
    done = true;
}

#endif

CUcontext
open_memory(CUcontext context)
{
    CUcontext before = opened;
    if (context == before)
        return before;
    for (const auto &entry : device.allocations) {
        const Allocation &a = entry.second;
        if (!a.on_host && (a.context == before || a.context == context))
            set_access(entry.first, a, a.context == context);
    }
    opened = context;
    return before;
}

// ---- Allocations ------------------------------------------------------------

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
    if (getenv("PE_FAKE_CUDA_LOST"))
        return CUDA_ERROR_ILLEGAL_ADDRESS;
    if (!on_host && device.used + size > memory_size())
        return CUDA_ERROR_OUT_OF_MEMORY;
    void *memory = get_memory(size);
    if (!memory)
        return CUDA_ERROR_OUT_OF_MEMORY;
    memset(memory, 0xff, size);
    *p = (uintptr_t)memory;
    Allocation a = {size, context, on_host};
    device.allocations[*p] = a;
    if (!on_host && opened != context) {
        set_access(*p, a, false);
        explain_faults();
    }
    device.used += on_host ? 0 : size;
    return CUDA_SUCCESS;
}

static void
free_one(std::map<uintptr_t, Allocation>::iterator it)
{
    device.used -= it->second.on_host ? 0 : it->second.size;
    put_memory(it->first, it->second);
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
