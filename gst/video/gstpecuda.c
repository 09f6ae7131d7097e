// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpecuda.c - see gstpecuda.h. Only in builds that have GstCuda.
//
// DESIGN
//
// GstCuda makes contexts of its own, while the engine, like all of the CUDA
// runtime, works in the device's primary context. A frame can be read where it
// lies only when both are the same, so the element offers the primary context
// to the pipeline. Decoders look for a context when they become READY, and bins
// change the state of the sinks first, so it is offered on the way to READY,
// when there is no engine yet. An application or a neighbour that was earlier
// is not overruled: one context in the pipeline, and a copy on the device here,
// is less work than two contexts in the pipeline.
//
// The context that is found or offered matters to the other elements only. In
// which context a frame really is, its own memory tells.

#include "gst/video/gstpecuda.h"

#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>
#if GST_CHECK_VERSION(1, 24, 0)
#include <gst/cuda/gstcudastream.h>
#endif

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

// ---- The context ------------------------------------------------------------

void
gst_pe_cuda_init(GstPeCuda *cuda, GstElement *element)
{
    *cuda = (GstPeCuda){.element = element, .device = -1};
}

// When the device has changed, the old context is dropped. Returns whether a
// context is still to be found.
static bool
set_device(GstPeCuda *cuda, int device)
{
    GstObject *old = NULL;

    GST_OBJECT_LOCK(cuda->element);
    if (cuda->device != device)
        old = g_steal_pointer(&cuda->context);
    cuda->device = device;
    bool wanted = device >= 0 && !cuda->context;
    GST_OBJECT_UNLOCK(cuda->element);
    gst_clear_object(&old);
    return wanted;
}

static bool
is_wanted(GstPeCuda *cuda)
{
    GST_OBJECT_LOCK(cuda->element);
    bool wanted = cuda->device >= 0 && !cuda->context;
    GST_OBJECT_UNLOCK(cuda->element);
    return wanted;
}

void
gst_pe_cuda_stop(GstPeCuda *cuda)
{
    set_device(cuda, -1);
}

// The first one stays: others may have allocated in it.
void
gst_pe_cuda_take(GstPeCuda *cuda, GstContext *context)
{
    GstCudaContext *found = NULL;

    GST_OBJECT_LOCK(cuda->element);
    int device = cuda->device;
    GST_OBJECT_UNLOCK(cuda->element);
    if (device < 0 || !context)
        return;
    gst_cuda_handle_set_context(cuda->element, context, device, &found);
    if (!found)
        return;
    GST_OBJECT_LOCK(cuda->element);
    if (cuda->device == device && !cuda->context)
        cuda->context = GST_OBJECT_CAST(g_steal_pointer(&found));
    GST_OBJECT_UNLOCK(cuda->element);
    gst_clear_object(&found);
}

// Take the context that the element was given before its device was known, or
// that it had the last time.
static void
recall_context(GstPeCuda *cuda)
{
    g_autoptr(GstContext) context =
        gst_element_get_context(cuda->element, GST_CUDA_CONTEXT_TYPE);

    gst_pe_cuda_take(cuda, context);
}

static void
ask_neighbour(GstPeCuda *cuda, const char *pad_name)
{
    g_autoptr(GstPad) pad = gst_element_get_static_pad(cuda->element, pad_name);
    g_autoptr(GstQuery) query = gst_query_new_context(GST_CUDA_CONTEXT_TYPE);
    GstContext *context = NULL;

    if (!gst_pad_peer_query(pad, query))
        return;
    gst_query_parse_context(query, &context);
    if (context)
        gst_element_set_context(cuda->element, context);
}

static void
offer_context(GstPeCuda *cuda, void *handle, int number)
{
    CUdevice device;

    if (CuDeviceGet(&device, number) != CUDA_SUCCESS)
        return;
    g_autoptr(GstObject) wrapped = GST_OBJECT_CAST(
        gst_cuda_context_new_wrapped((CUcontext)handle, device));
    if (!wrapped)
        return;
    GST_INFO_OBJECT(cuda->element, "offering the context %p of cuda:%d", handle,
                    number);
    GstContext *context =
        gst_context_new_cuda_context(GST_CUDA_CONTEXT_CAST(wrapped));
    gst_element_set_context(cuda->element, context);
    gst_element_post_message(
        cuda->element,
        gst_message_new_have_context(GST_OBJECT_CAST(cuda->element), context));
}

void
gst_pe_cuda_start(GstPeCuda *cuda, const char *device)
{
    int number = -1;
    void *handle = pe_device_get_context(device, &number);

    if (!handle || !gst_cuda_load_library())
        number = -1;
    if (!set_device(cuda, number))
        return;
    recall_context(cuda);
    if (is_wanted(cuda))
        ask_neighbour(cuda, "src");
    if (is_wanted(cuda))
        ask_neighbour(cuda, "sink");
    if (is_wanted(cuda))
        gst_element_post_message(
            cuda->element,
            gst_message_new_need_context(GST_OBJECT_CAST(cuda->element),
                                         GST_CUDA_CONTEXT_TYPE));
    if (is_wanted(cuda))
        offer_context(cuda, handle, number);
}

bool
gst_pe_cuda_answer(GstPeCuda *cuda, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_CONTEXT)
        return false;
    GST_OBJECT_LOCK(cuda->element);
    g_autoptr(GstObject) context =
        cuda->context ? gst_object_ref(cuda->context) : NULL;
    GST_OBJECT_UNLOCK(cuda->element);
    return context && gst_cuda_handle_context_query(
                          cuda->element, query, GST_CUDA_CONTEXT_CAST(context));
}

// ---- Caps and frames --------------------------------------------------------

void
gst_pe_cuda_put_last(GstQuery *query)
{
    g_autoptr(GstCaps) first = gst_caps_new_empty();
    GstCaps *last = gst_caps_new_empty();
    GstCaps *caps;

    gst_query_parse_caps_result(query, &caps);
    for (guint i = 0; caps && i < gst_caps_get_size(caps); i++) {
        GstCapsFeatures *features = gst_caps_get_features(caps, i);
        bool is_cuda =
            gst_caps_features_contains(features, GST_PE_CUDA_FEATURE);
        gst_caps_append_structure_full(
            is_cuda ? last : first,
            gst_structure_copy(gst_caps_get_structure(caps, i)),
            gst_caps_features_copy(features));
    }
    gst_caps_append(first, last);
    gst_query_set_caps_result(query, first);
}

bool
gst_pe_cuda_has_memory(GstBuffer *buffer)
{
    return gst_buffer_n_memory(buffer) == 1 &&
           gst_is_cuda_memory(gst_buffer_peek_memory(buffer, 0));
}

GstMapFlags
gst_pe_cuda_get_map_flag(void)
{
    return (GstMapFlags)GST_MAP_CUDA;
}

// Before GStreamer 1.24 there are no streams, and frames are complete when they
// are pushed; so are those without a stream afterwards.
void
gst_pe_cuda_describe(GstBuffer *buffer, PeFrame *frame)
{
    GstCudaMemory *memory =
        GST_CUDA_MEMORY_CAST(gst_buffer_peek_memory(buffer, 0));

    frame->memory = PE_MEMORY_CUDA;
    frame->context = gst_cuda_context_get_handle(memory->context);
#if GST_CHECK_VERSION(1, 24, 0)
    GstCudaStream *stream = gst_cuda_memory_get_stream(memory);
    frame->stream = stream ? gst_cuda_stream_get_handle(stream) : NULL;
#endif
}
