// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vector_cache.h - vectors of texts or of pictures that were computed before,
// in one file for each kind, model, vocabulary and precision under
// $XDG_CACHE_HOME/gst-pe. Several processes may use a file at the same time.
// Never fails: without a usable file nothing is found and nothing is kept.
//
// GST_PE_CACHE=off turns it off.

#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PE_VECTOR_KEY_SIZE 32 // bytes of a SHA-256

typedef struct PeVectorCache PeVectorCache;

// `name` is the file's, without its end: "text-..." or "picture-...".
PeVectorCache *pe_vector_cache_open(const char *name, int dim);
void pe_vector_cache_close(PeVectorCache *cache);

// The vector [dim] kept for a key.
bool pe_vector_cache_find(PeVectorCache *cache, const uint8_t *key,
                          float *vector);

// Keep n vectors: keys [n, PE_VECTOR_KEY_SIZE], vectors [n, dim].
void pe_vector_cache_append(PeVectorCache *cache, const uint8_t *keys,
                            const float *vectors, int n);
