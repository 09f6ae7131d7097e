// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bench_pipeline.h - the element as pe-bench measures it: prepared frames in,
// the same frames with their results out.

#pragma once

#include "core/pe.h"

typedef struct BenchPipeline BenchPipeline;

typedef struct {
    const char *model; // path
    const char *device;
    const char *precision;
    int batch;
    int n_streams;         // elements that share the engine
    int size;              // pixels, square
    const uint8_t *pixels; // RGB [size, size, 3], borrowed until the end
} BenchPipelineParams;

// Starts appsrc ! peinference frame-rate=0/1 clip-length=1 mode=exact !
// appsink, n_streams times.
BenchPipeline *bench_pipeline_new(const BenchPipelineParams *params,
                                  GError **error);
void bench_pipeline_free(BenchPipeline *p);

// Push n frames, to the streams in turn, wait until all have come out; seconds,
// or -1 with the error.
double bench_pipeline_run(BenchPipeline *p, int n, GError **error);
