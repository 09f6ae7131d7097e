// SPDX-License-Identifier: LGPL-2.1-or-later
//
// streams.cpp - the fake driver's streams, events and recordings.
//
// Streams are as lazy as they may be: an operation runs when somebody waits for
// it, so a copy whose source is reused too early, or a kernel that is not
// ordered behind its input by an event, shows in the results. A stream may be
// used only while its context is current, which is stricter than the real
// driver where that only synchronises.

#include "tests/cuda_host/driver/device.h"

#include <cstdlib>

struct CUgraph_st {
    std::vector<Operation> operations;
};

struct CUgraphExec_st {
    std::vector<Operation> operations;
};

// A place in a queue that another one waits for.
struct Mark {
    std::shared_ptr<Queue> queue;
    uint64_t position;
};

// Kernels behind the next one that begin before it, the last one first.
static void
begin_dependents(Queue *queue)
{
    const size_t most = 3;
    size_t n = 0;
    while (n < most && n + 1 < queue->operations.size() &&
           queue->operations[n].is_kernel && queue->operations[n + 1].begin)
        n++;
    for (; n > 0; n--)
        queue->operations[n].begin();
}

void
drain(Queue *queue, uint64_t position)
{
    if (queue->n_run >= position)
        return;
    CUcontext before = open_memory(queue->context);
    while (queue->n_run < position) {
        begin_dependents(queue);
        Operation operation = std::move(queue->operations.front());
        queue->operations.pop_front();
        queue->n_run++;
        operation.run();
    }
    open_memory(before);
}

void
drain_context(CUcontext context)
{
    Queue *queue = context->default_stream.queue.get();
    for (CUstream stream : context->streams)
        drain(stream->queue.get(), stream->queue->n_pushed);
    drain(queue, queue->n_pushed);
}

static void
append(CUstream stream, Operation operation)
{
    stream->queue->operations.push_back(std::move(operation));
    stream->queue->n_pushed++;
}

static void
add_mark(std::vector<Mark> *marks, CUstream stream)
{
    if (stream->queue->n_run < stream->queue->n_pushed)
        marks->push_back({stream->queue, stream->queue->n_pushed});
}

void
push(CUstream stream, Operation operation)
{
    if (stream->recording) {
        stream->recording->push_back(operation);
        return;
    }
    CUstream first = &stream->context->default_stream;
    std::vector<Mark> marks;
    if (stream == first) {
        for (CUstream other : stream->context->streams) {
            if (!(other->flags & CU_STREAM_NON_BLOCKING))
                add_mark(&marks, other);
        }
    } else if (!(stream->flags & CU_STREAM_NON_BLOCKING)) {
        add_mark(&marks, first);
    }
    for (const Mark &mark : marks)
        append(stream, {[=] { drain(mark.queue.get(), mark.position); }});
    append(stream, std::move(operation));
}

CUresult
current_stream(CUstream handle, CUstream *stream)
{
    CUcontext context;
    CUresult status = current_context(&context);
    if (status != CUDA_SUCCESS)
        return status;
    *stream = handle;
    if (!handle || handle == CU_STREAM_LEGACY)
        *stream = &context->default_stream;
    else if (context->streams.count(handle) == 0)
        return CUDA_ERROR_INVALID_HANDLE;
    return CUDA_SUCCESS;
}

static int
push_outside(void *handle, Operation operation)
{
    Guard guard(lock);
    CUstream stream;
    CUresult status = current_stream((CUstream)handle, &stream);
    if (status == CUDA_SUCCESS)
        push(stream, std::move(operation));
    return status;
}

int
fake_driver_push(void *stream, std::function<void()> operation)
{
    return push_outside(stream, {std::move(operation)});
}

int
fake_driver_push_kernel(void *stream, std::function<void()> kernel,
                        std::function<void()> begin)
{
    return push_outside(stream, {std::move(kernel), true, std::move(begin)});
}

void
fake_driver_spend(double ms, bool dependent)
{
    Guard guard(lock);
    device.launches++;
    device.dependent_launches += dependent;
    device.clock += ms;
}

static bool
is_event(CUevent event)
{
    for (CUcontext context : device.contexts) {
        if (context->events.count(event))
            return true;
    }
    return false;
}

extern "C" {

// ---- Streams ----------------------------------------------------------------

CUresult
cuStreamCreate(CUstream *stream, unsigned flags)
{
    Guard guard(lock);
    CUcontext context;
    CUresult status = current_context(&context);
    if (status != CUDA_SUCCESS)
        return status;
    *stream = new CUstream_st(context, flags);
    context->streams.insert(*stream);
    return CUDA_SUCCESS;
}

CUresult
cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority)
{
    return cuStreamCreate(stream, flags);
}

CUresult
cuStreamDestroy(CUstream stream)
{
    Guard guard(lock);
    for (CUcontext context : device.contexts) {
        if (context->streams.count(stream) == 0)
            continue;
        drain(stream->queue.get(), stream->queue->n_pushed);
        context->streams.erase(stream);
        delete stream;
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_INVALID_HANDLE;
}

CUresult
cuStreamGetCtx(CUstream handle, CUcontext *context)
{
    Guard guard(lock);
    for (CUcontext other : device.contexts) {
        if (other->streams.count(handle)) {
            *context = other;
            return CUDA_SUCCESS;
        }
    }
    CUstream stream;
    CUresult status = current_stream(handle, &stream);
    if (status == CUDA_SUCCESS)
        *context = stream->context;
    return status;
}

CUresult
cuStreamSynchronize(CUstream handle)
{
    Guard guard(lock);
    CUstream stream;
    CUresult status = current_stream(handle, &stream);
    if (status != CUDA_SUCCESS)
        return status;
    if (stream->recording)
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    device.stream_waits++;
    drain(stream->queue.get(), stream->queue->n_pushed);
    return stream->context->error;
}

// Who asks again and again gets on by one operation each time.
CUresult
cuStreamQuery(CUstream handle)
{
    Guard guard(lock);
    CUstream stream;
    CUresult status = current_stream(handle, &stream);
    if (status != CUDA_SUCCESS)
        return status;
    Queue *queue = stream->queue.get();
    if (queue->n_run == queue->n_pushed)
        return CUDA_SUCCESS;
    drain(queue, queue->n_run + 1);
    return CUDA_ERROR_NOT_READY;
}

// The event may be of any context.
CUresult
cuStreamWaitEvent(CUstream handle, CUevent event, unsigned flags)
{
    Guard guard(lock);
    CUstream stream;
    CUresult status = current_stream(handle, &stream);
    if (status != CUDA_SUCCESS)
        return status;
    if (!is_event(event))
        return CUDA_ERROR_INVALID_HANDLE;
    std::shared_ptr<Queue> queue = event->queue;
    uint64_t position = event->position;
    if (queue && queue != stream->queue)
        push(stream, {[=] { drain(queue.get(), position); }});
    return CUDA_SUCCESS;
}

CUresult
cuLaunchHostFunc(CUstream handle, CUhostFn function, void *data)
{
    return (CUresult)fake_driver_push(handle, [=] {
        CUcontext before = open_memory(nullptr);
        function(data);
        open_memory(before);
    });
}

// ---- Events -----------------------------------------------------------------

CUresult
cuEventCreate(CUevent *event, unsigned flags)
{
    Guard guard(lock);
    CUcontext context;
    CUresult status = current_context(&context);
    if (status != CUDA_SUCCESS)
        return status;
    *event = new CUevent_st;
    (*event)->context = context;
    (*event)->flags = flags;
    context->events.insert(*event);
    return CUDA_SUCCESS;
}

CUresult
cuEventDestroy(CUevent event)
{
    Guard guard(lock);
    if (!is_event(event))
        return CUDA_ERROR_INVALID_HANDLE;
    event->context->events.erase(event);
    delete event;
    return CUDA_SUCCESS;
}

CUresult
cuEventRecord(CUevent event, CUstream handle)
{
    Guard guard(lock);
    CUstream stream;
    CUresult status = current_stream(handle, &stream);
    if (status != CUDA_SUCCESS)
        return status;
    if (!is_event(event) || event->context != stream->context)
        return CUDA_ERROR_INVALID_HANDLE;
    if (stream->recording)
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (!(event->flags & CU_EVENT_DISABLE_TIMING)) {
        auto time = std::make_shared<double>(0);
        push(stream, {[=] { *time = device.clock; }});
        event->time = time;
    }
    event->queue = stream->queue;
    event->position = stream->queue->n_pushed;
    return CUDA_SUCCESS;
}

CUresult
cuEventSynchronize(CUevent event)
{
    Guard guard(lock);
    if (!is_event(event))
        return CUDA_ERROR_INVALID_HANDLE;
    device.event_waits++;
    device.spinning_waits += !(event->flags & CU_EVENT_BLOCKING_SYNC);
    if (event->queue)
        drain(event->queue.get(), event->position);
    return event->context->error;
}

CUresult
cuEventQuery(CUevent event)
{
    Guard guard(lock);
    if (!is_event(event))
        return CUDA_ERROR_INVALID_HANDLE;
    Queue *queue = event->queue.get();
    if (!queue || queue->n_run >= event->position)
        return event->context->error;
    drain(queue, queue->n_run + 1);
    return CUDA_ERROR_NOT_READY;
}

CUresult
cuEventElapsedTime(float *ms, CUevent start, CUevent end)
{
    Guard guard(lock);
    if (!is_event(start) || !is_event(end) || !start->time || !end->time)
        return CUDA_ERROR_INVALID_HANDLE;
    // Something passes between any two events.
    *ms = 0.5f + (float)(*end->time - *start->time);
    return CUDA_SUCCESS;
}

// ---- Recordings -------------------------------------------------------------

CUresult
cuStreamBeginCapture(CUstream handle, CUstreamCaptureMode mode)
{
    Guard guard(lock);
    CUstream stream;
    CUresult status = current_stream(handle, &stream);
    if (status != CUDA_SUCCESS)
        return status;
    if (getenv("PE_FAKE_CUDA_NO_GRAPHS") ||
        stream == &stream->context->default_stream || stream->recording)
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    device.graph_recordings++;
    stream->recording.reset(new std::vector<Operation>);
    return CUDA_SUCCESS;
}

CUresult
cuStreamEndCapture(CUstream handle, CUgraph *graph)
{
    Guard guard(lock);
    CUstream stream;
    *graph = nullptr;
    CUresult status = current_stream(handle, &stream);
    if (status != CUDA_SUCCESS)
        return status;
    auto recorded = std::move(stream->recording);
    if (!recorded)
        return CUDA_ERROR_INVALID_VALUE;
    if (getenv("PE_FAKE_CUDA_BAD_GRAPHS"))
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    *graph = new CUgraph_st{*recorded};
    return CUDA_SUCCESS;
}

CUresult
cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph,
                            unsigned long long flags)
{
    if (getenv("PE_FAKE_CUDA_NO_DEPENDENT_GRAPHS")) {
        for (const Operation &operation : graph->operations) {
            if (operation.begin)
                return CUDA_ERROR_NOT_SUPPORTED;
        }
    }
    *exec = new CUgraphExec_st{graph->operations};
    return CUDA_SUCCESS;
}

CUresult
cuGraphDestroy(CUgraph graph)
{
    delete graph;
    return CUDA_SUCCESS;
}

CUresult
cuGraphExecDestroy(CUgraphExec exec)
{
    delete exec;
    return CUDA_SUCCESS;
}

CUresult
cuGraphLaunch(CUgraphExec exec, CUstream handle)
{
    Guard guard(lock);
    CUstream stream;
    CUresult status = current_stream(handle, &stream);
    if (status != CUDA_SUCCESS)
        return status;
    device.graph_launches++;
    for (const Operation &operation : exec->operations)
        push(stream, operation);
    return CUDA_SUCCESS;
}

} // extern "C"
