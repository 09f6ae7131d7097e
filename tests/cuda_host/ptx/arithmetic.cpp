// SPDX-License-Identifier: LGPL-2.1-or-later
//
// arithmetic.cpp - integer and float arithmetic. Sections are those of the PTX
// ISA 9.0.

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/cuda_host/ptx/operate.h"

namespace
{

// ---- Integers, 9.7.1; results wrap ------------------------------------------

struct Add { // 9.7.1.1, and 9.7.3.3 for floats, which round to nearest even
    template <typename T>
    T
    operator()(T a, T b) const
    {
        return (T)(ptx_raw(a) + ptx_raw(b));
    }
};

struct Subtract { // 9.7.1.2, 9.7.3.4
    template <typename T>
    T
    operator()(T a, T b) const
    {
        return (T)(ptx_raw(a) - ptx_raw(b));
    }
};

struct Multiply { // 9.7.1.3 with .lo, 9.7.3.5
    template <typename T>
    T
    operator()(T a, T b) const
    {
        return (T)(ptx_raw(a) * ptx_raw(b));
    }
};

struct MultiplyHigh { // 9.7.1.3 with .hi, of 32 bits
    template <typename T>
    T
    operator()(T a, T b) const
    {
        typedef typename std::conditional<std::is_signed<T>::value, int64_t,
                                          uint64_t>::type Wide;
        return (T)((Wide)a * (Wide)b >> 32);
    }
};

template <typename D> struct MultiplyWide { // 9.7.1.3 with .wide
    template <typename T>
    D
    operator()(T a, T b) const
    {
        return (D)a * (D)b;
    }
};

struct MultiplyAdd { // 9.7.1.4 with .lo
    template <typename T>
    T
    operator()(T a, T b, T c) const
    {
        return (T)(ptx_raw(a) * ptx_raw(b) + ptx_raw(c));
    }
};

template <typename D> struct MultiplyAddWide { // 9.7.1.4 with .wide
    template <typename T>
    D
    operator()(T a, T b, D c) const
    {
        return (D)((uint64_t)((D)a * (D)b) + (uint64_t)c);
    }
};

// 9.7.1.8 and 9.7.1.9: by zero gives something unspecified, here all ones.
struct Divide {
    template <typename T>
    T
    operator()(T a, T b) const
    {
        if (b == 0)
            return (T) ~(T)0;
        if (std::is_signed<T>::value && b == (T)-1)
            return (T)(0 - ptx_raw(a));
        return (T)(a / b);
    }
};

struct Remainder {
    template <typename T>
    T
    operator()(T a, T b) const
    {
        if (b == 0)
            return (T) ~(T)0;
        if (std::is_signed<T>::value && b == (T)-1)
            return 0;
        return (T)(a % b);
    }
};

struct Absolute { // 9.7.1.10
    int32_t
    operator()(int32_t a) const
    {
        return a < 0 ? (int32_t)(0 - (uint32_t)a) : a;
    }
};

struct Negate { // 9.7.1.11
    template <typename T>
    T
    operator()(T a) const
    {
        return (T)(0 - ptx_raw(a));
    }
};

struct Least { // 9.7.1.12
    template <typename T>
    T
    operator()(T a, T b) const
    {
        return a < b ? a : b;
    }
};

struct Greatest { // 9.7.1.13
    template <typename T>
    T
    operator()(T a, T b) const
    {
        return a > b ? a : b;
    }
};

struct DotBytes { // 9.7.1.23, dp4a of unsigned bytes
    uint32_t
    operator()(uint32_t a, uint32_t b, uint32_t c) const
    {
        for (int i = 0; i < 32; i += 8)
            c += (a >> i & 255) * (b >> i & 255);
        return c;
    }
};

// ---- Floats, 9.7.3; without .ftz subnormals are kept ------------------------

struct FusedMultiplyAdd { // 9.7.3.6
    float
    operator()(float a, float b, float c) const
    {
        return fmaf(a, b, c);
    }
};

struct DivideFloats { // 9.7.3.8 with .rn
    float
    operator()(float a, float b) const
    {
        return a / b;
    }
};

struct AbsoluteFloat { // 9.7.3.9
    float
    operator()(float a) const
    {
        return fabsf(a);
    }
};

struct NegateFloat { // 9.7.3.10
    float
    operator()(float a) const
    {
        return -a;
    }
};

// 9.7.3.11 and 9.7.3.12: a NaN gives way to a number, and -0 is less than +0.
struct LeastFloat {
    float
    operator()(float a, float b) const
    {
        if (a == b)
            return std::signbit(a) ? a : b;
        return a < b || std::isnan(b) ? a : b;
    }
};

struct GreatestFloat {
    float
    operator()(float a, float b) const
    {
        if (a == b)
            return std::signbit(a) ? b : a;
        return a > b || std::isnan(b) ? a : b;
    }
};

struct Reciprocal { // 9.7.3.13 with .rn
    float
    operator()(float a) const
    {
        return 1 / a;
    }
};

struct SquareRoot { // 9.7.3.15 with .rn
    float
    operator()(float a) const
    {
        return sqrtf(a);
    }
};

// 9.7.3.21 with .approx.ftz: subnormal operands and results are zero, and the
// result may be off by 2^-22 of itself. It is, to either side, so that a kernel
// which needs more than that does not pass.
struct ExponentialBase2 {
    float
    operator()(float a) const
    {
        uint32_t bits;
        memcpy(&bits, &a, sizeof bits);
        if (fabsf(a) < std::numeric_limits<float>::min())
            return 1;
        double exact = exp2((double)a);
        bool is_integer = a == floorf(a);
        float y =
            (float)(is_integer ? exact
                               : exact * (1 + (bits & 1 ? 0x1p-22 : -0x1p-22)));
        return y < std::numeric_limits<float>::min() ? 0 : y;
    }
};

template <typename T>
void
add_integer(PtxForms *forms, const std::string &type)
{
    ptx_add<Add, T, T, T>(forms, "add." + type);
    ptx_add<Subtract, T, T, T>(forms, "sub." + type);
    ptx_add<Multiply, T, T, T>(forms, "mul.lo." + type);
    ptx_add<MultiplyAdd, T, T, T, T>(forms, "mad.lo." + type);
    ptx_add<Divide, T, T, T>(forms, "div." + type);
    ptx_add<Remainder, T, T, T>(forms, "rem." + type);
    ptx_add<Least, T, T, T>(forms, "min." + type);
    ptx_add<Greatest, T, T, T>(forms, "max." + type);
}

void
add_floats(PtxForms *forms)
{
    // Without a modifier the rounding is .rn as well.
    for (const char *rounding : {"", "rn."}) {
        const std::string type = std::string(rounding) + "f32";
        ptx_add<Add, float, float, float>(forms, "add." + type);
        ptx_add<Subtract, float, float, float>(forms, "sub." + type);
        ptx_add<Multiply, float, float, float>(forms, "mul." + type);
    }
    ptx_add<FusedMultiplyAdd, float, float, float, float>(forms, "fma.rn.f32");
    ptx_add<DivideFloats, float, float, float>(forms, "div.rn.f32");
    ptx_add<AbsoluteFloat, float, float>(forms, "abs.f32");
    ptx_add<NegateFloat, float, float>(forms, "neg.f32");
    ptx_add<LeastFloat, float, float, float>(forms, "min.f32");
    ptx_add<GreatestFloat, float, float, float>(forms, "max.f32");
    ptx_add<Reciprocal, float, float>(forms, "rcp.rn.f32");
    ptx_add<SquareRoot, float, float>(forms, "sqrt.rn.f32");
    ptx_add<ExponentialBase2, float, float>(forms, "ex2.approx.ftz.f32");
}

} // namespace

void
ptx_add_arithmetic(PtxForms *forms)
{
    add_integer<uint16_t>(forms, "u16");
    add_integer<int16_t>(forms, "s16");
    add_integer<uint32_t>(forms, "u32");
    add_integer<int32_t>(forms, "s32");
    add_integer<uint64_t>(forms, "u64");
    add_integer<int64_t>(forms, "s64");
    ptx_add<MultiplyHigh, uint32_t, uint32_t, uint32_t>(forms, "mul.hi.u32");
    ptx_add<MultiplyHigh, int32_t, int32_t, int32_t>(forms, "mul.hi.s32");
    ptx_add<MultiplyWide<uint32_t>, uint32_t, uint16_t, uint16_t>(
        forms, "mul.wide.u16");
    ptx_add<MultiplyWide<int32_t>, int32_t, int16_t, int16_t>(forms,
                                                              "mul.wide.s16");
    ptx_add<MultiplyWide<uint64_t>, uint64_t, uint32_t, uint32_t>(
        forms, "mul.wide.u32");
    ptx_add<MultiplyWide<int64_t>, int64_t, int32_t, int32_t>(forms,
                                                              "mul.wide.s32");
    ptx_add<MultiplyAddWide<uint64_t>, uint64_t, uint32_t, uint32_t, uint64_t>(
        forms, "mad.wide.u32");
    ptx_add<MultiplyAddWide<int64_t>, int64_t, int32_t, int32_t, int64_t>(
        forms, "mad.wide.s32");
    ptx_add<Absolute, int32_t, int32_t>(forms, "abs.s32");
    ptx_add<Negate, int16_t, int16_t>(forms, "neg.s16");
    ptx_add<Negate, int32_t, int32_t>(forms, "neg.s32");
    ptx_add<Negate, int64_t, int64_t>(forms, "neg.s64");
    ptx_add<DotBytes, uint32_t, uint32_t, uint32_t, uint32_t>(forms,
                                                              "dp4a.u32.u32");
    add_floats(forms);
}
