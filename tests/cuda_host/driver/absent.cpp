// SPDX-License-Identifier: LGPL-2.1-or-later
//
// absent.cpp - what libgstcuda wants to find in a driver (GStreamer 1.22 to
// 1.26) and the fake one cannot do: modules and textures, limits, memory of
// other interfaces, OpenGL and other processes, virtual memory, pools. Never
// includes cuda.h: a function that reads no argument may be called with any.

#define ABSENT(name) \
    extern "C" int name(void) \
    { \
        return 801; /* CUDA_ERROR_NOT_SUPPORTED */ \
    }

ABSENT(cuModuleLoadData)
ABSENT(cuModuleUnload)
ABSENT(cuModuleGetFunction)
ABSENT(cuLaunchKernel)
ABSENT(cuTexObjectCreate)
ABSENT(cuTexObjectDestroy)

ABSENT(cuCtxGetLimit)
ABSENT(cuCtxSetLimit)

ABSENT(cuDestroyExternalMemory)
ABSENT(cuDestroyExternalSemaphore)
ABSENT(cuExternalMemoryGetMappedBuffer)
ABSENT(cuExternalMemoryGetMappedMipmappedArray)
ABSENT(cuImportExternalMemory)
ABSENT(cuImportExternalSemaphore)
ABSENT(cuSignalExternalSemaphoresAsync)
ABSENT(cuWaitExternalSemaphoresAsync)

ABSENT(cuGLGetDevices_v2)
ABSENT(cuGraphicsGLRegisterBuffer)
ABSENT(cuGraphicsGLRegisterImage)
ABSENT(cuGraphicsMapResources)
ABSENT(cuGraphicsResourceGetMappedPointer_v2)
ABSENT(cuGraphicsResourceSetMapFlags_v2)
ABSENT(cuGraphicsSubResourceGetMappedArray)
ABSENT(cuGraphicsUnmapResources)
ABSENT(cuGraphicsUnregisterResource)

ABSENT(cuIpcCloseMemHandle)
ABSENT(cuIpcGetEventHandle)
ABSENT(cuIpcGetMemHandle)
ABSENT(cuIpcOpenEventHandle)
ABSENT(cuIpcOpenMemHandle)
ABSENT(cuIpcOpenMemHandle_v2)

ABSENT(cuMemAddressFree)
ABSENT(cuMemAddressReserve)
ABSENT(cuMemCreate)
ABSENT(cuMemExportToShareableHandle)
ABSENT(cuMemGetAccess)
ABSENT(cuMemGetAllocationGranularity)
ABSENT(cuMemGetAllocationPropertiesFromHandle)
ABSENT(cuMemImportFromShareableHandle)
ABSENT(cuMemMap)
ABSENT(cuMemRelease)
ABSENT(cuMemRetainAllocationHandle)
ABSENT(cuMemSetAccess)
ABSENT(cuMemUnmap)

ABSENT(cuMemAllocAsync)
ABSENT(cuMemAllocFromPoolAsync)
ABSENT(cuMemFreeAsync)
ABSENT(cuMemPoolCreate)
ABSENT(cuMemPoolDestroy)
ABSENT(cuMemPoolGetAttribute)
ABSENT(cuMemPoolSetAttribute)
