// SPDX-License-Identifier: LGPL-2.1-or-later
//
// time_preprocess.c - microseconds on the device of preprocessing one NV12
// frame of 1920x1080 to 336x336, without the host's part. Prints one line of
// JSON, or writes it to the file that is named. Called by run. Status 77: there
// is no device.

#include <cuda_runtime_api.h>
#include <glib.h>
#include <stdlib.h>

#include "cuda/kernels.h"

#define WIDTH 1920
#define HEIGHT 1080
#define SIDE 336
#define N_FRAMES 16 // together more than any cache holds
#define ROUNDS 50

static void
check(cudaError_t status)
{
    if (status == cudaSuccess)
        return;
    g_printerr("time_preprocess: %s\n", cudaGetErrorString(status));
    exit(1);
}

static void *
upload(const void *data, size_t size)
{
    void *p;
    check(cudaMalloc(&p, size));
    check(cudaMemcpy(p, data, size, cudaMemcpyHostToDevice));
    return p;
}

static PeCudaAxis
upload_axis(int in_size)
{
    PeResizeAxis *a = pe_resize_axis_new(in_size, SIDE);
    size_t taps = (size_t)a->taps;
    PeCudaAxis axis = {
        .in_size = in_size,
        .out_size = SIDE,
        .taps = a->taps,
        .first = upload(a->first, SIDE * sizeof *a->first),
        .count = upload(a->count, SIDE * sizeof *a->count),
        .weights = upload(a->weights, SIDE * taps * sizeof *a->weights),
    };
    pe_resize_axis_free(a);
    return axis;
}

static double
microseconds(const PeFrame *frames, const PeCudaAxis *x, const PeCudaAxis *y,
             bool exact, uint8_t *rgb)
{
    cudaEvent_t start, end;
    float ms;
    check(cudaEventCreate(&start));
    check(cudaEventCreate(&end));
    for (int round = 0; round < ROUNDS + 2; round++) {
        if (round == 2)
            check(cudaEventRecord(start, NULL));
        for (int i = 0; i < N_FRAMES; i++)
            pe_cuda_preprocess(NULL, &frames[i], x, y, exact, rgb);
    }
    check(cudaEventRecord(end, NULL));
    check(cudaEventSynchronize(end));
    check(cudaGetLastError());
    check(cudaEventElapsedTime(&ms, start, end));
    return ms * 1e3 / (ROUNDS * N_FRAMES);
}

int
main(int argc, char **argv)
{
    int n_devices = 0;
    cudaError_t status = cudaGetDeviceCount(&n_devices);
    if (status != cudaSuccess || n_devices == 0) {
        g_printerr("there is no device (%s)\n", cudaGetErrorString(status));
        return 77;
    }
    size_t luma = (size_t)WIDTH * HEIGHT, size = luma + luma / 2;
    g_autofree uint8_t *noise = g_malloc(size);
    PeFrame frames[N_FRAMES];
    for (int i = 0; i < N_FRAMES; i++) {
        for (size_t j = 0; j < size; j++)
            noise[j] = (uint8_t)g_random_int();
        uint8_t *data = upload(noise, size);
        frames[i] = (PeFrame){.memory = PE_MEMORY_CUDA,
                              .format = PE_FORMAT_NV12,
                              .matrix = PE_MATRIX_BT709,
                              .width = WIDTH,
                              .height = HEIGHT,
                              .planes = {data, data + luma},
                              .strides = {WIDTH, WIDTH}};
    }
    PeCudaAxis x = upload_axis(WIDTH), y = upload_axis(HEIGHT);
    uint8_t *rgb;
    check(cudaMalloc((void **)&rgb, 3 * SIDE * SIDE));
    g_autofree char *text =
        g_strdup_printf("{\"exact_us\": %.2f, \"fast_us\": %.2f}\n",
                        microseconds(frames, &x, &y, true, rgb),
                        microseconds(frames, &x, &y, false, rgb));
    if (argc < 2)
        g_print("%s", text);
    else if (!g_file_set_contents(argv[1], text, -1, NULL))
        return 1;
    return 0;
}
