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
#include "cuda/uploads.h"

struct PeSlot {
    int width, height;
    uint8_t *rgb;      // see pe_cuda_preprocess()
    cudaEvent_t ready; // the kernel that filled it
};

struct PeIngest {
    PeCuda *cuda;
    cudaStream_t stream;
    bool exact; // the bytes of the CPU, see pe_cuda_preprocess()
    PeCudaUploads *uploads;
    PeCudaTables *tables;
};

// ---- Ingest -----------------------------------------------------------------

// Queue the kernel, and first the copy of the first `n_host` bytes of an
// upload, if there is one.
static bool
queue_kernel(struct PeIngest *in, PeSlot *slot, const PeFrame *frame,
             PeCudaUpload *u, size_t n_host, cudaStream_t stream,
             const PeCudaAxis *x, const PeCudaAxis *y, GError **error)
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
launch(struct PeIngest *in, PeSlot *slot, const PeFrame *frame, PeCudaUpload *u,
       size_t n_host, cudaStream_t stream, bool wait, GError **error)
{
    bool swaps = pe_orientation_swaps_axes(frame->orientation);
    PeResizeTable *x =
        pe_cuda_tables_get(in->tables, frame->crop.width,
                           swaps ? slot->height : slot->width, stream, error);
    PeResizeTable *y =
        x ? pe_cuda_tables_get(in->tables, frame->crop.height,
                               swaps ? slot->width : slot->height, stream,
                               error)
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
ingest_host(struct PeIngest *in, PeSlot *const *slots, PeFrame *parts, int n,
            GError **error)
{
    size_t size = 0;
    PeCudaUpload *u = pe_cuda_uploads_take(in->uploads);
    bool ok = pe_cuda_upload_fill(in->uploads, u, parts, n, &size, error);
    for (int i = 0; ok && i < n; i++)
        ok = launch(in, slots[i], &parts[i], u, i == 0 ? size : 0, in->stream,
                    false, error);
    pe_cuda_uploads_give(in->uploads, u);
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
    PeFrame copy = *frame;
    if (!pe_driver_wait_for_frame(frame, error))
        return false;
    PeCudaUpload *u = pe_cuda_uploads_take(in->uploads);
    bool ok = pe_cuda_upload_make_room(in->uploads, u, &copy, error) &&
              pe_driver_copy_frame(&copy, in->cuda->context, frame, in->stream,
                                   error) &&
              launch(in, slot, &copy, u, 0, in->stream, true, error);
    pe_cuda_uploads_give(in->uploads, u);
    return ok;
}

static bool
ingest_part(PeCuda *cuda, PeSlot *slot, const PeFrame *frame, GError **error)
{
    // No more of it than its crop needs.
    PeFrame part = pe_frame_trim(frame);
    if (frame->context && frame->context != cuda->context)
        return ingest_foreign(cuda->ingest, slot, &part, error);
    return ingest_device(cuda->ingest, slot, &part, error);
}

bool
pe_cuda_ingest(PeBackend *be, PeSlot *const *slots, const PeFrame *frame,
               const PeRect *regions, int n, GError **error)
{
    PeCuda *cuda = (PeCuda *)be;
    g_autofree PeFrame *parts = g_new(PeFrame, n);
    bool ok = true;
    pe_cuda_use(cuda);
    for (int i = 0; ok && i < n; i++) {
        parts[i] = *frame;
        if (regions)
            parts[i].crop = regions[i];
        ok = pe_frame_check(&parts[i], error);
        if (ok)
            parts[i].crop = pe_frame_get_crop(&parts[i]);
    }
    if (ok && frame->memory == PE_MEMORY_HOST)
        return ingest_host(cuda->ingest, slots, parts, n, error);
    for (int i = 0; ok && i < n; i++)
        ok = ingest_part(cuda, slots[i], &parts[i], error);
    return ok;
}

// ---- Life -------------------------------------------------------------------

struct PeIngest *
pe_cuda_ingest_new(PeCuda *cuda)
{
    struct PeIngest *in = g_new0(struct PeIngest, 1);
    in->cuda = cuda;
    in->exact = g_strcmp0(g_getenv("PE_CUDA_PREPROCESS"), "fast") != 0;
    // Its kernels are short, and streaming threads wait for them: they go
    // before what is left of the model's.
    int least = 0, greatest = 0;
    pe_cuda_check(cuda, cudaDeviceGetStreamPriorityRange(&least, &greatest),
                  "asking for priorities");
    pe_cuda_check(cuda,
                  cudaStreamCreateWithPriority(&in->stream,
                                               cudaStreamNonBlocking, greatest),
                  "making a stream");
    in->uploads = pe_cuda_uploads_new(cuda);
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
    pe_cuda_uploads_free(in->uploads);
    pe_cuda_tables_free(in->tables);
    if (in->stream)
        cudaStreamDestroy(in->stream);
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
        pe_cuda_event_new(&slot->ready) == cudaSuccess)
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
    pe_cuda_pass_begin(cuda);
    for (int i = 0; i < b; i++) {
        pe_cuda_check(cuda,
                      cudaStreamWaitEvent(cuda->stream, slots[i]->ready, 0),
                      "waiting for preprocessing");
        rgb[i] = slots[i]->rgb;
    }
    pe_cuda_patchify(cuda->stream, be->act, y, rgb, b, slots[0]->height,
                     slots[0]->width, patch, k_padded);
}
