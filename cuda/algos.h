// SPDX-License-Identifier: LGPL-2.1-or-later
//
// algos.h - which of the library's algorithms was the fastest for a product, or
// which way to do an attention (its number is the first word), in
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
    int gelu;     // PeGelu
    int residual; // added to what is there
    int bias;
    int m, n, k;
    int align; // of the addresses, bytes
    // Of an attention, 0: a product. Then m is the pictures, n their tokens, k
    // the channels of a head. Of a block, which has a residual: k is the width,
    // align that of the MLP.
    int heads;
    int ways; // of those one was taken, a bit each
} PeAlgoKey;

typedef struct {
    uint64_t words[8];
    uint64_t ns; // that the product took, with what follows it
} PeAlgo;

typedef struct PeAlgos PeAlgos;

// With what the file has; damaged lines are left out. `path` may be NULL or
// missing.
PeAlgos *pe_algos_new(const char *path);
void pe_algos_free(PeAlgos *algos);
int pe_algos_count(const PeAlgos *algos);
// False: not known. *checked: it is this process that has set or checked it.
bool pe_algos_get(const PeAlgos *algos, const PeAlgoKey *key, PeAlgo *algo,
                  bool *checked);
void pe_algos_set(PeAlgos *algos, const PeAlgoKey *key, const PeAlgo *algo);
// It still takes as long as it did.
void pe_algos_set_checked(PeAlgos *algos, const PeAlgoKey *key);
// Write the file if there is something new; it appears whole or not at all, and
// keeps what other processes have added to it.
bool pe_algos_save(PeAlgos *algos, GError **error);
