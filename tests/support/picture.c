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
    int cw = (w + 1) / 2, ch = (h + 1) / 2;
    int sizes[3][2] = {{w, h}};
    switch (format) {
    case PE_FORMAT_RGB:
    case PE_FORMAT_BGR:
        sizes[0][0] = 3 * w;
        break;
    case PE_FORMAT_RGBX:
    case PE_FORMAT_BGRX:
        sizes[0][0] = 4 * w;
        break;
    case PE_FORMAT_YUY2:
        sizes[0][0] = 4 * cw;
        break;
    case PE_FORMAT_NV12:
        sizes[1][0] = 2 * cw;
        sizes[1][1] = ch;
        break;
    case PE_FORMAT_P010:
        sizes[0][0] = 2 * w;
        sizes[1][0] = 4 * cw;
        sizes[1][1] = ch;
        break;
    case PE_FORMAT_I420:
        sizes[1][0] = sizes[2][0] = cw;
        sizes[1][1] = sizes[2][1] = ch;
        break;
    case PE_FORMAT_GRAY8:
        break;
    }
    Picture p = {.frame = {.format = format, .width = w, .height = h}};
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (int i = 0; i < 3 && sizes[i][0]; i++) {
        size_t size = (size_t)(sizes[i][0] + pad) * (size_t)sizes[i][1];
        p.planes[i] = g_malloc(size);
        for (size_t j = 0; j < size; j++)
            p.planes[i][j] = (uint8_t)g_rand_int(rand);
        p.frame.planes[i] = p.planes[i];
        p.frame.strides[i] = sizes[i][0] + pad;
    }
    return p;
}

uint8_t *
picture_squash(PePixelsFunc func, const PeFrame *frame, int out_w, int out_h)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(pe_frame_check(frame, &error));
    PeRect crop = pe_frame_get_crop(frame);
    PeResizeAxis *x = pe_resize_axis_new(crop.width, out_w);
    PeResizeAxis *y = pe_resize_axis_new(crop.height, out_h);
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
