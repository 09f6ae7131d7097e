// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fake_cuda.h - what the parts of the emulated CUDA module share. Knows neither
// CUDA's headers nor the emulator's, which define the same names.

#pragma once

#include <functional>

// Queue an operation on a cudaStream_t.
void fake_cuda_push(void *stream, std::function<void()> operation);

// Queue a kernel or a product that takes so long by the device's clock; `begin`
// as for fake_driver_push_kernel(). With PE_FAKE_CUDA_IDLE, when its turn
// comes, it computes nothing.
void fake_cuda_compute(void *stream, std::function<void()> work, double ms,
                       std::function<void()> begin = nullptr);

// A cudaStream_t of somebody else, kept until the end.
extern "C" void *fake_cuda_new_stream(void);
