// SPDX-License-Identifier: LGPL-2.1-or-later
//
// text_cache.h - text vectors that were computed before, in one file for each
// model, vocabulary and precision under $XDG_CACHE_HOME/gst-pe. Several
// processes may use a file at the same time. Never fails: without a usable file
// nothing is found and nothing is kept.
//
// GST_PE_CACHE=off turns it off.

#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PE_TEXT_KEY_SIZE 32 // bytes of a SHA-256

typedef struct PeTextCache PeTextCache;

// `name` tells files apart and is part of the file's name.
PeTextCache *pe_text_cache_open(const char *name, int dim);
void pe_text_cache_close(PeTextCache *cache);

// The vector [dim] kept for a key.
bool pe_text_cache_find(PeTextCache *cache, const uint8_t *key, float *vector);

// Keep n vectors: keys [n, PE_TEXT_KEY_SIZE], vectors [n, dim].
void pe_text_cache_append(PeTextCache *cache, const uint8_t *keys,
                          const float *vectors, int n);
