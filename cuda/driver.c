// SPDX-License-Identifier: LGPL-2.1-or-later
//
// driver.c - the driver's functions and what is made of them: the primary
// context for those who allocate frames, and frames out of other contexts.
// Called by the backend and by slots.c.

#include "cuda/driver.h"

#include <dlfcn.h>

#include "core/device/preprocess.h"

#define DRIVER "libcuda.so.1"

// Of a function's name after its macro has been replaced.
#define NAME(function) STRING(function)
#define STRING(text) #text

// Returns the name that the library lacks, or NULL.
static const char *
find_functions(void *library, PeDriver *driver)
{
#define FIND(name) \
    *(void **)&driver->name = dlsym(library, NAME(cu##name)); \
    if (!driver->name) \
        return NAME(cu##name);
    PE_DRIVER_FUNCTIONS(FIND)
#undef FIND
    return NULL;
}

const PeDriver *
pe_driver_open(GError **error)
{
    static GMutex lock;
    static PeDriver driver;
    static bool ready;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    if (ready)
        return &driver;
    void *library = dlopen(DRIVER, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                    "the driver library was not found (%s)", dlerror());
        return NULL;
    }
    const char *missing = find_functions(library, &driver);
    if (missing) {
        g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                    DRIVER " has no function %s", missing);
        dlclose(library);
        return NULL;
    }
    ready = true;
    return &driver;
}

static bool
check(const PeDriver *driver, CUresult status, const char *what, GError **error)
{
    const char *name = NULL;
    if (status == CUDA_SUCCESS)
        return true;
    driver->GetErrorName(status, &name);
    g_set_error(error, PE_ERROR, PE_ERROR_BACKEND, "%s failed: %s", what,
                name ? name : "an error without a name");
    return false;
}

// Retained once more with every call and never released: the runtime keeps it
// for as long.
void *
pe_driver_get_context(int device, GError **error)
{
    const PeDriver *driver = pe_driver_open(error);
    CUdevice handle;
    CUcontext context = NULL;
    if (!driver ||
        !check(driver, driver->Init(0), "starting the driver", error) ||
        !check(driver, driver->DeviceGet(&handle, device), "finding the device",
               error) ||
        !check(driver, driver->DevicePrimaryCtxRetain(&context, handle),
               "getting the primary context", error))
        return NULL;
    return context;
}

// Of any device: copying reaches them all.
static bool
check_planes(const PeDriver *driver, const PeFrame *frame, GError **error)
{
    for (int i = 0; i < 3; i++) {
        int line, n_lines;
        CUmemorytype type = 0;
        pe_frame_plane_size(frame, i, &line, &n_lines);
        if (n_lines == 0 ||
            (driver->PointerGetAttribute(
                 &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                 (CUdeviceptr)(guintptr)frame->planes[i]) == CUDA_SUCCESS &&
             type == CU_MEMORYTYPE_DEVICE))
            continue;
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "plane %d of the frame is not in the memory of a CUDA "
                    "device",
                    i);
        return false;
    }
    return true;
}

bool
pe_driver_wait_for_frame(const PeFrame *frame, GError **error)
{
    const PeDriver *driver = pe_driver_open(error);
    CUcontext popped;
    if (!driver || !check(driver, driver->CtxPushCurrent(frame->context),
                          "entering the context of a frame", error))
        return false;
    bool ok = check_planes(driver, frame, error) &&
              (!frame->stream ||
               check(driver, driver->StreamSynchronize(frame->stream),
                     "waiting for a frame", error));
    driver->CtxPopCurrent(&popped);
    return ok;
}

bool
pe_driver_copy_frame(const PeFrame *to, void *context, const PeFrame *frame,
                     void *stream, GError **error)
{
    const PeDriver *driver = pe_driver_open(error);
    bool ok = driver != NULL;
    for (int i = 0; ok && i < 3; i++) {
        int line, n_lines;
        pe_frame_plane_size(frame, i, &line, &n_lines);
        if (n_lines == 0)
            continue;
        CUDA_MEMCPY3D_PEER copy = {
            .srcMemoryType = CU_MEMORYTYPE_DEVICE,
            .srcDevice = (CUdeviceptr)(guintptr)frame->planes[i],
            .srcContext = frame->context,
            .srcPitch = (size_t)frame->strides[i],
            .srcHeight = (size_t)n_lines,
            .dstMemoryType = CU_MEMORYTYPE_DEVICE,
            .dstDevice = (CUdeviceptr)(guintptr)to->planes[i],
            .dstContext = context,
            .dstPitch = (size_t)to->strides[i],
            .dstHeight = (size_t)n_lines,
            .WidthInBytes = (size_t)line,
            .Height = (size_t)n_lines,
            .Depth = 1,
        };
        ok = check(driver, driver->Memcpy3DPeerAsync(&copy, stream),
                   "copying a frame from another context", error);
    }
    return ok;
}
