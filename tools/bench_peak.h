// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bench_peak.h - what the machine can multiply at most, what each operation
// takes, and how much of the former it reaches, as pe-bench measures it.

#pragma once

#include "core/pebench.h"

#include "tools/json_line.h"

typedef struct BenchPeak BenchPeak;

// Begins to count operations, where the device tells of them.
BenchPeak *bench_peak_new(PeEngine *engine);
void bench_peak_free(BenchPeak *b);

// Measures the peak of one core and of all threads, once a round.
void bench_peak_run(BenchPeak *b);
// Forgets all rounds and operations.
void bench_peak_forget(BenchPeak *b);
// Reads the operations since then, after the last round.
void bench_peak_end(BenchPeak *b);

// `gflops` is what was reached end to end. Both write nothing where the device
// has no peak.
void bench_peak_print(const BenchPeak *b, double gflops);
void bench_peak_write(const BenchPeak *b, JsonLine *j, double gflops);
