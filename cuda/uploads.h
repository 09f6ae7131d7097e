// SPDX-License-Identifier: LGPL-2.1-or-later
//
// uploads.h - memory in which frames travel to the device: pinned on the host,
// and as much on the device. For slots.c.

#pragma once

#include "cuda/cuda.h"

typedef struct PeCudaUploads PeCudaUploads;

typedef struct {
    uint8_t *host; // pinned
    size_t host_size;
    uint8_t *device;
    size_t size;
    cudaEvent_t done; // the kernel that read it
} PeCudaUpload;

PeCudaUploads *pe_cuda_uploads_new(PeCuda *cuda);
// To be called when nothing is left to do on the device, and none is in use.
void pe_cuda_uploads_free(PeCudaUploads *all);

// An upload, to be given back when its kernels are queued. Waits while all are
// taken. Any thread.
PeCudaUpload *pe_cuda_uploads_take(PeCudaUploads *all);
void pe_cuda_uploads_give(PeCudaUploads *all, PeCudaUpload *u);

// Both wait until the last frame is out of the upload. False: no memory.

// Puts crops of one frame on the host into the upload, or what is around all of
// them where that is less. parts [n] become frames as they will be on the
// device when the first *size bytes have been copied there.
bool pe_cuda_upload_fill(PeCudaUploads *all, PeCudaUpload *u, PeFrame *parts,
                         int n, size_t *size, GError **error);
// Room on the device alone, for the planes of a frame, which become those.
bool pe_cuda_upload_make_room(PeCudaUploads *all, PeCudaUpload *u,
                              PeFrame *frame, GError **error);
