// SPDX-License-Identifier: LGPL-2.1-or-later
//
// launch.h - stands before a kernel's source that is compiled for the host in
// order to get its launchers: PE_LAUNCH and the other start the kernel of the
// same name in the PTX that ptx_load_file() has read.

#pragma once

#include <tuple>

#include "tests/cuda_host/hopper.h"
#include "tests/cuda_host/ptx/text.h"

// Returns what the file was made for, such as "sm_80". Throws PtxError when it
// is not PTX.
std::string ptx_load_file(const std::string &path);

// Names of kernels that nobody has launched yet.
std::vector<std::string> ptx_list_idle();

// `kernel` is a function of the same name as the kernel, in a library that
// shows it. Arguments are bytes, by parameter. Of what a dependent kernel may
// not touch at once, see Late, all is there; but touching it is an error, where
// the PTX is for 9.0 or later. Throws PtxError.
void ptx_launch(const void *kernel, dim3 grid, dim3 block, size_t shared,
                bool dependent,
                const std::vector<std::pair<const void *, size_t>> &arguments);

// With arguments of the types of the parameters.
template <typename... P, typename... A>
void
ptx_launch_kernel(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
                  bool dependent, A... arguments)
{
    const std::tuple<P...> values(arguments...);
    std::apply(
        [&](const P &...value) {
            ptx_launch((const void *)kernel, grid, block, shared, dependent,
                       {{&value, sizeof value}...});
        },
        values);
}

// The kernels' own bodies are never called; their names are looked up.
#undef __global__
#define __global__ __attribute__((visibility("default")))
#undef PE_LAUNCH_DEPENDENT
#define PE_LAUNCH_DEPENDENT(kernel, grid, block, shared, stream, ...) \
    ptx_launch_kernel(kernel, grid, block, shared, (stream).dependent, \
                      __VA_ARGS__)
