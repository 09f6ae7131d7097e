// SPDX-License-Identifier: LGPL-2.1-or-later
//
// driver.h - what the CUDA runtime does not offer: contexts other than the
// primary one of a device, and maps of tensors for the copy engine. The
// driver's library is opened at run time, like cuBLASLt.

#pragma once

#include <cuda.h>
#include <glib.h>
#include <stdbool.h>

#include "core/pe.h"

#define PE_DRIVER_FUNCTIONS(F) \
    F(Init) \
    F(GetErrorName) \
    F(DeviceGet) \
    F(DevicePrimaryCtxRetain) \
    F(CtxPushCurrent) \
    F(CtxPopCurrent) \
    F(PointerGetAttribute) \
    F(StreamSynchronize) \
    F(Memcpy3DPeerAsync) \
    F(TensorMapEncodeTiled)

// cuda.h names the current version of a function by a macro.
typedef struct {
#define PE_DRIVER_FIELD(name) __typeof__(&cu##name) name;
    PE_DRIVER_FUNCTIONS(PE_DRIVER_FIELD)
#undef PE_DRIVER_FIELD
} PeDriver;

G_BEGIN_DECLS

// The library, opened once and kept. NULL with PE_ERROR_DEVICE when it is not
// there or lacks something. Any thread.
const PeDriver *pe_driver_open(GError **error);

// The primary context of a device, which is the one that the runtime works in.
// It is kept for the life of the process. Any thread.
void *pe_driver_get_context(int device, GError **error);

// Check that the frame is in the memory of a device, and wait until its stream,
// which is of its context, has written it. The calling thread's context stays
// what it is.
bool pe_driver_wait_for_frame(const PeFrame *frame, GError **error);

// Queue copies of the planes of a frame of any context to where those of `to`
// lie, a frame of the same size and format in the memory of `context`, which
// is current and has `stream`.
bool pe_driver_copy_frame(const PeFrame *to, void *context,
                          const PeFrame *frame, void *stream, GError **error);

G_END_DECLS
