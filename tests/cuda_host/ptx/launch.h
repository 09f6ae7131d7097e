// SPDX-License-Identifier: LGPL-2.1-or-later
//
// launch.h - stands before a kernel's source that is compiled for the host in
// order to get its launchers: PE_LAUNCH starts the kernel of the same name in
// the PTX that ptx_load_file() has read.

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
// shows it. Arguments are bytes, by parameter. Throws PtxError.
void ptx_launch(const void *kernel, dim3 grid, dim3 block, size_t shared,
                const std::vector<std::pair<const void *, size_t>> &arguments);

// With arguments of the types of the parameters.
template <typename... P, typename... A>
void
ptx_launch_kernel(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
                  A... arguments)
{
    const std::tuple<P...> values(arguments...);
    std::apply(
        [&](const P &...value) {
            ptx_launch((const void *)kernel, grid, block, shared,
                       {{&value, sizeof value}...});
        },
        values);
}

// The kernels' own bodies are never called; their names are looked up.
#undef __global__
#define __global__ __attribute__((visibility("default")))
#undef PE_LAUNCH
#define PE_LAUNCH(kernel, grid, block, shared, stream, ...) \
    do { \
        (void)(stream); \
        ptx_launch_kernel(kernel, grid, block, shared, __VA_ARGS__); \
    } while (0)
