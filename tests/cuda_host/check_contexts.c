// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_contexts.c - frames of CUDA contexts that are not the engine's, made
// with the driver's own functions: of the fake driver, or of a real one.

#include "core/device/preprocess.h"
#include "open_cuda.h"
#include "tests/support/picture.h"

#include <cuda.h>
#include <dlfcn.h>
#include <string.h>

#define SIDE 24 // of a slot

static struct {
    CUresult (*Init)(unsigned);
    CUresult (*DeviceGet)(CUdevice *, int);
    CUresult (*CtxCreate_v2)(CUcontext *, unsigned, CUdevice);
    CUresult (*CtxDestroy_v2)(CUcontext);
    CUresult (*CtxPushCurrent_v2)(CUcontext);
    CUresult (*CtxPopCurrent_v2)(CUcontext *);
    CUresult (*CtxGetCurrent)(CUcontext *);
    CUresult (*StreamCreate)(CUstream *, unsigned);
    CUresult (*StreamDestroy_v2)(CUstream);
    CUresult (*StreamSynchronize)(CUstream);
    CUresult (*MemAlloc_v2)(CUdeviceptr *, size_t);
    CUresult (*MemFree_v2)(CUdeviceptr);
    CUresult (*MemcpyHtoDAsync_v2)(CUdeviceptr, const void *, size_t, CUstream);
    CUresult (*MemsetD8Async)(CUdeviceptr, unsigned char, size_t, CUstream);
} cu;

// Of the fake driver; NULL: a real one.
static uint64_t (*bytes_to_host)(void);
static uint64_t (*bytes_to_device)(void);
static int (*live_allocations)(void);
static uint64_t (*bytes_between_contexts)(void);

static bool
find_driver(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        return false;
#define FIND(name) \
    *(void **)&cu.name = dlsym(library, "cu" #name); \
    g_assert_nonnull(cu.name);
    FIND(Init)
    FIND(DeviceGet)
    FIND(CtxCreate_v2)
    FIND(CtxDestroy_v2)
    FIND(CtxPushCurrent_v2)
    FIND(CtxPopCurrent_v2)
    FIND(CtxGetCurrent)
    FIND(StreamCreate)
    FIND(StreamDestroy_v2)
    FIND(StreamSynchronize)
    FIND(MemAlloc_v2)
    FIND(MemFree_v2)
    FIND(MemcpyHtoDAsync_v2)
    FIND(MemsetD8Async)
#undef FIND
    *(void **)&bytes_to_host = dlsym(library, "fake_cuda_bytes_to_host");
    *(void **)&bytes_to_device = dlsym(library, "fake_cuda_bytes_to_device");
    *(void **)&live_allocations = dlsym(library, "fake_cuda_live_allocations");
    *(void **)&bytes_between_contexts =
        dlsym(library, "fake_cuda_bytes_between_contexts");
    return cu.Init(0) == CUDA_SUCCESS;
}

#define OK(call) g_assert_cmpint(cu.call, ==, CUDA_SUCCESS)

// ---- A producer -------------------------------------------------------------

typedef struct {
    CUcontext context;
    CUstream stream;
    CUdeviceptr planes[3];
    size_t sizes[3];
} Producer;

// `context` NULL: one of its own. The calling thread's context stays.
static Producer
start_producer(CUcontext context)
{
    Producer p = {.context = context};
    CUdevice device;
    OK(DeviceGet(&device, 0));
    if (context)
        OK(CtxPushCurrent_v2(context));
    else
        OK(CtxCreate_v2(&p.context, 0, device));
    OK(StreamCreate(&p.stream, CU_STREAM_NON_BLOCKING));
    OK(CtxPopCurrent_v2(NULL));
    return p;
}

// Puts the planes where the producer is; they are on their way when this
// returns.
static void
produce(Producer *p, PeFrame *frame)
{
    OK(CtxPushCurrent_v2(p->context));
    for (int i = 0; i < 3; i++) {
        int line, n_lines;
        pe_frame_plane_size(frame, i, &line, &n_lines);
        p->sizes[i] = (size_t)frame->strides[i] * (size_t)n_lines;
        p->planes[i] = 0;
        if (n_lines == 0)
            continue;
        OK(MemAlloc_v2(&p->planes[i], p->sizes[i]));
        OK(MemcpyHtoDAsync_v2(p->planes[i], frame->planes[i], p->sizes[i],
                              p->stream));
        frame->planes[i] = (const uint8_t *)(guintptr)p->planes[i];
    }
    OK(CtxPopCurrent_v2(NULL));
    frame->memory = PE_MEMORY_CUDA;
    frame->context = p->context;
    frame->stream = p->stream;
}

// The next frame takes the same memory, and then that goes.
static void
overwrite(Producer *p)
{
    OK(CtxPushCurrent_v2(p->context));
    for (int i = 0; i < 3; i++) {
        if (p->planes[i])
            OK(MemsetD8Async(p->planes[i], 0x55, p->sizes[i], p->stream));
    }
    OK(StreamSynchronize(p->stream));
    for (int i = 0; i < 3; i++) {
        if (p->planes[i])
            OK(MemFree_v2(p->planes[i]));
    }
    OK(CtxPopCurrent_v2(NULL));
}

static void
stop_producer(Producer *p, bool destroy)
{
    OK(CtxPushCurrent_v2(p->context));
    OK(StreamDestroy_v2(p->stream));
    OK(CtxPopCurrent_v2(NULL));
    if (destroy)
        OK(CtxDestroy_v2(p->context));
}

// ---- The backend ------------------------------------------------------------

static void
ingest(PeBackend *be, PeSlot *slot, const PeFrame *frame)
{
    g_autoptr(GError) error = NULL;
    be->ops->ingest(be, &slot, frame, NULL, 1, &error);
    g_assert_no_error(error);
}

// The slot's pixels as patches of one pixel, f32 [SIDE * SIDE, k]. Returns,
// g_free().
static float *
read_slot(PeBackend *be, PeSlot *slot, int k)
{
    size_t size = SIDE * SIDE * (size_t)k * sizeof(float);
    float *y = be->ops->alloc(be, size), *out = g_malloc(size);
    be->ops->patchify(be, y, &slot, 1, 1, k);
    be->ops->download(be, out, y, size);
    g_assert_null(be->ops->sync(be));
    be->ops->free(be, y);
    return out;
}

static void
assert_is_picture(PeBackend *be, PeSlot *slot, const PeFrame *host_frame)
{
    PeBackend *cpu = pe_backend_open_reference();
    PeSlot *cpu_slot = cpu->ops->slot_new(cpu, SIDE, SIDE);
    int k = MAX(MAX(3, be->k_align), cpu->k_align);
    ingest(cpu, cpu_slot, host_frame);
    g_autofree float *want = read_slot(cpu, cpu_slot, k);
    g_autofree float *got = read_slot(be, slot, k);
    size_t size = SIDE * SIDE * (size_t)k * sizeof(float);
    g_assert_cmpmem(got, size, want, size);
    cpu->ops->slot_free(cpu, cpu_slot);
    cpu->ops->close(cpu);
}

static void
read_frame(PeBackend *be, PeSlot *slot, Producer *p, const PeFrame *picture)
{
    PeFrame frame = *picture;
    uint64_t to_host = bytes_to_host ? bytes_to_host() : 0;
    g_test_message("format %d, crop at %d", frame.format, frame.crop.x);
    produce(p, &frame);
    ingest(be, slot, &frame);
    overwrite(p);
    if (bytes_to_host)
        g_assert_cmpuint(bytes_to_host(), ==, to_host);
    assert_is_picture(be, slot, picture);
}

// A frame of every format, and a crop of it, from the producer, which goes on
// at once. Returns how many bytes went between contexts.
static uint64_t
read_every_format(Producer *p)
{
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeSlot *slot = be->ops->slot_new(be, SIDE, SIDE);
    uint64_t between = bytes_between_contexts ? bytes_between_contexts() : 0;
    for (int format = PE_FORMAT_RGB; format <= PE_FORMAT_P010; format++) {
        Picture picture = picture_new((PeFormat)format, 51, 37, 6, 7);
        read_frame(be, slot, p, &picture.frame);
        picture.frame.crop = (PeRect){5 + format, 3 + format, 33, 21};
        read_frame(be, slot, p, &picture.frame);
        picture_clear(&picture);
    }
    be->ops->slot_free(be, slot);
    g_assert_null(be->ops->sync(be));
    be->ops->close(be);
    return bytes_between_contexts ? bytes_between_contexts() - between : 0;
}

// ---- Tests ------------------------------------------------------------------

static void
reads_frames_of_another_context(void)
{
    Producer p = start_producer(NULL);
    uint64_t copied = read_every_format(&p);
    g_test_message("%" G_GUINT64_FORMAT " bytes between contexts", copied);
    g_assert_true(copied > 0 || !bytes_between_contexts);
    stop_producer(&p, true);
}

static void
reads_frames_of_its_own_context_in_place(void)
{
    int number = -1;
    CUcontext context = pe_device_get_context("cuda", &number);
    g_assert_nonnull(context);
    g_assert_cmpint(number, ==, 0);
    Producer p = start_producer(context);
    g_assert_cmpuint(read_every_format(&p), ==, 0);
    stop_producer(&p, false);
}

// Of 200x100 pixels, 45 columns of 25 rows are the crop and what its chroma is
// interpolated with, and 23 samples of 13 rows; in an upload a line takes 256
// bytes.
static void
copies_no_more_than_the_crop(void)
{
    Producer p = start_producer(NULL);
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeSlot *slot = be->ops->slot_new(be, SIDE, SIDE);
    Picture picture = picture_new(PE_FORMAT_NV12, 200, 100, 0, 1);
    picture.frame.crop = (PeRect){51, 33, 40, 20};
    PeFrame frame = picture.frame;
    produce(&p, &frame);
    uint64_t between = bytes_between_contexts();
    ingest(be, slot, &frame);
    assert_is_picture(be, slot, &picture.frame);
    g_assert_cmpuint(bytes_between_contexts() - between, ==, 45 * 25 + 46 * 13);
    overwrite(&p);

    // From the host; the tables of these sizes are there by now.
    uint64_t up = bytes_to_device();
    ingest(be, slot, &picture.frame);
    assert_is_picture(be, slot, &picture.frame);
    g_assert_cmpuint(bytes_to_device() - up, ==, 256 * (25 + 13));
    be->ops->slot_free(be, slot);
    be->ops->close(be);
    stop_producer(&p, true);
    picture_clear(&picture);
}

// More sizes than there are tables, and no more memory for them.
static void
crops_of_many_sizes_share_memory(void)
{
    enum { N = 150 };
    Producer p = start_producer(pe_device_get_context("cuda", NULL));
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeSlot *slot = be->ops->slot_new(be, SIDE, SIDE);
    Picture picture = picture_new(PE_FORMAT_I420, N + 8, 2 * N + 8, 0, 1);
    PeFrame frame = picture.frame;
    int n_allocations = 0;
    produce(&p, &frame);
    for (int i = 1; i <= N; i++) {
        // Each in device memory and from the host.
        frame.crop = picture.frame.crop = (PeRect){i % 7, i % 5, i, N + i};
        ingest(be, slot, &frame);
        ingest(be, slot, &picture.frame);
        if (i % 10 == 0)
            assert_is_picture(be, slot, &picture.frame);
        if (live_allocations && i == N / 2)
            n_allocations = live_allocations();
    }
    if (live_allocations)
        g_assert_cmpint(live_allocations(), ==, n_allocations);
    overwrite(&p);
    be->ops->slot_free(be, slot);
    be->ops->close(be);
    stop_producer(&p, false);
    picture_clear(&picture);
}

static void
tells_the_context_of_a_device(void)
{
    CUcontext context = pe_device_get_context("cuda:0", NULL), current;
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeSlot *slot = be->ops->slot_new(be, SIDE, SIDE);
    // In which this thread now is.
    OK(CtxGetCurrent(&current));
    g_assert_true(current == context);
    g_assert_true(pe_device_get_context("auto", NULL) == context);
    g_assert_true(pe_device_get_context(NULL, NULL) == context);
    g_assert_null(pe_device_get_context("cpu", NULL));
    g_assert_null(pe_device_get_context("cuda:99", NULL));
    g_assert_null(pe_device_get_context("cuda:x", NULL));
    g_assert_null(pe_device_get_context("abacus", NULL));
    be->ops->slot_free(be, slot);
    be->ops->close(be);
}

static void
leaves_the_threads_context_alone(void)
{
    CUcontext context = pe_device_get_context("cuda", NULL), current;
    Producer p = start_producer(NULL);
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeSlot *slot = be->ops->slot_new(be, SIDE, SIDE);
    Picture picture = picture_new(PE_FORMAT_NV12, 40, 30, 0, 1);
    PeFrame frame = picture.frame;
    produce(&p, &frame);
    ingest(be, slot, &frame);
    OK(CtxGetCurrent(&current));
    g_assert_true(current == context);
    overwrite(&p);
    be->ops->slot_free(be, slot);
    be->ops->close(be);
    stop_producer(&p, true);
    picture_clear(&picture);
}

static void
assert_refused(const PeFrame *frame, int code, const char *words)
{
    g_autoptr(GError) error = NULL;
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeSlot *slot = be->ops->slot_new(be, SIDE, SIDE);
    g_assert_false(be->ops->ingest(be, &slot, frame, NULL, 1, &error));
    g_assert_error(error, PE_ERROR, code);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, words));
    g_assert_null(be->ops->sync(be));
    be->ops->slot_free(be, slot);
    be->ops->close(be);
}

static void
refuses_host_memory_of_another_context(void)
{
    Producer p = start_producer(NULL);
    Picture picture = picture_new(PE_FORMAT_RGB, 40, 30, 0, 1);
    PeFrame frame = picture.frame;
    frame.memory = PE_MEMORY_CUDA;
    frame.context = p.context;
    frame.stream = p.stream;
    assert_refused(&frame, PE_ERROR_FORMAT, "plane 0");
    stop_producer(&p, true);
    picture_clear(&picture);
}

// What a real driver does with it is not defined.
static void
names_what_the_driver_says(void)
{
    Producer p = start_producer(pe_device_get_context("cuda", NULL));
    Producer gone = start_producer(NULL);
    Picture picture = picture_new(PE_FORMAT_RGB, 40, 30, 0, 1);
    PeFrame frame = picture.frame;
    produce(&p, &frame);
    OK(CtxDestroy_v2(gone.context));
    frame.context = gone.context;
    assert_refused(&frame, PE_ERROR_BACKEND, "CUDA_ERROR_INVALID_CONTEXT");
    overwrite(&p);
    stop_producer(&p, false);
    picture_clear(&picture);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!find_driver()) {
        g_print("1..0 # SKIP libcuda.so.1 was not found\n");
        return 0;
    }
    g_test_add_func("/contexts/other", reads_frames_of_another_context);
    g_test_add_func("/contexts/own", reads_frames_of_its_own_context_in_place);
    if (bytes_between_contexts)
        g_test_add_func("/contexts/crop", copies_no_more_than_the_crop);
    g_test_add_func("/contexts/sizes", crops_of_many_sizes_share_memory);
    g_test_add_func("/contexts/tells", tells_the_context_of_a_device);
    g_test_add_func("/contexts/thread", leaves_the_threads_context_alone);
    g_test_add_func("/contexts/host", refuses_host_memory_of_another_context);
    if (bytes_to_host)
        g_test_add_func("/contexts/driver", names_what_the_driver_says);
    return g_test_run();
}
