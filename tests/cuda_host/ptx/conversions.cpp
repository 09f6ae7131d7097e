// SPDX-License-Identifier: LGPL-2.1-or-later
//
// conversions.cpp - cvt, PTX ISA 9.0, 9.7.9.21 and 9.7.9.22.

#include <cmath>
#include <limits>

#include "tests/cuda_host/ptx/operate.h"

extern "C" {
#include "core/base/tensor.h"
}

namespace
{

// Of the low bits of a register, an S. Between integers: cut off or extended by
// the sign or by zeros. To f32 with .rn: to the nearest, to even between two.
template <typename D, typename S> struct Convert {
    template <typename T>
    D
    operator()(T a) const
    {
        return (D)(S)a;
    }
};

struct ToBf16 { // .rn
    uint16_t
    operator()(float a) const
    {
        return std::isnan(a) ? 0x7fff : pe_bf16_from_f32(a);
    }
};

struct ToHalf { // .rn
    uint16_t
    operator()(float a) const
    {
        return std::isnan(a) ? 0x7fff : pe_f16_from_f32(a);
    }
};

// .rn.satfinite: a in the upper byte; a NaN has all bits but the sign's
struct ToE4m3Pair {
    uint16_t
    operator()(float a, float b) const
    {
        return (uint16_t)(pe_e4m3_from_f32(a) << 8 | pe_e4m3_from_f32(b));
    }
};

struct FromHalf {
    float
    operator()(uint16_t a) const
    {
        return pe_f16_to_f32(a);
    }
};

// .rzi: towards zero; what the integer cannot hold becomes its nearest value,
// a NaN 0.
template <typename D> struct Truncate {
    D
    operator()(float a) const
    {
        if (std::isnan(a))
            return 0;
        if (a <= (float)std::numeric_limits<D>::min())
            return std::numeric_limits<D>::min();
        if (a >= (float)std::numeric_limits<D>::max())
            return std::numeric_limits<D>::max();
        return (D)a;
    }
};

// cvt.pack: b in the lowest byte and a in the next, saturated, below the low
// half of c
struct PackBytes {
    uint32_t
    operator()(int32_t a, int32_t b, uint32_t c) const
    {
        return c << 16 | saturate(a) << 8 | saturate(b);
    }

    static uint32_t
    saturate(int32_t v)
    {
        return v < 0 ? 0 : v > 255 ? 255 : (uint32_t)v;
    }
};

// From a register of its own size, or of a larger one: 9.4.1.
template <typename D, typename S>
void
add(PtxForms *forms, const std::string &opcode)
{
    if (sizeof(S) <= 2)
        ptx_add<Convert<D, S>, D, uint16_t>(forms, opcode + " 16");
    if (sizeof(S) <= 4)
        ptx_add<Convert<D, S>, D, uint32_t>(forms, opcode + " 32");
    ptx_add<Convert<D, S>, D, uint64_t>(forms, opcode + " 64");
    // From a number.
    (*forms)[opcode] = (*forms)[opcode + " 64"];
}

template <typename S>
void
add_all(PtxForms *forms, const std::string &from)
{
    add<uint16_t, S>(forms, "cvt.u16." + from);
    add<int16_t, S>(forms, "cvt.s16." + from);
    add<uint32_t, S>(forms, "cvt.u32." + from);
    add<int32_t, S>(forms, "cvt.s32." + from);
    add<uint64_t, S>(forms, "cvt.u64." + from);
    add<int64_t, S>(forms, "cvt.s64." + from);
    add<float, S>(forms, "cvt.rn.f32." + from);
}

} // namespace

void
ptx_add_conversions(PtxForms *forms)
{
    add_all<uint8_t>(forms, "u8");
    add_all<int8_t>(forms, "s8");
    add_all<uint16_t>(forms, "u16");
    add_all<int16_t>(forms, "s16");
    add_all<uint32_t>(forms, "u32");
    add_all<int32_t>(forms, "s32");
    add_all<uint64_t>(forms, "u64");
    add_all<int64_t>(forms, "s64");
    ptx_add<ToBf16, uint16_t, float>(forms, "cvt.rn.bf16.f32");
    ptx_add<ToHalf, uint16_t, float>(forms, "cvt.rn.f16.f32");
    ptx_add<ToE4m3Pair, uint16_t, float, float>(forms,
                                                "cvt.rn.satfinite.e4m3x2.f32");
    ptx_add<FromHalf, float, uint16_t>(forms, "cvt.f32.f16");
    ptx_add<Truncate<uint32_t>, uint32_t, float>(forms, "cvt.rzi.u32.f32");
    ptx_add<Truncate<int32_t>, int32_t, float>(forms, "cvt.rzi.s32.f32");
    ptx_add<PackBytes, uint32_t, int32_t, int32_t, uint32_t>(
        forms, "cvt.pack.sat.u8.s32.b32");
}
