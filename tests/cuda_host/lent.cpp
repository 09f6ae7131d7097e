// SPDX-License-Identifier: LGPL-2.1-or-later
//
// lent.cpp - see lent.h.

#include "tests/cuda_host/lent.h"

#include <map>

namespace
{

std::multimap<uintptr_t, size_t> all; // sizes by where they begin
std::map<uintptr_t, size_t> late;

// Where the last answer came from.
uintptr_t last_begin;
size_t last_size;

} // namespace

Lent::Lent(const void *p, size_t n) : begin(p), size(n)
{
    all.insert({(uintptr_t)begin, size});
}

Lent::~Lent()
{
    auto same = all.find((uintptr_t)begin);
    while (same->second != size)
        ++same;
    all.erase(same);
    last_size = 0;
}

bool
is_lent(uint64_t address, size_t n)
{
    if (n <= last_size && address - last_begin <= last_size - n)
        return true;
    auto next = all.upper_bound((uintptr_t)address);
    if (next == all.begin())
        return false;
    --next;
    last_begin = next->first;
    last_size = next->second;
    return n <= last_size && address - last_begin <= last_size - n;
}

Late::Late(const void *p, size_t n) : begin(p)
{
    late[(uintptr_t)begin] = n;
}

Late::~Late()
{
    late.erase((uintptr_t)begin);
}

bool
is_late(uint64_t address)
{
    auto next = late.upper_bound((uintptr_t)address);
    if (next == late.begin())
        return false;
    --next;
    return address - next->first < next->second;
}
