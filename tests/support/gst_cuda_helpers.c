// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gst_cuda_helpers.c - see gst_cuda_helpers.h.

#include "gst_cuda_helpers.h"

#include "core/pe.h"

#ifdef HAVE_GST_CUDA
#include <gst/cuda/gstcudaloader.h>
#endif

// Why nothing of this can run here, or NULL.
static const char *
find_obstacle(void)
{
    g_autoptr(GstElementFactory) factory =
        gst_element_factory_find("cudaupload");

#ifndef HAVE_GST_CUDA
    return "built without GstCuda";
#else
    if (!gst_cuda_load_library())
        return "libcuda.so.1 was not found";
    if (!factory)
        return "no element cudaupload";
    if (!pe_device_get_context("cuda", NULL))
        return "no CUDA device";
    return NULL;
#endif
}

int
run_cuda_tests(int argc, char **argv, void (*add_tests)(void))
{
    gst_init(&argc, &argv);
    const char *obstacle = find_obstacle();
    if (!obstacle)
        return run_gst_tests(argc, argv, add_tests);
    g_print("1..0 # SKIP %s\n", obstacle);
    return 0;
}

GstElement *
make_pipeline(const char *format, const char *between, const char *device)
{
    g_autofree char *line = g_strdup_printf(
        "videotestsrc num-buffers=%d pattern=ball ! "
        "video/x-raw,format=%s,width=%d,height=%d,framerate=25/1 ! %s "
        "peinference name=p model=%s device=%s precision=fp32 batch-size=2 "
        "frame-rate=0/1 clip-length=1 "
        "attach-embedding=true ! fakesink name=sink",
        N_FRAMES, format, WIDTH, HEIGHT, between, tiny_model_path(), device);
    g_autoptr(GError) error = NULL;
    GstElement *pipeline = gst_parse_launch(line, &error);

    g_assert_no_error(error);
    return pipeline;
}
