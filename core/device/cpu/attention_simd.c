// SPDX-License-Identifier: LGPL-2.1-or-later
//
// attention_simd.c - self attention; see attention.c for the definition.
//
// A task is one head of one sequence and a range of its queries. It packs the
// head's keys and values into panels, then takes BLOCK queries at a time:
// scores [BLOCK, n] f32 (at most 200 KB, they stay in the second cache),
// softmax in place, which leaves probabilities as act, and their product with
// the values. The sum of a row divides the result, not the row.

#include "product_simd.h"

#include "core/base/threads.h"

#include <glib.h>

#define BLOCK (4 * TILE_ROWS)

typedef struct {
    PeDtype act;
    int head_dim, dims; // dims: head_dim rounded up to panels
    int n_keys;         // of the longest sequence, rounded up to panels
    size_t qkv_stride;  // elements
    bool causal;
    // Offsets into a thread's scratch.
    size_t values, scores, sums, out, size;
} Plan;

static Plan
plan_new(PeDtype act, int n, int heads, int head_dim, bool causal)
{
    Plan p = {.act = act,
              .head_dim = head_dim,
              .dims = round_up(head_dim, TILE_COLS),
              .n_keys = round_up(n, TILE_COLS),
              .qkv_stride = (size_t)3 * heads * head_dim,
              .causal = causal};
    size_t keys = (size_t)words_of(act, head_dim) * p.n_keys;
    size_t values = (size_t)words_of(act, p.n_keys) * p.dims;
    p.values = keys * 4;
    p.scores = p.values + values * 4;
    p.sums = p.scores + (size_t)BLOCK * p.n_keys * 4;
    p.out = p.sums + BLOCK * 4;
    p.size = p.out + (size_t)BLOCK * TILE_COLS * 4;
    return p;
}

// Asks for row i of q, k and v of a head, of which k is at `keys`. They lie a
// whole row of all heads apart, which no processor foresees.
INLINE void
fetch_row(const Plan *p, const char *keys, int i)
{
    enum { LINE = 64 };
    size_t element = pe_dtype_size(p->act);
    size_t d = p->qkv_stride / 3 * element;
    const char *k = keys + (size_t)i * p->qkv_stride * element;
    for (size_t at = 0; at < (size_t)p->head_dim * element; at += LINE) {
        __builtin_prefetch(k + at);
        __builtin_prefetch(k - d + at, 0, 2);
        __builtin_prefetch(k + d + at, 0, 2);
    }
}

// Keys [n, head_dim] to panels of TILE_COLS keys: words change places only.
INLINE void
pack_keys(const Plan *p, uint32_t *panels, const char *keys, int n)
{
    enum { AHEAD = 8 };
    size_t stride = p->qkv_stride * pe_dtype_size(p->act);
    int n_words = words_of(p->act, p->head_dim);
    for (int i = 0; i < MIN(AHEAD, n); i++)
        fetch_row(p, keys, i);
    for (int i = 0; i < round_up(n, TILE_COLS); i += 4) {
        uint32_t *to = panels + (size_t)(i / TILE_COLS) * n_words * TILE_COLS +
                       i % TILE_COLS;
        const char *row = keys + (size_t)i * stride;
        for (int r = i + AHEAD; r < MIN(i + AHEAD + 4, n); r++)
            fetch_row(p, keys, r);
        if (i + 4 <= n) {
            pack_four(row, stride, n_words, to, TILE_COLS);
            continue;
        }
        for (int w = 0; w < n_words; w++, to += TILE_COLS) {
            memset(to, 0, 4 * sizeof *to);
            for (int r = 0; r < n - i; r++)
                memcpy(to + r, row + (size_t)r * stride + (size_t)w * 4, 4);
        }
    }
}

// One row of words [TILE_COLS] of a values panel, from two rows of bf16.
INLINE void
interleave(uint32_t *to, const uint16_t *even, const uint16_t *odd, int n)
{
    for (int i = 0; i < n; i++)
        to[i] = even[i] | (odd ? (uint32_t)odd[i] << 16 : 0);
}

// Values [n, head_dim] to panels of TILE_COLS channels.
INLINE void
pack_values(const Plan *p, uint32_t *panels, const char *values, int n)
{
    int n_words = words_of(p->act, p->n_keys), used = words_of(p->act, n);
    size_t stride = p->qkv_stride;
    for (int first = 0; first < p->head_dim; first += TILE_COLS) {
        uint32_t *to = panels + (size_t)first * n_words;
        int cols = MIN(TILE_COLS, p->head_dim - first);
        for (int w = 0; w < used; w++, to += TILE_COLS) {
            if (cols < TILE_COLS)
                memset(to, 0, TILE_COLS * 4);
            if (p->act == PE_DTYPE_F32) {
                memcpy(to, (const float *)values + w * stride + first,
                       (size_t)cols * 4);
                continue;
            }
            const uint16_t *even =
                (const uint16_t *)values + 2 * w * stride + first;
            interleave(to, even, 2 * w + 1 < n ? even + stride : NULL, cols);
        }
    }
}

INLINE void
write_out(const Plan *p, void *y, size_t at, const float *out, float scale,
          int cols)
{
    int i = 0;
    for (; i + VF <= cols; i += VF)
        store_act(p->act, y, at + i, load(out + i) * scale);
    for (; i < cols; i++)
        pe_act_set(p->act, y, at + i, out[i] * scale);
}

// `rows` queries from query `first` of the sequence of n rows; y from element
// `at`, a row every y_stride.
INLINE void
attend_block(const Plan *p, char *scratch, void *y, size_t at, size_t y_stride,
             const char *q, int first, int rows, int n)
{
    size_t q_stride = p->qkv_stride * pe_dtype_size(p->act);
    uint32_t *keys = (uint32_t *)scratch;
    uint32_t *values = (uint32_t *)(scratch + p->values);
    float *scores = (float *)(scratch + p->scores);
    float *scales = (float *)(scratch + p->sums);
    float *out = (float *)(scratch + p->out);
    int seen = p->causal ? first + rows : n;
    int n_padded = round_up(seen, TILE_COLS);
    int n_words = words_of(p->act, p->head_dim);
    for (int i = 0; i < seen; i += TILE_COLS)
        multiply_panel(p->act, rows, scores + i, p->n_keys, q, q_stride,
                       keys + (size_t)i * n_words, n_words);
    for (int r = 0; r < rows; r++)
        scales[r] = softmax2_row(p->act, scores + (size_t)r * p->n_keys,
                                 p->causal ? first + r + 1 : n, n_padded);
    size_t panel = (size_t)words_of(p->act, p->n_keys) * TILE_COLS;
    for (int c = 0; c < p->head_dim; c += TILE_COLS) {
        multiply_panel(p->act, rows, out, TILE_COLS, (const char *)scores,
                       (size_t)p->n_keys * 4, values + c / TILE_COLS * panel,
                       words_of(p->act, seen));
        for (int r = 0; r < rows; r++)
            write_out(p, y, at + r * y_stride + c, out + r * TILE_COLS,
                      scales[r], MIN(TILE_COLS, p->head_dim - c));
    }
}

// Queries from..to-1 of head `head` of the sequence of n rows at `start`.
INLINE void
attend(const Plan *p, char *scratch, void *y, const char *qkv, size_t start,
       int n, int head, int from, int to)
{
    size_t d = p->qkv_stride / 3, element = pe_dtype_size(p->act);
    size_t q = start * p->qkv_stride + (size_t)head * p->head_dim;
    int n_seen = p->causal ? to : n;
    pack_keys(p, (uint32_t *)scratch, qkv + (q + d) * element, n_seen);
    pack_values(p, (uint32_t *)(scratch + p->values),
                qkv + (q + 2 * d) * element, n_seen);
    for (int i = from; i < to; i += BLOCK)
        attend_block(p, scratch, y,
                     (start + i) * d + (size_t)head * p->head_dim, d,
                     qkv + (q + (size_t)i * p->qkv_stride) * element, i,
                     MIN(BLOCK, to - i), n);
}

// Ranges of queries that a head is cut into: one, unless that leaves threads
// without work, because every range packs the keys and values again.
static int
count_ranges(int n_threads, int tasks, int n)
{
    int wanted = (4 * n_threads + tasks - 1) / tasks;
    int most = (n + BLOCK - 1) / BLOCK;
    return tasks >= 2 * n_threads ? 1 : MAX(1, MIN(wanted, most));
}

typedef struct {
    Plan plan;
    void *y;
    const void *qkv;
    const int *offsets;
    int n, heads;
    int ranges, length; // of queries that a head is cut into
    char *scratch;      // `stride` bytes for each lane
    size_t stride;
} Attention;

static void
run_range(void *data, int task, int lane)
{
    const Attention *a = data;
    char *scratch = a->scratch + a->stride * (size_t)lane;
    const int *offsets = a->offsets;
    int s = task / a->ranges / a->heads, head = task / a->ranges % a->heads;
    size_t start = offsets ? (size_t)offsets[s] : (size_t)s * (size_t)a->n;
    int n = offsets ? offsets[s + 1] - offsets[s] : a->n;
    int from = task % a->ranges * a->length, to = MIN(n, from + a->length);
    if (from >= to)
        return;
    // The type is a constant in each, so that no inner loop asks for it.
    Plan p = a->plan;
    if (p.act == PE_DTYPE_BF16) {
        p.act = PE_DTYPE_BF16;
        attend(&p, scratch, a->y, a->qkv, start, n, head, from, to);
    } else {
        p.act = PE_DTYPE_F32;
        attend(&p, scratch, a->y, a->qkv, start, n, head, from, to);
    }
}

static void
attention(PeBackend *be, void *y, const void *qkv, const int *offsets, int b,
          int n, int heads, int head_dim, bool causal)
{
    PeCpu *cpu = (PeCpu *)be;
    Attention a = {plan_new(be->act, n, heads, head_dim, causal),
                   y,
                   qkv,
                   offsets,
                   n,
                   heads};
    a.scratch = pe_cpu_scratch(cpu, a.plan.size, &a.stride);
    if (!a.scratch)
        return;
    a.ranges = count_ranges(cpu->n_threads, b * heads, n);
    a.length = round_up((n + a.ranges - 1) / a.ranges, BLOCK);
    pe_threads_run(pe_cpu_threads(be, 2.0 * b * n * n * heads * head_dim / VF),
                   b * heads * a.ranges, run_range, &a);
}

void
PE_SIMD(pe_attention_init)(PeCpu *cpu)
{
    cpu->ops.attention = attention;
}
