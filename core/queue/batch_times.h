// SPDX-License-Identifier: LGPL-2.1-or-later
//
// batch_times.h - how long a batch of n images takes, learnt from those that
// ran. Private to the queue, which locks it.

#pragma once

#include <stdint.h>

typedef struct PeBatchTimes PeBatchTimes;

PeBatchTimes *pe_batch_times_new(int batch_size);
void pe_batch_times_free(PeBatchTimes *t);

// A batch of n images took this long.
void pe_batch_times_add(PeBatchTimes *t, int n, int64_t us);

// What a batch of n images will hardly exceed, in us: a high percentile of the
// recent ones of this size. Of a size that never ran, it is the time of the
// next larger one that did, else that of the largest in proportion. 0 when no
// batch has run.
int64_t pe_batch_times_get(const PeBatchTimes *t, int n);
