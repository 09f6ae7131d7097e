// SPDX-License-Identifier: LGPL-2.1-or-later
//
// emulator.cpp - blocks of fibers, what they wait for, and delayed copies.

#include "tests/cuda_host/emulator.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <queue>
#include <utility>

#include "tests/cuda_host/fiber.h"
#include "tests/cuda_host/hopper.h"

namespace
{

const int max_lanes = 32;
const size_t margin = 256; // bytes behind shared memory that must stay NaN
// Threads of a dependent launch that begin early: as on a device, not all do.
const unsigned most_early = 2048;

struct Copy {
    unsigned char *dst;
    const void *src; // NULL: `early`, which has been read
    bool ok;
    unsigned char early[16];
};

struct Fiber {
    PeThread thread;
    unsigned priority;
    PeFiber fiber;
    // Copies in the order of their issue; those of the groups come first.
    std::vector<Copy> copies;
    std::vector<size_t> groups; // copies in each, the oldest first
    size_t open = 0;            // copies that belong to no group yet
};

struct Warp {
    int lanes = 0, arrived = 0;
    PeWarpOperation operation;
    int argument;
    const void *in[max_lanes];
    void *out[max_lanes];
    std::vector<Fiber *> waiting;
};

// A fiber that waits for nothing; the greatest key runs first.
struct Ready {
    unsigned priority, random;
    Fiber *fiber;

    bool
    operator<(const Ready &other) const
    {
        return priority != other.priority ? priority < other.priority
                                          : random < other.random;
    }
};

struct Block {
    ~Block()
    {
        for (Fiber &f : fibers)
            pe_fiber_clear(&f.fiber);
    }

    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    std::vector<unsigned char> memory; // of which `shared` is a part
    unsigned char *shared;
    size_t shared_size;
    const std::function<void()> *kernel;
    int live = 0; // threads that have not left
    std::priority_queue<Ready> ready;
    std::vector<Fiber *> at_barrier; // in __syncthreads()
    std::vector<Fiber *> sleeping;
    std::vector<Fiber *> at_grid; // in pe_grid_dependency_wait()
    bool dependent = false;
    bool before_ended = true; // what such threads wait for
    bool has_waited = false, has_triggered = false;
    std::shared_ptr<PeHopperBlock> hopper = pe_hopper_new_block();
    const char *error = nullptr;
};

Block *block;
Fiber *current;
std::minstd_rand random_engine;
PeEmulatorOrder thread_order;

void
suspend()
{
    pe_fiber_suspend(&current->fiber, false);
}

void
make_ready(Fiber *f)
{
    block->ready.push({f->priority, (unsigned)random_engine(), f});
}

void
release(std::vector<Fiber *> *waiting)
{
    for (Fiber *f : *waiting)
        make_ready(f);
    waiting->clear();
}

void
run_thread()
{
    pe_fiber_begin();
    (*block->kernel)();
    // A thread that has left counts as arrived at every later barrier.
    block->live--;
    if (block->live > 0 && (int)block->at_barrier.size() == block->live)
        release(&block->at_barrier);
    pe_fiber_suspend(&current->fiber, true);
}

// What is under way reads its source no later than the block waits.
void
read_sources()
{
    while (pe_hopper_land((unsigned)random_engine()))
        ;
    for (Fiber &f : block->fibers) {
        for (Copy &c : f.copies) {
            if (c.ok && c.src)
                memcpy(c.early, c.src, sizeof c.early);
            c.src = nullptr;
        }
    }
}

// Until it ends, or waits for the kernels before.
void
run_block(Block *b)
{
    block = b;
    pe_hopper_use_block(b->hopper.get());
    while (block->live > 0) {
        if (block->ready.empty() && !block->at_grid.empty()) {
            read_sources();
            if (block->ready.empty())
                return;
            continue;
        }
        if (block->ready.empty() && pe_hopper_land((unsigned)random_engine()))
            continue;
        if (block->ready.empty())
            throw PeEmulatorError{"deadlock: a barrier or a warp operation "
                                  "that not all threads reach"};
        current = block->ready.top().fiber;
        block->ready.pop();
        pe_thread = &current->thread;
        pe_fiber_resume(&current->fiber);
        if (block->error)
            throw PeEmulatorError{block->error};
    }
}

void
check_end()
{
    if (block->dependent && !block->has_waited)
        throw PeEmulatorError{"a block of a dependent launch ends without "
                              "having waited"};
    for (Fiber &f : block->fibers) {
        if (f.open > 0)
            throw PeEmulatorError{"a copy was never committed"};
    }
    if (const char *wrong = pe_hopper_end_block())
        throw PeEmulatorError{wrong};
    const unsigned char *end = block->shared + block->shared_size;
    for (size_t i = 0; i < margin; i++) {
        if (end[i] != 0xff)
            throw PeEmulatorError{"a write behind shared memory"};
    }
}

void
give_priorities(Block *b)
{
    std::vector<unsigned> of_warp;
    for (size_t i = 0; i < b->warps.size(); i++)
        of_warp.push_back((unsigned)random_engine());
    for (Fiber &f : b->fibers) {
        f.priority = 0;
        if (thread_order == PE_EMULATOR_WARPS)
            f.priority = of_warp[f.thread.warp];
        else if (thread_order == PE_EMULATOR_THREADS)
            f.priority = (unsigned)random_engine();
    }
}

void
start_block(Block *b, dim3 grid, dim3 index, dim3 dim, size_t shared)
{
    unsigned n = dim.x * dim.y * dim.z;
    b->fibers.resize(n);
    b->warps.resize((n + max_lanes - 1) / max_lanes);
    // All ones is a NaN in f32, f16 and bf16 alike; the margin shows a read
    // behind the end as a NaN too.
    b->memory.assign(1024 + shared + margin, 0xff);
    uintptr_t p = (uintptr_t)b->memory.data();
    b->shared = (unsigned char *)((p + 1023) & ~(uintptr_t)1023);
    b->shared_size = shared;
    b->live = (int)n;
    for (unsigned i = 0; i < n; i++) {
        PeThread *t = &b->fibers[i].thread;
        t->thread = dim3(i % dim.x, i / dim.x % dim.y, i / dim.x / dim.y);
        t->block = index;
        t->grid_dim = grid;
        t->block_dim = dim;
        t->lane = i % max_lanes;
        t->warp = i / max_lanes;
        b->warps[t->warp].lanes++;
        pe_fiber_init(&b->fibers[i].fiber, run_thread);
    }
    give_priorities(b);
    for (Fiber &f : b->fibers)
        make_ready(&f);
}

// A launch with the blocks that have begun, by their numbers.
struct Launch {
    dim3 grid, dim;
    size_t shared;
    std::function<void()> kernel;
    bool dependent;
    std::map<unsigned, std::unique_ptr<Block>> begun;

    unsigned
    blocks() const
    {
        return grid.x * grid.y * grid.z;
    }

    std::unique_ptr<Block>
    start(unsigned i)
    {
        std::unique_ptr<Block> b(new Block);
        b->kernel = &kernel;
        b->dependent = dependent;
        block = b.get();
        start_block(b.get(), grid,
                    dim3(i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y),
                    dim, shared);
        return b;
    }

    // Some blocks, as far as they go.
    void
    begin()
    {
        const unsigned threads = dim.x * dim.y * dim.z, n = blocks();
        const unsigned most = std::max(1u, most_early / threads);
        const unsigned first = (unsigned)random_engine() % n;
        if (!begun.empty())
            return;
        for (unsigned i = 0; i < std::min(n, most); i++) {
            std::unique_ptr<Block> &b = begun[(first + i) % n];
            b = start((first + i) % n);
            b->before_ended = false;
            run_block(b.get());
        }
    }

    void
    run()
    {
        bool has_triggered = false;
        for (unsigned i = 0; i < blocks(); i++) {
            std::unique_ptr<Block> b =
                begun.count(i) ? std::move(begun[i]) : start(i);
            block = b.get();
            b->before_ended = true;
            release(&b->at_grid);
            run_block(b.get());
            check_end();
            has_triggered = has_triggered || b->has_triggered;
            block = nullptr;
        }
        begun.clear();
        if (dependent && !has_triggered)
            throw PeEmulatorError{"a dependent launch lets no other begin"};
    }
};

std::function<void()> primary; // see pe_emulator_set_primary()

void
nothing(const void *const *, void *const *, int)
{
}

} // namespace

PeThread *pe_thread;

void
pe_emulator_set_order(PeEmulatorOrder order, unsigned seed)
{
    thread_order = order;
    random_engine.seed(seed + 1);
}

void
pe_emulator_fail(const char *what)
{
    block->error = what;
    for (;;)
        suspend();
}

// Without code for the device: cudaErrorNoKernelImageForDevice. Else it is for
// 9.0, or older.
int
pe_emulator_probe(int *version)
{
    *version = getenv("PE_FAKE_CUDA_OLD_PTX") ? 80 : 90;
    return getenv("PE_FAKE_CUDA_NO_CODE") ? 209 : 0;
}

void (*pe_emulator_queue)(void *stream, const char *name,
                          std::function<void()> run,
                          std::function<void()> begin);

void
pe_emulator_set_primary(std::function<void()> what)
{
    primary = std::move(what);
}

std::function<void()>
pe_emulator_take_primary(void)
{
    return std::exchange(primary, nullptr);
}

void
pe_emulator_launch(PeCudaStream stream, const char *name, dim3 grid, dim3 dim,
                   size_t shared, const std::function<void()> &kernel)
{
    auto launch = std::make_shared<Launch>(
        Launch{grid, dim, shared, kernel, stream.dependent, {}});
    std::function<void()> begin;
    if (stream.dependent)
        begin = [=] { launch->begin(); };
    if (pe_emulator_queue) {
        pe_emulator_queue(
            stream.stream, name, [=] { launch->run(); }, begin);
        return;
    }
    if (begin)
        begin();
    if (const auto before = pe_emulator_take_primary())
        before();
    launch->run();
}

unsigned char *
pe_emulator_shared(void)
{
    return block->shared;
}

size_t
pe_emulator_shared_size(void)
{
    return block->shared_size;
}

void
pe_emulator_sleep(void)
{
    block->sleeping.push_back(current);
    suspend();
}

void
pe_emulator_wake(void)
{
    release(&block->sleeping);
}

void
pe_grid_dependency_wait(void)
{
    block->has_waited = true;
    if (block->before_ended)
        return;
    block->at_grid.push_back(current);
    suspend();
}

void
pe_launch_dependents(void)
{
    block->has_triggered = true;
}

void
__syncthreads(void)
{
    if ((int)block->at_barrier.size() + 1 == block->live) {
        release(&block->at_barrier);
        return;
    }
    block->at_barrier.push_back(current);
    suspend();
}

void
pe_emulator_warp(const void *in, void *out, PeWarpOperation operation,
                 int argument)
{
    Warp *w = &block->warps[current->thread.warp];
    if (w->lanes != max_lanes)
        pe_emulator_fail("a warp operation in a partial warp");
    if (w->arrived == 0) {
        w->operation = operation;
        w->argument = argument;
    } else if (w->operation != operation || w->argument != argument) {
        pe_emulator_fail("lanes of a warp meet in different operations");
    }
    w->in[current->thread.lane] = in;
    w->out[current->thread.lane] = out;
    if (++w->arrived == w->lanes) {
        operation(w->in, w->out, argument);
        w->arrived = 0;
        release(&w->waiting);
        return;
    }
    w->waiting.push_back(current);
    suspend();
}

void
__syncwarp(unsigned)
{
    pe_emulator_warp(nullptr, nullptr, nothing, 0);
}

void
pe_cp_async16(PeSharedAddress dst, const void *src, bool ok)
{
    if (((uintptr_t)dst | (uintptr_t)src) & 15)
        pe_emulator_fail("cp.async of 16 bytes is not aligned");
    if (dst < block->shared || dst + 16 > block->shared + block->shared_size)
        pe_emulator_fail("cp.async to outside of shared memory");
    memset(dst, 0xff, 16);
    current->copies.push_back({dst, src, ok, {}});
    current->open++;
}

void
pe_cp_async_commit(void)
{
    current->groups.push_back(current->open);
    current->open = 0;
}

void
pe_emulator_cp_async_wait(size_t pending)
{
    Fiber *f = current;
    while (f->groups.size() > pending) {
        size_t n = f->groups.front();
        for (size_t i = 0; i < n; i++) {
            const Copy &c = f->copies[i];
            if (c.ok)
                memcpy(c.dst, c.src ? c.src : c.early, 16);
            else
                memset(c.dst, 0, 16);
        }
        f->copies.erase(f->copies.begin(), f->copies.begin() + n);
        f->groups.erase(f->groups.begin());
    }
}
