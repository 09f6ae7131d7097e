// SPDX-License-Identifier: LGPL-2.1-or-later
//
// copies.cpp - the fake driver's copies. Each is checked when it is
// asked for: device memory must belong to one allocation of the context that is
// named or current, host memory must not be a device's. Memory that is gone
// when the operation runs is an error that the context keeps.
//
// Even a copy of pageable memory is lazy, which the real driver stages before
// it returns: a source that is reused without waiting shows.

#include "tests/cuda_host/driver/device.h"

#include <cstring>

struct Side {
    CUcontext context; // NULL: memory of the host
    char *p;
    size_t pitch, slice; // bytes from one line, one picture to the next
};

struct Copy {
    Side dst, src;
    size_t width, height, depth; // bytes, lines, pictures
};

static size_t
extent(const Copy &c, const Side &side)
{
    return (c.depth - 1) * side.slice + (c.height - 1) * side.pitch + c.width;
}

static bool
is_allowed(const Copy &c, const Side &side)
{
    uintptr_t first, p = (uintptr_t)side.p;
    const Allocation *a = find_allocation(p, &first);
    if (!side.context)
        return !a || a->on_host;
    return a && !a->on_host && a->context == side.context &&
           extent(c, side) <= a->size - (p - first);
}

static void
count(const Copy &c)
{
    uint64_t n = c.width * c.height * c.depth;
    if (c.dst.context && c.src.context) {
        device.on_device += n;
        device.between_contexts += c.dst.context != c.src.context ? n : 0;
    } else if (c.dst.context) {
        device.to_device += n;
    } else if (c.src.context) {
        device.to_host += n;
    }
}

// Memory of a context other than the one whose operation runs.
static void
set_foreign_access(const Side &side, CUcontext owner, bool allowed)
{
    uintptr_t first;
    if (!side.context || side.context == owner)
        return;
    const Allocation *a = find_allocation((uintptr_t)side.p, &first);
    set_access(first, *a, allowed);
}

static void
run(const Copy &c, CUcontext owner)
{
    if (!is_allowed(c, c.dst) || !is_allowed(c, c.src)) {
        owner->error = CUDA_ERROR_ILLEGAL_ADDRESS;
        return;
    }
    set_foreign_access(c.dst, owner, true);
    set_foreign_access(c.src, owner, true);
    for (size_t z = 0; z < c.depth; z++) {
        for (size_t y = 0; y < c.height; y++)
            memcpy(c.dst.p + z * c.dst.slice + y * c.dst.pitch,
                   c.src.p + z * c.src.slice + y * c.src.pitch, c.width);
    }
    set_foreign_access(c.dst, owner, false);
    set_foreign_access(c.src, owner, false);
    count(c);
}

// Queues the copy. `handle` may be NULL; with `blocking` the caller waits too,
// unless both sides are on the device, like the real driver.
static CUresult
submit(const Copy &c, CUstream handle, bool blocking)
{
    CUstream stream;
    CUresult status = current_stream(handle, &stream);
    if (status != CUDA_SUCCESS)
        return status;
    if (c.width == 0 || c.height == 0 || c.depth == 0)
        return CUDA_SUCCESS;
    bool fits = c.width <= c.dst.pitch && c.width <= c.src.pitch;
    if ((c.height > 1 && !fits) || !is_allowed(c, c.dst) ||
        !is_allowed(c, c.src))
        return CUDA_ERROR_INVALID_VALUE;
    if (stream->recording)
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    CUcontext owner = stream->context;
    push(stream, {[=] { run(c, owner); }});
    if (blocking && (!c.dst.context || !c.src.context))
        drain(stream->queue.get(), stream->queue->n_pushed);
    return owner->error;
}

// A side of memory of any kind, told apart by its address.
static Side
plain_side(const void *p, CUcontext context)
{
    uintptr_t first;
    const Allocation *a = find_allocation((uintptr_t)p, &first);
    return {a && !a->on_host ? context : nullptr, (char *)p, 0, 0};
}

// A side of one of the driver's descriptions; false if it is an array.
static bool
fill_side(Side *side, CUmemorytype type, CUcontext context, const void *host,
          CUdeviceptr on_device)
{
    if (type == CU_MEMORYTYPE_ARRAY)
        return false;
    if (type == CU_MEMORYTYPE_HOST)
        *side = {nullptr, (char *)host, 0, 0};
    else if (type == CU_MEMORYTYPE_UNIFIED)
        *side = plain_side((const void *)on_device, context);
    else
        *side = {context, (char *)on_device, 0, 0};
    return true;
}

// Bytes in a line; `dst` and `src` are not NULL when they lie on the device.
static CUresult
copy_line(CUcontext dst_context, const void *dst, CUcontext src_context,
          const void *src, size_t size, CUstream stream, bool blocking)
{
    Copy c = {{dst_context, (char *)dst, size, 0},
              {src_context, (char *)src, size, 0},
              size,
              1,
              1};
    return submit(c, stream, blocking);
}

static CUcontext
context_now(void)
{
    CUcontext context = nullptr;
    cuCtxGetCurrent(&context);
    return context;
}

static CUresult
copy_any(const void *dst, CUcontext dst_context, const void *src,
         CUcontext src_context, size_t size, CUstream stream, bool blocking)
{
    Guard guard(lock);
    return copy_line(plain_side(dst, dst_context).context, dst,
                     plain_side(src, src_context).context, src, size, stream,
                     blocking);
}

static CUresult
copy_2d(const CUDA_MEMCPY2D *d, CUstream stream, bool blocking)
{
    Guard guard(lock);
    CUcontext context = context_now();
    Copy c = {};
    if (!fill_side(&c.src, d->srcMemoryType, context, d->srcHost,
                   d->srcDevice) ||
        !fill_side(&c.dst, d->dstMemoryType, context, d->dstHost, d->dstDevice))
        return CUDA_ERROR_NOT_SUPPORTED;
    c.width = d->WidthInBytes;
    c.height = d->Height;
    c.depth = 1;
    c.src.pitch = d->srcPitch ? d->srcPitch : c.width;
    c.dst.pitch = d->dstPitch ? d->dstPitch : c.width;
    c.src.p += d->srcY * c.src.pitch + d->srcXInBytes;
    c.dst.p += d->dstY * c.dst.pitch + d->dstXInBytes;
    return submit(c, stream, blocking);
}

// CUDA_MEMCPY3D and CUDA_MEMCPY3D_PEER name their fields alike.
template <typename Description>
static CUresult
copy_3d(const Description *d, CUcontext dst_context, CUcontext src_context,
        CUstream stream, bool blocking)
{
    Copy c = {};
    if (!fill_side(&c.src, d->srcMemoryType, src_context, d->srcHost,
                   d->srcDevice) ||
        !fill_side(&c.dst, d->dstMemoryType, dst_context, d->dstHost,
                   d->dstDevice))
        return CUDA_ERROR_NOT_SUPPORTED;
    c.width = d->WidthInBytes;
    c.height = d->Height;
    c.depth = d->Depth;
    c.src.pitch = d->srcPitch ? d->srcPitch : c.width;
    c.dst.pitch = d->dstPitch ? d->dstPitch : c.width;
    c.src.slice = c.src.pitch * (d->srcHeight ? d->srcHeight : c.height);
    c.dst.slice = c.dst.pitch * (d->dstHeight ? d->dstHeight : c.height);
    c.src.p += d->srcZ * c.src.slice + d->srcY * c.src.pitch + d->srcXInBytes;
    c.dst.p += d->dstZ * c.dst.slice + d->dstY * c.dst.pitch + d->dstXInBytes;
    return submit(c, stream, blocking);
}

// A side's context when the description says none: the current one.
static CUresult
copy_3d_peer(const CUDA_MEMCPY3D_PEER *d, CUstream stream, bool blocking)
{
    Guard guard(lock);
    CUcontext now = context_now();
    CUcontext dst = d->dstContext ? d->dstContext : now;
    CUcontext src = d->srcContext ? d->srcContext : now;
    if (device.contexts.count(dst) == 0 || device.contexts.count(src) == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    return copy_3d(d, dst, src, stream, blocking);
}

extern "C" {

CUresult
cuMemcpyHtoD(CUdeviceptr dst, const void *src, size_t size)
{
    Guard guard(lock);
    return copy_line(context_now(), (void *)dst, nullptr, src, size, nullptr,
                     true);
}

CUresult
cuMemcpyHtoDAsync(CUdeviceptr dst, const void *src, size_t size,
                  CUstream stream)
{
    Guard guard(lock);
    return copy_line(context_now(), (void *)dst, nullptr, src, size, stream,
                     false);
}

CUresult
cuMemcpyDtoH(void *dst, CUdeviceptr src, size_t size)
{
    Guard guard(lock);
    return copy_line(nullptr, dst, context_now(), (void *)src, size, nullptr,
                     true);
}

CUresult
cuMemcpyDtoHAsync(void *dst, CUdeviceptr src, size_t size, CUstream stream)
{
    Guard guard(lock);
    return copy_line(nullptr, dst, context_now(), (void *)src, size, stream,
                     false);
}

CUresult
cuMemcpyDtoD(CUdeviceptr dst, CUdeviceptr src, size_t size)
{
    Guard guard(lock);
    CUcontext now = context_now();
    return copy_line(now, (void *)dst, now, (void *)src, size, nullptr, true);
}

CUresult
cuMemcpyDtoDAsync(CUdeviceptr dst, CUdeviceptr src, size_t size,
                  CUstream stream)
{
    Guard guard(lock);
    CUcontext now = context_now();
    return copy_line(now, (void *)dst, now, (void *)src, size, stream, false);
}

CUresult
cuMemcpy(CUdeviceptr dst, CUdeviceptr src, size_t size)
{
    CUcontext now = context_now();
    return copy_any((void *)dst, now, (void *)src, now, size, nullptr, true);
}

CUresult
cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t size, CUstream stream)
{
    CUcontext now = context_now();
    return copy_any((void *)dst, now, (void *)src, now, size, stream, false);
}

CUresult
cuMemcpyPeer(CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src,
             CUcontext src_context, size_t size)
{
    return copy_any((void *)dst, dst_context, (void *)src, src_context, size,
                    nullptr, true);
}

CUresult
cuMemcpyPeerAsync(CUdeviceptr dst, CUcontext dst_context, CUdeviceptr src,
                  CUcontext src_context, size_t size, CUstream stream)
{
    return copy_any((void *)dst, dst_context, (void *)src, src_context, size,
                    stream, false);
}

CUresult
cuMemcpy2D(const CUDA_MEMCPY2D *d)
{
    return copy_2d(d, nullptr, true);
}

CUresult
cuMemcpy2DUnaligned(const CUDA_MEMCPY2D *d)
{
    return copy_2d(d, nullptr, true);
}

CUresult
cuMemcpy2DAsync(const CUDA_MEMCPY2D *d, CUstream stream)
{
    return copy_2d(d, stream, false);
}

CUresult
cuMemcpy3D(const CUDA_MEMCPY3D *d)
{
    Guard guard(lock);
    CUcontext now = context_now();
    return copy_3d(d, now, now, nullptr, true);
}

CUresult
cuMemcpy3DAsync(const CUDA_MEMCPY3D *d, CUstream stream)
{
    Guard guard(lock);
    CUcontext now = context_now();
    return copy_3d(d, now, now, stream, false);
}

CUresult
cuMemcpy3DPeer(const CUDA_MEMCPY3D_PEER *d)
{
    return copy_3d_peer(d, nullptr, true);
}

CUresult
cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER *d, CUstream stream)
{
    return copy_3d_peer(d, stream, false);
}

} // extern "C"
