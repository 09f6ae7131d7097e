// SPDX-License-Identifier: LGPL-2.1-or-later
//
// algos.h - which of the library's algorithms was the fastest for a product, in
// memory and on disk. Knows neither the device nor the library: an algorithm is
// eight opaque words, valid for one device and one version of the library,
// which the name of the file stands for.

#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

// What the choice depends on. All ints, so that a key can be hashed as bytes.
typedef struct {
    int in, out;  // PeDtype
    int gelu;     // fused
    int residual; // added to what is there
    int bias;
    int m, n, k;
    int align; // of the addresses, bytes
} PeAlgoKey;

typedef struct {
    uint64_t words[8];
} PeAlgo;

typedef struct PeAlgos PeAlgos;

// Sizes of m that share an algorithm: rounded up to three significant bits.
int pe_algos_bucket(int m);

// With what the file has; damaged lines are left out. `path` may be NULL or
// missing.
PeAlgos *pe_algos_new(const char *path);
void pe_algos_free(PeAlgos *algos);
int pe_algos_count(const PeAlgos *algos);
// NULL: not known.
const PeAlgo *pe_algos_get(const PeAlgos *algos, const PeAlgoKey *key);
void pe_algos_set(PeAlgos *algos, const PeAlgoKey *key, const PeAlgo *algo);
// Write the file if there is something new; it appears whole or not at all.
bool pe_algos_save(PeAlgos *algos, GError **error);
