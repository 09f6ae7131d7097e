// SPDX-License-Identifier: LGPL-2.1-or-later
//
// driver_things.h - what the tests of the fake driver share.

#pragma once

#include <cuda.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>

#include "tests/cuda_host/driver/fake_driver.h"

// Newer headers declare only later versions of it.
CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice dev);

#define N 1024
#define OK(call) g_assert_cmpint(call, ==, CUDA_SUCCESS)
#define FAILS(call, status) g_assert_cmpint(call, ==, CUDA_ERROR_##status)

// A context with something of each kind; current after things_new().
typedef struct {
    CUcontext context;
    CUstream stream;
    CUevent event;
    CUdeviceptr memory; // N bytes
} Things;

static inline Things
things_new(void)
{
    Things t;
    OK(cuCtxCreate_v2(&t.context, 0, 0));
    OK(cuStreamCreate(&t.stream, CU_STREAM_NON_BLOCKING));
    OK(cuEventCreate(&t.event, CU_EVENT_DISABLE_TIMING));
    OK(cuMemAlloc(&t.memory, N));
    return t;
}

static inline uint8_t
first_byte(Things *t)
{
    uint8_t byte;
    OK(cuCtxPushCurrent(t->context));
    OK(cuMemcpyDtoH(&byte, t->memory, 1));
    OK(cuCtxPopCurrent(NULL));
    return byte;
}

void add_memory_tests(void);
