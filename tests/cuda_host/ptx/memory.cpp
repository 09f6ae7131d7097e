// SPDX-License-Identifier: LGPL-2.1-or-later
//
// memory.cpp - loads, stores and asynchronous copies, with everything checked
// that a GPU answers with an error or with a wrong number. Sections are those
// of the PTX ISA 9.0.

#include <cstdio>
#include <cstring>

#include "tests/cuda_host/lent.h"
#include "tests/cuda_host/ptx/machine.h"

namespace
{

std::string
bytes_at(size_t n, uint64_t address)
{
    char text[64];
    snprintf(text, sizeof text, "%zu bytes at %#llx", n,
             (unsigned long long)address);
    return text;
}

// 6.4.1: an address is a multiple of what is accessed at once.
void
check_alignment(PtxWarp &w, int lane, uint64_t address, size_t n)
{
    if (address & (n - 1))
        w.fail(lane, bytes_at(n, address) + " are misaligned");
}

void
check_inside(PtxWarp &w, int lane, uint64_t address, size_t n, size_t size,
             const char *what)
{
    if (address > size || n > size - address)
        w.fail(lane, bytes_at(n, address) + " are not in the " +
                         std::to_string(size) + " bytes of " + what);
}

// ---- Shared memory ----------------------------------------------------------

// Another thread touched a byte, with nothing that orders it before this one:
// a barrier of the block, or, within a warp, one of the warp.
bool
is_unordered(const PtxWarp &w, int lane, const PtxTouch &t)
{
    if (t.warp == ptx_nobody || t.warp == ptx_engine ||
        t.barriers != w.block->barriers)
        return false;
    if (t.warp != w.index)
        return true;
    return t.lane != lane && t.syncs == w.syncs;
}

void
check_order(PtxWarp &w, int lane, uint32_t address, const PtxTouch &t,
            const char *what)
{
    if (!is_unordered(w, lane, t))
        return;
    char other[96];
    if (t.warp == ptx_several)
        snprintf(other, sizeof other, "threads of several warps");
    else if (t.lane == ptx_several)
        snprintf(other, sizeof other, "several lanes of warp %d", t.warp);
    else
        snprintf(other, sizeof other, "lane %d of warp %d", t.lane, t.warp);
    w.fail(lane, std::string(what) + " byte " + std::to_string(address) +
                     " of shared memory without a barrier since " + other);
}

PtxTouch
touch(const PtxWarp &w, int lane)
{
    return {(uint16_t)w.index, (uint16_t)lane, w.block->barriers, w.syncs};
}

void
note_read(const PtxWarp &w, int lane, PtxTouch *t)
{
    PtxTouch now = touch(w, lane);
    if (t->warp != ptx_nobody && t->barriers == now.barriers) {
        if (t->warp != now.warp)
            now.warp = ptx_several;
        else if (t->lane != now.lane && t->syncs == now.syncs)
            now.lane = ptx_several;
    }
    *t = now;
}

PtxSharedByte *
shared_bytes(PtxWarp &w, int lane, uint32_t address, size_t n)
{
    check_alignment(w, lane, address, n);
    check_inside(w, lane, address, n, w.block->shared.size(), "shared memory");
    return &w.block->touched[address];
}

void
note_write(PtxWarp &w, int lane, uint32_t address, size_t n, bool in_flight)
{
    PtxSharedByte *b = shared_bytes(w, lane, address, n);
    for (size_t i = 0; i < n; i++, b++) {
        if (b->in_flight)
            w.fail(lane, "writes byte " + std::to_string(address + i) +
                             " of shared memory while a copy to it is under "
                             "way");
        check_order(w, lane, (uint32_t)(address + i), b->write, "overwrites");
        check_order(w, lane, (uint32_t)(address + i), b->read,
                    "overwrites what is read at");
        b->write = touch(w, lane);
        b->in_flight = in_flight;
    }
}

// ---- ld and st, 9.7.9.8 and 9.7.9.11 ----------------------------------------

template <PtxSpace SPACE>
unsigned char *
find(PtxWarp &w, int lane, uint64_t address, size_t n, bool write)
{
    const PtxLaunch *launch = w.block->launch;
    switch (SPACE) {
    case PTX_GLOBAL:
        return ptx_global(w, lane, address, n);
    case PTX_SHARED:
        return write ? ptx_shared_write(w, lane, (uint32_t)address, n)
                     : ptx_shared_read(w, lane, (uint32_t)address, n);
    case PTX_LOCAL:
        check_alignment(w, lane, address, n);
        check_inside(w, lane, address, n, launch->program->locals_size,
                     "local memory");
        return &w.local[lane * launch->program->locals_size + address];
    default:
        check_alignment(w, lane, address, n);
        check_inside(w, lane, address, n, launch->parameters.size(),
                     "parameters");
        return (unsigned char *)&launch->parameters[address];
    }
}

template <PtxSpace SPACE>
uint64_t
address_of(PtxWarp &w, const PtxInstruction &i, int lane)
{
    if (SPACE == PTX_SHARED)
        return (uint32_t)(ptx_cell<uint32_t>(w, i.operands[0])[lane] +
                          (uint32_t)i.number);
    return ptx_cell<uint64_t>(w, i.operands[0])[lane] + (uint64_t)i.number;
}

// T is the element's type; a wider register gets its sign or zeros.
template <PtxSpace SPACE, typename T>
void
load(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    const int count = i.n_operands - 1;
    ptx_each(active, [&](int l) {
        const unsigned char *p = find<SPACE>(w, l, address_of<SPACE>(w, i, l),
                                             count * sizeof(T), false);
        for (int e = 0; e < count; e++) {
            T v;
            memcpy(&v, p + e * sizeof(T), sizeof v);
            if (i.width == 64)
                ptx_cell<uint64_t>(w, i.operands[1 + e])[l] = (uint64_t)v;
            else if (i.width == 32)
                ptx_cell<uint32_t>(w, i.operands[1 + e])[l] = (uint32_t)v;
            else
                ptx_cell<uint32_t>(w, i.operands[1 + e])[l] = (uint16_t)v;
        }
    });
}

template <PtxSpace SPACE, typename T>
void
store(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    const int count = i.n_operands - 1;
    ptx_each(active, [&](int l) {
        unsigned char *p = find<SPACE>(w, l, address_of<SPACE>(w, i, l),
                                       count * sizeof(T), true);
        for (int e = 0; e < count; e++) {
            T v = i.width == 64
                      ? (T)ptx_cell<uint64_t>(w, i.operands[1 + e])[l]
                      : (T)ptx_cell<uint32_t>(w, i.operands[1 + e])[l];
            memcpy(p + e * sizeof(T), &v, sizeof v);
        }
    });
}

template <PtxSpace SPACE>
PtxOperation
choose_load(int bytes, bool is_signed)
{
    switch (bytes) {
    case 1:
        return is_signed ? load<SPACE, int8_t> : load<SPACE, uint8_t>;
    case 2:
        return is_signed ? load<SPACE, int16_t> : load<SPACE, uint16_t>;
    case 4:
        return is_signed ? load<SPACE, int32_t> : load<SPACE, uint32_t>;
    default:
        return load<SPACE, uint64_t>;
    }
}

template <PtxSpace SPACE>
PtxOperation
choose_store(int bytes)
{
    return bytes == 1   ? store<SPACE, uint8_t>
           : bytes == 2 ? store<SPACE, uint16_t>
           : bytes == 4 ? store<SPACE, uint32_t>
                        : store<SPACE, uint64_t>;
}

// ---- 9.7.9.25.3, cp.async ---------------------------------------------------

const size_t copy_size = 16;

// Operands: the address in shared memory, that in global memory, and perhaps
// how many bytes of it are read; the others become zeros. Ours read all or
// none.
void
copy(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    const uint32_t *to = ptx_cell<uint32_t>(w, i.operands[0]);
    const uint64_t *from = ptx_cell<uint64_t>(w, i.operands[1]);
    const uint32_t *size =
        i.n_operands > 2 ? ptx_cell<uint32_t>(w, i.operands[2]) : nullptr;
    if (i.number != copy_size)
        w.fail(0, "only copies of 16 bytes are known");
    ptx_each(active, [&](int l) {
        const uint32_t n = size ? size[l] : copy_size;
        if (n != 0 && n != copy_size)
            w.fail(l, "copies " + std::to_string(n) + " of 16 bytes");
        check_alignment(w, l, from[l], copy_size);
        note_write(w, l, to[l], copy_size, true);
        PtxCopies *c = &w.copies[l];
        c->copies.push_back(
            {to[l], n ? ptx_global(w, l, from[l], copy_size) : nullptr});
        c->open++;
    });
}

void
commit(PtxWarp &w, const PtxInstruction &, PtxLanes active)
{
    ptx_each(active, [&](int l) {
        w.copies[l].groups.push_back(w.copies[l].open);
        w.copies[l].open = 0;
    });
}

// Until at most as many of the newest groups are under way.
void
wait(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    ptx_each(active, [&](int l) { ptx_land_copies(w, l, (size_t)i.number); });
}

// Until nothing is, committed or not.
void
wait_all(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    commit(w, i, active);
    ptx_each(active, [&](int l) { ptx_land_copies(w, l, 0); });
}

} // namespace

void
ptx_check_late(PtxWarp &w, int lane, uint64_t address)
{
    if (w.block->launch->dependent && !(w.waited >> lane & 1) &&
        is_late(address))
        w.fail(lane, "touches what a kernel before has or reads, before "
                     "griddepcontrol.wait");
}

unsigned char *
ptx_global(PtxWarp &w, int lane, uint64_t address, size_t n)
{
    check_alignment(w, lane, address, n);
    if (!is_lent(address, n))
        w.fail(lane, bytes_at(n, address) + " are in no array");
    ptx_check_late(w, lane, address);
    return (unsigned char *)address;
}

unsigned char *
ptx_shared_read(PtxWarp &w, int lane, uint32_t address, size_t n)
{
    PtxSharedByte *b = shared_bytes(w, lane, address, n);
    for (size_t i = 0; i < n; i++, b++) {
        if (b->in_flight || b->write.warp == ptx_nobody)
            w.fail(lane, "reads byte " + std::to_string(address + i) +
                             " of shared memory, " +
                             (b->in_flight ? "to which a copy is under way"
                                           : "which nobody has written"));
        check_order(w, lane, (uint32_t)(address + i), b->write, "reads");
        note_read(w, lane, &b->read);
    }
    return &w.block->shared[address];
}

unsigned char *
ptx_shared_write(PtxWarp &w, int lane, uint32_t address, size_t n)
{
    note_write(w, lane, address, n, false);
    return &w.block->shared[address];
}

unsigned char *
ptx_engine_read(PtxWarp &w, uint64_t address, size_t n)
{
    check_inside(w, 0, address, n, w.block->shared.size(), "shared memory");
    for (size_t i = 0; i < n; i++) {
        const PtxSharedByte &b = w.block->touched[address + i];
        if (b.in_flight || b.write.warp != ptx_engine)
            w.fail(0, "a product reads byte " + std::to_string(address + i) +
                          " of shared memory, " +
                          (b.in_flight ? "to which a copy is under way"
                                       : "which no copy has written"));
    }
    return &w.block->shared[address];
}

void
ptx_engine_target(PtxWarp &w, int lane, uint32_t address, size_t n)
{
    check_inside(w, lane, address, n, w.block->shared.size(), "shared memory");
    for (size_t i = 0; i < n; i++)
        note_write(w, lane, (uint32_t)(address + i), 1, true);
}

void
ptx_land_copies(PtxWarp &w, int lane, size_t pending)
{
    PtxCopies *c = &w.copies[lane];
    size_t landed = 0;
    while (c->groups.size() > pending) {
        for (size_t i = 0; i < c->groups.front(); i++) {
            const PtxCopy &copied = c->copies[landed++];
            unsigned char *to = &w.block->shared[copied.to];
            if (copied.from)
                memcpy(to, copied.from, copy_size);
            else
                memset(to, 0, copy_size);
            for (size_t j = 0; j < copy_size; j++) {
                PtxSharedByte *b = &w.block->touched[copied.to + j];
                b->in_flight = false;
                b->write = touch(w, lane);
            }
        }
        c->groups.erase(c->groups.begin());
    }
    c->copies.erase(c->copies.begin(), c->copies.begin() + (long)landed);
}

PtxOperation
ptx_load(PtxSpace space, int bytes, bool is_signed)
{
    switch (space) {
    case PTX_GLOBAL:
        return choose_load<PTX_GLOBAL>(bytes, is_signed);
    case PTX_SHARED:
        return choose_load<PTX_SHARED>(bytes, is_signed);
    case PTX_LOCAL:
        return choose_load<PTX_LOCAL>(bytes, is_signed);
    default:
        return choose_load<PTX_PARAM>(bytes, is_signed);
    }
}

PtxOperation
ptx_store(PtxSpace space, int bytes)
{
    switch (space) {
    case PTX_GLOBAL:
        return choose_store<PTX_GLOBAL>(bytes);
    case PTX_SHARED:
        return choose_store<PTX_SHARED>(bytes);
    case PTX_LOCAL:
        return choose_store<PTX_LOCAL>(bytes);
    default:
        return nullptr;
    }
}

void
ptx_add_copies(PtxForms *forms)
{
    PtxForms &f = *forms;
    f["cp.async.cg.shared.global"] = {"aAnw", copy, PTX_PLAIN};
    f["cp.async.cg.shared.global all"] = {"aAn", copy, PTX_PLAIN};
    f["cp.async.commit_group"] = {"", commit, PTX_PLAIN};
    f["cp.async.wait_group"] = {"n", wait, PTX_PLAIN};
    f["cp.async.wait_all"] = {"", wait_all, PTX_PLAIN};
}
