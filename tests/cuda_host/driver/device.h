// SPDX-License-Identifier: LGPL-2.1-or-later
//
// device.h - the state of the fake driver's one device. Only the files of this
// folder include it; all of it is read and written under `lock`.

#pragma once

#include <cuda.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "tests/cuda_host/driver/fake_driver.h"

struct Operation {
    std::function<void()> run;
    bool is_kernel = false;
    std::function<void()> begin; // of a dependent launch
};

// Operations of a stream; outlives it in the events that were recorded there.
struct Queue {
    CUcontext context;
    std::deque<Operation> operations;
    uint64_t n_pushed = 0, n_run = 0;
};

struct CUstream_st {
    CUcontext context;
    unsigned flags;
    std::shared_ptr<Queue> queue = std::make_shared<Queue>();
    std::unique_ptr<std::vector<Operation>> recording;

    CUstream_st(CUcontext owner, unsigned stream_flags)
        : context(owner), flags(stream_flags)
    {
        queue->context = owner;
    }
};

struct CUevent_st {
    CUcontext context;
    std::shared_ptr<Queue> queue; // NULL: never recorded
    uint64_t position = 0;
    unsigned flags = 0;
    std::shared_ptr<double> time; // by the device's clock, ms
};

struct CUctx_st {
    unsigned flags = 0;
    int n_retained = 0;            // of the primary context
    CUresult error = CUDA_SUCCESS; // sticks
    CUstream_st default_stream{this, CU_STREAM_DEFAULT};
    std::set<CUstream> streams; // without the default one
    std::set<CUevent> events;
};

struct Allocation {
    size_t size;
    CUcontext context;
    bool on_host; // pinned
};

struct Device {
    bool initialised = false;
    CUcontext primary = nullptr; // NULL: not retained by anybody
    std::set<CUcontext> contexts;
    std::map<uintptr_t, Allocation> allocations; // by their first byte
    size_t used = 0;                             // bytes of device memory
    uint64_t to_device = 0, to_host = 0, on_device = 0, between_contexts = 0;
    int context_waits = 0, stream_waits = 0, event_waits = 0;
    int spinning_waits = 0, graph_recordings = 0, graph_launches = 0;
    int launches = 0, dependent_launches = 0;
    double clock = 0; // ms
};

// One lock does for everything: the emulator runs one kernel at a time.
extern std::recursive_mutex &lock;
typedef std::lock_guard<std::recursive_mutex> Guard;
extern Device &device;

// The current context of this thread, or why there is none.
CUresult current_context(CUcontext *context);

// `handle` as a stream of the current context.
CUresult current_stream(CUstream handle, CUstream *stream);

// Run what was queued before `position`.
void drain(Queue *queue, uint64_t position);
void drain_context(CUcontext context);

// Queue on a stream behind what the default stream orders before it.
void push(CUstream stream, Operation operation);

// The allocation that holds p; NULL if there is none. Sets its first byte.
const Allocation *find_allocation(uintptr_t p, uintptr_t *first);
// Let operations of this context, and nobody else, touch its device memory;
// NULL: nobody. Returns whose turn it was.
CUcontext open_memory(CUcontext context);
// The same for one allocation.
void set_access(uintptr_t first, const Allocation &a, bool allowed);
// Free what a context that is about to end has allocated.
void free_allocations(CUcontext context);
