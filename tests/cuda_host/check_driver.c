// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_driver.c - what the fake driver of driver/ refuses, which the real one
// refuses too or answers with wrong pictures, and that the emulated module
// (GST_PE_CUDA_MODULE) runs on it. No other test can be better than this.

#include "tests/cuda_host/driver_things.h"

#include <gmodule.h>

static CUcontext
current(void)
{
    CUcontext context;
    OK(cuCtxGetCurrent(&context));
    return context;
}

// ---- Contexts ---------------------------------------------------------------

static void *
has_no_context(void *context)
{
    CUstream stream;
    g_assert_null(current());
    FAILS(cuStreamCreate(&stream, 0), INVALID_CONTEXT);
    FAILS(cuCtxSynchronize(), INVALID_CONTEXT);
    FAILS(cuCtxPopCurrent(NULL), INVALID_CONTEXT);
    OK(cuCtxSetCurrent(context));
    OK(cuStreamCreate(&stream, 0));
    OK(cuStreamDestroy(stream));
    return NULL;
}

static void
every_thread_has_a_stack(void)
{
    CUcontext a, b, popped;
    OK(cuCtxCreate_v2(&a, 0, 0));
    OK(cuCtxCreate_v2(&b, 0, 0));
    g_assert_true(current() == b);
    OK(cuCtxPushCurrent(a));
    g_assert_true(current() == a);
    OK(cuCtxPopCurrent(&popped));
    g_assert_true(popped == a && current() == b);
    OK(cuCtxSetCurrent(a));
    g_assert_true(current() == a);
    g_thread_join(g_thread_new("other", has_no_context, b));
    OK(cuCtxPopCurrent(&popped)); // a took the place of b
    g_assert_true(popped == a && current() == a);
    OK(cuCtxPopCurrent(NULL));
    g_assert_null(current());
    OK(cuCtxDestroy(a));
    OK(cuCtxDestroy(b));
    FAILS(cuCtxPushCurrent(a), INVALID_CONTEXT);
    FAILS(cuCtxSetCurrent(b), INVALID_CONTEXT);
}

static void
the_primary_context_is_counted(void)
{
    CUcontext created, first, second;
    unsigned flags;
    int active;
    OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
    g_assert_false(active);
    OK(cuCtxCreate_v2(&created, 0, 0));
    OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
    g_assert_false(active);
    OK(cuDevicePrimaryCtxRetain(&first, 0));
    OK(cuDevicePrimaryCtxRetain(&second, 0));
    g_assert_true(first == second && first != created);
    g_assert_true(current() == created);
    FAILS(cuCtxDestroy(first), INVALID_CONTEXT);
    OK(cuDevicePrimaryCtxRelease(0));
    OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
    g_assert_true(active);
    OK(cuDevicePrimaryCtxRelease(0));
    FAILS(cuCtxPushCurrent(first), INVALID_CONTEXT);
    FAILS(cuDevicePrimaryCtxRelease(0), INVALID_CONTEXT);
    OK(cuCtxDestroy(created));
}

static void
a_context_takes_its_things_along(void)
{
    int n_streams = fake_cuda_live_streams();
    int n_events = fake_cuda_live_events();
    int n_allocations = fake_cuda_live_allocations();
    Things a = things_new(), b = things_new();
    g_assert_cmpint(fake_cuda_live_allocations(), ==, n_allocations + 2);
    OK(cuCtxDestroy(a.context)); // below b's in the stack
    g_assert_cmpint(fake_cuda_live_streams(), ==, n_streams + 1);
    g_assert_cmpint(fake_cuda_live_events(), ==, n_events + 1);
    g_assert_cmpint(fake_cuda_live_allocations(), ==, n_allocations + 1);
    FAILS(cuStreamDestroy(a.stream), INVALID_HANDLE);
    FAILS(cuEventSynchronize(a.event), INVALID_HANDLE);
    OK(cuCtxDestroy(b.context));
    FAILS(cuCtxSynchronize(), CONTEXT_IS_DESTROYED);
    OK(cuCtxPopCurrent(NULL));
}

// ---- Streams and events -----------------------------------------------------

static void
streams_need_their_context(void)
{
    uint8_t byte = 1;
    Things a = things_new(), b = things_new();
    OK(cuStreamSynchronize(b.stream));
    OK(cuMemcpyHtoDAsync(b.memory, &byte, 1, b.stream));
    FAILS(cuStreamSynchronize(a.stream), INVALID_HANDLE);
    FAILS(cuStreamQuery(a.stream), INVALID_HANDLE);
    FAILS(cuStreamWaitEvent(a.stream, b.event, 0), INVALID_HANDLE);
    FAILS(cuMemcpyHtoDAsync(b.memory, &byte, 1, a.stream), INVALID_HANDLE);
    FAILS(cuMemsetD8Async(b.memory, 0, 1, a.stream), INVALID_HANDLE);
    FAILS(cuEventRecord(a.event, a.stream), INVALID_HANDLE);
    FAILS(cuStreamBeginCapture(a.stream, CU_STREAM_CAPTURE_MODE_GLOBAL),
          INVALID_HANDLE);
    OK(cuCtxDestroy(b.context));
    OK(cuStreamSynchronize(a.stream));
    OK(cuCtxDestroy(a.context));
}

static void
events_are_recorded_in_their_context(void)
{
    Things a = things_new(), b = things_new();
    OK(cuEventRecord(b.event, b.stream));
    FAILS(cuEventRecord(a.event, b.stream), INVALID_HANDLE);
    FAILS(cuEventRecord(a.event, NULL), INVALID_HANDLE);
    OK(cuStreamWaitEvent(b.stream, a.event, 0));
    int event_waits = fake_cuda_event_waits();
    int context_waits = fake_cuda_context_waits();
    OK(cuEventSynchronize(a.event));
    g_assert_cmpint(fake_cuda_event_waits(), ==, event_waits + 1);
    OK(cuCtxSynchronize());
    g_assert_cmpint(fake_cuda_context_waits(), ==, context_waits + 1);
    OK(cuCtxDestroy(b.context));
    OK(cuCtxDestroy(a.context));
}

static void
nothing_runs_before_somebody_waits(void)
{
    uint8_t byte = 1, got = 9;
    Things t = things_new();
    uint64_t before = fake_cuda_bytes_to_device();
    int waits = fake_cuda_stream_waits();
    OK(cuMemcpyHtoDAsync(t.memory, &byte, 1, t.stream));
    OK(cuMemcpyDtoHAsync(&got, t.memory, 1, t.stream));
    byte = 2; // too early
    g_assert_cmpuint(fake_cuda_bytes_to_device(), ==, before);
    g_assert_cmpint(got, ==, 9);
    FAILS(cuStreamQuery(t.stream), NOT_READY);
    OK(cuStreamSynchronize(t.stream));
    g_assert_cmpint(got, ==, 2);
    g_assert_cmpuint(fake_cuda_bytes_to_device(), ==, before + 1);
    g_assert_cmpint(fake_cuda_stream_waits(), ==, waits + 1);
    OK(cuStreamQuery(t.stream));
    OK(cuCtxDestroy(t.context));
}

// b's stream waits for a's: without the event, its copy comes first.
static void
events_order_across_contexts(void)
{
    uint8_t byte = 5;
    Things a = things_new(), b = things_new();
    for (int with_event = 0; with_event < 2; with_event++) {
        OK(cuCtxPushCurrent(a.context));
        OK(cuMemsetD8(a.memory, 0, N));
        OK(cuCtxSynchronize());
        OK(cuMemcpyHtoDAsync(a.memory, &byte, 1, a.stream));
        OK(cuEventRecord(a.event, a.stream));
        OK(cuCtxPopCurrent(NULL));
        if (with_event)
            OK(cuStreamWaitEvent(b.stream, a.event, 0));
        OK(cuMemcpyPeerAsync(b.memory, b.context, a.memory, a.context, 1,
                             b.stream));
        OK(cuStreamSynchronize(b.stream));
        g_assert_cmpint(first_byte(&b), ==, with_event ? byte : 0);
    }
    OK(cuCtxDestroy(b.context));
    OK(cuCtxDestroy(a.context));
}

// What was queued on `first` before is done when `second` has been waited for.
static bool
orders(CUstream first, CUstream second, CUdeviceptr memory)
{
    uint8_t got = 9;
    OK(cuMemsetD8Async(memory, 1, 1, first));
    OK(cuMemcpyDtoHAsync(&got, memory, 1, first));
    OK(cuMemsetD8Async(memory + 1, 1, 1, second));
    OK(cuStreamSynchronize(second));
    bool done = got == 1;
    OK(cuCtxSynchronize());
    g_assert_cmpint(got, ==, 1);
    return done;
}

static void
the_default_stream_waits_for_blocking_ones(void)
{
    CUstream blocking;
    Things t = things_new();
    OK(cuStreamCreate(&blocking, CU_STREAM_DEFAULT));
    g_assert_true(orders(blocking, NULL, t.memory));
    g_assert_true(orders(NULL, blocking, t.memory));
    g_assert_false(orders(t.stream, NULL, t.memory));
    g_assert_false(orders(NULL, t.stream, t.memory));
    g_assert_false(orders(t.stream, blocking, t.memory));
    OK(cuCtxDestroy(t.context));
}

static void
recordings_are_not_waited_for(void)
{
    CUgraph graph;
    CUgraphExec exec;
    Things t = things_new();
    OK(cuMemsetD8(t.memory, 0, N));
    OK(cuStreamBeginCapture(t.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(cuMemsetD8Async(t.memory, 3, 1, t.stream));
    FAILS(cuStreamSynchronize(t.stream), STREAM_CAPTURE_UNSUPPORTED);
    FAILS(cuEventRecord(t.event, t.stream), STREAM_CAPTURE_UNSUPPORTED);
    OK(cuStreamEndCapture(t.stream, &graph));
    OK(cuGraphInstantiate(&exec, graph, 0));
    OK(cuGraphDestroy(graph));
    g_assert_cmpint(first_byte(&t), ==, 0);
    OK(cuGraphLaunch(exec, t.stream));
    OK(cuStreamSynchronize(t.stream));
    g_assert_cmpint(first_byte(&t), ==, 3);
    OK(cuGraphExecDestroy(exec));
    OK(cuCtxDestroy(t.context));
}

// ---- Names ------------------------------------------------------------------

// What the loader of libgstcuda asks for, 1.22 to 1.26.
static const char gst_names[] =
    "cuInit cuGetErrorName cuGetErrorString cuCtxCreate_v2 cuCtxDestroy_v2 "
    "cuCtxPopCurrent_v2 cuCtxPushCurrent_v2 cuCtxSynchronize "
    "cuCtxEnablePeerAccess cuCtxDisablePeerAccess cuGraphicsMapResources "
    "cuGraphicsUnmapResources cuGraphicsResourceSetMapFlags_v2 "
    "cuGraphicsSubResourceGetMappedArray "
    "cuGraphicsResourceGetMappedPointer_v2 cuGraphicsUnregisterResource "
    "cuMemAlloc_v2 cuMemAllocPitch_v2 cuMemAllocHost_v2 cuMemcpy2D_v2 "
    "cuMemcpy2DAsync_v2 cuMemcpyDtoD_v2 cuMemcpyDtoDAsync_v2 cuMemcpyDtoH_v2 "
    "cuMemcpyDtoHAsync_v2 cuMemcpyHtoD_v2 cuMemcpyHtoDAsync_v2 cuMemFree_v2 "
    "cuMemFreeHost cuStreamCreate cuStreamDestroy cuStreamDestroy_v2 "
    "cuStreamSynchronize cuDeviceGet cuDeviceGetCount cuDeviceGetName "
    "cuDeviceGetAttribute cuDeviceCanAccessPeer cuDriverGetVersion "
    "cuModuleLoadData cuModuleUnload cuModuleGetFunction cuTexObjectCreate "
    "cuTexObjectDestroy cuLaunchKernel cuEventCreate cuEventDestroy "
    "cuEventDestroy_v2 cuEventRecord cuEventSynchronize cuIpcGetEventHandle "
    "cuIpcOpenEventHandle cuIpcGetMemHandle cuIpcOpenMemHandle "
    "cuIpcCloseMemHandle cuGraphicsGLRegisterImage "
    "cuGraphicsGLRegisterBuffer cuGLGetDevices_v2 cuMemAddressReserve "
    "cuMemAddressFree cuMemCreate cuMemRelease cuMemExportToShareableHandle "
    "cuMemImportFromShareableHandle cuMemSetAccess cuMemGetAccess "
    "cuMemGetAllocationGranularity cuMemGetAllocationPropertiesFromHandle "
    "cuMemMap cuMemUnmap cuMemRetainAllocationHandle cuMemAllocAsync "
    "cuMemAllocFromPoolAsync cuMemFreeAsync cuMemPoolCreate cuMemPoolDestroy "
    "cuMemPoolSetAttribute cuMemPoolGetAttribute cuCtxGetLimit cuCtxSetLimit "
    "cuMemsetD2D8_v2 cuMemsetD2D8Async cuMemsetD2D16_v2 cuMemsetD2D16Async "
    "cuMemsetD2D32_v2 cuMemsetD2D32Async cuImportExternalMemory "
    "cuDestroyExternalMemory cuExternalMemoryGetMappedBuffer "
    "cuExternalMemoryGetMappedMipmappedArray cuImportExternalSemaphore "
    "cuDestroyExternalSemaphore cuSignalExternalSemaphoresAsync "
    "cuWaitExternalSemaphoresAsync";

static void
has_the_names_that_gstreamer_wants(void)
{
    void *symbol;
    g_auto(GStrv) names = g_strsplit(gst_names, " ", -1);
    GModule *driver = g_module_open("libcuda.so.1", G_MODULE_BIND_LAZY);
    g_assert_nonnull(driver);
    for (int i = 0; names[i]; i++) {
        if (!g_module_symbol(driver, names[i], &symbol))
            g_error("%s is missing", names[i]);
    }
    g_assert_true(g_module_symbol(driver, "fake_cuda_live_streams", &symbol));
    g_module_close(driver);
}

// ---- The runtime of the emulated module -------------------------------------

static struct {
    int (*set_device)(int);
    int (*alloc)(void **, size_t);
    int (*free)(void *);
    int (*stream_new)(CUstream *, unsigned);
    int (*stream_free)(CUstream);
    int (*stream_sync)(CUstream);
} runtime;

static void
load_runtime(void)
{
    const struct {
        const char *name;
        void *function;
    } names[] = {
        {"cudaSetDevice", &runtime.set_device},
        {"cudaMalloc", &runtime.alloc},
        {"cudaFree", &runtime.free},
        {"cudaStreamCreateWithFlags", &runtime.stream_new},
        {"cudaStreamDestroy", &runtime.stream_free},
        {"cudaStreamSynchronize", &runtime.stream_sync},
    };
    GModule *module =
        g_module_open(g_getenv("GST_PE_CUDA_MODULE"), G_MODULE_BIND_LAZY);
    g_assert_nonnull(module);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        g_assert_true(
            g_module_symbol(module, names[i].name, (void **)names[i].function));
}

static CUcontext
owner(void *p)
{
    CUcontext context;
    OK(cuPointerGetAttribute(&context, CU_POINTER_ATTRIBUTE_CONTEXT,
                             (CUdeviceptr)(uintptr_t)p));
    return context;
}

static void
the_runtime_follows_the_current_context(void)
{
    CUcontext primary;
    CUstream stream;
    void *p, *q;
    load_runtime();
    Things t = things_new();
    OK(runtime.alloc(&p, N));
    g_assert_true(owner(p) == t.context);
    FAILS(runtime.set_device(1), INVALID_DEVICE);
    OK(runtime.set_device(0));
    OK(cuDevicePrimaryCtxRetain(&primary, 0));
    g_assert_true(current() == primary);
    OK(runtime.alloc(&q, N));
    OK(runtime.stream_new(&stream, CU_STREAM_NON_BLOCKING));
    g_assert_true(owner(q) == primary);
    FAILS(runtime.free(p), INVALID_VALUE);
    FAILS(runtime.stream_sync(t.stream), INVALID_HANDLE);
    OK(cuCtxPushCurrent(t.context));
    FAILS(runtime.stream_sync(stream), INVALID_HANDLE);
    OK(runtime.stream_sync(t.stream));
    OK(cuCtxPopCurrent(NULL));
    OK(runtime.stream_sync(stream));
    OK(runtime.stream_free(stream));
    OK(runtime.free(q));
    OK(cuDevicePrimaryCtxRelease(0));
    OK(cuCtxPopCurrent(NULL));
    g_assert_null(current());
    OK(runtime.alloc(&q, N)); // makes the primary one current by itself
    g_assert_true(owner(q) == primary && current() == primary);
    OK(runtime.free(q));
    OK(cuCtxPopCurrent(NULL));
    OK(cuCtxDestroy(t.context));
}

int
main(int argc, char **argv)
{
    int n;
    CUdevice dev;
    g_test_init(&argc, &argv, NULL);
    FAILS(cuDeviceGetCount(&n), NOT_INITIALIZED);
    OK(cuInit(0));
    OK(cuDeviceGetCount(&n));
    FAILS(cuDeviceGet(&dev, n), INVALID_DEVICE);
#define ADD(path, test) g_test_add_func("/driver/" path, test)
    ADD("contexts/stack", every_thread_has_a_stack);
    ADD("contexts/primary", the_primary_context_is_counted);
    ADD("contexts/end", a_context_takes_its_things_along);
    ADD("streams/context", streams_need_their_context);
    ADD("streams/lazy", nothing_runs_before_somebody_waits);
    ADD("streams/default", the_default_stream_waits_for_blocking_ones);
    ADD("streams/recordings", recordings_are_not_waited_for);
    ADD("events/context", events_are_recorded_in_their_context);
    ADD("events/order", events_order_across_contexts);
    ADD("names/gstreamer", has_the_names_that_gstreamer_wants);
    ADD("runtime/context", the_runtime_follows_the_current_context);
    add_memory_tests();
    return g_test_run();
}
