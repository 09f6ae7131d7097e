// SPDX-License-Identifier: LGPL-2.1-or-later
//
// emulator.cpp - fibers, barriers, warp collectives and delayed copies.

#include "tests/cuda_host/emulator.h"

#include <ucontext.h>

#include <algorithm>
#include <memory>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define FIBER_SANITIZER 1
#else
#define FIBER_SANITIZER 0
#endif

namespace
{

const size_t stack_size = 256 << 10; // a kernel's registers and arrays
const int max_lanes = 32;

struct Copy {
    unsigned char *dst;
    const void *src;
    bool ok;
};

struct Fiber {
    PeThread thread;
    ucontext_t context;
    std::unique_ptr<unsigned char[]> stack;
    bool started = false, done = false;
    std::vector<Copy> open;
    std::vector<std::vector<Copy>> groups;
    void *fake_stack = nullptr;
};

struct Warp {
    int lanes = 0, arrived = 0;
    unsigned generation = 0;
    const void *in[max_lanes];
    void *out[max_lanes];
};

struct Block {
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    std::vector<unsigned char> shared;
    const std::function<void()> *kernel;
    int live = 0, at_barrier = 0;
    unsigned generation = 0;
    bool progress = false; // anything has happened in this round
    const char *error = nullptr;
    ucontext_t scheduler;
    void *scheduler_fake = nullptr;
    const void *scheduler_stack = nullptr;
    size_t scheduler_size = 0;
};

Block *block;
Fiber *current;
std::mt19937 random_engine;

void
switch_to_scheduler(bool last)
{
    Fiber *self = current;
#if FIBER_SANITIZER
    __sanitizer_start_switch_fiber(last ? nullptr : &self->fake_stack,
                                   block->scheduler_stack,
                                   block->scheduler_size);
#endif
    swapcontext(&self->context, &block->scheduler);
#if FIBER_SANITIZER
    __sanitizer_finish_switch_fiber(self->fake_stack, nullptr, nullptr);
#endif
    (void)last;
}

// A fiber cannot throw: it has no caller. The scheduler does it instead.
void
fail(const char *what)
{
    block->error = what;
    for (;;)
        switch_to_scheduler(false);
}

void
fiber_entry()
{
#if FIBER_SANITIZER
    __sanitizer_finish_switch_fiber(nullptr, &block->scheduler_stack,
                                    &block->scheduler_size);
#endif
    (*block->kernel)();
    // A thread that has left counts as arrived at every later barrier.
    current->done = true;
    block->live--;
    block->progress = true;
    if (block->live > 0 && block->at_barrier == block->live) {
        block->at_barrier = 0;
        block->generation++;
    }
    switch_to_scheduler(true);
}

void
resume(Fiber *f)
{
    current = f;
    pe_thread = &f->thread;
    if (!f->started) {
        f->started = true;
        block->progress = true;
        f->stack.reset(new unsigned char[stack_size]);
        getcontext(&f->context);
        f->context.uc_stack.ss_sp = f->stack.get();
        f->context.uc_stack.ss_size = stack_size;
        f->context.uc_link = nullptr;
        makecontext(&f->context, fiber_entry, 0);
    }
#if FIBER_SANITIZER
    __sanitizer_start_switch_fiber(&block->scheduler_fake, f->stack.get(),
                                   stack_size);
#endif
    swapcontext(&block->scheduler, &f->context);
#if FIBER_SANITIZER
    __sanitizer_finish_switch_fiber(block->scheduler_fake, nullptr, nullptr);
#endif
}

void
run_block()
{
    std::vector<Fiber *> order;
    for (Fiber &f : block->fibers)
        order.push_back(&f);
    while (block->live > 0) {
        std::shuffle(order.begin(), order.end(), random_engine);
        block->progress = false;
        for (Fiber *f : order) {
            if (!f->done)
                resume(f);
            if (block->error)
                throw PeEmulatorError{block->error};
        }
        if (!block->progress)
            throw PeEmulatorError{"deadlock: a barrier or a warp operation "
                                  "that not all threads reach"};
    }
    for (Fiber &f : block->fibers) {
        if (!f.open.empty())
            throw PeEmulatorError{"a copy was never committed"};
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
    b->shared.assign(shared + 256, 0xff);
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
    }
}

// f32 product of one 16x8x16 tile in the fragment layout of mma.m16n8k16.
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16".
struct MmaOperands {
    float *c;
    const uint32_t *a;
    uint32_t b[2];
};

template <typename T>
void
mma_16816(const void *const *in, void *const *out, int)
{
    float a[16][16], b[16][8];
    for (int l = 0; l < max_lanes; l++) {
        const MmaOperands *m = (const MmaOperands *)in[l];
        int group = l / 4, t = l % 4;
        for (int i = 0; i < 4; i++) {
            int row = group + (i & 1) * 8, k = t * 2 + (i >> 1) * 8;
            a[row][k] = pe_to_float(T{(uint16_t)m->a[i]});
            a[row][k + 1] = pe_to_float(T{(uint16_t)(m->a[i] >> 16)});
        }
        for (int i = 0; i < 2; i++) {
            int k = t * 2 + i * 8;
            b[k][group] = pe_to_float(T{(uint16_t)m->b[i]});
            b[k + 1][group] = pe_to_float(T{(uint16_t)(m->b[i] >> 16)});
        }
    }
    for (int l = 0; l < max_lanes; l++) {
        const MmaOperands *m = (const MmaOperands *)in[l];
        for (int i = 0; i < 4; i++) {
            int row = l / 4 + (i >> 1) * 8, col = l % 4 * 2 + (i & 1);
            float sum = 0;
            for (int k = 0; k < 16; k++)
                sum += a[row][k] * b[k][col];
            m->c[i] += sum;
        }
    }
    (void)out;
}

template <typename T>
void
mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    MmaOperands m = {c, a, {b0, b1}};
    pe_emulator_warp(&m, nullptr, mma_16816<T>, 0);
}

void
ldmatrix_x4(const void *const *in, void *const *out, int transpose)
{
    for (int l = 0; l < max_lanes; l++) {
        uint32_t *r = (uint32_t *)out[l];
        for (int m = 0; m < 4; m++) {
            uint16_t e[2];
            for (int j = 0; j < 2; j++) {
                int row = transpose ? l % 4 * 2 + j : l / 4;
                int col = transpose ? l / 4 : l % 4 * 2 + j;
                memcpy(&e[j], (const unsigned char *)in[m * 8 + row] + col * 2,
                       2);
            }
            r[m] = e[0] | (uint32_t)e[1] << 16;
        }
    }
}

void
shuffle_xor(const void *const *in, void *const *out, int mask)
{
    for (int l = 0; l < max_lanes; l++)
        *(float *)out[l] = *(const float *)in[l ^ mask];
}

void
nothing(const void *const *, void *const *, int)
{
}

} // namespace

PeThread *pe_thread;

void
pe_emulator_seed(unsigned seed)
{
    random_engine.seed(seed);
}

void
pe_emulate(dim3 grid, dim3 dim, size_t shared,
           const std::function<void()> &kernel)
{
    for (unsigned z = 0; z < grid.z; z++) {
        for (unsigned y = 0; y < grid.y; y++) {
            for (unsigned x = 0; x < grid.x; x++) {
                Block b;
                b.kernel = &kernel;
                start_block(&b, grid, dim3(x, y, z), dim, shared);
                block = &b;
                run_block();
            }
        }
    }
}

void (*pe_emulator_queue)(void *stream, std::function<void()> launch);

void
pe_emulator_launch(void *stream, dim3 grid, dim3 dim, size_t shared,
                   const std::function<void()> &kernel)
{
    if (pe_emulator_queue)
        pe_emulator_queue(stream,
                          [=] { pe_emulate(grid, dim, shared, kernel); });
    else
        pe_emulate(grid, dim, shared, kernel);
}

unsigned char *
pe_emulator_shared(void)
{
    uintptr_t p = (uintptr_t)block->shared.data();
    return (unsigned char *)((p + 127) & ~(uintptr_t)127);
}

void
__syncthreads(void)
{
    unsigned generation = block->generation;
    block->progress = true;
    if (++block->at_barrier == block->live) {
        block->at_barrier = 0;
        block->generation++;
        return;
    }
    while (block->generation == generation)
        switch_to_scheduler(false);
    block->progress = true;
}

void
pe_emulator_warp(const void *in, void *out,
                 void (*op)(const void *const *, void *const *, int),
                 int argument)
{
    Warp *w = &block->warps[current->thread.warp];
    unsigned lane = current->thread.lane, generation = w->generation;
    if (w->lanes != max_lanes)
        fail("a warp operation in a partial warp");
    w->in[lane] = in;
    w->out[lane] = out;
    block->progress = true;
    if (++w->arrived == w->lanes) {
        op(w->in, w->out, argument);
        w->arrived = 0;
        w->generation++;
        return;
    }
    while (w->generation == generation)
        switch_to_scheduler(false);
    block->progress = true;
}

void
__syncwarp(unsigned)
{
    pe_emulator_warp(nullptr, nullptr, nothing, 0);
}

float
pe_shuffle_xor(float v, int mask)
{
    float out;
    pe_emulator_warp(&v, &out, shuffle_xor, mask);
    return out;
}

void
pe_cp_async16(PeSharedAddress dst, const void *src, bool ok)
{
    if (((uintptr_t)dst | (uintptr_t)src) & 15)
        fail("cp.async of 16 bytes is not aligned");
    memset(dst, 0xff, 16);
    current->open.push_back({dst, src, ok});
}

void
pe_cp_async_commit(void)
{
    current->groups.push_back(std::move(current->open));
    current->open.clear();
}

void
pe_emulator_cp_async_wait(size_t pending)
{
    auto &groups = current->groups;
    while (groups.size() > pending) {
        for (const Copy &c : groups.front()) {
            if (c.ok)
                memcpy(c.dst, c.src, 16);
            else
                memset(c.dst, 0, 16);
        }
        groups.erase(groups.begin());
    }
}

void
pe_emulator_ldmatrix_x4(uint32_t (&r)[4], PeSharedAddress a, bool transpose)
{
    if ((uintptr_t)a & 15)
        fail("an ldmatrix row is not aligned");
    pe_emulator_warp(a, r, ldmatrix_x4, transpose);
}

void
pe_mma_16816(PeBf16, float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
             uint32_t b1)
{
    mma<PeBf16>(c, a, b0, b1);
}

void
pe_mma_16816(PeHalf, float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
             uint32_t b1)
{
    mma<PeHalf>(c, a, b0, b1);
}
