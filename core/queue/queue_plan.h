// SPDX-License-Identifier: LGPL-2.1-or-later
//
// queue_plan.h - which jobs make the next batch: by their deadlines while all
// can be met, else in fair shares. Private to the queue; called with its lock
// held.

#pragma once

#include "queue_private.h"

// *size gets how many jobs the next batch has, when it starts now. When more is
// asked for than can be done, clients that limit their queue, because they want
// their newest frames, lose those that would be late. False when that ended
// jobs: their clients are to be called first, and this again.
bool pe_queue_plan_locked(PeQueue *q, int64_t now, int *size);
// The client that gives the next job to a batch of that size.
PeClient *pe_queue_next_locked(const PeQueue *q, int64_t now, int size);
