// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fake_runner.h - a device for tests of the engine. It embeds a frame as its
// width and a text as its first token, in the first float of the result, and
// can be held, slowed down or broken.

#pragma once

#include "core/engine/runner.h"

typedef struct {
    GMutex lock;
    GCond changed;
    bool held; // batches wait
    int n_opened, n_loaded, n_closed;
    int n_slots; // alive
    int load_ms, batch_ms;
    PeError batch_error; // with fail_batches
    int fail_batches;    // this many from now on
    bool fail_load;
    GString *log; // 'i' an image batch, 't' a chunk of texts
} FakeState;

extern FakeState fake;
extern const PeRunnerOps fake_runner_ops;

void fake_reset(void);
// While held, nothing that was begun ends.
void fake_hold(bool held);
// Until the log has n letters: that many pieces of work have begun.
void fake_wait_for_work(gsize n);
