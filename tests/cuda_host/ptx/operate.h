// SPDX-License-Identifier: LGPL-2.1-or-later
//
// operate.h - makes an operation of a warp of a function of one lane.

#pragma once

#include "tests/cuda_host/ptx/machine.h"

// A number that wraps instead of overflowing; a float as it is.
template <typename T>
using PtxRaw = typename std::conditional<
    std::is_same<T, float>::value, float,
    typename std::conditional<sizeof(T) == 8, uint64_t, uint32_t>::type>::type;

template <typename T>
inline PtxRaw<T>
ptx_raw(T v)
{
    return (PtxRaw<T>)v;
}

template <typename T>
inline PtxCell<T>
ptx_stored(T v)
{
    if constexpr (sizeof(T) == 2)
        return (uint16_t)v;
    else
        return v;
}

// D d = F()(S a, ...)
template <typename F, typename D, typename A>
void
ptx_operate(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    PtxCell<D> *d = ptx_cell<D>(w, i.operands[0]);
    const PtxCell<A> *a = ptx_cell<A>(w, i.operands[1]);
    ptx_each(active, [=](int l) { d[l] = ptx_stored<D>(F()((A)a[l])); });
}

template <typename F, typename D, typename A, typename B>
void
ptx_operate(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    PtxCell<D> *d = ptx_cell<D>(w, i.operands[0]);
    const PtxCell<A> *a = ptx_cell<A>(w, i.operands[1]);
    const PtxCell<B> *b = ptx_cell<B>(w, i.operands[2]);
    ptx_each(active,
             [=](int l) { d[l] = ptx_stored<D>(F()((A)a[l], (B)b[l])); });
}

template <typename F, typename D, typename A, typename B, typename C>
void
ptx_operate(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    PtxCell<D> *d = ptx_cell<D>(w, i.operands[0]);
    const PtxCell<A> *a = ptx_cell<A>(w, i.operands[1]);
    const PtxCell<B> *b = ptx_cell<B>(w, i.operands[2]);
    const PtxCell<C> *c = ptx_cell<C>(w, i.operands[3]);
    ptx_each(active, [=](int l) {
        d[l] = ptx_stored<D>(F()((A)a[l], (B)b[l], (C)c[l]));
    });
}

// A register of type T in PtxForm.operands.
template <typename T>
constexpr char
ptx_letter()
{
    return std::is_same<T, float>::value ? 'f'
           : sizeof(T) == 2              ? 'h'
           : sizeof(T) == 4              ? 'w'
                                         : 'd';
}

template <typename F, typename D, typename... S>
void
ptx_add(PtxForms *forms, const std::string &opcode)
{
    static const char operands[] = {ptx_letter<D>(), ptx_letter<S>()..., 0};
    (*forms)[opcode] = {operands, ptx_operate<F, D, S...>, PTX_PLAIN};
}
