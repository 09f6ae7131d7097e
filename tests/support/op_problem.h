// SPDX-License-Identifier: LGPL-2.1-or-later
//
// op_problem.h - one operation with its inputs, which can be run on any backend
// and compared with the reference. check_ops.c makes the problems.

#pragma once

#include "core/device/backend.h"

#define PROBLEM_MAX_INPUTS 4

typedef struct {
    PeDtype type; // I32 or F32 (then `values`)
    bool act;     // rounded to, and handed over as, the activation type
    size_t n;
    float *values;
    const int *ints; // borrowed
} ProblemInput;

typedef struct Problem Problem;
struct Problem {
    const void *row; // of the table that it was made from
    PePrecision precision;
    ProblemInput in[PROBLEM_MAX_INPUTS];
    int n_in;
    size_t n_out;
    bool out_act;         // else f32
    int n_roundings;      // to act, between inputs and outputs
    const float *initial; // output before the call; NULL: NaN
    float *weight;        // linear only, with the next three
    float *bias, *scale, *in_scale;
    int k_padded;                                          // see problem_pad()
    double flops, bytes;                                   // of one run
    PeLinear *(*prepare)(PeBackend *be, const Problem *p); // NULL: no linear
    void (*run)(PeBackend *be, const Problem *p, const PeLinear *l,
                void *const *in, void *out);
};

// Opens the reference and every variant of the device: each precision, on a CPU
// each instruction set too. With `bench`, problem_check() times what it runs.
// False when there is none.
bool problem_open_variants(const char *device, int n_threads, bool bench);
void problem_close_variants(void);

// `k` padded to what every variant accepts.
int problem_pad(int k);
// Does a variant have this precision?
bool problem_has(PePrecision precision);
// Are products rounded to act before GELU, as where another library does them?
bool problem_rounds_early(void);

// What an activation of this precision can hold.
float problem_round(PePrecision precision, float v);
// Bytes of an activation.
int problem_act_size(PePrecision precision);

// n values from -2 * scale to 2 * scale, mostly small; free with g_free().
float *problem_random(size_t n, double scale, GRand *rand);

void problem_add_input(Problem *p, bool act, size_t n, double scale,
                       GRand *rand);
void problem_add_ints(Problem *p, const int *ints, size_t n);
void problem_set_output(Problem *p, bool act, size_t n);

// Runs it everywhere in its precision, fails the test where an output differs,
// and frees what the problem holds.
void problem_check(Problem *p);
