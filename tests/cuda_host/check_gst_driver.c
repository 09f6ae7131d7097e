// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_driver.c - GStreamer's own CUDA elements on the fake driver: frames
// must come back from its memory as they went there, through one context and
// through two. Needs the nvcodec plugin, and LD_LIBRARY_PATH before the start.

#include <glib/gstdio.h>
#include <gmodule.h>
#include <gst/gst.h>
#include <stdbool.h>
#include <stdint.h>

#define N_FRAMES 5

static char *folder;
static uint64_t (*bytes_to_device)(void), (*bytes_to_host)(void);
static int (*live_contexts)(void), (*live_allocations)(void);

// Of libgstcuda, whose headers are not needed.
static GstObject *(*cuda_context_new)(guint device);
static GstContext *(*context_new_cuda_context)(GstObject *context);

static void
run(GstElement *pipeline)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(
        bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        g_autoptr(GError) error = NULL;
        gst_message_parse_error(message, &error, NULL);
        g_error("the pipeline ended with: %s", error->message);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
}

static GstElement *
launch(const char *caps, const char *elements, const char *file)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text =
        g_strdup_printf("videotestsrc num-buffers=%d pattern=ball ! %s ! %s "
                        "capsfilter caps=video/x-raw ! filesink location=%s/%s",
                        N_FRAMES, caps, elements, folder, file);
    GstElement *pipeline = gst_parse_launch(text, &error);
    g_assert_no_error(error);
    return pipeline;
}

static void
assert_same_files(void)
{
    g_autofree char *a = NULL, *b = NULL;
    g_autofree char *expected = g_build_filename(folder, "expected", NULL);
    g_autofree char *got = g_build_filename(folder, "got", NULL);
    size_t a_size, b_size;
    g_assert_true(g_file_get_contents(expected, &a, &a_size, NULL));
    g_assert_true(g_file_get_contents(got, &b, &b_size, NULL));
    g_assert_cmpmem(a, a_size, b, b_size);
    g_unlink(expected);
    g_unlink(got);
}

static void
set_context(GstElement *pipeline, const char *name, GstObject *cuda)
{
    g_autoptr(GstElement) element =
        gst_bin_get_by_name(GST_BIN(pipeline), name);
    g_autoptr(GstContext) context = context_new_cuda_context(cuda);
    gst_element_set_context(element, context);
}

static void
frames_come_back(const void *caps)
{
    g_autoptr(GstElement) plain = launch(caps, "", "expected");
    g_autoptr(GstElement) pipeline =
        launch(caps,
               "cudaupload ! video/x-raw(memory:CUDAMemory) "
               "! cudadownload !",
               "got");
    run(plain);
    uint64_t up = bytes_to_device(), down = bytes_to_host();
    int n_contexts = live_contexts();
    run(pipeline);
    g_clear_object(&pipeline);
    up = bytes_to_device() - up;
    down = bytes_to_host() - down;
    g_test_message("%" G_GUINT64_FORMAT " bytes up, %" G_GUINT64_FORMAT " down",
                   up, down);
    g_assert_cmpuint(up, >, 0);
    g_assert_cmpuint(down, >=, up);
    g_assert_cmpint(live_contexts(), ==, n_contexts);
    assert_same_files();
}

static void
frames_cross_contexts(void)
{
    const char *caps = "video/x-raw,format=NV12,width=320,height=240";
    g_autoptr(GstObject) a = cuda_context_new(0);
    g_autoptr(GstObject) b = cuda_context_new(0);
    g_autoptr(GstElement) plain = launch(caps, "", "expected");
    g_autoptr(GstElement) pipeline =
        launch(caps,
               "cudaupload name=up ! video/x-raw(memory:CUDAMemory) "
               "! cudadownload name=down !",
               "got");
    g_assert_true(a && b);
    set_context(pipeline, "up", a);
    set_context(pipeline, "down", b);
    int n_contexts = live_contexts();
    run(plain);
    run(pipeline);
    g_assert_cmpint(live_contexts(), ==, n_contexts);
    g_clear_object(&pipeline);
    g_assert_cmpint(live_allocations(), ==, 0);
    assert_same_files();
}

static bool
load(void)
{
    const struct {
        const char *library, *name;
        void *function;
    } names[] = {
        {"libcuda.so.1", "fake_cuda_bytes_to_device", &bytes_to_device},
        {"libcuda.so.1", "fake_cuda_bytes_to_host", &bytes_to_host},
        {"libcuda.so.1", "fake_cuda_live_contexts", &live_contexts},
        {"libcuda.so.1", "fake_cuda_live_allocations", &live_allocations},
        {"libgstcuda-1.0.so.0", "gst_cuda_context_new", &cuda_context_new},
        {"libgstcuda-1.0.so.0", "gst_context_new_cuda_context",
         &context_new_cuda_context},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        GModule *module = g_module_open(names[i].library, G_MODULE_BIND_LAZY);
        if (!module ||
            !g_module_symbol(module, names[i].name, names[i].function))
            return false;
    }
    return true;
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(NULL, NULL);
    g_autoptr(GstElementFactory) nvcodec =
        gst_element_factory_find("cudaupload");
    g_autoptr(GstPlugin) plugin =
        gst_registry_find_plugin(gst_registry_get(), "nvcodec");
    if (!plugin) {
        g_print("1..0 # SKIP GStreamer's nvcodec plugin is not installed\n");
        return 0;
    }
    g_assert_nonnull(nvcodec); // registered because the driver was found
    g_assert_true(load());
    // Widths whose lines have no padding, which nobody copies.
    folder = g_dir_make_tmp("pe-gst-driver-XXXXXX", NULL);
    g_test_add_data_func("/gst_driver/nv12",
                         "video/x-raw,format=NV12,width=320,height=240",
                         frames_come_back);
    g_test_add_data_func("/gst_driver/rgb",
                         "video/x-raw,format=RGB,width=332,height=241",
                         frames_come_back);
    g_test_add_data_func("/gst_driver/i420",
                         "video/x-raw,format=I420,width=64,height=2",
                         frames_come_back);
    g_test_add_func("/gst_driver/contexts", frames_cross_contexts);
    int failed = g_test_run();
    g_rmdir(folder);
    g_free(folder);
    return failed;
}
