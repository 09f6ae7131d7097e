// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bpe.c - byte pair encoding of one piece of text, in O(n log n): a heap of the
// pairs that may merge, over a linked list of symbols.
//
// The reference merges in rounds: find the lowest rank among all pairs, merge
// all its occurrences from left to right, look again. A pair that a round has
// made waits for the next one even when its rank is lower, so a plain priority
// queue would not be the same; rounds are kept.
// Source: OpenAI CLIP simple_tokenizer.py, SimpleTokenizer.bpe.

#include "vocabulary.h"

#define NO_RANK INT32_MAX

typedef struct {
    int id;   // of the symbol that starts at this byte; -1: merged to the left
    int rank; // of the pair that starts here, NO_RANK: it never merges
    int previous, next; // -1: none
} Symbol;

typedef struct {
    const PeVocabulary *vocabulary;
    Symbol *symbols; // [n], one a byte
    uint64_t *heap;  // rank << 32 | position, smallest first
    int n_heap;
} Piece;

static void
heap_push(Piece *p, uint64_t key)
{
    int i = p->n_heap++;
    while (i > 0 && p->heap[(i - 1) / 2] > key) {
        p->heap[i] = p->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    p->heap[i] = key;
}

static uint64_t
heap_pop(Piece *p)
{
    uint64_t top = p->heap[0];
    uint64_t key = p->heap[--p->n_heap];
    int i = 0;
    for (int child = 1; child < p->n_heap; child = 2 * i + 1) {
        if (child + 1 < p->n_heap && p->heap[child + 1] < p->heap[child])
            child++;
        if (p->heap[child] >= key)
            break;
        p->heap[i] = p->heap[child];
        i = child;
    }
    p->heap[i] = key;
    return top;
}

// Look up the pair that starts at symbol `i` and queue it.
static void
queue_pair(Piece *p, int i)
{
    Symbol *s = &p->symbols[i];
    s->rank = NO_RANK;
    if (s->next < 0)
        return;
    const PeMerge *merge =
        pe_vocabulary_find(p->vocabulary, s->id, p->symbols[s->next].id);
    if (!merge)
        return;
    s->rank = merge->rank;
    heap_push(p, (uint64_t)merge->rank << 32 | (uint32_t)i);
}

static void
merge_pair(Piece *p, int i)
{
    Symbol *left = &p->symbols[i];
    Symbol *right = &p->symbols[left->next];
    left->id = pe_vocabulary_find(p->vocabulary, left->id, right->id)->merged;
    right->id = -1;
    right->rank = NO_RANK;
    left->next = right->next;
    if (left->next >= 0)
        p->symbols[left->next].previous = i;
    // Both neighbours' pairs are new; they are queued when the round is over.
    left->rank = NO_RANK;
    if (left->previous >= 0)
        p->symbols[left->previous].rank = NO_RANK;
}

// Merge every pair of the lowest rank. `round` is room for their positions.
static void
merge_round(Piece *p, int *round)
{
    int n = 0;
    int rank = (int)(p->heap[0] >> 32);
    while (p->n_heap > 0 && (int)(p->heap[0] >> 32) == rank) {
        int i = (int)(heap_pop(p) & UINT32_MAX);
        // Entries whose pair has changed since are stale.
        if (p->symbols[i].rank == rank) {
            merge_pair(p, i);
            round[n++] = i;
        }
    }
    for (int k = 0; k < n; k++) {
        int previous = p->symbols[round[k]].previous;
        if (previous >= 0 && p->symbols[previous].rank == NO_RANK)
            queue_pair(p, previous);
        queue_pair(p, round[k]);
    }
}

static void
append_tokens(const Piece *p, size_t offset, GArray *tokens)
{
    for (int i = 0; i >= 0; i = p->symbols[i].next) {
        PeToken token = {p->symbols[i].id, offset + (size_t)i};
        g_array_append_val(tokens, token);
    }
}

void
pe_bpe_encode(const PeVocabulary *v, const char *text, size_t offset,
              size_t size, GArray *tokens)
{
    g_assert(size > 0 && size < INT32_MAX / 4);
    const uint8_t *bytes = (const uint8_t *)text + offset;
    int n = (int)size;
    // Every symbol queues its pair once, every merge queues at most two.
    g_autofree uint64_t *heap = g_new(uint64_t, 3 * size);
    g_autofree Symbol *symbols = g_new(Symbol, size);
    g_autofree int *round = g_new(int, size);
    Piece piece = {v, symbols, heap, 0};

    for (int i = 0; i < n; i++) {
        const int *ids = i == n - 1 ? v->finals : v->bytes;
        symbols[i] =
            (Symbol){ids[bytes[i]], NO_RANK, i - 1, i == n - 1 ? -1 : i + 1};
    }
    for (int i = 0; i < n; i++)
        queue_pair(&piece, i);
    while (piece.n_heap > 0)
        merge_round(&piece, round);
    append_tokens(&piece, offset, tokens);
}
