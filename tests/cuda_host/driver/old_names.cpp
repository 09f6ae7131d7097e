// SPDX-License-Identifier: LGPL-2.1-or-later
//
// old_names.cpp - functions that cuda.h has given new names without changing
// what they take. Who looks them up by name may ask for the old ones, like
// libgstcuda 1.22 for cuStreamDestroy.

#include <cuda.h>

// The header's name of now, behind the macro with the old name.
static const auto stream_destroy = cuStreamDestroy;
static const auto event_destroy = cuEventDestroy;
static const auto primary_release = cuDevicePrimaryCtxRelease;
#undef cuStreamDestroy
#undef cuEventDestroy
#undef cuDevicePrimaryCtxRelease

extern "C" {

CUresult
cuStreamDestroy(CUstream stream)
{
    return stream_destroy(stream);
}

CUresult
cuEventDestroy(CUevent event)
{
    return event_destroy(event);
}

CUresult
cuDevicePrimaryCtxRelease(CUdevice dev)
{
    return primary_release(dev);
}

} // extern "C"
