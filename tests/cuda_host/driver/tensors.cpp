// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tensors.cpp - maps of tensors, as the emulated copy engine reads them.

#include <cuda.h>

#include "tests/cuda_host/matrices.h"

// Only what the module asks for: three packed axes of 16-bit elements, boxes
// whose rows a swizzle holds. Limits are those of the driver API's reference.
extern "C" CUresult
cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType type,
                       cuuint32_t rank, void *base, const cuuint64_t *sizes,
                       const cuuint64_t *strides, const cuuint32_t *box,
                       const cuuint32_t *steps, CUtensorMapInterleave,
                       CUtensorMapSwizzle swizzle, CUtensorMapL2promotion,
                       CUtensorMapFloatOOBfill)
{
    const cuuint32_t row_bytes = swizzle == CU_TENSOR_MAP_SWIZZLE_128B  ? 128
                                 : swizzle == CU_TENSOR_MAP_SWIZZLE_64B ? 64
                                                                        : 0;
    if ((type != CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 &&
         type != CU_TENSOR_MAP_DATA_TYPE_FLOAT16) ||
        rank != 3 || (uintptr_t)base % 16 || strides[0] % 16 ||
        strides[0] != sizes[0] * 2 || strides[1] != strides[0] * sizes[1] ||
        box[0] * 2 != row_bytes || box[1] < 1 || box[1] > 256 || box[2] != 1 ||
        steps[0] != 1 || steps[1] != 1 || steps[2] != 1)
        return CUDA_ERROR_INVALID_VALUE;
    const FakeTensorMap fake =
        fake_tensor_map(base, (int)sizes[2], (int)sizes[1], (int)sizes[0],
                        (int)box[1], (int)box[0]);
    memcpy(map, &fake, sizeof *map);
    return CUDA_SUCCESS;
}
