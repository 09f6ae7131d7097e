// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bits.cpp - logic, shifts, and what moves bits as they are. Sections are those
// of the PTX ISA 9.0.

#include "tests/cuda_host/ptx/operate.h"

namespace
{

struct And { // 9.7.8.1
    template <typename T>
    T
    operator()(T a, T b) const
    {
        return a & b;
    }
};

struct Or { // 9.7.8.2
    template <typename T>
    T
    operator()(T a, T b) const
    {
        return a | b;
    }
};

struct Xor { // 9.7.8.3
    template <typename T>
    T
    operator()(T a, T b) const
    {
        return a ^ b;
    }
};

struct Complement { // 9.7.8.4
    template <typename T>
    T
    operator()(T a) const
    {
        return (T)~a;
    }
};

// 9.7.8.8 and 9.7.8.9: more than all bits are shifted out like all of them.
struct ShiftLeft {
    template <typename T>
    T
    operator()(T a, uint32_t n) const
    {
        return n < sizeof(T) * 8 ? (T)(ptx_raw(a) << n) : 0;
    }
};

struct ShiftRight {
    template <typename T>
    T
    operator()(T a, uint32_t n) const
    {
        const uint32_t last = sizeof(T) * 8 - 1;
        if (n > last && !std::is_signed<T>::value)
            return 0;
        return (T)(a >> (n < last ? n : last));
    }
};

// 9.7.1.19: bits b.. of a, c of them; their highest is the sign
struct ExtractBits {
    template <typename T>
    T
    operator()(T a, uint32_t b, uint32_t c) const
    {
        const uint32_t at = b & 255, n = c & 255;
        uint64_t bits =
            std::is_signed<T>::value ? (uint64_t)(int64_t)a : (uint64_t)a;
        bits = at < 64 ? bits >> at : 0;
        if (n == 0)
            return 0;
        if (n >= 32)
            return (T)bits;
        bits &= (1u << n) - 1;
        if (std::is_signed<T>::value && bits >> (n - 1))
            bits |= ~0ull << n;
        return (T)bits;
    }
};

// 9.7.1.20: b with a in its bits c.., d of them
void
insert_bits(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    uint32_t *f = ptx_cell<uint32_t>(w, i.operands[0]);
    const uint32_t *a = ptx_cell<uint32_t>(w, i.operands[1]);
    const uint32_t *b = ptx_cell<uint32_t>(w, i.operands[2]);
    const uint32_t *c = ptx_cell<uint32_t>(w, i.operands[3]);
    const uint32_t *d = ptx_cell<uint32_t>(w, i.operands[4]);
    ptx_each(active, [&](int l) {
        const uint32_t at = c[l] & 255, n = d[l] & 255;
        uint64_t mask = at > 31 ? 0 : n > 31 ? ~0ull : (1ull << n) - 1;
        mask = at > 31 ? 0 : mask << at;
        f[l] = (uint32_t)((b[l] & ~mask) |
                          ((at > 31 ? 0 : (uint64_t)a[l] << at) & mask));
    });
}

// 9.7.8.6: bit by bit what the table in the last operand says of a, b and c
void
look_up(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    uint32_t *d = ptx_cell<uint32_t>(w, i.operands[0]);
    const uint32_t *a = ptx_cell<uint32_t>(w, i.operands[1]);
    const uint32_t *b = ptx_cell<uint32_t>(w, i.operands[2]);
    const uint32_t *c = ptx_cell<uint32_t>(w, i.operands[3]);
    ptx_each(active, [&](int l) {
        uint32_t result = 0;
        for (int row = 0; row < 8; row++) {
            if (i.number >> row & 1)
                result |= (row & 4 ? a[l] : ~a[l]) & (row & 2 ? b[l] : ~b[l]) &
                          (row & 1 ? c[l] : ~c[l]);
        }
        d[l] = result;
    });
}

// 9.7.8.7 with .wrap: half of b:a, shifted by c % 32
struct FunnelLeft {
    uint32_t
    operator()(uint32_t a, uint32_t b, uint32_t c) const
    {
        const uint32_t n = c & 31;
        return n ? b << n | a >> (32 - n) : b;
    }
};

struct FunnelRight {
    uint32_t
    operator()(uint32_t a, uint32_t b, uint32_t c) const
    {
        const uint32_t n = c & 31;
        return n ? b << (32 - n) | a >> n : a;
    }
};

// 9.7.9.7 without a mode: each nibble of c picks a byte of b:a; with its
// highest bit, the sign of that.
struct Permute {
    uint32_t
    operator()(uint32_t a, uint32_t b, uint32_t c) const
    {
        uint64_t bytes = (uint64_t)b << 32 | a;
        uint32_t d = 0;
        for (int n = 0; n < 4; n++) {
            uint32_t nibble = c >> 4 * n & 15;
            uint32_t byte = bytes >> 8 * (nibble & 7) & 255;
            if (nibble & 8)
                byte = byte & 128 ? 255 : 0;
            d |= byte << 8 * n;
        }
        return d;
    }
};

struct Move { // 9.7.9.3, and 9.7.9.20: all state spaces are one here
    template <typename T>
    T
    operator()(T a) const
    {
        return a;
    }
};

// 9.7.9.4: mov of two registers into one of twice as many bits, and back
void
pack_halves(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    uint32_t *d = ptx_cell<uint32_t>(w, i.operands[0]);
    const uint32_t *a = ptx_cell<uint32_t>(w, i.operands[1]);
    const uint32_t *b = ptx_cell<uint32_t>(w, i.operands[2]);
    ptx_each(active, [&](int l) { d[l] = (a[l] & 0xffff) | b[l] << 16; });
}

// ---- Predicates -------------------------------------------------------------

void
set(PtxWarp &w, const PtxInstruction &i, PtxLanes active, PtxLanes value)
{
    PtxLanes *p = &w.predicates[i.operands[0]];
    *p = (*p & ~active) | (value & active);
}

PtxLanes
get(PtxWarp &w, const PtxInstruction &i, int operand)
{
    return w.predicates[i.operands[operand]];
}

template <typename F>
void
combine(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    set(w, i, active, F()(get(w, i, 1), get(w, i, 2)));
}

template <typename F>
void
change(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    set(w, i, active, F()(get(w, i, 1)));
}

template <typename T>
void
add_type(PtxForms *forms, const std::string &bits)
{
    typedef typename std::make_signed<T>::type S;
    ptx_add<And, T, T, T>(forms, "and.b" + bits);
    ptx_add<Or, T, T, T>(forms, "or.b" + bits);
    ptx_add<Xor, T, T, T>(forms, "xor.b" + bits);
    ptx_add<Complement, T, T>(forms, "not.b" + bits);
    ptx_add<ShiftLeft, T, T, uint32_t>(forms, "shl.b" + bits);
    ptx_add<ShiftRight, T, T, uint32_t>(forms, "shr.b" + bits);
    ptx_add<ShiftRight, T, T, uint32_t>(forms, "shr.u" + bits);
    ptx_add<ShiftRight, S, S, uint32_t>(forms, "shr.s" + bits);
    for (const char *type : {"b", "u", "s"})
        ptx_add<Move, T, T>(forms, "mov." + (type + bits));
}

} // namespace

void
ptx_add_bits(PtxForms *forms)
{
    add_type<uint16_t>(forms, "16");
    add_type<uint32_t>(forms, "32");
    add_type<uint64_t>(forms, "64");
    ptx_add<Move, float, float>(forms, "mov.f32");
    for (const char *space : {"global", "shared", "local"}) {
        const std::string name = space;
        ptx_add<Move, uint64_t, uint64_t>(forms, "cvta." + name + ".u64");
        ptx_add<Move, uint64_t, uint64_t>(forms, "cvta.to." + name + ".u64");
    }
    ptx_add<ExtractBits, uint32_t, uint32_t, uint32_t, uint32_t>(forms,
                                                                 "bfe.u32");
    ptx_add<ExtractBits, int32_t, int32_t, uint32_t, uint32_t>(forms,
                                                               "bfe.s32");
    (*forms)["bfi.b32"] = {"wwwww", insert_bits, PTX_PLAIN};
    (*forms)["lop3.b32"] = {"wwwwn", look_up, PTX_PLAIN};
    ptx_add<FunnelLeft, uint32_t, uint32_t, uint32_t, uint32_t>(
        forms, "shf.l.wrap.b32");
    ptx_add<FunnelRight, uint32_t, uint32_t, uint32_t, uint32_t>(
        forms, "shf.r.wrap.b32");
    ptx_add<Permute, uint32_t, uint32_t, uint32_t, uint32_t>(forms, "prmt.b32");
    (*forms)["mov.b32 {}"] = {"wH", pack_halves, PTX_PLAIN};
    (*forms)["and.pred"] = {"ppp", combine<And>, PTX_PLAIN};
    (*forms)["or.pred"] = {"ppp", combine<Or>, PTX_PLAIN};
    (*forms)["xor.pred"] = {"ppp", combine<Xor>, PTX_PLAIN};
    (*forms)["not.pred"] = {"pp", change<Complement>, PTX_PLAIN};
    (*forms)["mov.pred"] = {"pp", change<Move>, PTX_PLAIN};
}
