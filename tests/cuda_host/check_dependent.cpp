// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_dependent.cpp - what the emulator makes of kernels that begin before
// the one before them has ended: each way to break the rule of cuda/dependent.h
// shows, and keeping it does not.

#include "tests/cuda_host/arrays.h"

#include "cuda/device.h"

namespace
{

const int n_threads = 64, n_blocks = 3, n = n_threads * n_blocks;

enum Fault {
    NONE,
    EARLY_TRIGGER, // dependents may begin long before anything is written
    NO_WAIT,
    NO_WAIT_OF_A_WARP,  // its first loads come too early
    NO_WAIT_OF_A_BLOCK, // it has nothing to do and leaves
    LATE_WAIT,          // behind the loads
    EARLY_COPY,         // to shared memory, queued before
    EARLY_WRITE,
};

// y = x + 1, through shared memory; the last block has nothing to do.
void
add_one(float *y, const float *x, Fault fault)
{
    PE_SHARED(float, shared);
    const int i = (int)(blockIdx.x * n_threads + threadIdx.x);
    const bool idle = i >= n - n_threads;
    const bool hasty = threadIdx.x >= n_threads / 2;
    const PeSharedAddress to = pe_shared_address(shared + threadIdx.x * 4);
    float early = 0;
    if (fault == EARLY_TRIGGER)
        pe_launch_dependents();
    if (idle && fault == NO_WAIT_OF_A_BLOCK)
        return;
    if (fault == LATE_WAIT)
        early = x[i];
    if (fault == EARLY_WRITE && !idle)
        y[i] = 0;
    if (fault == EARLY_COPY && !idle)
        pe_cp_async16(to, x + i / 4 * 4, true);
    if (fault != NO_WAIT && !(fault == NO_WAIT_OF_A_WARP && hasty))
        pe_grid_dependency_wait();
    if (idle)
        return;
    if (fault != EARLY_COPY)
        pe_cp_async16(to, x + i / 4 * 4, true);
    pe_cp_async_commit();
    pe_cp_async_wait<0>();
    const float v = shared[threadIdx.x * 4 + i % 4];
    pe_launch_dependents();
    y[i] = (fault == LATE_WAIT ? early : v) + 1;
}

// Behind a kernel that writes x and reads y.
bool
is_right(Fault fault)
{
    Array x(PE_DTYPE_F32, n), y(PE_DTYPE_F32, n);
    float *in = (float *)x.raw(), *out = (float *)y.raw();
    bool y_was_read = false;
    pe_emulator_set_primary([&] {
        for (int i = 0; i < n; i++) {
            y_was_read = y_was_read || out[i] == 0;
            in[i] = (float)i;
        }
    });
    try {
        PE_LAUNCH_DEPENDENT(add_one, n_blocks, n_threads,
                            n_threads * 4 * sizeof(float), dependent, out, in,
                            fault);
    } catch (const PeEmulatorError &e) {
        g_test_message("%s", e.what);
        return false;
    }
    for (int i = 0; i < n - n_threads; i++) {
        if (out[i] != (float)(i + 1))
            return false;
    }
    return !y_was_read;
}

void
faults_show()
{
    for (unsigned seed = 0; seed < 8; seed++) {
        pe_emulator_set_order((PeEmulatorOrder)(seed % 3), seed);
        for (int fault = NONE; fault <= EARLY_WRITE; fault++) {
            g_test_message("order %u, fault %d", seed, fault);
            g_assert_true(is_right((Fault)fault) == (fault <= EARLY_TRIGGER));
        }
    }
}

// A launch that is not dependent begins when all before it has ended.
void
others_need_not_wait()
{
    Array x(PE_DTYPE_F32, n), y(PE_DTYPE_F32, n);
    float *in = (float *)x.raw(), *out = (float *)y.raw();
    pe_emulator_set_primary([&] {
        for (int i = 0; i < n; i++)
            in[i] = (float)i;
    });
    PE_LAUNCH(add_one, n_blocks, n_threads, n_threads * 4 * sizeof(float),
              nullptr, out, in, NO_WAIT);
    g_assert_cmpfloat(out[5], ==, 6);
}

} // namespace

void
add_dependent_tests()
{
    g_test_add_func("/cuda_host/emulator/dependent", faults_show);
    g_test_add_func("/cuda_host/emulator/plain", others_need_not_wait);
}
