// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fake_driver.h - what the CUDA driver on the CPU has beyond NVIDIA's API: a
// way in for the emulator's kernels, and counters for tests, which find them by
// name with dlsym(). Any thread may call these.

#pragma once

#include <stdint.h>

#ifdef __cplusplus
#include <functional>

// Queue an operation on a CUstream (NULL: the default one), which must belong
// to the current context. Returns a CUresult.
int fake_driver_push(void *stream, std::function<void()> operation);

// The same for a kernel. `begin`, if it is there, makes it a dependent launch:
// behind another kernel that is called before that one runs.
int fake_driver_push_kernel(void *stream, std::function<void()> kernel,
                            std::function<void()> begin);

// Called by a kernel when it has run: the device's clock goes on by so many
// milliseconds.
void fake_driver_spend(double ms, bool dependent);

extern "C" {
#endif

// Bytes that copies have moved, when they ran: between host and device, and on
// the device, of which the last counts those between two contexts.
uint64_t fake_cuda_bytes_to_device(void);
uint64_t fake_cuda_bytes_to_host(void);
uint64_t fake_cuda_bytes_on_device(void);
uint64_t fake_cuda_bytes_between_contexts(void);

// How often somebody waited: for a whole context, for a stream, for an event.
int fake_cuda_context_waits(void);
int fake_cuda_stream_waits(void);
int fake_cuda_event_waits(void);
// For an event whose waiter does not sleep.
int fake_cuda_spinning_waits(void);

// Recordings that were begun, and that were launched.
int fake_cuda_graph_recordings(void);
int fake_cuda_graph_launches(void);

// Operations from outside that have run: kernels and products.
int fake_cuda_launches(void);
// Of these, kernels that may begin before the one before has ended.
int fake_cuda_dependent_launches(void);

// What is alive in all contexts. The primary context counts while retained.
int fake_cuda_live_contexts(void);
int fake_cuda_live_streams(void);
int fake_cuda_live_events(void);
int fake_cuda_live_allocations(void); // of device memory

#ifdef __cplusplus
}
#endif
