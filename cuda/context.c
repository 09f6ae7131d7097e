// SPDX-License-Identifier: LGPL-2.1-or-later
//
// context.c - what all of the host code asks for: the log, a place for
// failures, the devices there are and the context of one, on any thread; and
// how long a pass takes.

#include "cuda/cuda.h"

#include <stdarg.h>

// ---- Log and failures -------------------------------------------------------

static PeLogFunc log_func;
static void *log_data;

void
pe_cuda_set_log(PeLogFunc func, void *data)
{
    log_func = func;
    log_data = data;
}

// For what this module compiles in of core.
void
pe_log(PeLogLevel level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    log_func(level, message, log_data);
}

void
pe_cuda_fail(PeCuda *cuda, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    if (g_atomic_pointer_compare_and_exchange(&cuda->error, NULL,
                                              g_intern_string(message)))
        pe_log(PE_LOG_DEBUG, "%s: %s", cuda->description, message);
}

bool
pe_cuda_check(PeCuda *cuda, cudaError_t status, const char *what)
{
    if (status == cudaSuccess)
        return true;
    pe_cuda_fail(cuda, "%s failed: %s (%s)", what, cudaGetErrorString(status),
                 cudaGetErrorName(status));
    return false;
}

bool
pe_cuda_expect(PeCuda *cuda, cudaError_t status, const char *what,
               GError **error)
{
    if (status == cudaSuccess)
        return true;
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM,
                    "%s: no memory left for %s", cuda->description, what);
        return false;
    }
    pe_cuda_check(cuda, status, what);
    g_set_error(error, PE_ERROR, PE_ERROR_BACKEND, "%s: %s failed: %s",
                cuda->description, what, cudaGetErrorString(status));
    return false;
}

void
pe_cuda_drop_launches(PeCuda *cuda, const char *why)
{
    pe_log(PE_LOG_WARNING,
           "%s: kernels that begin before the one before has ended %s, they "
           "are not used",
           cuda->description, why);
    cuda->launches = PE_LAUNCHES_PLAIN;
    cuda->dependent_now = false;
}

void
pe_cuda_use(PeCuda *cuda)
{
    pe_cuda_check(cuda, cudaSetDevice(cuda->device), "choosing the device");
}

cudaError_t
pe_cuda_event_new(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, cudaEventDisableTiming |
                                               cudaEventBlockingSync);
}

// ---- A pass's time ----------------------------------------------------------

// Where an event cannot be had, nothing is measured, and nothing else is lost.
static bool
mark(PeCuda *cuda, cudaEvent_t *event)
{
    if ((*event || cudaEventCreate(event) == cudaSuccess) &&
        cudaEventRecord(*event, cuda->stream) == cudaSuccess)
        return true;
    cudaGetLastError();
    return false;
}

void
pe_cuda_pass_begin(PeCuda *cuda)
{
    cuda->pass.ended = false;
    if (cuda->pass.wanted)
        cuda->pass.wanted = mark(cuda, &cuda->pass.start);
}

void
pe_cuda_pass_end(PeCuda *cuda)
{
    if (cuda->pass.wanted && cuda->pass.start)
        cuda->pass.ended = mark(cuda, &cuda->pass.end);
}

void
pe_cuda_pass_log(PeCuda *cuda)
{
    float ms;
    if (!cuda->pass.ended)
        return;
    cuda->pass.ended = false;
    if (cudaEventElapsedTime(&ms, cuda->pass.start, cuda->pass.end) ==
        cudaSuccess)
        pe_log(PE_LOG_DEBUG, "pass: %.4f ms on the device", (double)ms);
    else
        cudaGetLastError();
}

void
pe_cuda_pass_clear(PeCuda *cuda)
{
    if (cuda->pass.start)
        cudaEventDestroy(cuda->pass.start);
    if (cuda->pass.end)
        cudaEventDestroy(cuda->pass.end);
}

// ---- Devices ----------------------------------------------------------------

int
pe_cuda_count(void)
{
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess) {
        cudaGetLastError();
        return 0;
    }
    return count;
}

void *
pe_cuda_get_context(int device)
{
    g_autoptr(GError) error = NULL;
    void *context =
        pe_cuda_count() > device ? pe_driver_get_context(device, &error) : NULL;
    if (error)
        pe_log(PE_LOG_DEBUG, "cuda:%d: %s", device, error->message);
    return context;
}
