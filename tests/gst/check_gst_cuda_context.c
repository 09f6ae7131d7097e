// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_cuda_context.c - whose CUDA context a pipeline with peinference
// has, and which memory it is given. Frames are in check_gst_cuda.c.

#include "tests/support/gst_cuda_helpers.h"

#ifdef HAVE_GST_CUDA

#include "core/pe.h"

#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudautils.h>

// ---- The context ------------------------------------------------------------

// The CUcontext that an element's pad tells, NULL: none.
static void *
ask_for_context(GstElement *element, const char *pad_name)
{
    g_autoptr(GstPad) pad = gst_element_get_static_pad(element, pad_name);
    g_autoptr(GstQuery) query = gst_query_new_context(GST_CUDA_CONTEXT_TYPE);
    GstContext *context = NULL;
    GstCudaContext *cuda = NULL;

    if (!gst_pad_query(pad, query))
        return NULL;
    gst_query_parse_context(query, &context);
    g_assert_nonnull(context);
    g_assert_true(gst_structure_get(gst_context_get_structure(context),
                                    GST_CUDA_CONTEXT_TYPE,
                                    GST_TYPE_CUDA_CONTEXT, &cuda, NULL));
    void *handle = gst_cuda_context_get_handle(cuda);
    gst_object_unref(cuda);
    return handle;
}

static void
offers_the_engines_context_when_ready(void)
{
    void *engines = pe_device_get_context("cuda", NULL);
    g_autoptr(GstElement) pipeline =
        make_pipeline("NV12", "cudaupload !", "cuda");
    g_autoptr(GstElement) p = gst_bin_get_by_name(GST_BIN(pipeline), "p");

    g_assert_nonnull(engines);
    g_assert_null(ask_for_context(p, "sink"));
    for (int i = 0; i < 2; i++) {
        gst_element_set_state(pipeline, GST_STATE_READY);
        g_assert_true(ask_for_context(p, "sink") == engines);
        g_assert_true(ask_for_context(p, "src") == engines);
        gst_element_set_state(pipeline, GST_STATE_NULL);
        g_assert_null(ask_for_context(p, "sink"));
    }
    g_object_set(p, "device", "cpu", NULL);
    gst_element_set_state(pipeline, GST_STATE_READY);
    g_assert_null(ask_for_context(p, "sink"));
    gst_element_set_state(pipeline, GST_STATE_NULL);
}

// Once for all that come later.
static void
tells_the_pipeline_of_its_context(void)
{
    g_autoptr(GstElement) pipeline =
        make_pipeline("NV12", "cudaupload !", "cuda");
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);

    gst_element_set_state(pipeline, GST_STATE_READY);
    g_autoptr(GstMessage) m = wait_message(bus, GST_MESSAGE_HAVE_CONTEXT);
    g_assert_nonnull(m);
    g_assert_cmpstr(GST_MESSAGE_SRC_NAME(m), ==, "p");
    gst_element_set_state(pipeline, GST_STATE_NULL);
}

static void
takes_the_applications_context(void)
{
    g_autoptr(GstElement) pipeline =
        make_pipeline("NV12", "cudaupload !", "cuda");
    g_autoptr(GstElement) p = gst_bin_get_by_name(GST_BIN(pipeline), "p");
    g_autoptr(GstObject) other = GST_OBJECT(gst_cuda_context_new(0));
    g_autoptr(GstContext) context =
        gst_context_new_cuda_context(GST_CUDA_CONTEXT(other));
    void *handle = gst_cuda_context_get_handle(GST_CUDA_CONTEXT(other));

    gst_element_set_context(pipeline, context);
    gst_element_set_state(pipeline, GST_STATE_READY);
    g_assert_true(ask_for_context(p, "sink") == handle);
    gst_element_set_state(pipeline, GST_STATE_NULL);
}

// No bin is there to tell of it.
static void
takes_a_neighbours_context(void)
{
    for (int i = 0; i < 2; i++) {
        GstElement *pair[2] = {make_inference("device=cuda"),
                               make_inference("device=cuda")};
        GstElement *first = pair[i], *second = pair[1 - i];
        g_autoptr(GstObject) other = GST_OBJECT(gst_cuda_context_new(0));
        g_autoptr(GstContext) context =
            gst_context_new_cuda_context(GST_CUDA_CONTEXT(other));
        void *handle = gst_cuda_context_get_handle(GST_CUDA_CONTEXT(other));

        g_assert_true(gst_element_link(pair[0], pair[1]));
        gst_element_set_context(first, context);
        gst_element_set_state(first, GST_STATE_READY);
        g_assert_true(ask_for_context(first, "sink") == handle);
        gst_element_set_state(second, GST_STATE_READY);
        g_assert_true(ask_for_context(second, "src") == handle);
        for (int j = 0; j < 2; j++) {
            gst_element_set_state(pair[j], GST_STATE_NULL);
            gst_object_unref(pair[j]);
        }
    }
}

// ---- Negotiation ------------------------------------------------------------

static bool
is_cuda(const GstCaps *caps, guint i)
{
    return gst_caps_features_contains(gst_caps_get_features(caps, i),
                                      "memory:CUDAMemory");
}

// Both are taken; the device's own memory stands first.
static void
prefers_the_memory_of_its_device(void)
{
    static const char *const devices[2] = {"device=cuda", "device=cpu"};

    for (int i = 0; i < 2; i++) {
        GstElement *element = make_inference(devices[i]);
        g_autoptr(GstPad) pad = gst_element_get_static_pad(element, "sink");
        for (int state = GST_STATE_NULL; state <= GST_STATE_PAUSED; state++) {
            gst_element_set_state(element, (GstState)state);
            g_autoptr(GstCaps) caps = gst_pad_query_caps(pad, NULL);
            g_assert_cmpuint(gst_caps_get_size(caps), ==, 2);
            g_assert_cmpint(is_cuda(caps, 0), ==, i == 0);
            g_assert_cmpint(is_cuda(caps, 1), ==, i == 1);
        }
        gst_element_set_state(element, GST_STATE_NULL);
        gst_object_unref(element);
    }
}

// Without a pool, so that a decoder copies when it has nothing left; also when
// nobody answers downstream.
static void
announces_the_frames_it_holds(void)
{
    static const char *const src_pads[2] = {"src", NULL};
    g_autoptr(GstCaps) caps = gst_caps_from_string(CUDA_CAPS);

    for (int i = 0; i < 2; i++) {
        GstElement *element = make_inference("device=cuda batch-size=2");
        GstHarness *h =
            gst_harness_new_with_element(element, "sink", src_pads[i]);
        g_autoptr(GstPad) pad = gst_element_get_static_pad(element, "sink");
        g_autoptr(GstQuery) query = gst_query_new_allocation(caps, TRUE);
        GstBufferPool *pool;
        guint size, min, max;

        gst_object_unref(element);
        gst_harness_set_src_caps_str(h, CUDA_CAPS);
        g_assert_true(gst_pad_query(pad, query));
        g_assert_cmpuint(gst_query_get_n_allocation_pools(query), ==, 1);
        gst_query_parse_nth_allocation_pool(query, 0, &pool, &size, &min, &max);
        g_assert_null(pool);
        g_assert_cmpuint(size, ==, 96 * 64 * 3);
        g_assert_cmpuint(min, ==, 4); // the harness says that it is live
        g_assert_cmpuint(max, ==, 0);
        gst_harness_teardown(h);
    }
}

static void
add_tests(void)
{
    g_test_add_func("/cuda/offers_the_engines_context_when_ready",
                    offers_the_engines_context_when_ready);
    g_test_add_func("/cuda/tells_the_pipeline_of_its_context",
                    tells_the_pipeline_of_its_context);
    g_test_add_func("/cuda/takes_the_applications_context",
                    takes_the_applications_context);
    g_test_add_func("/cuda/takes_a_neighbours_context",
                    takes_a_neighbours_context);
    g_test_add_func("/cuda/prefers_the_memory_of_its_device",
                    prefers_the_memory_of_its_device);
    g_test_add_func("/cuda/announces_the_frames_it_holds",
                    announces_the_frames_it_holds);
}

#endif

int
main(int argc, char **argv)
{
#ifdef HAVE_GST_CUDA
    return run_cuda_tests(argc, argv, add_tests);
#else
    return run_cuda_tests(argc, argv, NULL);
#endif
}
