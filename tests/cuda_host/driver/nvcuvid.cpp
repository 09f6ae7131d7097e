// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nvcuvid.cpp - NVIDIA's video decoder, which cannot decode anything: without
// it or an encoder, GStreamer's plugin has no cudaupload and cudadownload. It
// asks for the capabilities of every codec and takes no for an answer.

#define ABSENT(name) \
    extern "C" int name(void) \
    { \
        return 801; /* CUDA_ERROR_NOT_SUPPORTED */ \
    }

ABSENT(cuvidCreateDecoder)
ABSENT(cuvidCreateVideoParser)
ABSENT(cuvidCtxLock)
ABSENT(cuvidCtxLockCreate)
ABSENT(cuvidCtxLockDestroy)
ABSENT(cuvidCtxUnlock)
ABSENT(cuvidDecodePicture)
ABSENT(cuvidDestroyDecoder)
ABSENT(cuvidDestroyVideoParser)
ABSENT(cuvidGetDecoderCaps)
ABSENT(cuvidMapVideoFrame64)
ABSENT(cuvidParseVideoData)
ABSENT(cuvidReconfigureDecoder)
ABSENT(cuvidUnmapVideoFrame64)
