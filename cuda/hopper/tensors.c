// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tensors.c - see tensors.h.

#include "cuda/hopper/tensors.h"

bool
pe_hopper_describe(const PeCuda *cuda, CUtensorMap *map, const void *data,
                   int depth, int rows, int columns, int box_rows,
                   int box_columns)
{
    const PeDriver *driver = pe_driver_open(NULL);
    const cuuint64_t width = (cuuint64_t)columns;
    const cuuint64_t sizes[] = {width, (cuuint64_t)rows, (cuuint64_t)depth};
    const cuuint64_t strides[] = {2 * width, 2 * width * sizes[1]};
    const cuuint32_t box[] = {(cuuint32_t)box_columns, (cuuint32_t)box_rows, 1};
    const cuuint32_t steps[] = {1, 1, 1};
    return driver &&
           driver->TensorMapEncodeTiled(
               map,
               cuda->be.act == PE_DTYPE_BF16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                             : CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
               3, (void *)data, sizes, strides, box, steps,
               CU_TENSOR_MAP_INTERLEAVE_NONE,
               box_columns == 64 ? CU_TENSOR_MAP_SWIZZLE_128B
                                 : CU_TENSOR_MAP_SWIZZLE_64B,
               CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
               CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

void
pe_hopper_fill(PeDtype act, uint16_t *values, size_t n)
{
    guint32 state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        float v = (float)(state >> 8) / (float)(1 << 23) - 1;
        values[i] = pe_half_from_f32(act, v);
    }
}
