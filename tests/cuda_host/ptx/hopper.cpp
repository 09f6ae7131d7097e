// SPDX-License-Identifier: LGPL-2.1-or-later
//
// hopper.cpp - what compute capability 9.0a adds: barriers in shared memory,
// the copy engine, products of warpgroups, grids that depend on another.
// Sections are those of the PTX ISA 9.0.
//
// All happens as late as it may: a box lands when no warp can go on without it,
// the newest first, as nothing orders them; products are computed in the wait
// that covers them, and their sums are NaN before. A barrier in shared memory
// orders the engines by what it lets run; memory.cpp knows nothing of it, and
// reports where two threads exchange data through shared memory over such a
// barrier. Ours do not.

#include <cstring>
#include <deque>
#include <limits>

#include "tests/cuda_host/matrices.h"
#include "tests/cuda_host/ptx/operate.h"

extern "C" {
#include "core/base/tensor.h"
}

namespace
{

const int warps_of_group = 4;

struct Barrier {
    int count, pending; // arrivals of a phase, and those still missing
    int64_t bytes;      // announced and not landed
    uint32_t parity;    // of the phase that runs
    // Who has made it, and after how many barriers of the block.
    int warp;
    uint32_t barriers;
};

struct Box {
    uint32_t to, barrier;
    FakeTensorMap map;
    int at[3];
};

// Sums under way.
struct Sums {
    std::vector<float> values; // [registers, lanes]
    int products = 0;
};

struct Product {
    const PtxInstruction *i;
    // What is taken at once; matrices and registers are read later.
    uint64_t left, right;
    bool add;
    void (*compute)(PtxWarp &w, const Product &p, Sums *sums);
};

struct WarpProducts {
    std::vector<Product> open;
    std::deque<std::vector<Product>> groups;
    std::map<int, Sums> sums;      // by the first of their registers
    std::vector<uint64_t> history; // what each product was
    bool fenced = false;
};

} // namespace

struct PtxHopper {
    std::map<uint32_t, Barrier> barriers; // by address
    bool fenced = false;                  // for the copy engine
    std::vector<Box> boxes;
    std::map<int, WarpProducts> products; // by warp
};

namespace
{

PtxHopper *
hopper_of(PtxBlock *block)
{
    if (!block->hopper)
        block->hopper = std::make_shared<PtxHopper>();
    return block->hopper.get();
}

// ---- 9.7.13.15, mbarrier ----------------------------------------------------

Barrier *
find_barrier(PtxWarp &w, int lane, uint32_t address)
{
    PtxHopper *h = hopper_of(w.block);
    auto found = h->barriers.find(address);
    if (found == h->barriers.end())
        w.fail(lane, "nobody has made this barrier");
    if (found->second.warp != w.index &&
        found->second.barriers == w.block->barriers)
        w.fail(lane, "no barrier of the block since it was made");
    return &found->second;
}

// 9.7.13.15.5: the phase ends when neither arrivals nor bytes are missing.
void
end_phase(PtxBlock *block, Barrier *b)
{
    if (b->pending > 0 || b->bytes != 0)
        return;
    b->pending = b->count;
    b->parity ^= 1;
    block->events++;
}

// 9.7.13.15.9, mbarrier.init. Operands: the address, the arrivals of a phase.
void
init_barrier(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    PtxHopper *h = hopper_of(w.block);
    ptx_each(active, [&](int l) {
        const uint32_t at = ptx_cell<uint32_t>(w, i.operands[0])[l];
        const int count = (int)ptx_cell<uint32_t>(w, i.operands[1])[l];
        ptx_shared_write(w, l, at, 8);
        if (count < 1 || count >= 1 << 20)
            w.fail(l, "a barrier for " + std::to_string(count) + " arrivals");
        h->barriers[at] = {count, count, 0, 0, w.index, w.block->barriers};
    });
    h->fenced = false;
}

// 9.7.13.4, fence.mbarrier_init
void
fence_barriers(PtxWarp &w, const PtxInstruction &, PtxLanes)
{
    hopper_of(w.block)->fenced = true;
}

void
arrive_at(PtxWarp &w, int lane, Barrier *b)
{
    if (b->pending == 0)
        w.fail(lane, "arrives where nobody is missing");
    b->pending--;
    end_phase(w.block, b);
}

// 9.7.13.15.13, mbarrier.arrive. Operand: the address.
void
arrive(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    ptx_each(active, [&](int l) {
        arrive_at(w, l,
                  find_barrier(w, l, ptx_cell<uint32_t>(w, i.operands[0])[l]));
    });
}

// With .expect_tx: first more bytes. Operands: the address, the bytes.
void
arrive_and_expect(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    ptx_each(active, [&](int l) {
        Barrier *b =
            find_barrier(w, l, ptx_cell<uint32_t>(w, i.operands[0])[l]);
        b->bytes += ptx_cell<uint32_t>(w, i.operands[1])[l];
        if (b->bytes >= 1 << 20)
            w.fail(l, "a barrier cannot count so many bytes");
        arrive_at(w, l, b);
    });
}

// 9.7.13.15.16, mbarrier.try_wait.parity. Operands: a predicate, the address,
// the parity. When it would say no, other warps go first.
void
try_wait(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    PtxLanes done = 0;
    ptx_each(active, [&](int l) {
        const uint32_t parity = ptx_cell<uint32_t>(w, i.operands[2])[l];
        if (parity > 1)
            w.fail(l, std::to_string(parity) + " is no parity");
        const Barrier *b =
            find_barrier(w, l, ptx_cell<uint32_t>(w, i.operands[1])[l]);
        done |= (PtxLanes)(b->parity != parity) << l;
    });
    PtxLanes *p = &w.predicates[i.operands[0]];
    *p = (*p & ~active) | done;
    w.yields = done != active;
}

// ---- 9.7.9.27.1.2, cp.async.bulk.tensor -------------------------------------

// 9.7.9.18, cvta.param: a parameter's generic address. Ours is its place.
void
convert_parameter(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    const uint64_t base =
        (uint64_t)(uintptr_t)w.block->launch->parameters.data();
    ptx_each(active, [&](int l) {
        ptx_cell<uint64_t>(w, i.operands[0])[l] =
            base + ptx_cell<uint64_t>(w, i.operands[1])[l];
    });
}

// The map has to be a parameter.
FakeTensorMap
read_map(PtxWarp &w, int lane, uint64_t address)
{
    const std::vector<unsigned char> &all = w.block->launch->parameters;
    const uint64_t at = address - (uint64_t)(uintptr_t)all.data();
    FakeTensorMap map;
    if (at > all.size() || sizeof map > all.size() - at || at % 64)
        w.fail(lane, "there is no tensor map");
    memcpy(&map, &all[at], sizeof map);
    if (map.magic != fake_tensor_magic)
        w.fail(lane, "this is no tensor map");
    return map;
}

// Operands: the address in shared memory, that of the map, three coordinates,
// the barrier's.
void
copy_box(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    PtxHopper *h = hopper_of(w.block);
    ptx_each(active, [&](int l) {
        Box box = {ptx_cell<uint32_t>(w, i.operands[0])[l],
                   ptx_cell<uint32_t>(w, i.operands[5])[l],
                   read_map(w, l, ptx_cell<uint64_t>(w, i.operands[1])[l]),
                   {}};
        for (int c = 0; c < 3; c++)
            box.at[c] = (int)ptx_cell<uint32_t>(w, i.operands[2 + c])[l];
        find_barrier(w, l, box.barrier);
        ptx_check_late(w, l, box.map.base);
        if (!h->fenced)
            w.fail(l, "the copy engine may not see the barrier yet");
        if (box.to % 128)
            w.fail(l, "a box goes to where no 128 bytes begin");
        ptx_engine_target(w, l, box.to, (size_t)box.map.bytes());
        h->boxes.push_back(box);
    });
}

// ---- 9.7.13.13, griddepcontrol ----------------------------------------------

void
wait_for_grids(PtxWarp &w, const PtxInstruction &, PtxLanes active)
{
    w.waited |= active;
    w.block->has_waited = true;
}

// Nobody behind begins before this one has ended.
void
launch_dependents(PtxWarp &, const PtxInstruction &, PtxLanes)
{
}

// ---- 9.7.15, wgmma ----------------------------------------------------------

WarpProducts *
products_of(PtxWarp &w)
{
    return &hopper_of(w.block)->products[w.index];
}

// 9.7.15.7.1, wgmma.fence
void
fence(PtxWarp &w, const PtxInstruction &, PtxLanes)
{
    products_of(w)->fenced = true;
}

// The parts of wgmma.mma_async's operands.
template <bool REGISTERS> struct Operands {
    int sums, left, right, predicate; // where they are; `sums` is a number

    explicit Operands(const PtxInstruction &i)
    {
        sums = i.n_operands - (REGISTERS ? 6 : 3);
        left = sums;
        right = i.n_operands - 2;
        predicate = i.n_operands - 1;
    }
};

template <typename T>
T
same_of_all(PtxWarp &w, int cell)
{
    const T *values = ptx_cell<T>(w, cell);
    for (int l = 0; l < ptx_lanes; l++) {
        if (values[l] != values[0])
            w.fail(l, "lanes have different operands of a product");
    }
    return values[0];
}

MatrixDescriptor
descriptor_of(PtxWarp &w, int cell)
{
    const MatrixDescriptor m = {same_of_all<uint64_t>(w, cell)};
    if (!m.is_known())
        w.fail(0, "a matrix that is not understood");
    return m;
}

// 9.7.15.7.2, wgmma.commit_group
void
commit(PtxWarp &w, const PtxInstruction &, PtxLanes)
{
    WarpProducts *all = products_of(w);
    all->groups.push_back(std::move(all->open));
    all->open.clear();
    all->fenced = false;
}

struct Bf16 {
    static float
    to_f32(uint16_t bits)
    {
        return pe_bf16_to_f32(bits);
    }
};

struct Half {
    static float
    to_f32(uint16_t bits)
    {
        return pe_f16_to_f32(bits);
    }
};

template <typename T>
float
element(PtxWarp &w, const MatrixDescriptor &m, int i, int k, bool transposed)
{
    uint16_t bits;
    memcpy(&bits, ptx_engine_read(w, m.offset(i, k, transposed), 2), 2);
    return T::to_f32(bits);
}

// The warp's 16 rows of the left matrix; 9.7.15.5.1 and .2.
template <typename T, bool REGISTERS>
void
read_left(PtxWarp &w, const Product &p, float (&a)[16][16])
{
    const PtxInstruction &i = *p.i;
    const Operands<REGISTERS> o(i);
    if (!REGISTERS) {
        const MatrixDescriptor m = {p.left};
        const int first = w.index % warps_of_group * 16;
        for (int row = 0; row < 16; row++) {
            for (int k = 0; k < 16; k++)
                a[row][k] = element<T>(w, m, first + row, k, false);
        }
        return;
    }
    for (int l = 0; l < ptx_lanes; l++) {
        for (int r = 0; r < 4; r++) {
            const uint32_t v = ptx_cell<uint32_t>(w, i.operands[o.left + r])[l];
            const int row = l / 4 + r % 2 * 8, k = l % 4 * 2 + r / 2 * 8;
            for (int e = 0; e < 2; e++)
                a[row][k + e] = T::to_f32((uint16_t)(v >> 16 * e));
        }
    }
}

// d of thread l: register r has row l / 4 + r / 2 % 2 * 8, column
// r / 4 * 8 + l % 4 * 2 + r % 2; 9.7.15.5.2.
template <typename T, bool REGISTERS>
void
compute(PtxWarp &w, const Product &p, Sums *sums)
{
    const Operands<REGISTERS> o(*p.i);
    const MatrixDescriptor m = {p.right};
    float a[16][16], b[16];
    read_left<T, REGISTERS>(w, p, a);
    for (int column = 0; column < o.sums * 2; column++) {
        for (int k = 0; k < 16; k++)
            b[k] = element<T>(w, m, column, k, REGISTERS);
        for (int row = 0; row < 16; row++) {
            float sum = 0;
            for (int k = 0; k < 16; k++)
                sum += a[row][k] * b[k];
            const int r = column / 8 * 4 + row / 8 * 2 + column % 2;
            float *d =
                &sums->values[r * ptx_lanes + row % 8 * 4 + column % 8 / 2];
            *d = p.add ? *d + sum : sum;
        }
    }
}

// Queued. Registers of sums that are not under way yet are NaN from here on.
template <typename T, int COLUMNS, bool REGISTERS>
void
multiply(PtxWarp &w, const PtxInstruction &i, PtxLanes)
{
    const Operands<REGISTERS> o(i);
    WarpProducts *all = products_of(w);
    const PtxLanes p = w.predicates[i.operands[o.predicate]];
    if (o.sums != COLUMNS / 2)
        w.fail(0, "expected " + std::to_string(COLUMNS / 2) + " sums");
    // 1, 1: no signs changed; then what is transposed.
    if (i.number != (REGISTERS ? 1 * 16 + 1 * 4 + 1 : 1 * 64 + 1 * 16))
        w.fail(0, "only other signs and transpositions are known");
    if (p != 0 && p != ptx_all_lanes)
        w.fail(0, "lanes have different operands of a product");
    if (!all->fenced)
        w.fail(0, "no wgmma.fence since its registers were used");
    const uint64_t right = descriptor_of(w, i.operands[o.right]).bits;
    const uint64_t left =
        REGISTERS ? 0 : descriptor_of(w, i.operands[o.left]).bits;
    all->history.push_back(left * 31 + right);
    Sums *sums = &all->sums[i.operands[0]];
    if (sums->values.empty()) {
        for (int r = 0; r < o.sums; r++) {
            float *cell = ptx_cell<float>(w, i.operands[r]);
            for (int l = 0; l < ptx_lanes; l++) {
                sums->values.push_back(cell[l]);
                cell[l] = std::numeric_limits<float>::quiet_NaN();
            }
        }
    }
    sums->products++;
    all->open.push_back({&i, left, right, p != 0, compute<T, REGISTERS>});
}

void
finish(PtxWarp &w, const Product &p)
{
    WarpProducts *all = products_of(w);
    Sums *sums = &all->sums[p.i->operands[0]];
    p.compute(w, p, sums);
    if (--sums->products > 0)
        return;
    for (size_t v = 0; v < sums->values.size(); v++)
        ptx_cell<float>(w, p.i->operands[v / ptx_lanes])[v % ptx_lanes] =
            sums->values[v];
    all->sums.erase(p.i->operands[0]);
}

// 9.7.15.7.3, wgmma.wait_group
void
wait(PtxWarp &w, const PtxInstruction &i, PtxLanes)
{
    WarpProducts *all = products_of(w);
    while ((int64_t)all->groups.size() > i.number) {
        for (const Product &p : all->groups.front())
            finish(w, p);
        all->groups.pop_front();
    }
}

template <typename T, int COLUMNS>
void
add_products(PtxForms *forms, const std::string &types)
{
    const std::string name = "wgmma.mma_async.sync.aligned.m64n" +
                             std::to_string(COLUMNS) + "k16.f32." + types;
    (*forms)[name] = {"vddpnnnn", multiply<T, COLUMNS, false>, PTX_ALIGNED};
    (*forms)[name + " {}"] = {"v4dpnnn", multiply<T, COLUMNS, true>,
                              PTX_ALIGNED};
}

} // namespace

bool
ptx_land_box(PtxBlock *block)
{
    PtxHopper *h = hopper_of(block);
    if (h->boxes.empty())
        return false;
    const Box box = h->boxes.back();
    h->boxes.pop_back();
    const int pieces = (int)box.map.box[0] / 8;
    for (int n = 0; n < (int)box.map.box[1] * pieces; n++) {
        const uint64_t from = box.map.piece(box.at, n / pieces, n % pieces);
        const uint64_t to =
            fake_swizzle(box.to + (uint64_t)n * 16, box.map.row_bytes);
        if (from)
            memcpy(&block->shared[to], (const void *)(uintptr_t)from, 16);
        else
            memset(&block->shared[to], 0, 16);
    }
    for (int i = 0; i < box.map.bytes(); i++) {
        PtxSharedByte *b = &block->touched[box.to + i];
        b->in_flight = false;
        b->write.warp = ptx_engine;
    }
    Barrier *b = &h->barriers[box.barrier];
    b->bytes -= box.map.bytes();
    end_phase(block, b);
    return true;
}

void
ptx_check_leaving(PtxWarp &w, int lane)
{
    if (!w.block->hopper)
        return;
    const WarpProducts *all = products_of(w);
    if (!all->open.empty() || !all->groups.empty())
        w.fail(lane, "leaves while products are under way");
}

void
ptx_check_end(PtxWarp &w)
{
    if (w.block->launch->dependent && !w.block->has_waited)
        w.fail(0, "the block ends without griddepcontrol.wait");
    if (!w.block->hopper)
        return;
    PtxHopper *h = hopper_of(w.block);
    if (!h->boxes.empty())
        w.fail(0, "the block ends while a box is under way");
    for (const auto &p : h->products) {
        const int first = p.first / warps_of_group * warps_of_group;
        if (h->products[first].history != p.second.history)
            w.fail(0, "the warps of a warpgroup had different products");
    }
}

void
ptx_add_hopper(PtxForms *forms)
{
    PtxForms &f = *forms;
    f["cvta.param.u64"] = {"dd", convert_parameter, PTX_PLAIN};
    f["mbarrier.init.shared::cta.b64"] = {"aw", init_barrier, PTX_PLAIN};
    f["fence.mbarrier_init.release.cluster"] = {"", fence_barriers, PTX_PLAIN};
    f["mbarrier.arrive.shared::cta.b64"] = {"_a", arrive, PTX_PLAIN};
    f["mbarrier.arrive.expect_tx.shared::cta.b64"] = {"_aw", arrive_and_expect,
                                                      PTX_PLAIN};
    f["mbarrier.try_wait.parity.shared::cta.b64"] = {"paw", try_wait,
                                                     PTX_PLAIN};
    f["cp.async.bulk.tensor.3d.shared::cluster.global.tile"
      ".mbarrier::complete_tx::bytes"] = {"ata", copy_box, PTX_PLAIN};
    f["griddepcontrol.wait"] = {"", wait_for_grids, PTX_PLAIN};
    f["griddepcontrol.launch_dependents"] = {"", launch_dependents, PTX_PLAIN};
    f["wgmma.fence.sync.aligned"] = {"", fence, PTX_ALIGNED};
    f["wgmma.commit_group.sync.aligned"] = {"", commit, PTX_ALIGNED};
    f["wgmma.wait_group.sync.aligned"] = {"n", wait, PTX_ALIGNED};
    add_products<Bf16, 16>(forms, "bf16.bf16");
    add_products<Bf16, 64>(forms, "bf16.bf16");
    add_products<Bf16, 96>(forms, "bf16.bf16");
    add_products<Bf16, 128>(forms, "bf16.bf16");
    add_products<Bf16, 256>(forms, "bf16.bf16");
    add_products<Half, 16>(forms, "f16.f16");
    add_products<Half, 64>(forms, "f16.f16");
    add_products<Half, 96>(forms, "f16.f16");
    add_products<Half, 128>(forms, "f16.f16");
    add_products<Half, 256>(forms, "f16.f16");
}
