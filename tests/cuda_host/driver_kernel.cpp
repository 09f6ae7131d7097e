// SPDX-License-Identifier: LGPL-2.1-or-later
//
// driver_kernel.cpp - a kernel for check_driver.c, queued like the emulator's.

#include "tests/cuda_host/driver/fake_driver.h"

extern "C" int increment(void *stream, unsigned char *p);

// Adds one to a byte of the device. Returns a CUresult.
int
increment(void *stream, unsigned char *p)
{
    return fake_driver_push(stream, [=] { ++*p; });
}
