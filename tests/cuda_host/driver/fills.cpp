// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fills.cpp - the fake driver's fills, checked like the copies. None waits: the
// real driver's do not either, whatever their names say.

#include "tests/cuda_host/driver/device.h"

#include <algorithm>

struct Area {
    CUdeviceptr p;
    size_t pitch, width, height; // bytes, elements, lines
};

template <typename Element>
static bool
is_allowed(const Area &area, CUcontext context)
{
    uintptr_t first;
    const Allocation *a = find_allocation(area.p, &first);
    size_t size = (area.height - 1) * area.pitch + area.width * sizeof(Element);
    return a && !a->on_host && a->context == context &&
           area.p % sizeof(Element) == 0 && size <= a->size - (area.p - first);
}

template <typename Element>
static CUresult
fill(const Area &area, Element value, CUstream handle)
{
    Guard guard(lock);
    CUstream stream;
    CUresult status = current_stream(handle, &stream);
    if (status != CUDA_SUCCESS || area.width == 0 || area.height == 0)
        return status;
    CUcontext owner = stream->context;
    if (!is_allowed<Element>(area, owner))
        return CUDA_ERROR_INVALID_VALUE;
    push(stream, {[=] {
             if (!is_allowed<Element>(area, owner)) {
                 owner->error = CUDA_ERROR_ILLEGAL_ADDRESS;
                 return;
             }
             for (size_t y = 0; y < area.height; y++) {
                 Element *line = (Element *)(area.p + y * area.pitch);
                 std::fill(line, line + area.width, value);
             }
         }});
    return CUDA_SUCCESS;
}

extern "C" {

CUresult
cuMemsetD8(CUdeviceptr p, unsigned char value, size_t n)
{
    return fill({p, n, n, 1}, value, nullptr);
}

CUresult
cuMemsetD8Async(CUdeviceptr p, unsigned char value, size_t n, CUstream stream)
{
    return fill({p, n, n, 1}, value, stream);
}

CUresult
cuMemsetD2D8(CUdeviceptr p, size_t pitch, unsigned char value, size_t width,
             size_t height)
{
    return fill({p, pitch, width, height}, value, nullptr);
}

CUresult
cuMemsetD2D8Async(CUdeviceptr p, size_t pitch, unsigned char value,
                  size_t width, size_t height, CUstream stream)
{
    return fill({p, pitch, width, height}, value, stream);
}

CUresult
cuMemsetD2D16(CUdeviceptr p, size_t pitch, unsigned short value, size_t width,
              size_t height)
{
    return fill({p, pitch, width, height}, value, nullptr);
}

CUresult
cuMemsetD2D16Async(CUdeviceptr p, size_t pitch, unsigned short value,
                   size_t width, size_t height, CUstream stream)
{
    return fill({p, pitch, width, height}, value, stream);
}

CUresult
cuMemsetD2D32(CUdeviceptr p, size_t pitch, unsigned value, size_t width,
              size_t height)
{
    return fill({p, pitch, width, height}, value, nullptr);
}

CUresult
cuMemsetD2D32Async(CUdeviceptr p, size_t pitch, unsigned value, size_t width,
                   size_t height, CUstream stream)
{
    return fill({p, pitch, width, height}, value, stream);
}

} // extern "C"
