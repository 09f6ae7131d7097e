// SPDX-License-Identifier: LGPL-2.1-or-later
//
// machine.h - what an operation may use of the warp that runs it.

#pragma once

#include <memory>
#include <type_traits>

#include "tests/cuda_host/ptx/program.h"

struct PtxDim {
    unsigned x, y, z;
};

struct PtxLaunch {
    const PtxModule *module;
    const PtxKernel *kernel;
    const PtxProgram *program;
    PtxDim grid, block;
    size_t shared_size;
    std::vector<unsigned char> parameters;
    bool dependent = false; // see cuda/dependent.h
};

// Who touched a byte of shared memory, to find threads that do not wait for
// each other. Only the last of several touches counts: earlier ones are covered
// by the same barriers, or were reported.
struct PtxTouch {
    uint16_t warp, lane;      // `several` for more than one
    uint32_t barriers, syncs; // how many the block, the warp had passed
};
const uint16_t ptx_several = 0xffff, ptx_nobody = 0xfffe;
const uint16_t ptx_engine = 0xfffd; // the copy engine: ordered by barriers in
                                    // shared memory, see hopper.cpp

struct PtxSharedByte {
    PtxTouch write = {ptx_nobody, 0, 0, 0}, read = write;
    bool in_flight = false; // a copy is under way
};

struct PtxHopper; // hopper.cpp: what there is for capability 9.0

struct PtxBlock {
    const PtxLaunch *launch;
    PtxDim index;
    std::vector<unsigned char> shared;
    std::vector<PtxSharedByte> touched; // of each byte
    uint32_t barriers = 0;
    uint64_t events = 0;     // that may let a warp go on which waits
    bool has_waited = false; // a thread, for the kernels before
    std::shared_ptr<PtxHopper> hopper;
};

// 16 bytes of cp.async; zeros where `from` is NULL.
struct PtxCopy {
    uint32_t to;
    const unsigned char *from;
};

// Copies of a thread, in the order of their issue; those of groups come first.
struct PtxCopies {
    std::vector<PtxCopy> copies;
    std::vector<size_t> groups; // copies in each, the oldest first
    size_t open = 0;            // copies that belong to no group yet
};

// Lanes that go together.
struct PtxFragment {
    int pc;
    PtxLanes lanes;
    bool waits; // for others, at an instruction of several lanes
};

struct PtxWarp {
    PtxBlock *block;
    int index;
    PtxLanes all, live; // lanes there are, and those that have not left
    std::vector<uint32_t> file;
    std::vector<PtxLanes> predicates;
    std::vector<unsigned char> local; // of each lane in turn
    std::vector<PtxFragment> fragments;
    PtxCopies copies[ptx_lanes];
    PtxLanes waited = 0; // for the kernels before
    uint32_t syncs = 0;
    uint64_t steps = 0;
    bool at_barrier = false;
    bool yields = false; // it waits for what other warps do
    const PtxInstruction *now = nullptr;

    // Ends the launch with the instruction, its line, the thread and `what`.
    [[noreturn]] void fail(int lane, const std::string &what) const;
};

// What a register of type T has in a lane: 16-bit values fill a word.
template <typename T>
using PtxCell = typename std::conditional<sizeof(T) == 2, uint32_t, T>::type;

template <typename T>
PtxCell<T> *
ptx_cell(PtxWarp &w, int cell)
{
    return (PtxCell<T> *)(w.file.data() + (size_t)cell * ptx_lanes);
}

// Calls f(lane) for each lane of `active`.
template <typename F>
inline void
ptx_each(PtxLanes active, F f)
{
    if (active == ptx_all_lanes) {
        for (int l = 0; l < ptx_lanes; l++)
            f(l);
    } else {
        for (int l = 0; l < ptx_lanes; l++) {
            if (active >> l & 1)
                f(l);
        }
    }
}

// Bytes a lane may read or write, after checks of the bounds, the alignment
// and, in shared memory, the other threads.
unsigned char *ptx_global(PtxWarp &w, int lane, uint64_t address, size_t n);
unsigned char *ptx_shared_read(PtxWarp &w, int lane, uint32_t address,
                               size_t n);
unsigned char *ptx_shared_write(PtxWarp &w, int lane, uint32_t address,
                                size_t n);

// Fails where a lane has to wait for the kernels before it touches this.
void ptx_check_late(PtxWarp &w, int lane, uint64_t address);

// A byte that an engine reads or writes: what threads have written needs a
// fence, which is not known here.
unsigned char *ptx_engine_read(PtxWarp &w, uint64_t address, size_t n);
void ptx_engine_target(PtxWarp &w, int lane, uint32_t address, size_t n);

// hopper.cpp. Lands the newest copy of the copy engine; false: there is none.
bool ptx_land_box(PtxBlock *block);
// Fails where a lane, or a block whose last warp is w, leaves something undone.
void ptx_check_leaving(PtxWarp &w, int lane);
void ptx_check_end(PtxWarp &w);

// Lands the oldest copies of a thread until `pending` groups are left.
void ptx_land_copies(PtxWarp &w, int lane, size_t pending);

// Runs all blocks, one after the other. Throws PtxError.
void ptx_run(const PtxLaunch &launch);
