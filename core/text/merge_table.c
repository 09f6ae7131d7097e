// SPDX-License-Identifier: LGPL-2.1-or-later
//
// merge_table.c - see merge_table.h. A table with open addressing, at most half
// full.

#include "merge_table.h"

#include <glib.h>

static uint32_t
hash_pair(int left, int right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 40); // Fibonacci hashing
}

// The slot of a pair, or the empty one where it belongs.
static PeMerge *
find_slot(const PeVocabulary *v, int left, int right)
{
    uint32_t i = hash_pair(left, right) & v->mask;
    while (v->merges[i].merged >= 0 &&
           (v->merges[i].left != left || v->merges[i].right != right))
        i = (i + 1) & v->mask;
    return &v->merges[i];
}

const PeMerge *
pe_vocabulary_find(const PeVocabulary *v, int left, int right)
{
    const PeMerge *merge = find_slot(v, left, right);
    return merge->merged >= 0 ? merge : NULL;
}

void
pe_merge_table_make(PeVocabulary *v, int n)
{
    uint32_t slots = 16;
    while (slots < 2 * (uint32_t)n)
        slots *= 2;
    v->mask = slots - 1;
    v->merges = g_new(PeMerge, slots);
    for (uint32_t i = 0; i < slots; i++)
        v->merges[i] = (PeMerge){-1, -1, -1, -1};
}

const PeMerge *
pe_merge_table_add(PeVocabulary *v, const PeMerge *merge)
{
    PeMerge *slot = find_slot(v, merge->left, merge->right);
    if (slot->merged >= 0)
        return slot;
    *slot = *merge;
    return NULL;
}

void
pe_merge_table_take_fingerprint(PeVocabulary *v)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    int specials[3] = {v->size, v->start, v->end};
    g_checksum_update(sum, (const guchar *)specials, sizeof specials);
    g_checksum_update(sum, (const guchar *)v->bytes, sizeof v->bytes);
    g_checksum_update(sum, (const guchar *)v->finals, sizeof v->finals);
    // The table's layout depends only on the merges and their order.
    g_checksum_update(sum, (const guchar *)v->merges,
                      (gssize)(((size_t)v->mask + 1) * sizeof *v->merges));
    g_strlcpy(v->fingerprint, g_checksum_get_string(sum),
              sizeof v->fingerprint);
}
