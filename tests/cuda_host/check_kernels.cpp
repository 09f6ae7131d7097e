// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_kernels.cpp - every CUDA kernel's own source, run on the CPU by the
// emulator, against its plain C twin, at odd sizes and in all types. Test paths
// are /cuda_host/<file>/<case>, <file> that of cuda/.
//
// Outputs are NaN before a run and have guards around them; every case runs
// with several orders of the threads and has to give the same bits each time.

#include "tests/cuda_host/arrays.h"

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    reference = pe_backend_open_reference();
    add_attention_tests();
    add_hopper_tests();
    add_hopper_linear_tests();
    add_int8_tests();
    add_token_tests();
    add_pixel_tests();
    add_dependent_tests();
    int result = g_test_run();
    reference->ops->close(reference);
    return result;
}
