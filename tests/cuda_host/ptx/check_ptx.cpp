// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_ptx.cpp - every kernel's PTX, run on the CPU by the interpreter,
// against its plain C twin: the cases of check_kernels.cpp, which run the
// kernels' own source. Where the inline assembly of cuda/device.h is wrong,
// only this one shows it.
//
//     check_ptx FILE.ptx... [OPTIONS OF GLIB]
//
// Skips without files: there was no nvcc to make them.

#include "tests/cuda_host/arrays.h"
#include "tests/cuda_host/ptx/launch.h"

// Comes last.
static void
ran_every_kernel()
{
    for (const std::string &name : ptx_list_idle()) {
        bool is_attention = name.find("flash_kernel") != std::string::npos ||
                            name.find("attention_kernel") != std::string::npos;
        if (is_attention && !has_bf16_products &&
            name.find("PeBf16") != std::string::npos)
            continue;
        g_test_message("no case launches %s", name.c_str());
        g_test_fail();
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (argc < 2) {
        g_print("1..0 # SKIP there is no nvcc\n");
        return 0;
    }
    bool for_hopper = false;
    for (int i = 1; i < argc; i++) {
        try {
            // Turing has none: the backend does not ask it to.
            const std::string target = ptx_load_file(argv[i]);
            has_bf16_products = target != "sm_75";
            for_hopper = target == "sm_90a";
        } catch (const PtxError &e) {
            g_error("%s", e.what());
        }
    }
    reference = pe_backend_open_reference();
    n_orders = 1; // the interpreter finds races without trying
    add_attention_tests();
    if (for_hopper) {
        add_hopper_tests();
        add_hopper_linear_tests();
    }
    add_int8_tests();
    add_token_tests();
    add_pixel_tests();
    g_test_add_func("/ptx/every_kernel", ran_every_kernel);
    int result = g_test_run();
    reference->ops->close(reference);
    return result;
}
