// SPDX-License-Identifier: LGPL-2.1-or-later
//
// hopper.cpp - barriers, copies and products of a block; see hopper.h.

#include "tests/cuda_host/hopper.h"

#include <deque>
#include <map>

namespace
{

const int lanes = 32, warps_of_group = 4;

struct Barrier {
    int count = 0, pending = 0; // arrivals of a phase, and those still missing
    int64_t bytes = 0;          // announced and not landed
    int parity = 0;             // of the phase that runs
};

struct Transfer {
    uint32_t to;
    FakeTensorMap map;
    int at[3];
    uint32_t barrier;
};

// A product of a warp: the operands of its lanes.
struct WarpProduct {
    PeProduct of[lanes];
};

struct WarpProducts {
    std::vector<WarpProduct> open;
    std::deque<std::vector<WarpProduct>> groups;
    std::vector<uint64_t> history; // what each product was
    bool fenced = false;
};

} // namespace

struct PeHopperBlock {
    std::map<uint32_t, Barrier> barriers; // by their offsets
    bool barriers_fenced = false;
    std::vector<Transfer> transfers;
    std::map<unsigned, WarpProducts> products; // by warp
};

namespace
{

PeHopperBlock *now; // of the block that runs

// Bytes of shared memory after a check.
unsigned char *
shared_bytes(uint64_t offset, size_t n)
{
    if (offset + n > pe_emulator_shared_size())
        pe_emulator_fail("a matrix or a box is outside of shared memory");
    return pe_emulator_shared() + offset;
}

Barrier *
find_barrier(PeSharedAddress address)
{
    auto found = now->barriers.find(pe_shared_offset(address));
    if (found == now->barriers.end())
        pe_emulator_fail("a barrier that nobody has made");
    return &found->second;
}

void
end_phase(Barrier *b)
{
    if (b->pending > 0 || b->bytes != 0)
        return;
    b->pending = b->count;
    b->parity ^= 1;
    pe_emulator_wake();
}

} // namespace

uint32_t
pe_shared_offset(PeSharedAddress a)
{
    return (uint32_t)(a - pe_emulator_shared());
}

// ---- Barriers ---------------------------------------------------------------

void
pe_barrier_init(PeSharedAddress barrier, int count)
{
    const uint32_t offset = pe_shared_offset(barrier);
    if (offset % 8 || count < 1)
        pe_emulator_fail("a barrier that cannot be");
    shared_bytes(offset, 8);
    now->barriers[offset] = {count, count, 0, 0};
    now->barriers_fenced = false;
}

void
pe_barrier_init_done(void)
{
    now->barriers_fenced = true;
}

void
pe_barrier_arrive(PeSharedAddress barrier)
{
    Barrier *b = find_barrier(barrier);
    if (b->pending == 0)
        pe_emulator_fail("more threads arrive at a barrier than it counts");
    b->pending--;
    end_phase(b);
}

void
pe_barrier_expect(PeSharedAddress barrier, int bytes)
{
    find_barrier(barrier)->bytes += bytes;
    pe_barrier_arrive(barrier);
}

void
pe_barrier_wait(PeSharedAddress barrier, int parity)
{
    while (find_barrier(barrier)->parity == (parity & 1))
        pe_emulator_sleep();
}

// ---- Copies -----------------------------------------------------------------

void
pe_tensor_load(PeSharedAddress to, const PeTensorMap *map, int x, int y, int z,
               PeSharedAddress barrier)
{
    Transfer t = {
        pe_shared_offset(to), {}, {x, y, z}, pe_shared_offset(barrier)};
    memcpy(&t.map, map, sizeof t.map);
    find_barrier(barrier);
    if (!now->barriers_fenced)
        pe_emulator_fail("the copy engine may not see a barrier yet");
    if (t.map.magic != fake_tensor_magic)
        pe_emulator_fail("a copy without a tensor map");
    if (t.to % 128)
        pe_emulator_fail("a box goes to where no 128 bytes begin");
    memset(shared_bytes(t.to, (size_t)t.map.bytes()), 0xff,
           (size_t)t.map.bytes());
    now->transfers.push_back(t);
}

bool
pe_hopper_land(unsigned random)
{
    if (now->transfers.empty())
        return false;
    const auto chosen = now->transfers.begin() + random % now->transfers.size();
    const Transfer t = *chosen;
    now->transfers.erase(chosen);
    const int pieces = (int)t.map.box[0] / 8;
    for (int row = 0; row < (int)t.map.box[1]; row++) {
        for (int i = 0; i < pieces; i++) {
            const uint64_t from = t.map.piece(t.at, row, i);
            unsigned char *to =
                pe_emulator_shared() +
                fake_swizzle(t.to + (uint64_t)(row * pieces + i) * 16,
                             t.map.row_bytes);
            if (from)
                memcpy(to, (const void *)(uintptr_t)from, 16);
            else
                memset(to, 0, 16);
        }
    }
    Barrier *b = &now->barriers[t.barrier];
    b->bytes -= t.map.bytes();
    end_phase(b);
    return true;
}

// ---- Products ---------------------------------------------------------------

namespace
{

void
record(const void *const *in, void *const *, int)
{
    WarpProducts *w = &now->products[pe_thread->warp];
    WarpProduct p;
    for (int l = 0; l < lanes; l++) {
        p.of[l] = *(const PeProduct *)in[l];
        if (p.of[l].left != p.of[0].left || p.of[l].right != p.of[0].right ||
            p.of[l].add != p.of[0].add)
            pe_emulator_fail("lanes have different operands of a product");
    }
    if (!w->fenced)
        pe_emulator_fail("a product may come before what its registers got");
    for (int l = 0; l < lanes && !p.of[0].add; l++)
        memset(p.of[l].d, 0xff, (size_t)p.of[l].columns * 2);
    w->open.push_back(p);
    w->history.push_back(p.of[0].left * 31 + p.of[0].right);
}

void
fence(const void *const *, void *const *, int)
{
    now->products[pe_thread->warp].fenced = true;
}

void
commit(const void *const *, void *const *, int)
{
    WarpProducts *w = &now->products[pe_thread->warp];
    w->groups.push_back(std::move(w->open));
    w->open.clear();
    w->fenced = false;
}

float
read_shared(const PeProduct &p, uint64_t descriptor, int i, int k,
            bool transposed)
{
    const MatrixDescriptor m = {descriptor};
    uint16_t bits;
    memcpy(&bits, shared_bytes(m.offset(i, k, transposed), 2), 2);
    return p.to_f32(bits);
}

// The warp's 16 rows of the left operand. Registers are as in mma.m16n8k16;
// 9.7.15.5.2.
void
read_left(const WarpProduct &product, unsigned warp, float (&a)[16][16])
{
    const PeProduct &first = product.of[0];
    for (int i = 0; i < 16 && !first.left_registers; i++) {
        const int row = (int)(warp % warps_of_group) * 16 + i;
        for (int k = 0; k < 16; k++)
            a[i][k] = read_shared(first, first.left, row, k, false);
    }
    for (int l = 0; l < lanes && first.left_registers; l++) {
        for (int r = 0; r < 4; r++) {
            const uint32_t v = product.of[l].left_registers[r];
            const int i = l / 4 + r % 2 * 8, k = l % 4 * 2 + r / 2 * 8;
            a[i][k] = first.to_f32((uint16_t)v);
            a[i][k + 1] = first.to_f32((uint16_t)(v >> 16));
        }
    }
}

void
multiply(const WarpProduct &product, unsigned warp)
{
    const PeProduct &first = product.of[0];
    const bool transposed = first.left_registers != nullptr;
    float a[16][16], b[16];
    read_left(product, warp, a);
    for (int column = 0; column < first.columns; column++) {
        for (int k = 0; k < 16; k++)
            b[k] = read_shared(first, first.right, column, k, transposed);
        for (int row = 0; row < 16; row++) {
            float sum = 0;
            for (int k = 0; k < 16; k++)
                sum += a[row][k] * b[k];
            const PeProduct &p = product.of[row % 8 * 4 + column % 8 / 2];
            float *d = p.d + column / 8 * 4 + row / 8 * 2 + column % 2;
            *d = first.add ? *d + sum : sum;
        }
    }
}

void
wait(const void *const *, void *const *, int pending)
{
    WarpProducts *w = &now->products[pe_thread->warp];
    while ((int)w->groups.size() > pending) {
        for (const WarpProduct &p : w->groups.front())
            multiply(p, pe_thread->warp);
        w->groups.pop_front();
    }
}

} // namespace

void
pe_wgmma_fence(void)
{
    pe_emulator_warp(nullptr, nullptr, fence, 0);
}

void
pe_wgmma_commit(void)
{
    pe_emulator_warp(nullptr, nullptr, commit, 0);
}

void
pe_emulator_wgmma_wait(int pending)
{
    pe_emulator_warp(nullptr, nullptr, wait, pending);
}

void
pe_emulator_wgmma(const PeProduct &p)
{
    if (!MatrixDescriptor{p.right}.is_known() ||
        (!p.left_registers && !MatrixDescriptor{p.left}.is_known()))
        pe_emulator_fail("a matrix that is not understood");
    pe_emulator_warp(&p, nullptr, record, 0);
}

// ---- Blocks -----------------------------------------------------------------

std::shared_ptr<PeHopperBlock>
pe_hopper_new_block(void)
{
    return std::make_shared<PeHopperBlock>();
}

void
pe_hopper_use_block(PeHopperBlock *block)
{
    now = block;
}

const char *
pe_hopper_end_block(void)
{
    if (!now->transfers.empty())
        return "a copy is under way when the block ends";
    for (const auto &b : now->barriers) {
        if (b.second.bytes != 0)
            return "bytes were announced that have not landed";
    }
    for (const auto &p : now->products) {
        const unsigned first = p.first / warps_of_group * warps_of_group;
        if (!p.second.open.empty() || !p.second.groups.empty())
            return "products are under way when the block ends";
        for (unsigned w = first; w < first + warps_of_group; w++) {
            if (now->products[w].history != p.second.history)
                return "warps of a warpgroup have different products";
        }
    }
    return nullptr;
}
