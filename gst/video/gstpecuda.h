// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpecuda.h - frames in CUDA memory and the context that they are in: all
// that the element knows of GstCuda. In a build without it nothing here does
// anything, and no caps name CUDA memory.

#pragma once

#include "core/pe.h"
#include "gst/video/gstpeframe.h"

#include <gst/video/video.h>

#define GST_PE_CUDA_FEATURE "memory:CUDAMemory"

// The GstCudaContext that the pipeline has for the engine's device. No function
// may be called with a lock held.
typedef struct {
    GstElement *element; // borrowed
    // Object lock:
    GstObject *context; // NULL: none yet
    int device;         // its number; -1: none is wanted
} GstPeCuda;

#ifdef HAVE_GST_CUDA

// The formats in CUDA memory that both GstCuda and the kernels support. For pad
// templates, where they stand before those in system memory.
#define GST_PE_CUDA_CAPS \
    "video/x-raw(" GST_PE_CUDA_FEATURE "), format = (string) { NV12, " \
    "P010_10LE, I420, RGBA, BGRA, RGBx, BGRx, RGB, BGR }" GST_PE_SIZE_AND_RATE \
    "; "

void gst_pe_cuda_init(GstPeCuda *cuda, GstElement *element);

// Find the pipeline's context for the device that an engine on `device` works
// on, from the application, the neighbours or a bin; where there is none, offer
// the context of the engine. Does nothing when the device is not a CUDA device,
// or when its context is already known.
void gst_pe_cuda_start(GstPeCuda *cuda, const char *device);
// Forget the context.
void gst_pe_cuda_stop(GstPeCuda *cuda);

// From the element's set_context().
void gst_pe_cuda_take(GstPeCuda *cuda, GstContext *context);
// Whether the query asked for the context and has been answered.
bool gst_pe_cuda_answer(GstPeCuda *cuda, GstQuery *query);
// Put caps in CUDA memory last in the answer to a CAPS query.
void gst_pe_cuda_put_last(GstQuery *query);

// Is the frame in CUDA memory, whatever the caps say?
bool gst_pe_cuda_has_memory(GstBuffer *buffer);
// Mapped with this flag, such a frame has its planes on the device.
GstMapFlags gst_pe_cuda_get_map_flag(void);
// Where the planes of such a frame are: memory, context and stream.
void gst_pe_cuda_describe(GstBuffer *buffer, PeFrame *frame);

#else

#define GST_PE_CUDA_CAPS ""

static inline void
gst_pe_cuda_init(GstPeCuda *cuda, GstElement *element)
{
}

static inline void
gst_pe_cuda_start(GstPeCuda *cuda, const char *device)
{
}

static inline void
gst_pe_cuda_stop(GstPeCuda *cuda)
{
}

static inline void
gst_pe_cuda_take(GstPeCuda *cuda, GstContext *context)
{
}

static inline bool
gst_pe_cuda_answer(GstPeCuda *cuda, GstQuery *query)
{
    return false;
}

static inline void
gst_pe_cuda_put_last(GstQuery *query)
{
}

static inline bool
gst_pe_cuda_has_memory(GstBuffer *buffer)
{
    return false;
}

static inline GstMapFlags
gst_pe_cuda_get_map_flag(void)
{
    return (GstMapFlags)0;
}

static inline void
gst_pe_cuda_describe(GstBuffer *buffer, PeFrame *frame)
{
}

#endif
