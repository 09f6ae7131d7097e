// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_driver_memory.c - the part of check_driver.c that is about memory and
// copies.

#include "tests/cuda_host/driver_things.h"

static CUDA_MEMCPY2D
plane(CUdeviceptr src, void *dst, size_t height)
{
    return (CUDA_MEMCPY2D){.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                           .srcDevice = src,
                           .srcPitch = 64,
                           .dstMemoryType = CU_MEMORYTYPE_HOST,
                           .dstHost = dst,
                           .dstPitch = 32,
                           .WidthInBytes = 32,
                           .Height = height};
}

static void
memory_needs_its_context(void)
{
    uint8_t host[N];
    Things a = things_new(), b = things_new();
    CUDA_MEMCPY2D of_a = plane(a.memory, host, 4);
    CUDA_MEMCPY2D of_b = plane(b.memory, host, 4);
    OK(cuMemcpy2D(&of_b));
    FAILS(cuMemcpy2D(&of_a), INVALID_VALUE);
    FAILS(cuMemcpy2DAsync(&of_a, b.stream), INVALID_VALUE);
    FAILS(cuMemcpyDtoH(host, a.memory, 1), INVALID_VALUE);
    FAILS(cuMemcpyHtoDAsync(a.memory, host, 1, b.stream), INVALID_VALUE);
    FAILS(cuMemcpyDtoD(b.memory, a.memory, 1), INVALID_VALUE);
    FAILS(cuMemcpyAsync(b.memory, a.memory, 1, b.stream), INVALID_VALUE);
    FAILS(cuMemsetD8Async(a.memory, 0, 1, b.stream), INVALID_VALUE);
    FAILS(cuMemFree(a.memory), INVALID_VALUE);
    OK(cuCtxDestroy(b.context));
    OK(cuMemFree(a.memory));
    FAILS(cuMemFree(a.memory), INVALID_VALUE);
    OK(cuCtxDestroy(a.context));
}

static void
copies_stay_inside(void)
{
    uint8_t host[N];
    CUdeviceptr pitched;
    size_t pitch;
    Things t = things_new();
    OK(cuMemcpyDtoH(host, t.memory + N - 8, 8));
    FAILS(cuMemcpyDtoH(host, t.memory + N - 8, 9), INVALID_VALUE);
    FAILS(cuMemcpyDtoH(host, (CUdeviceptr)(uintptr_t)host, 1), INVALID_VALUE);
    FAILS(cuMemcpyHtoD(t.memory, (void *)(uintptr_t)t.memory, 1),
          INVALID_VALUE);
    CUDA_MEMCPY2D fits = plane(t.memory + N - 15 * 64 - 32, host, 16);
    CUDA_MEMCPY2D over = plane(t.memory + N - 15 * 64 - 31, host, 16);
    OK(cuMemcpy2D(&fits));
    FAILS(cuMemcpy2D(&over), INVALID_VALUE);
    OK(cuMemAllocPitch(&pitched, &pitch, 333, 3, 16));
    g_assert_cmpuint(pitch, >=, 333);
    g_assert_cmpuint(pitch % 256, ==, 0);
    OK(cuMemcpyDtoH(host, pitched + 2 * pitch, 333));
    OK(cuCtxDestroy(t.context));
}

static void
planes_arrive_line_by_line(void)
{
    uint8_t in[8 * 5], out[10 * 5];
    CUdeviceptr memory;
    size_t pitch;
    Things t = things_new();
    for (int i = 0; i < 8 * 5; i++)
        in[i] = (uint8_t)i;
    memset(out, 0xee, sizeof out);
    OK(cuMemAllocPitch(&memory, &pitch, 8, 5, 16));
    CUDA_MEMCPY2D up = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                        .srcHost = in,
                        .srcPitch = 8,
                        .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                        .dstDevice = memory,
                        .dstPitch = pitch,
                        .WidthInBytes = 8,
                        .Height = 5};
    CUDA_MEMCPY2D down = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                          .srcDevice = memory,
                          .srcPitch = pitch,
                          .srcXInBytes = 2,
                          .srcY = 1,
                          .dstMemoryType = CU_MEMORYTYPE_HOST,
                          .dstHost = out,
                          .dstPitch = 10,
                          .WidthInBytes = 6,
                          .Height = 4};
    uint64_t to_host = fake_cuda_bytes_to_host();
    OK(cuMemcpy2D(&up));
    OK(cuMemcpy2D(&down));
    g_assert_cmpuint(fake_cuda_bytes_to_host(), ==, to_host + 24);
    for (int y = 0; y < 4; y++) {
        g_assert_cmpmem(out + y * 10, 6, in + (y + 1) * 8 + 2, 6);
        g_assert_cmpint(out[y * 10 + 6], ==, 0xee);
    }
    OK(cuCtxDestroy(t.context));
}

static void
fills_stay_in_their_lines(void)
{
    uint8_t got[64], expected[64];
    Things t = things_new();
    memset(expected, 1, sizeof expected);
    memset(expected + 8, 2, 6);
    memset(expected + 40, 2, 6);
    OK(cuMemsetD8(t.memory, 1, N));
    OK(cuMemsetD2D16(t.memory + 8, 32, 0x0202, 3, 2));
    OK(cuMemcpyDtoH(got, t.memory, sizeof got));
    g_assert_cmpmem(got, sizeof got, expected, sizeof expected);
    OK(cuMemsetD2D32(t.memory + N - 32 - 12, 32, 0, 3, 2));
    FAILS(cuMemsetD2D32(t.memory + N - 32 - 8, 32, 0, 3, 2), INVALID_VALUE);
    FAILS(cuMemsetD2D32(t.memory + 2, 32, 0, 3, 2), INVALID_VALUE);
    OK(cuCtxDestroy(t.context));
}

static void
copies_between_contexts_name_them(void)
{
    Things a = things_new();
    OK(cuMemsetD8(a.memory, 7, N));
    OK(cuCtxSynchronize());
    Things b = things_new();
    uint64_t before = fake_cuda_bytes_between_contexts();
    CUDA_MEMCPY3D_PEER peer = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                               .srcDevice = a.memory,
                               .srcContext = a.context,
                               .srcPitch = 64,
                               .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                               .dstDevice = b.memory,
                               .dstContext = b.context,
                               .dstPitch = 128,
                               .WidthInBytes = 48,
                               .Height = 8,
                               .Depth = 1};
    OK(cuMemcpy3DPeerAsync(&peer, b.stream));
    g_assert_cmpuint(fake_cuda_bytes_between_contexts(), ==, before);
    OK(cuStreamSynchronize(b.stream));
    g_assert_cmpuint(fake_cuda_bytes_between_contexts(), ==, before + 48 * 8);
    g_assert_cmpint(first_byte(&b), ==, 7);
    uint64_t on_device = fake_cuda_bytes_on_device();
    OK(cuMemcpyDtoD(b.memory, b.memory + 8, 8));
    OK(cuCtxSynchronize());
    g_assert_cmpuint(fake_cuda_bytes_on_device(), ==, on_device + 8);
    g_assert_cmpuint(fake_cuda_bytes_between_contexts(), ==, before + 48 * 8);
    OK(cuMemsetD8(b.memory, 0, N));
    OK(cuMemcpyPeer(b.memory, b.context, a.memory, a.context, N));
    g_assert_cmpint(first_byte(&b), ==, 7);
    FAILS(cuMemcpyPeer(b.memory, a.context, a.memory, b.context, N),
          INVALID_VALUE);
    peer.srcContext = b.context; // not whose memory it is
    FAILS(cuMemcpy3DPeerAsync(&peer, b.stream), INVALID_VALUE);
    peer.srcContext = a.context;
    FAILS(cuMemcpy3DPeerAsync(&peer, a.stream), INVALID_HANDLE);
    OK(cuCtxDestroy(b.context));
    OK(cuCtxDestroy(a.context));
}

static void
pointers_tell_their_context(void)
{
    CUcontext context = NULL;
    unsigned type = 0;
    CUdeviceptr first;
    size_t size;
    uint8_t host;
    Things a = things_new(), b = things_new();
    OK(cuPointerGetAttribute(&context, CU_POINTER_ATTRIBUTE_CONTEXT,
                             a.memory + 3));
    g_assert_true(context == a.context);
    OK(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                             a.memory + N - 1));
    g_assert_cmpint(type, ==, CU_MEMORYTYPE_DEVICE);
    OK(cuMemGetAddressRange(&first, &size, a.memory + 3));
    g_assert_true(first == a.memory && size == N);
    FAILS(cuPointerGetAttribute(&context, CU_POINTER_ATTRIBUTE_CONTEXT,
                                (CUdeviceptr)(uintptr_t)&host),
          INVALID_VALUE);
    void *data[] = {&context, &type};
    CUpointer_attribute attributes[] = {CU_POINTER_ATTRIBUTE_CONTEXT,
                                        CU_POINTER_ATTRIBUTE_MEMORY_TYPE};
    OK(cuPointerGetAttributes(2, attributes, data, b.memory));
    g_assert_true(context == b.context);
    OK(cuPointerGetAttributes(2, attributes, data,
                              (CUdeviceptr)(uintptr_t)&host));
    g_assert_null(context);
    g_assert_cmpint(type, ==, 0);
    OK(cuStreamGetCtx(a.stream, &context));
    g_assert_true(context == a.context);
    OK(cuCtxDestroy(b.context));
    OK(cuCtxDestroy(a.context));
}

static void
memory_is_limited_and_starts_as_nan(void)
{
    CUdeviceptr memory;
    uint8_t bytes[4];
    size_t n_free, total;
    Things t = things_new();
    OK(cuMemcpyDtoH(bytes, t.memory, 4));
    g_assert_cmpmem(bytes, 4, "\xff\xff\xff\xff", 4);
    g_setenv("PE_FAKE_CUDA_MEMORY", "2000", TRUE);
    OK(cuMemGetInfo(&n_free, &total));
    g_assert_cmpuint(total, ==, 2000);
    g_assert_cmpuint(n_free, ==, 2000 - N);
    FAILS(cuMemAlloc(&memory, 2001 - N), OUT_OF_MEMORY);
    OK(cuMemAlloc(&memory, 2000 - N));
    OK(cuMemFree(memory));
    g_unsetenv("PE_FAKE_CUDA_MEMORY");
    OK(cuCtxDestroy(t.context));
}

// Freeing waits for the context of the memory only; whoever still reads it from
// another one finds it gone, and everything fails from then on.
static void
memory_that_is_gone_breaks_the_context(void)
{
    Things a = things_new(), b = things_new();
    OK(cuMemcpyPeerAsync(b.memory, b.context, a.memory, a.context, N,
                         b.stream));
    OK(cuCtxPushCurrent(a.context));
    OK(cuMemFree(a.memory));
    OK(cuCtxPopCurrent(NULL));
    FAILS(cuStreamSynchronize(b.stream), ILLEGAL_ADDRESS);
    FAILS(cuMemsetD8(b.memory, 0, 1), ILLEGAL_ADDRESS);
    OK(cuCtxDestroy(b.context));
    OK(cuCtxSynchronize());
    OK(cuCtxDestroy(a.context));
}

// ---- Who may touch it -------------------------------------------------------

// Of driver_kernel.cpp.
int increment(void *stream, uint8_t *p);

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#endif
#ifdef HAS_ASAN
#define COMPLAINT(whose) "*use-after-poison*"
#else
#define COMPLAINT(whose) "*was touched by " whose "*"
#endif

static void
ends_in_a_fault(const char *test, const char *complaint)
{
    g_test_trap_subprocess(test, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr(complaint);
}

static uint8_t *
as_host(CUdeviceptr p)
{
    return (uint8_t *)(uintptr_t)p;
}

static void
kernels_touch_their_context(void)
{
    Things t = things_new();
    OK(cuMemsetD8(t.memory, 5, N));
    OK(increment(NULL, as_host(t.memory)));
    OK(cuCtxSynchronize());
    g_assert_cmpint(first_byte(&t), ==, 6);
    OK(cuCtxDestroy(t.context));
}

static void
the_host_touches_memory(void)
{
    Things t = things_new();
    if (g_test_subprocess())
        ++*as_host(t.memory);
    else
        ends_in_a_fault(NULL, COMPLAINT("the host"));
    OK(cuCtxDestroy(t.context));
}

static void
a_kernel_touches_foreign_memory(void)
{
    Things a = things_new(), b = things_new();
    if (g_test_subprocess()) {
        OK(increment(b.stream, as_host(a.memory)));
        cuStreamSynchronize(b.stream);
    } else {
        ends_in_a_fault(NULL, COMPLAINT("context"));
    }
    OK(cuCtxDestroy(b.context));
    OK(cuCtxDestroy(a.context));
}

static void
touch(void *p)
{
    ++*(uint8_t *)p;
}

static void
a_host_function_touches_memory(void)
{
    uint8_t byte = 1;
    Things t = things_new();
    OK(cuLaunchHostFunc(t.stream, touch, &byte));
    OK(cuStreamSynchronize(t.stream));
    g_assert_cmpint(byte, ==, 2);
    if (g_test_subprocess()) {
        OK(cuLaunchHostFunc(t.stream, touch, as_host(t.memory)));
        cuStreamSynchronize(t.stream);
    } else {
        ends_in_a_fault(NULL, COMPLAINT("the host"));
    }
    OK(cuCtxDestroy(t.context));
}

void
add_memory_tests(void)
{
#define ADD(path, test) g_test_add_func("/driver/memory/" path, test)
    ADD("context", memory_needs_its_context);
    ADD("range", copies_stay_inside);
    ADD("planes", planes_arrive_line_by_line);
    ADD("fills", fills_stay_in_their_lines);
    ADD("peer", copies_between_contexts_name_them);
    ADD("owner", pointers_tell_their_context);
    ADD("limit", memory_is_limited_and_starts_as_nan);
    ADD("gone", memory_that_is_gone_breaks_the_context);
    ADD("kernels", kernels_touch_their_context);
    ADD("faults/host", the_host_touches_memory);
    ADD("faults/kernel", a_kernel_touches_foreign_memory);
    ADD("faults/host_function", a_host_function_touches_memory);
}
