// SPDX-License-Identifier: LGPL-2.1-or-later
//
// picture.c - see picture.h.

#include "picture.h"

#include <stdlib.h>

void
picture_clear(Picture *p)
{
    for (int i = 0; i < 3; i++)
        g_free(p->planes[i]);
}

Picture
picture_new(PeFormat format, int w, int h, int pad, guint32 seed)
{
    Picture p = {.frame = {.format = format, .width = w, .height = h}};
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (int i = 0; i < 3; i++) {
        int line, n_lines;
        pe_frame_plane_size(&p.frame, i, &line, &n_lines);
        if (!n_lines)
            continue;
        // Nothing behind the last line may be read.
        size_t size =
            (size_t)(line + pad) * (size_t)(n_lines - 1) + (size_t)line;
        p.planes[i] = g_malloc(size);
        for (size_t j = 0; j < size; j++)
            p.planes[i][j] = (uint8_t)g_rand_int(rand);
        p.frame.planes[i] = p.planes[i];
        p.frame.strides[i] = line + pad;
    }
    return p;
}

uint8_t *
picture_squash(PePixelsFunc func, const PeFrame *frame, int out_w, int out_h)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(pe_frame_check(frame, &error));
    PeRect crop = pe_frame_get_crop(frame);
    bool swaps = pe_orientation_swaps_axes(frame->orientation);
    PeResizeAxis *x = pe_resize_axis_new(crop.width, swaps ? out_h : out_w);
    PeResizeAxis *y = pe_resize_axis_new(crop.height, swaps ? out_w : out_h);
    PePixels p = {.rgb = g_malloc((size_t)(3 * out_w * out_h))};
    size_t size = pe_pixels_layout(&p, frame, x, y, NULL);
    uint8_t *scratch = aligned_alloc(64, (size + 63) / 64 * 64);
    g_assert_nonnull(scratch);
    pe_pixels_layout(&p, frame, x, y, scratch);
    func(&p);
    free(scratch);
    pe_resize_axis_free(x);
    pe_resize_axis_free(y);
    return p.rgb;
}

PeIsa
picture_highest_isa(void)
{
    g_autoptr(GError) error = NULL;
    PeBackend *be = pe_backend_open("cpu", PE_PRECISION_FP32, 1, &error);
    g_assert_no_error(error);
    PeIsa isa = MIN(((PeCpu *)be)->isa, PE_ISA_AVX512);
    be->ops->close(be);
    return isa;
}
