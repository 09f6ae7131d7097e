// SPDX-License-Identifier: LGPL-2.1-or-later
//
// preprocess.c - slots: pictures that have been converted and squashed by the
// loops of pixels_simd.c and wait to be cut into patches.

#include <stdlib.h>

#include "pixels.h"

struct PeSlot {
    int width, height;
    uint8_t *rgb; // u8 [3, height, width]
};

PePixelsFunc
pe_pixels_func(PeIsa isa)
{
#ifdef PE_HAVE_X86
    if (isa >= PE_ISA_AVX512)
        return pe_pixels_squash_avx512;
    if (isa >= PE_ISA_AVX2)
        return pe_pixels_squash_avx2;
#endif
    return pe_pixels_squash_c;
}

static int
pad(int n)
{
    return (n + PE_PIXEL_LANES - 1) / PE_PIXEL_LANES * PE_PIXEL_LANES;
}

// ---- Layout -----------------------------------------------------------------

// The next piece of scratch memory; nothing is there when scratch is NULL.
static void *
take(uint8_t *scratch, size_t *size, size_t n)
{
    void *piece = scratch ? scratch + *size : NULL;
    *size += (n + 63) & ~(size_t)63;
    return piece;
}

// The weight of input i, 0 or 1, of a pair.
static void
set_weight(PePairWeights *pair, int i, int32_t weight)
{
    pair->low[i] = (int16_t)weight;
    pair->high[i] = (int8_t)((weight - pair->low[i]) / 65536);
    pair->high[i + 2] = pair->high[i];
}

// An axis begins at `offset` of the frame, for these and what follows.
static int
first_pair(const PeResizeAxis *axis, int o, int offset)
{
    return (offset + axis->first[o]) / 2;
}

// The pair behind those of output o.
static int
end_pair(const PeResizeAxis *axis, int o, int offset)
{
    return (offset + axis->first[o] + axis->count[o] + 1) / 2;
}

static void
take_pairs(PePairs *pairs, const PeResizeAxis *axis, uint8_t *scratch,
           size_t *size)
{
    size_t n = (size_t)axis->out_size;
    // An output's inputs may begin and end within a pair.
    pairs->max = axis->taps / 2 + 1;
    pairs->first = take(scratch, size, n * sizeof *pairs->first);
    pairs->count = take(scratch, size, n * sizeof *pairs->count);
    pairs->weights =
        take(scratch, size, n * (size_t)pairs->max * sizeof *pairs->weights);
}

static void
fill_pairs(PePairs *pairs, const PeResizeAxis *axis, int offset)
{
    for (int o = 0; o < axis->out_size; o++) {
        const int32_t *w = axis->weights + (size_t)o * (size_t)axis->taps;
        PePairWeights *out = pairs->weights + (size_t)o * (size_t)pairs->max;
        int first = first_pair(axis, o, offset);
        pairs->first[o] = first;
        pairs->count[o] = end_pair(axis, o, offset) - first;
        memset(out, 0, (size_t)pairs->count[o] * sizeof *out);
        for (int k = 0; k < axis->count[o]; k++) {
            int x = offset + axis->first[o] + k;
            set_weight(&out[x / 2 - first], x % 2, w[k]);
        }
    }
}

// How long segments have to be.
static int
segment_pairs(const PeResizeAxis *axis, int offset)
{
    int last = axis->out_size - 1, first = first_pair(axis, last, offset);
    int n = (end_pair(axis, last, offset) - first + 1) / 2;
    for (int o = 0; o < last; o++) {
        int next = first_pair(axis, o + 1, offset);
        n = MAX(n, next - first_pair(axis, o, offset));
        n = MAX(n, end_pair(axis, o, offset) - next);
    }
    return n;
}

static void
take_segments(PeSegments *segments, const PeResizeAxis *axis, int offset,
              uint8_t *scratch, size_t *size)
{
    size_t n = (size_t)axis->out_size + 1;
    segments->pairs = segment_pairs(axis, offset);
    segments->first = take(scratch, size, n * sizeof *segments->first);
    segments->weights =
        take(scratch, size,
             n * (size_t)segments->pairs * 2 * sizeof *segments->weights);
}

static void
fill_segments(PeSegments *segments, const PeResizeAxis *axis, int offset)
{
    const int n = axis->out_size, pairs = segments->pairs;
    for (int o = 0; o < n; o++)
        segments->first[o] = first_pair(axis, o, offset);
    segments->first[n] =
        MIN(segments->first[n - 1] + pairs, end_pair(axis, n - 1, offset));
    memset(segments->weights, 0,
           (size_t)(n + 1) * (size_t)pairs * 2 * sizeof *segments->weights);
    for (int o = 0; o < n; o++) {
        const int32_t *w = axis->weights + (size_t)o * (size_t)axis->taps;
        for (int k = 0; k < axis->count[o]; k++) {
            int x = offset + axis->first[o] + k;
            int i = x / 2 < segments->first[o + 1] ? o : o + 1;
            int at = i * pairs + x / 2 - segments->first[i];
            set_weight(&segments->weights[2 * at + (i == o)], x % 2, w[k]);
        }
    }
}

size_t
pe_pixels_layout(PePixels *p, const PeFrame *frame, const PeResizeAxis *x,
                 const PeResizeAxis *y, uint8_t *scratch)
{
    p->frame = pe_frame_trim(frame);
    p->x = x;
    p->y = y;
    bool swaps = pe_orientation_swaps_axes(frame->orientation);
    p->place =
        pe_placement(frame->orientation, swaps ? y->out_size : x->out_size,
                     swaps ? x->out_size : y->out_size);
    p->channels =
        pe_format_layout(frame->format)->colours == PE_COLOURS_GREY ? 1 : 3;
    p->width = pad(p->frame.crop.x + p->frame.crop.width);
    p->out_width = pad(x->out_size);
    p->ring_pairs = y->taps / 2 + 1 + PE_PIXEL_LANES / 2;

    size_t size = 0, c = (size_t)p->channels;
    take_segments(&p->x_segments, x, p->frame.crop.x, scratch, &size);
    take_pairs(&p->y_pairs, y, scratch, &size);
    p->rows = take(scratch, &size, c * PE_PIXEL_LANES * PE_PIXEL_TILE);
    size_t width = (size_t)(p->width + 2 * p->x_segments.pairs);
    p->columns = take(scratch, &size, c * PE_PIXEL_LANES * width);
    p->ring = take(scratch, &size,
                   (size_t)p->ring_pairs * c * 2 * (size_t)p->out_width);
    if (scratch) {
        fill_segments(&p->x_segments, x, p->frame.crop.x);
        fill_pairs(&p->y_pairs, y, p->frame.crop.y);
    }
    return size;
}

// ---- Tables -----------------------------------------------------------------

// Two for a stream and two for each of its regions; of a 4K frame a table has
// 32 KiB.
#define MAX_RESIZES 64

static void *
build_axis(int in_size, int out_size, void *user_data, GError **error)
{
    return pe_resize_axis_new(in_size, out_size);
}

static void
free_axis(void *axis, void *user_data)
{
    pe_resize_axis_free(axis);
}

PeResizeCache *
pe_cpu_resizes_new(void)
{
    return pe_resize_cache_new(MAX_RESIZES, build_axis, free_axis, NULL);
}

// ---- Slots ------------------------------------------------------------------

PeSlot *
pe_slot_new_c(PeBackend *be, int width, int height)
{
    uint8_t *rgb = pe_block_alloc((size_t)width * (size_t)height * 3);
    if (!rgb)
        return NULL;
    PeSlot *slot = g_new0(PeSlot, 1);
    slot->width = width;
    slot->height = height;
    slot->rgb = rgb;
    return slot;
}

void
pe_slot_free_c(PeBackend *be, PeSlot *slot)
{
    if (!slot)
        return;
    pe_block_free(slot->rgb);
    g_free(slot);
}

// Into the slot, by the tables of the crop's width and height.
static bool
squash(const PeCpu *cpu, PeSlot *slot, const PeFrame *frame,
       const PeResizeAxis *x, const PeResizeAxis *y, GError **error)
{
    PePixels p = {.rgb = slot->rgb};
    size_t size = pe_pixels_layout(&p, frame, x, y, NULL);
    // Of the heap, which keeps it for the next frame.
    uint8_t *scratch = aligned_alloc(64, (size + 63) & ~(size_t)63);
    if (!scratch) {
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM,
                    "no memory left to resize %dx%d pixels (%zu KiB)",
                    x->in_size, y->in_size, size >> 10);
        return false;
    }
    pe_pixels_layout(&p, frame, x, y, scratch);
    pe_pixels_func(cpu->isa)(&p);
    free(scratch);
    return true;
}

static bool
ingest_crop(const PeCpu *cpu, PeSlot *slot, const PeFrame *frame,
            GError **error)
{
    if (!pe_frame_check(frame, error))
        return false;
    PeRect crop = pe_frame_get_crop(frame);
    bool swaps = pe_orientation_swaps_axes(frame->orientation);
    PeResizeTable *x = pe_resize_cache_get(
        cpu->resizes, crop.width, swaps ? slot->height : slot->width, error);
    PeResizeTable *y =
        x ? pe_resize_cache_get(cpu->resizes, crop.height,
                                swaps ? slot->width : slot->height, error)
          : NULL;
    bool ok = y && squash(cpu, slot, frame, x->data, y->data, error);
    pe_resize_cache_put(cpu->resizes, x);
    pe_resize_cache_put(cpu->resizes, y);
    return ok;
}

bool
pe_ingest_c(PeBackend *be, PeSlot *const *slots, const PeFrame *frame,
            const PeRect *regions, int n, GError **error)
{
    bool ok = frame->memory == PE_MEMORY_HOST;
    if (!ok)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "the frame lies in device memory, which the cpu backend "
                    "cannot read");
    for (int i = 0; ok && i < n; i++) {
        PeFrame part = *frame;
        if (regions)
            part.crop = regions[i];
        ok = ingest_crop((PeCpu *)be, slots[i], &part, error);
    }
    return ok;
}

// One patch of the slot at pixel (x, y), through a table of act.
static void
cut_patch(const PeSlot *slot, int x, int y, int patch, size_t size,
          const char *table, char *out)
{
    for (int line = 0; line < 3 * patch; line++) {
        int c = line / patch, py = line % patch;
        size_t row = (size_t)(c * slot->height + y + py);
        const uint8_t *in = slot->rgb + row * (size_t)slot->width + x;
        if (size == 2) {
            for (int i = 0; i < patch; i++, out += 2)
                memcpy(out, table + 2 * in[i], 2);
        } else {
            for (int i = 0; i < patch; i++, out += 4)
                memcpy(out, table + 4 * in[i], 4);
        }
    }
}

// Cut slots into patches.
//
//   slots  [B] of u8 [3, h, w]      y  [B * gh * gw, k_padded] act
//
//   y[b, gy * gw + gx, (c * P + py) * P + px] =
//       table(slots[b][c, gy * P + py, gx * P + px])
//
// The table is exact in every act. Source: torchvision ToTensor and
// Normalize(0.5, 0.5) times PE_PIXEL_SCALE, then pe.py, conv1.
void
pe_patchify_c(PeBackend *be, void *y, PeSlot *const *slots, int b, int patch,
              int k_padded)
{
    size_t size = pe_dtype_size(be->act), k = 3 * (size_t)(patch * patch);
    float table[256];
    for (size_t v = 0; v < 256; v++)
        pe_act_set(be->act, table, v, pe_pixel_table()[v]);

    int gh = slots[0]->height / patch, gw = slots[0]->width / patch;
    char *out = y;
    for (int i = 0; i < b * gh * gw; i++) {
        cut_patch(slots[i / (gh * gw)], i % gw * patch, i / gw % gh * patch,
                  patch, size, (const char *)table, out);
        memset(out + k * size, 0, ((size_t)k_padded - k) * size);
        out += (size_t)k_padded * size;
    }
}
