// SPDX-License-Identifier: LGPL-2.1-or-later
//
// uploads.c - see uploads.h.

#include "cuda/uploads.h"

#include "core/device/preprocess.h"

// Frames on their way to the device at the same time; one more waits.
#define MAX_UPLOADS 8
// Of plane starts and lines in an upload.
#define ALIGN 256

struct PeCudaUploads {
    PeCuda *cuda;
    GMutex lock;
    GCond freed;
    GQueue unused; // of PeCudaUpload, the longest unused first
    int n;
};

// ---- Those in use -----------------------------------------------------------

static void
upload_free(PeCudaUpload *u)
{
    if (u->done)
        cudaEventDestroy(u->done);
    cudaFreeHost(u->host);
    cudaFree(u->device);
    g_free(u);
}

PeCudaUpload *
pe_cuda_uploads_take(PeCudaUploads *all)
{
    g_mutex_lock(&all->lock);
    while (all->n == MAX_UPLOADS && g_queue_is_empty(&all->unused))
        g_cond_wait(&all->freed, &all->lock);
    // Rather one more than to wait for one that has just been used.
    PeCudaUpload *u = all->n == MAX_UPLOADS || all->unused.length > 1
                          ? g_queue_pop_head(&all->unused)
                          : NULL;
    if (!u) {
        u = g_new0(PeCudaUpload, 1);
        all->n++;
    }
    g_mutex_unlock(&all->lock);
    return u;
}

void
pe_cuda_uploads_give(PeCudaUploads *all, PeCudaUpload *u)
{
    g_mutex_lock(&all->lock);
    g_queue_push_tail(&all->unused, u);
    g_cond_signal(&all->freed);
    g_mutex_unlock(&all->lock);
}

// Waits until the last frame is out of it, and makes room on the device, and on
// the host too when the frame comes from there.
static bool
prepare(PeCuda *cuda, PeCudaUpload *u, size_t size, bool from_host,
        GError **error)
{
    size_t host_size = from_host ? size : 0;
    cudaError_t status = cudaSuccess;
    if (!u->done)
        status = pe_cuda_event_new(&u->done);
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

// Copies the frame's planes to the host side of an upload at *at, which goes up
// by their size. Returns the frame as it will be on the device.
static PeFrame
put_frame(PeCudaUpload *u, size_t *at, const PeFrame *frame)
{
    size_t offsets[3];
    PeFrame copy = *frame;
    size_t size = lay_out(frame, offsets, copy.strides);
    for (int i = 0; i < 3; i++) {
        int line, n_lines;
        pe_frame_plane_size(frame, i, &line, &n_lines);
        uint8_t *to = u->host + *at + offsets[i];
        for (int y = 0; y < n_lines; y++)
            memcpy(to + (size_t)y * (size_t)copy.strides[i],
                   frame->planes[i] + (size_t)y * (size_t)frame->strides[i],
                   (size_t)line);
        copy.planes[i] = u->device + *at + offsets[i];
    }
    *at += size;
    return copy;
}

static size_t
upload_size(const PeFrame *frame)
{
    size_t offsets[3];
    int strides[3];
    return lay_out(frame, offsets, strides);
}

bool
pe_cuda_upload_make_room(PeCudaUploads *all, PeCudaUpload *u, PeFrame *frame,
                         GError **error)
{
    size_t offsets[3];
    size_t size = lay_out(frame, offsets, frame->strides);
    if (!prepare(all->cuda, u, size, false, error))
        return false;
    for (int i = 0; i < 3; i++)
        frame->planes[i] = u->device + offsets[i];
    return true;
}

// The smallest rectangle around all crops of frames that share their planes.
static PeRect
find_bounds(const PeFrame *frames, int n)
{
    PeRect all = frames[0].crop;
    for (int i = 1; i < n; i++) {
        PeRect r = frames[i].crop;
        int right = MAX(all.x + all.width, r.x + r.width);
        int bottom = MAX(all.y + all.height, r.y + r.height);
        all.x = MIN(all.x, r.x);
        all.y = MIN(all.y, r.y);
        all.width = right - all.x;
        all.height = bottom - all.y;
    }
    return all;
}

bool
pe_cuda_upload_fill(PeCudaUploads *all, PeCudaUpload *u, PeFrame *parts, int n,
                    size_t *size, GError **error)
{
    PeFrame around = parts[0];
    around.crop = find_bounds(parts, n);
    PeFrame whole = pe_frame_trim(&around);
    size_t together = upload_size(&whole), apart = 0, at = 0;
    for (int i = 0; i < n; i++) {
        PeFrame part = pe_frame_trim(&parts[i]);
        apart += upload_size(&part);
    }
    *size = MIN(together, apart);
    if (!prepare(all->cuda, u, *size, true, error))
        return false;
    if (together < apart) {
        PeFrame copy = put_frame(u, &at, &whole);
        for (int i = 0; i < n; i++) {
            copy.crop = parts[i].crop;
            copy.crop.x += whole.crop.x - around.crop.x;
            copy.crop.y += whole.crop.y - around.crop.y;
            parts[i] = pe_frame_trim(&copy);
        }
        return true;
    }
    for (int i = 0; i < n; i++) {
        PeFrame part = pe_frame_trim(&parts[i]);
        parts[i] = put_frame(u, &at, &part);
    }
    return true;
}

// ---- Life -------------------------------------------------------------------

PeCudaUploads *
pe_cuda_uploads_new(PeCuda *cuda)
{
    PeCudaUploads *all = g_new0(PeCudaUploads, 1);
    all->cuda = cuda;
    g_mutex_init(&all->lock);
    g_cond_init(&all->freed);
    g_queue_init(&all->unused);
    return all;
}

void
pe_cuda_uploads_free(PeCudaUploads *all)
{
    PeCudaUpload *u;
    while ((u = g_queue_pop_head(&all->unused)))
        upload_free(u);
    g_cond_clear(&all->freed);
    g_mutex_clear(&all->lock);
    g_free(all);
}
