// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fake_runner.h - a device for tests of the engine. It embeds a frame as its
// width and a text as its first token, in the first float of the result, and
// can be held, slowed down or broken.

#pragma once

#include "core/engine/runner.h"

typedef struct {
    bool held; // batches wait
    int n_opened, n_loaded, n_closed;
    int n_closed_at_load; // how many were closed when the last one was loaded
    bool tell_close;      // print "closed"
    int n_threads;        // that the last one was opened with
    int n_slots;          // alive
    int load_ms, batch_ms;
    PeError batch_error; // with fail_batches
    int fail_batches;    // this many from now on
    bool fail_load;
    // An image batch has so many layers, and a text tower so many pieces.
    int n_layers, n_pieces;
    int layers_run; // of the last batch
    int text_idle_ms;
    // 'i' an image batch, 'l' a piece of the text tower, 't' a chunk of texts,
    // 'd' the text tower is dropped
    GString *log;

    // With `scripted` the device's clock only goes as far as its work says.
    bool scripted;
    int image_us, piece_us, text_us; // of a batch, a piece, one text
    int64_t clock, last_image;
    int64_t longest_gap; // between two image batches
} FakeState;

extern FakeState fake;
extern const PeRunnerOps fake_runner_ops;

// As in the beginning, but for what is still open. What an engine that lives on
// has begun ends first. A batch that has not and that nobody waits for any more
// does not count.
void fake_reset(void);
// While held, nothing that was begun ends.
void fake_hold(bool held);
// Until the log has n letters: that many pieces of work have begun.
void fake_wait_for_work(gsize n);
