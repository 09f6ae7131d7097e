// SPDX-License-Identifier: LGPL-2.1-or-later
//
// comparisons.cpp - setp and selp, PTX ISA 9.0, 9.7.6.2 and 9.7.6.3.

#include "tests/cuda_host/ptx/operate.h"

namespace
{

// Of integers, and of floats: none of these holds for a NaN.
struct Equal {
    template <typename T>
    bool
    operator()(T a, T b) const
    {
        return a == b;
    }
};

struct Less {
    template <typename T>
    bool
    operator()(T a, T b) const
    {
        return a < b;
    }
};

struct LessOrEqual {
    template <typename T>
    bool
    operator()(T a, T b) const
    {
        return a <= b;
    }
};

// The comparison F of the operands the other way round: > of <.
template <typename F> struct Turned {
    template <typename T>
    bool
    operator()(T a, T b) const
    {
        return F()(b, a);
    }
};

// Not F. Of floats, what holds for NaNs as well: not < is .geu.
template <typename F> struct Not {
    template <typename T>
    bool
    operator()(T a, T b) const
    {
        return !F()(a, b);
    }
};

struct NotEqualOrdered { // .ne of floats, which a NaN does not fulfil
    bool
    operator()(float a, float b) const
    {
        return a < b || a > b;
    }
};

template <typename F, typename T>
void
compare(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    const PtxCell<T> *a = ptx_cell<T>(w, i.operands[1]);
    const PtxCell<T> *b = ptx_cell<T>(w, i.operands[2]);
    PtxLanes result = 0;
    for (int l = 0; l < ptx_lanes; l++)
        result |= (PtxLanes)F()((T)a[l], (T)b[l]) << l;
    PtxLanes *p = &w.predicates[i.operands[0]];
    *p = (*p & ~active) | (result & active);
}

template <typename T>
void
choose(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    PtxCell<T> *d = ptx_cell<T>(w, i.operands[0]);
    const PtxCell<T> *a = ptx_cell<T>(w, i.operands[1]);
    const PtxCell<T> *b = ptx_cell<T>(w, i.operands[2]);
    PtxLanes p = w.predicates[i.operands[3]];
    ptx_each(active, [&](int l) { d[l] = p >> l & 1 ? a[l] : b[l]; });
}

template <typename F, typename T>
void
add_comparison(PtxForms *forms, const std::string &opcode)
{
    const std::string letter(1, ptx_letter<T>());
    static const std::string operands = "p" + letter + letter;
    (*forms)[opcode] = {operands.c_str(), compare<F, T>, PTX_PLAIN};
}

template <typename T>
void
add_comparisons(PtxForms *forms, const std::string &type)
{
    add_comparison<Equal, T>(forms, "setp.eq." + type);
    add_comparison<Not<Equal>, T>(forms, "setp.ne." + type);
    if (type[0] == 'b')
        return;
    add_comparison<Less, T>(forms, "setp.lt." + type);
    add_comparison<LessOrEqual, T>(forms, "setp.le." + type);
    add_comparison<Turned<Less>, T>(forms, "setp.gt." + type);
    add_comparison<Turned<LessOrEqual>, T>(forms, "setp.ge." + type);
}

void
add_float_comparisons(PtxForms *forms)
{
    add_comparisons<float>(forms, "f32");
    add_comparison<NotEqualOrdered, float>(forms, "setp.ne.f32");
    add_comparison<Not<NotEqualOrdered>, float>(forms, "setp.equ.f32");
    add_comparison<Not<Equal>, float>(forms, "setp.neu.f32");
    add_comparison<Not<Turned<LessOrEqual>>, float>(forms, "setp.ltu.f32");
    add_comparison<Not<Turned<Less>>, float>(forms, "setp.leu.f32");
    add_comparison<Not<LessOrEqual>, float>(forms, "setp.gtu.f32");
    add_comparison<Not<Less>, float>(forms, "setp.geu.f32");
}

template <typename T>
void
add_choice(PtxForms *forms, const std::string &type)
{
    const std::string letter(1, ptx_letter<T>());
    static const std::string operands = letter + letter + letter + "p";
    (*forms)["selp." + type] = {operands.c_str(), choose<T>, PTX_PLAIN};
}

} // namespace

void
ptx_add_comparisons(PtxForms *forms)
{
    for (const char *type : {"b16", "u16"})
        add_comparisons<uint16_t>(forms, type);
    for (const char *type : {"b32", "u32"})
        add_comparisons<uint32_t>(forms, type);
    for (const char *type : {"b64", "u64"})
        add_comparisons<uint64_t>(forms, type);
    add_comparisons<int16_t>(forms, "s16");
    add_comparisons<int32_t>(forms, "s32");
    add_comparisons<int64_t>(forms, "s64");
    add_float_comparisons(forms);
    for (const char *type : {"b16", "u16", "s16"})
        add_choice<uint16_t>(forms, type);
    for (const char *type : {"b32", "u32", "s32"})
        add_choice<uint32_t>(forms, type);
    for (const char *type : {"b64", "u64", "s64"})
        add_choice<uint64_t>(forms, type);
    add_choice<float>(forms, "f32");
}
