// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bucket.h - which batch sizes keep a whole device busy. Arithmetic alone: no
// device is asked.

#pragma once

#define PE_CUDA_MAX_BUCKETS 16

// Batch sizes worth running, in growing order, for an image tower of `tokens`,
// `width` and `mlp_width` on a device of n_sms multiprocessors. Returns how
// many.
int pe_cuda_list_buckets(int n_sms, int tokens, int width, int mlp_width,
                         int buckets[PE_CUDA_MAX_BUCKETS]);

// How many of n waiting images to run at once, see batch_bucket() in
// core/device/backend.h.
int pe_cuda_batch_bucket(int n_sms, int n, int tokens, int width,
                         int mlp_width);
