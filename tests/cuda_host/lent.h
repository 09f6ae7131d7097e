// SPDX-License-Identifier: LGPL-2.1-or-later
//
// lent.h - which memory of a test program a kernel may touch, and when. Only
// the PTX interpreter asks.

#pragma once

#include <cstddef>
#include <cstdint>

// Bytes that kernels may touch while this exists.
class Lent
{
  public:
    Lent(const void *p, size_t n);
    ~Lent();
    Lent(const Lent &) = delete;
    Lent &operator=(const Lent &) = delete;

  private:
    const void *begin;
    size_t size;
};

// Whether n bytes lie in one of them.
bool is_lent(uint64_t address, size_t n);

// Bytes that other kernels read or write until a dependent launch has waited
// for them, while this exists. Only one range for each address where one
// begins.
class Late
{
  public:
    Late(const void *p, size_t n);
    ~Late();
    Late(const Late &) = delete;
    Late &operator=(const Late &) = delete;

  private:
    const void *begin;
};

// Whether one of them holds this address.
bool is_late(uint64_t address);
