// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_cuda.c - peinference on frames in CUDA memory, behind GStreamer's
// own cudaupload: in place, out of another context, and on the CPU. Runs where
// there is a driver, the fake one or a real one.

#include "tests/support/gst_cuda_helpers.h"

#ifdef HAVE_GST_CUDA

#include "core/pe.h"

#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudamemory.h>
#if GST_CHECK_VERSION(1, 24, 0)
#include <gst/cuda/gstcudastream.h>
#endif
#include <gst/cuda/gstcudautils.h>
#include <gst/video/video.h>
#include <math.h>
#include <string.h>

// ---- Runs -------------------------------------------------------------------

// What came out of a pipeline.
typedef struct {
    GArray *embeddings; // float, one behind the other
    GPtrArray *labels;  // the best of each result
    guint n_results;
    guint n_cuda; // frames in CUDA memory
} Run;

static void
run_clear(Run *run)
{
    g_array_unref(run->embeddings);
    g_ptr_array_unref(run->labels);
}

static GstPadProbeReturn
read_frame(GstPad *pad, GstPadProbeInfo *info, void *user_data)
{
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    Run *run = user_data;

    run->n_cuda += gst_is_cuda_memory(gst_buffer_peek_memory(buffer, 0));
    if (!meta)
        return GST_PAD_PROBE_OK;
    GBytes *embedding = get_embedding(meta->result);
    g_array_append_vals(run->embeddings, g_bytes_get_data(embedding, NULL),
                        gst_pe_result_get_dim(meta->result));
    if (gst_pe_result_get_n_labels(meta->result) > 0)
        g_ptr_array_add(run->labels,
                        g_strdup(gst_pe_result_get_label(meta->result, 0)));
    run->n_results++;
    return GST_PAD_PROBE_OK;
}

// `line` has an element "sink"; runs to the end.
static Run
run_pipeline(GstElement *pipeline)
{
    Run run = {.embeddings = g_array_new(FALSE, FALSE, sizeof(float)),
               .labels = g_ptr_array_new_with_free_func(g_free)};
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
    gulong probe = gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, read_frame,
                                     &run, NULL);

    run_to_the_end(pipeline);
    gst_pad_remove_probe(pad, probe);
    return run;
}

static void
assert_same(const Run *a, const Run *b)
{
    g_assert_cmpuint(a->n_results, ==, b->n_results);
    g_assert_cmpuint(a->embeddings->len, ==, b->embeddings->len);
    guint dim = a->embeddings->len / a->n_results;
    double worst = 1;

    for (guint i = 0; i < a->n_results; i++) {
        double dot = 0, aa = 0, bb = 0;
        for (guint j = i * dim; j < (i + 1) * dim; j++) {
            double x = g_array_index(a->embeddings, float, j);
            double y = g_array_index(b->embeddings, float, j);
            dot += x * y;
            aa += x * x;
            bb += y * y;
        }
        worst = MIN(worst, dot / sqrt(aa * bb));
    }
    g_test_message("worst cosine %.8f (limit 0.99999)", worst);
    g_assert_cmpfloat(worst, >=, 0.99999);
}

// How the frames of the element "p" went.
static void
assert_counts(GstElement *pipeline, guint in_place, guint copied,
              guint uploaded, guint downloaded)
{
    g_autoptr(GstElement) p = gst_bin_get_by_name(GST_BIN(pipeline), "p");

    g_assert_cmpuint(get_stat(p, "frames-in-place"), ==, in_place);
    g_assert_cmpuint(get_stat(p, "frames-device-copied"), ==, copied);
    g_assert_cmpuint(get_stat(p, "frames-uploaded"), ==, uploaded);
    g_assert_cmpuint(get_stat(p, "frames-downloaded"), ==, downloaded);
}

// The same frames through system memory.
static Run
run_uploaded(const char *format, const char *device)
{
    g_autoptr(GstElement) pipeline = make_pipeline(format, "", device);
    Run run = run_pipeline(pipeline);

    g_assert_cmpuint(run.n_results, ==, N_FRAMES);
    guint n_uploaded = strcmp(device, "cuda") == 0 ? N_FRAMES : 0;
    assert_counts(pipeline, 0, 0, n_uploaded, 0);
    return run;
}

// ---- Frames -----------------------------------------------------------------

static void
reads_frames_in_place(const void *data)
{
    const char *format = data;
    Run expected = run_uploaded(format, "cuda");
    g_autoptr(GstElement) pipeline =
        make_pipeline(format, "cudaupload !", "cuda");
    Run run = run_pipeline(pipeline);

    assert_same(&run, &expected);
    assert_counts(pipeline, N_FRAMES, 0, 0, 0);
    // They pass through untouched.
    g_assert_cmpuint(run.n_cuda, ==, N_FRAMES);
    run_clear(&run);
    run_clear(&expected);
}

// Of an RGBA frame, line by line: one may have padding.
static GstPadProbeReturn
add_to_checksum(GstPad *pad, GstPadProbeInfo *info, void *user_data)
{
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
    GstVideoInfo video;
    GstVideoFrame map;

    g_assert_true(gst_video_info_from_caps(&video, caps));
    g_assert_true(gst_video_frame_map(
        &map, &video, GST_PAD_PROBE_INFO_BUFFER(info), GST_MAP_READ));
    for (int y = 0; y < HEIGHT; y++)
        g_checksum_update(user_data,
                          (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&map, 0) +
                              y * GST_VIDEO_FRAME_PLANE_STRIDE(&map, 0),
                          4 * WIDTH);
    gst_video_frame_unmap(&map);
    return GST_PAD_PROBE_OK;
}

// The checksum of what comes out; returns, g_free().
static char *
sum_pixels(GstElement *pipeline)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
    gulong probe = gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER,
                                     add_to_checksum, sum, NULL);

    run_to_the_end(pipeline);
    gst_pad_remove_probe(pad, probe);
    return g_strdup(g_checksum_get_string(sum));
}

// Two of them share one context with what stands before and behind, and the
// picture is that of the source.
static void
leaves_frames_for_the_elements_behind_it(void)
{
    g_autofree char *between = g_strdup_printf(
        "cudaupload ! peinference name=first model=%s device=cuda "
        "precision=fp32 batch-size=2 frame-rate=0/1 clip-length=1 !",
        tiny_model_path());
    g_autoptr(GstElement) pipeline = make_pipeline("RGBA", between, "cuda");
    g_autoptr(GstElement) plain = make_pipeline("RGBA", "", "cuda");
    g_autoptr(GstElement) first =
        gst_bin_get_by_name(GST_BIN(pipeline), "first");
    g_autoptr(GstElement) p = gst_bin_get_by_name(GST_BIN(pipeline), "p");
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    GstElement *download = gst_element_factory_make("cudadownload", NULL);

    gst_element_unlink(p, sink);
    gst_bin_add(GST_BIN(pipeline), download);
    g_assert_true(gst_element_link_many(p, download, sink, NULL));
    g_autofree char *expected = sum_pixels(plain);
    g_autofree char *sum = sum_pixels(pipeline);
    g_assert_cmpstr(sum, ==, expected);
    assert_counts(pipeline, N_FRAMES, 0, 0, 0);
    g_assert_cmpuint(get_stat(first, "frames-in-place"), ==, N_FRAMES);
}

// The application's.
static void
copies_frames_of_another_context(void)
{
    g_autoptr(GstElement) pipeline =
        make_pipeline("NV12", "cudaupload !", "cuda");
    g_autoptr(GstObject) other = GST_OBJECT(gst_cuda_context_new(0));
    g_autoptr(GstContext) context =
        gst_context_new_cuda_context(GST_CUDA_CONTEXT(other));
    Run expected = run_uploaded("NV12", "cuda");

    gst_element_set_context(pipeline, context);
    Run run = run_pipeline(pipeline);
    assert_same(&run, &expected);
    assert_counts(pipeline, 0, N_FRAMES, 0, 0);
    run_clear(&run);
    run_clear(&expected);
}

static void
downloads_frames_for_the_cpu(const void *data)
{
    const char *format = data;
    Run expected = run_uploaded(format, "cpu");
    // Left to itself, cudaupload would do nothing.
    g_autoptr(GstElement) pipeline = make_pipeline(
        format, "cudaupload ! video/x-raw(memory:CUDAMemory) !", "cpu");
    Run run = run_pipeline(pipeline);

    assert_same(&run, &expected);
    assert_counts(pipeline, 0, 0, 0, N_FRAMES);
    g_assert_cmpuint(run.n_cuda, ==, N_FRAMES);
    run_clear(&run);
    run_clear(&expected);
}

// The labels of the demo model on a few frames of its clip.
static void
gives_the_same_labels(void)
{
    static const char *const needed[] = {"qtdemux", "h264parse", "avdec_h264",
                                         "videoconvert", NULL};
    const char *folder = g_getenv("PE_DEMO_DIR");
    static const char *const ways[] = {"device=cpu", "device=cuda",
                                       "device=cuda"};
    static const char *const between[] = {"", "", "cudaupload !"};
    Run runs[3];

    if (!have_elements(needed))
        return;
    for (int i = 0; i < 3; i++) {
        g_autofree char *line = g_strdup_printf(
            "filesrc location=%s/demo.mp4 ! qtdemux ! h264parse ! avdec_h264 ! "
            "videoconvert ! video/x-raw,format=NV12 ! %s peinference name=p "
            "model=%s/pe-demo.safetensors precision=fp32 batch-size=2 "
            "clip-length=1 frame-rate=1/4 labels-file=%s/labels/demo.json "
            "attach-embedding=true %s ! fakesink name=sink",
            folder, between[i], folder, folder, ways[i]);
        g_autoptr(GError) error = NULL;
        g_autoptr(GstElement) pipeline = gst_parse_launch(line, &error);
        g_assert_no_error(error);
        runs[i] = run_pipeline(pipeline);
        g_assert_cmpuint(runs[i].labels->len, ==, 5);
    }
    assert_same(&runs[1], &runs[0]);
    assert_same(&runs[2], &runs[0]);
    for (guint i = 0; i < runs[0].labels->len; i++) {
        const char *label = g_ptr_array_index(runs[0].labels, i);
        g_assert_cmpstr(g_ptr_array_index(runs[1].labels, i), ==, label);
        g_assert_cmpstr(g_ptr_array_index(runs[2].labels, i), ==, label);
    }
    for (int i = 0; i < 3; i++)
        run_clear(&runs[i]);
}

// A buffer in CUDA memory of a context that nobody else knows.
static GstBuffer *
upload(int index)
{
    GstHarness *h = gst_harness_new("cudaupload");

    gst_harness_set_src_caps_str(h, FRAME_CAPS);
    gst_harness_set_sink_caps_str(h, CUDA_CAPS);
    GstBuffer *buffer = gst_harness_push_and_pull(h, make_frame(index));
    g_assert_nonnull(buffer);
    g_assert_true(gst_is_cuda_memory(gst_buffer_peek_memory(buffer, 0)));
    gst_harness_teardown(h);
    return buffer;
}

#if GST_CHECK_VERSION(1, 24, 0)

// An RGB frame in memory of a context, still on its way there on a stream.
static GstBuffer *
start_upload(GstCudaContext *context, const guint8 *pixels)
{
    GstCudaStream *stream = gst_cuda_stream_new(context);
    g_autoptr(GstCaps) caps = gst_caps_from_string(FRAME_CAPS);
    GstVideoInfo info;
    GstMapInfo map;

    g_assert_true(gst_video_info_from_caps(&info, caps));
    GstMemory *memory = gst_cuda_allocator_alloc(NULL, context, stream, &info);
    g_assert_nonnull(memory);
    const GstVideoInfo *padded = &GST_CUDA_MEMORY_CAST(memory)->info;
    g_assert_true(gst_memory_map(memory, &map,
                                 (GstMapFlags)(GST_MAP_WRITE | GST_MAP_CUDA)));
    CUDA_MEMCPY2D copy = {
        .srcMemoryType = CU_MEMORYTYPE_HOST,
        .srcHost = pixels,
        .srcPitch = (size_t)info.stride[0],
        .dstMemoryType = CU_MEMORYTYPE_DEVICE,
        .dstDevice = (CUdeviceptr)(guintptr)map.data,
        .dstPitch = (size_t)padded->stride[0],
        .WidthInBytes = 3 * FRAME_WIDTH,
        .Height = FRAME_HEIGHT,
    };
    gst_memory_unmap(memory, &map);
    g_assert_true(gst_cuda_context_push(context));
    g_assert_cmpint(CuMemcpy2DAsync(&copy, gst_cuda_stream_get_handle(stream)),
                    ==, CUDA_SUCCESS);
    g_assert_true(gst_cuda_context_pop(NULL));
    GstBuffer *buffer = gst_buffer_new();
    gst_buffer_append_memory(buffer, memory);
    gst_buffer_add_video_meta_full(
        buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_RGB, FRAME_WIDTH,
        FRAME_HEIGHT, 1, padded->offset, padded->stride);
    GST_BUFFER_PTS(buffer) = 0;
    GST_BUFFER_DURATION(buffer) = FRAME_DURATION;
    gst_cuda_stream_unref(stream);
    return buffer;
}

// The engine's context, and another one.
static void
waits_for_the_producers_stream(void)
{
    static const char *const stats[2] = {"frames-in-place",
                                         "frames-device-copied"};
    GstHarness *h =
        play_inference("device=cuda batch-size=2 clip-length=1 mode=exact");
    g_autoptr(GBytes) expected = embed_buffer(h, make_frame(0));
    g_autoptr(GstBuffer) frame = make_frame(0);
    void *engines = pe_device_get_context("cuda", NULL);
    GstCudaContext *contexts[2] = {gst_cuda_context_new_wrapped(engines, 0),
                                   gst_cuda_context_new(0)};
    GstMapInfo map;

    g_assert_true(gst_buffer_map(frame, &map, GST_MAP_READ));
    for (int i = 0; i < 2; i++) {
        g_autoptr(GBytes) got =
            embed_buffer(h, start_upload(contexts[i], map.data));
        g_assert_true(g_bytes_equal(got, expected));
        g_assert_cmpuint(get_stat(h->element, stats[i]), ==, 1);
        gst_object_unref(contexts[i]);
    }
    gst_buffer_unmap(frame, &map);
    stop(h);
}

#endif

static void
takes_cuda_memory_under_system_caps(void)
{
    static const char *const stats[2] = {"frames-device-copied",
                                         "frames-downloaded"};
    static const char *const properties[2] = {"device=cuda clip-length=1",
                                              "device=cpu clip-length=1"};

    for (int i = 0; i < 2; i++) {
        GstHarness *h = play_inference(properties[i]);
        g_assert_cmpint(gst_harness_push(h, upload(0)), ==, GST_FLOW_OK);
        g_assert_cmpint(pull_frames(h, 1), ==, 1);
        g_assert_cmpuint(get_stat(h->element, stats[i]), ==, 1);
        stop(h);
    }
}

static void
refuses_system_memory_under_cuda_caps(void)
{
    static const char *const devices[2] = {"device=cuda", "device=cpu"};

    for (int i = 0; i < 2; i++) {
        GstHarness *h = play_inference(devices[i]);
        g_autoptr(GstBus) bus = gst_element_get_bus(h->element);
        g_autoptr(GError) error = NULL;
        gst_harness_set_src_caps_str(h, CUDA_CAPS);
        g_assert_cmpint(gst_harness_push(h, make_frame(0)), ==, GST_FLOW_ERROR);
        g_autoptr(GstMessage) m = wait_message(bus, GST_MESSAGE_ERROR);
        g_assert_nonnull(m);
        gst_message_parse_error(m, &error, NULL);
        g_test_message("%s", error->message);
        g_assert_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
        g_assert_nonnull(strstr(error->message, "memory:CUDAMemory"));
        g_assert_nonnull(strstr(error->message, "SystemMemory"));
        stop(h);
    }
}

static void
survives_state_cycles(void)
{
    g_autoptr(GstElement) pipeline =
        make_pipeline("NV12", "cudaupload !", "cuda");

    for (int i = 0; i < 3; i++) {
        gst_element_set_state(pipeline, GST_STATE_PAUSED);
        gst_element_get_state(pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
        gst_element_set_state(pipeline, GST_STATE_READY);
        Run run = run_pipeline(pipeline);
        assert_counts(pipeline, N_FRAMES, 0, 0, 0);
        run_clear(&run);
    }
}

static void
add_tests(void)
{
    static const char *const formats[] = {"NV12", "P010_10LE", "I420",
                                          "RGBA", "BGRA",      "RGBx",
                                          "BGRx", "RGB",       "BGR"};

    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *path =
            g_strdup_printf("/cuda/reads_frames_in_place/%s", formats[i]);
        g_test_add_data_func(path, formats[i], reads_frames_in_place);
    }
    g_test_add_func("/cuda/copies_frames_of_another_context",
                    copies_frames_of_another_context);
    g_test_add_func("/cuda/leaves_frames_for_the_elements_behind_it",
                    leaves_frames_for_the_elements_behind_it);
    g_test_add_data_func("/cuda/downloads_frames_for_the_cpu/NV12", "NV12",
                         downloads_frames_for_the_cpu);
    g_test_add_data_func("/cuda/downloads_frames_for_the_cpu/RGB", "RGB",
                         downloads_frames_for_the_cpu);
    g_test_add_func("/cuda/gives_the_same_labels", gives_the_same_labels);
#if GST_CHECK_VERSION(1, 24, 0)
    g_test_add_func("/cuda/waits_for_the_producers_stream",
                    waits_for_the_producers_stream);
#endif
    g_test_add_func("/cuda/takes_cuda_memory_under_system_caps",
                    takes_cuda_memory_under_system_caps);
    g_test_add_func("/cuda/refuses_system_memory_under_cuda_caps",
                    refuses_system_memory_under_cuda_caps);
    g_test_add_func("/cuda/survives_state_cycles", survives_state_cycles);
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
