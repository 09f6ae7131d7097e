// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ring.h - places in shared memory that one thread has filled by the copy
// engine, and warpgroups read, in turn.

#pragma once

#include "cuda/hopper/device.h"

// Where a thread is among the places. Each has a barrier for "has landed" and
// one for "has been read".
template <int PLACES> struct RingOf {
    PeSharedAddress tiles, full, empty;
    int place, parity;
};

template <int PLACES>
PE_DEVICE void
go_on(RingOf<PLACES> *r)
{
    if (++r->place == PLACES) {
        r->place = 0;
        r->parity ^= 1;
    }
}

// One lane arrives for its warp, behind the warp's wait for its products.
template <int PLACES>
PE_DEVICE void
release(const RingOf<PLACES> &r)
{
    if (threadIdx.x % 32 == 0)
        pe_barrier_arrive(r.empty + 8 * r.place);
}

// By one thread, before a barrier of the block. `readers` are warps.
template <int PLACES>
PE_DEVICE void
make_barriers(const RingOf<PLACES> &r, int readers)
{
    for (int i = 0; i < PLACES; i++) {
        pe_barrier_init(r.full + 8 * i, 1);
        pe_barrier_init(r.empty + 8 * i, readers);
    }
}
