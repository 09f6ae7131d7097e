// SPDX-License-Identifier: LGPL-2.1-or-later
//
// preprocess.c - slots: pictures that have been converted and squashed by the
// loops of pixels_simd.c and wait to be cut into patches.

#include <stdlib.h>

#include "pixels.h"

struct PeSlot {
    int width, height;
    PeResizeAxis *x, *y; // of the last frame's size; NULL before the first
    uint8_t *rgb;        // u8 [3, height, width]
};

PePixelsFunc
pe_pixels_func(PeRung rung)
{
#ifdef PE_HAVE_X86
    if (rung >= PE_RUNG_AVX512)
        return pe_pixels_squash_avx512;
    if (rung >= PE_RUNG_AVX2)
        return pe_pixels_squash_avx2;
#endif
    return pe_pixels_squash_c;
}

static int
pad(int n)
{
    return (n + PE_PIXEL_LANES - 1) / PE_PIXEL_LANES * PE_PIXEL_LANES;
}

size_t
pe_pixels_layout(PePixels *p, const PeFrame *frame, const PeResizeAxis *x,
                 const PeResizeAxis *y, uint8_t *scratch)
{
    p->frame = frame;
    p->x = x;
    p->y = y;
    p->channels = frame->format == PE_FORMAT_GRAY8 ? 1 : 3;
    p->width = pad(frame->width);
    p->out_width = pad(x->out_size);
    p->ring_rows = y->taps + PE_PIXEL_LANES;

    size_t width = (size_t)p->width, c = (size_t)p->channels;
    size_t block = c * PE_PIXEL_LANES * width;
    size_t ring = (size_t)p->ring_rows * c * (size_t)p->out_width;
    size_t line = 2 * width; // of 16 bits
    if (scratch) {
        p->rows = scratch;
        p->columns = p->rows + block;
        p->ring = p->columns + block;
        p->line = p->ring + ring;
        p->luma = (uint16_t *)(void *)(p->line + p->out_width);
        p->cb = p->luma + width;
        p->cr = p->cb + width;
    }
    return 2 * block + ring + (size_t)p->out_width + 3 * line;
}

PeSlot *
pe_slot_new_c(PeBackend *be, int width, int height)
{
    uint8_t *rgb = pe_cpu_alloc((size_t)width * (size_t)height * 3);
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
    pe_resize_axis_free(slot->x);
    pe_resize_axis_free(slot->y);
    free(slot->rgb);
    g_free(slot);
}

// Streams seldom change their size, so a slot keeps the tables it had.
static void
update_axis(PeResizeAxis **axis, int in_size, int out_size)
{
    if (*axis && (*axis)->in_size == in_size)
        return;
    pe_resize_axis_free(*axis);
    *axis = pe_resize_axis_new(in_size, out_size);
}

bool
pe_ingest_c(PeBackend *be, PeSlot *slot, const PeFrame *frame, GError **error)
{
    if (frame->memory != PE_MEMORY_HOST) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "the frame lies in device memory, which the cpu backend "
                    "cannot read");
        return false;
    }
    if (!pe_frame_check(frame, error))
        return false;
    update_axis(&slot->x, frame->width, slot->width);
    update_axis(&slot->y, frame->height, slot->height);

    PePixels p = {.rgb = slot->rgb};
    size_t size = pe_pixels_layout(&p, frame, slot->x, slot->y, NULL);
    uint8_t *scratch = pe_cpu_alloc(size);
    if (!scratch) {
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM,
                    "no memory left to resize a frame of %dx%d pixels "
                    "(%zu KiB)",
                    frame->width, frame->height, size >> 10);
        return false;
    }
    pe_pixels_layout(&p, frame, slot->x, slot->y, scratch);
    pe_pixels_func(((PeCpu *)be)->rung)(&p);
    free(scratch);
    return true;
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
