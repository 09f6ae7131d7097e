// SPDX-License-Identifier: LGPL-2.1-or-later
//
// machine.cpp - runs a grid: blocks one after the other, the warps of a block
// from barrier to barrier, the lanes of a warp together as long as they are at
// the same instruction.
//
// Lanes that part are fragments of a warp; the one that is furthest back goes
// on, until it meets another. An instruction of several lanes waits for all of
// them, as on devices whose threads have program counters of their own
// (PTX ISA 9.0, 3.1 and 9.5). The order in which warps run matters to no kernel
// that passes: memory.cpp finds those that depend on it.

#include "tests/cuda_host/ptx/machine.h"

#include <cstdio>
#include <cstring>

namespace
{

// Instructions that a warp may take: a planted bug may loop for ever.
const uint64_t max_steps = 50 * 1000 * 1000;

unsigned
volume(PtxDim d)
{
    return d.x * d.y * d.z;
}

unsigned
special_of(const PtxWarp &w, PtxSpecial special, int lane)
{
    const PtxLaunch *launch = w.block->launch;
    const PtxDim b = launch->block;
    const unsigned thread = w.index * ptx_lanes + lane;
    const unsigned values[] = {
        thread % b.x,
        thread / b.x % b.y,
        thread / b.x / b.y,
        w.block->index.x,
        w.block->index.y,
        w.block->index.z,
        b.x,
        b.y,
        b.z,
        launch->grid.x,
        launch->grid.y,
        launch->grid.z,
        (unsigned)lane,
    };
    return values[special];
}

// Registers begin as NaN, or large: a read before the first write shows.
void
start_warp(PtxWarp *w, PtxBlock *block, int index)
{
    const PtxProgram *program = block->launch->program;
    const unsigned threads = volume(block->launch->block);
    const unsigned first = index * ptx_lanes;
    w->block = block;
    w->index = index;
    w->all = threads - first >= ptx_lanes ? ptx_all_lanes
                                          : (1u << (threads - first)) - 1;
    w->live = w->all;
    w->file.assign((size_t)program->n_cells * ptx_lanes, ~0u);
    w->predicates.assign(program->n_predicates, 0);
    if (program->true_predicate >= 0)
        w->predicates[program->true_predicate] = ptx_all_lanes;
    w->local.assign(program->locals_size * ptx_lanes, 0xff);
    w->fragments = {{0, w->all, false}};
    for (const PtxConstant &c : program->constants) {
        for (int l = 0; l < ptx_lanes; l++) {
            if (c.bits == 64)
                ptx_cell<uint64_t>(*w, c.cell)[l] = c.value;
            else
                ptx_cell<uint32_t>(*w, c.cell)[l] =
                    (uint32_t)c.value & (c.bits == 16 ? 0xffff : ~0u);
        }
    }
    for (const auto &s : program->specials) {
        for (int l = 0; l < ptx_lanes; l++)
            ptx_cell<uint32_t>(*w, s.first)[l] = special_of(*w, s.second, l);
    }
}

int
first_of(PtxLanes lanes)
{
    return __builtin_ctz(lanes);
}

// Lanes that have to be at the instruction, for it to run for `active`.
PtxLanes
members_of(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    if (i.kind == PTX_BARRIER)
        return w.live;
    if (i.kind == PTX_ALIGNED)
        return w.all;
    const uint32_t *masks = ptx_cell<uint32_t>(w, i.operands[i.n_operands - 1]);
    const PtxLanes members = masks[first_of(active)];
    ptx_each(active, [&](int l) {
        if (masks[l] != members || !(members >> l & 1))
            w.fail(l, "its mask of members is wrong");
    });
    return members;
}

// The fragment at `f` leaves it to others: it has none left, or waits. Joins
// those that have met, and returns the one to go on: that which is furthest
// back and does not wait; -1 if all do.
int
choose_fragment(PtxWarp *w)
{
    std::vector<PtxFragment> &all = w->fragments;
    int best = -1;
    for (size_t i = 0; i < all.size(); i++) {
        for (size_t j = all.size() - 1; j > i; j--) {
            if (all[j].pc != all[i].pc)
                continue;
            all[i].lanes |= all[j].lanes;
            all[i].waits = false; // look again
            all.erase(all.begin() + (long)j);
        }
        if (!all[i].waits && (best < 0 || all[i].pc < all[best].pc))
            best = (int)i;
    }
    return best;
}

// Takes a branch with the lanes of `taken`, of fragment f.
void
branch(PtxWarp *w, int f, const PtxInstruction &i, PtxLanes taken)
{
    PtxFragment *now = &w->fragments[f];
    const PtxLanes rest = now->lanes & ~taken;
    if (!rest) {
        now->pc = i.target;
        return;
    }
    now->pc++;
    if (!taken)
        return;
    now->lanes = rest;
    w->fragments.push_back({i.target, taken, false});
}

void
leave(PtxWarp *w, int f, PtxLanes lanes)
{
    ptx_each(lanes, [&](int l) {
        ptx_check_leaving(*w, l);
        if (w->copies[l].open > 0)
            w->fail(l, "leaves with a copy that was never committed");
        w->copies[l] = PtxCopies();
    });
    w->live &= ~lanes;
    w->fragments[f].lanes &= ~lanes;
    w->fragments[f].pc++;
    if (w->fragments[f].lanes)
        return;
    w->fragments.erase(w->fragments.begin() + f);
    for (PtxFragment &other : w->fragments)
        other.waits = false; // for the one that has left, perhaps
}

// One instruction of fragment f. False when it has to wait for other lanes or,
// then at_barrier is true, for other warps.
bool
step(PtxWarp *w, int f, const PtxInstruction &i)
{
    PtxFragment *now = &w->fragments[f];
    PtxLanes active = now->lanes;
    if (i.guard >= 0) {
        PtxLanes p = w->predicates[i.guard];
        active &= i.negated ? ~p : p;
    }
    if (i.kind == PTX_BRANCH) {
        branch(w, f, i, active);
        return true;
    }
    if (i.kind == PTX_EXIT) {
        leave(w, f, active);
        return true;
    }
    if (i.kind != PTX_PLAIN && active) {
        PtxLanes members = members_of(*w, i, active);
        if (active != members) {
            now->waits = true;
            return false;
        }
    }
    now->pc++;
    if (i.kind == PTX_BARRIER && active) {
        w->at_barrier = true;
        return false;
    }
    if (active)
        i.run(*w, i, active);
    return true;
}

// Until the warp is at a barrier, waits for others or has left.
void
run_warp(PtxWarp *w)
{
    const std::vector<PtxInstruction> &code = w->block->launch->program->code;
    int f = choose_fragment(w);
    while (w->live) {
        if (f < 0)
            w->fail(first_of(w->live), "waits for lanes that never come");
        const int pc = w->fragments[f].pc;
        if (pc >= (int)code.size())
            w->fail(first_of(w->live), "runs behind the last instruction");
        w->now = &code[pc];
        if (++w->steps > max_steps)
            w->fail(first_of(w->live), "never ends");
        bool goes_on = step(w, f, code[pc]);
        if (w->at_barrier || w->yields)
            return;
        if (!goes_on || w->fragments.size() != 1)
            f = choose_fragment(w);
        else
            f = 0;
    }
}

// All warps as far as they go without a barrier of the block or a copy that has
// not landed. False: all have left.
bool
run_warps(std::vector<PtxWarp> *warps)
{
    PtxBlock *block = warps->front().block;
    uint64_t before;
    bool any;
    do {
        before = block->events;
        any = false;
        for (PtxWarp &w : *warps) {
            w.yields = false;
            if (!w.at_barrier)
                run_warp(&w);
            any = any || w.live;
        }
    } while (block->events != before);
    return any;
}

void
run_block(PtxBlock *block)
{
    const unsigned threads = volume(block->launch->block);
    std::vector<PtxWarp> warps((threads + ptx_lanes - 1) / ptx_lanes);
    for (size_t i = 0; i < warps.size(); i++)
        start_warp(&warps[i], block, (int)i);
    while (run_warps(&warps)) {
        // 9.7.13.1: a barrier waits for all threads that have not left.
        PtxWarp *waits = nullptr;
        for (PtxWarp &w : warps)
            waits = w.live && !w.at_barrier ? &w : waits;
        if (!waits) {
            for (PtxWarp &w : warps)
                w.at_barrier = false;
            block->barriers++;
        } else if (!ptx_land_box(block)) {
            waits->fail(first_of(waits->live), "waits for ever");
        }
    }
    ptx_check_end(warps.back());
}

} // namespace

void
PtxWarp::fail(int lane, const std::string &what) const
{
    const PtxModule *module = block->launch->module;
    std::string text = now ? module->lines[now->line - 1] : "";
    size_t begin = text.find_first_not_of(" \t");
    text = begin == std::string::npos ? "" : text.substr(begin);
    for (char &c : text)
        c = c == '\t' ? ' ' : c;
    char where[160];
    snprintf(where, sizeof where, "thread %d of block %u, %u, %u",
             index * ptx_lanes + lane, block->index.x, block->index.y,
             block->index.z);
    throw PtxError(module->file + ":" + std::to_string(now ? now->line : 0) +
                   ": " + text + " (" + block->launch->kernel->name + ", " +
                   where + "): " + what);
}

void
ptx_run(const PtxLaunch &launch)
{
    PtxBlock block;
    block.launch = &launch;
    for (unsigned z = 0; z < launch.grid.z; z++) {
        for (unsigned y = 0; y < launch.grid.y; y++) {
            for (unsigned x = 0; x < launch.grid.x; x++) {
                block.index = {x, y, z};
                block.barriers = 0;
                block.has_waited = false;
                block.hopper.reset();
                block.shared.assign(launch.shared_size, 0xff);
                block.touched.assign(launch.shared_size, PtxSharedByte());
                run_block(&block);
            }
        }
    }
}
