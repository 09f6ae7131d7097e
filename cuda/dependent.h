// SPDX-License-Identifier: LGPL-2.1-or-later
//
// dependent.h - programmatic dependent launch, from compute capability 9.0 on:
// a kernel's blocks begin while the kernel before it on the stream still runs.
//
// The rule, for every kernel that is started with PE_LAUNCH_DEPENDENT:
//
//   1. Every thread calls pe_grid_dependency_wait() before it touches anything
//      that another kernel, a copy or a fill writes or reads: before its first
//      read, and before its first write too, as somebody may still read what
//      was there. A block that has nothing to do waits as well.
//   2. What may come before is what is done once while loading, after which
//      the host has waited for the stream: weights, which the copy engine
//      fetches. Biases, angles and offsets are small and come after.
//   3. pe_launch_dependents() says that the next kernel may begin. It does not
//      say that anything is written: who waits, waits until this kernel has
//      ended and its memory can be seen. So it may come as early as one likes;
//      it comes where the next kernel's blocks, which then lie in wait on the
//      multiprocessors, take nothing away from this one.
//
// Why that is enough: a kernel ends after its last block has, and each block
// waits, so when it has ended, all kernels before it have. Therefore what A
// wrote is there for C although C only waits for B between them. One kernel
// that does not wait breaks this for all behind it.
//
// Others on the stream: kernels of cuBLASLt, copies, fills and events are not
// started that way by us, so they begin when all before them has ended. A
// dependent kernel behind one of them waits for its end as for any other; it
// begins early only if that lets it, which a copy never does, and a library's
// kernel may or may not. In a recording these are the same edges.
//
// Source: CUDA C++ Programming Guide, "Programmatic Dependent Launch and
// Synchronization"; PTX ISA 9.0, 9.7.13.13, griddepcontrol.

#pragma once

#include <stdbool.h>

// Where kernels are queued.
typedef struct {
    void *stream;   // a cudaStream_t
    bool dependent; // they may begin before the one before them has ended,
                    // which needs code for 9.0 or later
} PeCudaStream;
