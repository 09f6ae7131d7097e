// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gst_cuda_helpers.h - what the tests of frames in CUDA memory share.

#pragma once

#include "gst_helpers.h"

#define N_FRAMES 6
#define WIDTH 102 // lines are padded
#define HEIGHT 66
#define CUDA_CAPS \
    "video/x-raw(memory:CUDAMemory),format=RGB,width=96,height=64," \
    "framerate=25/1"

// run_gst_tests() where there is a CUDA driver, the fake one or a real one, and
// GStreamer's CUDA elements; elsewhere the program is skipped.
int run_cuda_tests(int argc, char **argv, void (*add_tests)(void));

// A source of N_FRAMES frames, `between` ("cudaupload !"), the element "p" on
// the tiny model, and the element "sink".
GstElement *make_pipeline(const char *format, const char *between,
                          const char *device);
