// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bias.cu - what a matrix product's epilogue does, for products whose epilogue
// the library lacks.

#include "cuda/device.h"
#include "cuda/kernels.h"

#define THREADS 256

// y[r,:] += bias
//
//   y  [rows, n] T    bias  [n] T
//
//   grid  rows    block 256
template <typename T>
__global__ void
__launch_bounds__(THREADS) bias_kernel(T *y, const T *bias, int n)
{
    T *row = y + (size_t)blockIdx.x * n;
    pe_grid_dependency_wait();
    pe_launch_dependents();
    for (int i = threadIdx.x; i < n; i += THREADS)
        pe_store(row + i, pe_to_float(row[i]) + pe_to_float(bias[i]));
}

extern "C" int
pe_cuda_probe_code(int *version)
{
    return PE_PROBE(bias_kernel<float>, version);
}

extern "C" void
pe_cuda_bias(PeCudaStream stream, PeDtype type, void *y, const void *bias,
             int rows, int n)
{
    PE_FOR_TYPE(type, T,
                PE_LAUNCH_DEPENDENT(bias_kernel<T>, rows, THREADS, 0, stream,
                                    (T *)y, (const T *)bias, n));
}
