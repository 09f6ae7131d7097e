// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bucket.h - which batch sizes keep a whole device busy. Arithmetic alone: no
// device is asked.

#pragma once

#include <stddef.h>

// Most batch sizes of a list.
#define PE_CUDA_MAX_BUCKETS 16

// What a device can do.
typedef struct {
    int sm; // compute capability, 75 for 7.5
    int n_sms;
    double clock;     // Hz
    double bandwidth; // of its memory, bytes a second
    size_t l2_size;   // bytes
} PeCudaRates;

// Batch sizes worth running, in growing order, for an image tower of `tokens`,
// `width` and `mlp_width`. Returns how many.
int pe_cuda_list_buckets(const PeCudaRates *rates, int tokens, int width,
                         int mlp_width, int buckets[PE_CUDA_MAX_BUCKETS]);

// How many of n waiting images to run at once, see batch_bucket() in
// core/device/backend.h.
int pe_cuda_batch_bucket(const PeCudaRates *rates, int n, int max, int tokens,
                         int width, int mlp_width);
