// SPDX-License-Identifier: LGPL-2.1-or-later
//
// slots.c - preprocessed pictures, and the way of a frame into one. Called by
// any thread at once.
//
// A frame on the host is copied to a pinned buffer, which is free again when
// its own copy to the device is done; conversion and resizing run on one stream
// of their own, beside the model's. A frame on the device is read where it
// lies, by a kernel on its producer's stream, so behind whatever still writes
// it, and ingest() returns when that kernel is done: the producer may then
// reuse the surface. No kernel of ours may run in another context than ours, so
// a frame of another one is first waited for and copied, on the device. An
// event in the slot orders all of them before the model, and before the slot's
// next frame.

#include "cuda/cuda.h"
#include "cuda/kernels.h"
#include "cuda/tables.h"

// Frames on their way to the device at the same time; one more waits.
#define MAX_UPLOADS 8
// Of plane starts and lines in an upload.
#define ALIGN 256

struct PeSlot {
    int width, height;
    uint8_t *rgb;      // see pe_cuda_preprocess()
    cudaEvent_t ready; // the kernel that filled it
};

typedef struct {
    uint8_t *host; // pinned
    size_t host_size;
    uint8_t *device;
    size_t size;
    cudaEvent_t done; // the kernel that read it
} Upload;

struct PeIngest {
    PeCuda *cuda;
    cudaStream_t stream;
    GMutex lock;
    GCond freed;
    bool exact;     // the bytes of the CPU, see pe_cuda_preprocess()
    GQueue uploads; // of Upload not in use, the longest unused first
    int n_uploads;
    PeCudaTables *tables;
};

// ---- Uploads ----------------------------------------------------------------

static void
upload_free(Upload *u)
{
    if (u->done)
        cudaEventDestroy(u->done);
    cudaFreeHost(u->host);
    cudaFree(u->device);
    g_free(u);
}

static Upload *
take_upload(struct PeIngest *in)
{
    g_mutex_lock(&in->lock);
    while (in->n_uploads == MAX_UPLOADS && g_queue_is_empty(&in->uploads))
        g_cond_wait(&in->freed, &in->lock);
    // Rather one more than to wait for one that has just been used.
    Upload *u = in->n_uploads == MAX_UPLOADS || in->uploads.length > 1
                    ? g_queue_pop_head(&in->uploads)
                    : NULL;
    if (!u) {
        u = g_new0(Upload, 1);
        in->n_uploads++;
    }
    g_mutex_unlock(&in->lock);
    return u;
}

static void
give_upload(struct PeIngest *in, Upload *u)
{
    g_mutex_lock(&in->lock);
    g_queue_push_tail(&in->uploads, u);
    g_cond_signal(&in->freed);
    g_mutex_unlock(&in->lock);
}

// Waits until the last frame is out of it, and makes room on the device, and on
// the host too when the frame comes from there.
static bool
prepare_upload(PeCuda *cuda, Upload *u, size_t size, bool from_host,
               GError **error)
{
    size_t host_size = from_host ? size : 0;
    cudaError_t status = cudaSuccess;
    if (!u->done)
        status = cudaEventCreateWithFlags(&u->done, cudaEventDisableTiming);
    if (status == cudaSuccess)
        status = cudaEventSynchronize(u->done);
    if (status == cudaSuccess && host_size > u->host_size) {
        cudaFreeHost(u->host);
        u->host = NULL;
        u->host_size = 0;
        status = cudaMallocHost((void **)&u->host, host_size);
        if (status == cudaSuccess)
            u->host_size = host_size;
    }
    if (status == cudaSuccess && size > u->size) {
        cudaFree(u->device);
        u->device = NULL;
        u->size = 0;
        status = cudaMalloc((void **)&u->device, size);
        if (status == cudaSuccess)
            u->size = size;
    }
    return pe_cuda_expect(cuda, status, "copying a frame", error);
}

// Where the planes of a frame go in an upload; returns its size.
static size_t
lay_out(const PeFrame *frame, size_t offsets[3], int strides[3])
{
    size_t size = 0;
    for (int i = 0; i < 3; i++) {
        int line, n_lines;
        pe_frame_plane_size(frame, i, &line, &n_lines);
        strides[i] = (line + ALIGN - 1) / ALIGN * ALIGN;
        offsets[i] = size;
        size += (size_t)strides[i] * (size_t)n_lines;
    }
    return size;
}

static void
copy_plane(uint8_t *dst, int dst_stride, const PeFrame *frame, int i)
{
    int line, n_lines;
    pe_frame_plane_size(frame, i, &line, &n_lines);
    for (int y = 0; y < n_lines; y++)
        memcpy(dst + (size_t)y * (size_t)dst_stride,
               frame->planes[i] + (size_t)y * (size_t)frame->strides[i],
               (size_t)line);
}

// ---- Ingest -----------------------------------------------------------------

// Queue the kernel, and first the copy of the first `n_host` bytes of an
// upload, if there is one.
static bool
queue_kernel(struct PeIngest *in, PeSlot *slot, const PeFrame *frame, Upload *u,
             size_t n_host, cudaStream_t stream, const PeCudaAxis *x,
             const PeCudaAxis *y, GError **error)
{
    cudaError_t status = cudaStreamWaitEvent(stream, slot->ready, 0);
    if (status == cudaSuccess && n_host > 0)
        status = cudaMemcpyAsync(u->device, u->host, n_host,
                                 cudaMemcpyHostToDevice, stream);
    if (status == cudaSuccess) {
        pe_cuda_preprocess(stream, frame, x, y, in->exact, slot->rgb);
        status = cudaGetLastError();
    }
    if (status == cudaSuccess && u)
        status = cudaEventRecord(u->done, stream);
    if (status == cudaSuccess)
        status = cudaEventRecord(slot->ready, stream);
    return pe_cuda_expect(in->cuda, status, "preprocessing", error);
}

// A frame that lies on the device, behind the copy of an upload's first
// `n_host` bytes. With `wait` the frame is not needed any more when this
// returns, and neither are the tables, which is a must for streams other than
// ours.
static bool
launch(struct PeIngest *in, PeSlot *slot, const PeFrame *frame, Upload *u,
       size_t n_host, cudaStream_t stream, bool wait, GError **error)
{
    PeResizeTable *x = pe_cuda_tables_get(in->tables, frame->crop.width,
                                          slot->width, stream, error);
    PeResizeTable *y = x ? pe_cuda_tables_get(in->tables, frame->crop.height,
                                              slot->height, stream, error)
                         : NULL;
    bool ok = y && queue_kernel(in, slot, frame, u, n_host, stream, x->data,
                                y->data, error);
    if (ok && wait)
        ok = pe_cuda_expect(in->cuda, cudaEventSynchronize(slot->ready),
                            "preprocessing", error);
    pe_cuda_tables_put(in->tables, x);
    pe_cuda_tables_put(in->tables, y);
    return ok;
}

static bool
ingest_host(struct PeIngest *in, PeSlot *slot, const PeFrame *frame,
            GError **error)
{
    size_t offsets[3];
    PeFrame copy = *frame;
    size_t size = lay_out(frame, offsets, copy.strides);
    Upload *u = take_upload(in);
    bool ok = prepare_upload(in->cuda, u, size, true, error);
    for (int i = 0; ok && i < 3; i++) {
        copy_plane(u->host + offsets[i], copy.strides[i], frame, i);
        copy.planes[i] = u->device + offsets[i];
    }
    ok = ok && launch(in, slot, &copy, u, size, in->stream, false, error);
    give_upload(in, u);
    return ok;
}

// A pointer of another device, or none of a device at all, would end the
// context in the middle of a kernel.
static bool
check_plane_memory(PeCuda *cuda, const PeFrame *frame, GError **error)
{
    for (int i = 0; i < 3; i++) {
        int line, n_lines;
        struct cudaPointerAttributes a;
        pe_frame_plane_size(frame, i, &line, &n_lines);
        if (n_lines == 0)
            continue;
        cudaError_t status = cudaPointerGetAttributes(&a, frame->planes[i]);
        if (status == cudaSuccess && a.device == cuda->device &&
            (a.type == cudaMemoryTypeDevice || a.type == cudaMemoryTypeManaged))
            continue;
        cudaGetLastError();
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "plane %d of the frame is not in the memory of cuda:%d", i,
                    cuda->device);
        return false;
    }
    return true;
}

static bool
ingest_device(struct PeIngest *in, PeSlot *slot, const PeFrame *frame,
              GError **error)
{
    cudaStream_t stream = frame->stream ? frame->stream : in->stream;
    return check_plane_memory(in->cuda, frame, error) &&
           launch(in, slot, frame, NULL, 0, stream, true, error);
}

// Out of another context, by way of an upload that the host has no part in.
static bool
ingest_foreign(struct PeIngest *in, PeSlot *slot, const PeFrame *frame,
               GError **error)
{
    size_t offsets[3];
    PeFrame copy = *frame;
    if (!pe_driver_wait_for_frame(frame, error))
        return false;
    size_t size = lay_out(frame, offsets, copy.strides);
    Upload *u = take_upload(in);
    bool ok = prepare_upload(in->cuda, u, size, false, error);
    for (int i = 0; ok && i < 3; i++)
        copy.planes[i] = u->device + offsets[i];
    ok = ok &&
         pe_driver_copy_frame(&copy, in->cuda->context, frame, in->stream,
                              error) &&
         launch(in, slot, &copy, u, 0, in->stream, true, error);
    give_upload(in, u);
    return ok;
}

bool
pe_cuda_ingest(PeBackend *be, PeSlot *slot, const PeFrame *frame,
               GError **error)
{
    PeCuda *cuda = (PeCuda *)be;
    pe_cuda_use(cuda);
    if (!pe_frame_check(frame, error))
        return false;
    // No more of it than its crop needs.
    PeFrame part = pe_frame_trim(frame);
    if (frame->memory == PE_MEMORY_HOST)
        return ingest_host(cuda->ingest, slot, &part, error);
    if (frame->context && frame->context != cuda->context)
        return ingest_foreign(cuda->ingest, slot, &part, error);
    return ingest_device(cuda->ingest, slot, &part, error);
}

// ---- Life -------------------------------------------------------------------

struct PeIngest *
pe_cuda_ingest_new(PeCuda *cuda)
{
    struct PeIngest *in = g_new0(struct PeIngest, 1);
    in->cuda = cuda;
    in->exact = g_strcmp0(g_getenv("PE_CUDA_PREPROCESS"), "fast") != 0;
    g_mutex_init(&in->lock);
    g_cond_init(&in->freed);
    g_queue_init(&in->uploads);
    pe_cuda_check(cuda,
                  cudaStreamCreateWithFlags(&in->stream, cudaStreamNonBlocking),
                  "making a stream");
    in->tables = pe_cuda_tables_new(cuda, in->stream);
    return in;
}

void
pe_cuda_ingest_free(struct PeIngest *in)
{
    if (!in)
        return;
    if (in->stream)
        cudaStreamSynchronize(in->stream);
    Upload *u;
    while ((u = g_queue_pop_head(&in->uploads)))
        upload_free(u);
    pe_cuda_tables_free(in->tables);
    if (in->stream)
        cudaStreamDestroy(in->stream);
    g_cond_clear(&in->freed);
    g_mutex_clear(&in->lock);
    g_free(in);
}

PeSlot *
pe_cuda_slot_new(PeBackend *be, int width, int height)
{
    PeCuda *cuda = (PeCuda *)be;
    PeSlot *slot = g_new0(PeSlot, 1);
    slot->width = width;
    slot->height = height;
    pe_cuda_use(cuda);
    if (cudaMalloc((void **)&slot->rgb, 3 * (size_t)width * (size_t)height) ==
            cudaSuccess &&
        cudaEventCreateWithFlags(&slot->ready, cudaEventDisableTiming) ==
            cudaSuccess)
        return slot;
    cudaGetLastError();
    pe_cuda_slot_free(be, slot);
    return NULL;
}

void
pe_cuda_slot_free(PeBackend *be, PeSlot *slot)
{
    if (!slot)
        return;
    pe_cuda_use((PeCuda *)be);
    if (slot->ready) {
        cudaEventSynchronize(slot->ready);
        cudaEventDestroy(slot->ready);
    }
    cudaFree(slot->rgb);
    g_free(slot);
}

void
pe_cuda_patchify_slots(PeBackend *be, void *y, PeSlot *const *slots, int b,
                       int patch, int k_padded)
{
    PeCuda *cuda = (PeCuda *)be;
    g_autofree const uint8_t **rgb = g_new(const uint8_t *, b);
    for (int i = 0; i < b; i++) {
        pe_cuda_check(cuda,
                      cudaStreamWaitEvent(cuda->stream, slots[i]->ready, 0),
                      "waiting for preprocessing");
        rgb[i] = slots[i]->rgb;
    }
    pe_cuda_patchify(cuda->stream, be->act, y, rgb, b, slots[0]->height,
                     slots[0]->width, patch, k_padded);
}
