// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_preprocess_formats.c - frames of every format become the colours that
// the standards name.

#include <math.h>

#include "tests/support/picture.h"

static PePixelsFunc fastest;

static int
sample16(const uint8_t *p)
{
    return (p[0] | p[1] << 8) >> 6;
}

// y, u, v of a pixel as they are stored.
static void
get_yuv(const PeFrame *f, int x, int y, int *yuv)
{
    const uint8_t *line = f->planes[0] + y * f->strides[0];
    const uint8_t *chroma =
        f->planes[1] ? f->planes[1] + y / 2 * f->strides[1] : NULL;
    switch (f->format) {
    case PE_FORMAT_YUY2:
        yuv[0] = line[2 * x];
        yuv[1] = line[x / 2 * 4 + 1];
        yuv[2] = line[x / 2 * 4 + 3];
        break;
    case PE_FORMAT_NV12:
        yuv[0] = line[x];
        yuv[1] = chroma[x / 2 * 2];
        yuv[2] = chroma[x / 2 * 2 + 1];
        break;
    case PE_FORMAT_I420:
        yuv[0] = line[x];
        yuv[1] = chroma[x / 2];
        yuv[2] = f->planes[2][y / 2 * f->strides[2] + x / 2];
        break;
    default:
        g_assert_cmpint(f->format, ==, PE_FORMAT_P010);
        yuv[0] = sample16(line + 2 * x);
        yuv[1] = sample16(chroma + x / 2 * 4);
        yuv[2] = sample16(chroma + x / 2 * 4 + 2);
    }
}

// R, G, B of a pixel by the standards' own definition, in double.
static void
expected_rgb(const PeFrame *f, const int *yuv, double *rgb)
{
    static const double kr[] = {0.299, 0.2126, 0.2627};
    static const double kb[] = {0.114, 0.0722, 0.0593};
    bool ten = f->format == PE_FORMAT_P010;
    double step = ten ? 4 : 1, full = ten ? 1023 : 255;
    double y =
        f->full_range ? yuv[0] / full : (yuv[0] - 16 * step) / (219 * step);
    double size = f->full_range ? full : 224 * step;
    double cb = (yuv[1] - 128 * step) / size;
    double cr = (yuv[2] - 128 * step) / size;
    double r = kr[f->matrix], b = kb[f->matrix];
    rgb[0] = y + 2 * (1 - r) * cr;
    rgb[2] = y + 2 * (1 - b) * cb;
    rgb[1] = (y - r * rgb[0] - b * rgb[2]) / (1 - r - b);
    for (int c = 0; c < 3; c++)
        rgb[c] = CLAMP(rgb[c], 0, 1) * 255;
}

static double
worst_pixel(const PeFrame *f, const uint8_t *got)
{
    double worst = 0;
    for (int i = 0; i < f->width * f->height; i++) {
        int yuv[3];
        double rgb[3];
        get_yuv(f, i % f->width, i / f->width, yuv);
        expected_rgb(f, yuv, rgb);
        for (int c = 0; c < 3; c++) {
            double d = fabs(got[c * f->width * f->height + i] - rgb[c]);
            worst = MAX(worst, d);
        }
    }
    return worst;
}

static void
converts_yuv_as_the_standards_say(void)
{
    static const PeFormat formats[] = {PE_FORMAT_NV12, PE_FORMAT_I420,
                                       PE_FORMAT_YUY2, PE_FORMAT_P010};
    double worst = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        for (int matrix = 0; matrix <= PE_MATRIX_BT2020; matrix++) {
            for (int full = 0; full < 2; full++) {
                // Odd sizes; output of the same size resizes nothing.
                Picture p = picture_new(formats[i], 75, 41, 6, 1);
                p.frame.matrix = (PeMatrix)matrix;
                p.frame.full_range = full;
                g_autofree uint8_t *got =
                    picture_squash(fastest, &p.frame, 75, 41);
                worst = MAX(worst, worst_pixel(&p.frame, got));
                picture_clear(&p);
            }
        }
    }
    // Half a level is the rounding itself.
    g_test_message("largest difference %.4f of a level (limit 0.51)", worst);
    g_assert_cmpfloat(worst, <=, 0.51);
}

static void
expands_limited_grey(void)
{
    Picture p = picture_new(PE_FORMAT_GRAY8, 256, 1, 0, 0);
    for (int i = 0; i < 256; i++)
        p.planes[0][i] = (uint8_t)i;
    g_autofree uint8_t *limited = picture_squash(fastest, &p.frame, 256, 1);
    p.frame.full_range = true;
    g_autofree uint8_t *full = picture_squash(fastest, &p.frame, 256, 1);
    for (int i = 0; i < 3 * 256; i++) {
        double want = CLAMP((i % 256 - 16) / 219.0, 0, 1) * 255;
        g_assert_cmpint(limited[i], ==, (int)floor(want + 0.5));
        g_assert_cmpint(full[i], ==, i % 256);
    }
    picture_clear(&p);
}

// Set every sample of a frame to the level `v` of 8-bit full-range grey.
static void
fill_grey(Picture *p, int v)
{
    PeFrame *f = &p->frame;
    f->full_range = true;
    for (int i = 0; i < 3 && p->planes[i]; i++) {
        int lines = i ? (f->height + 1) / 2 : f->height;
        memset(p->planes[i], i ? 128 : v, (size_t)(lines * f->strides[i]));
    }
    int n = f->strides[0] * f->height;
    if (f->format == PE_FORMAT_YUY2) {
        for (int i = 1; i < n; i += 2)
            p->planes[0][i] = 128;
    } else if (f->format == PE_FORMAT_P010) {
        int ten = (int)lround(v * 1023 / 255.0) << 6;
        for (int i = 0; i < n; i += 2) {
            p->planes[0][i] = (uint8_t)ten;
            p->planes[0][i + 1] = (uint8_t)(ten >> 8);
        }
        int m = f->strides[1] * ((f->height + 1) / 2);
        for (int i = 0; i < m; i += 2) {
            p->planes[1][i] = 0;
            p->planes[1][i + 1] = 0x80; // 512 << 6
        }
    }
}

static void
sees_the_same_grey_in_every_format(void)
{
    for (int v = 0; v < 256; v += 5) {
        for (int format = 0; format <= PE_FORMAT_P010; format++) {
            Picture p = picture_new((PeFormat)format, 37, 23, 2, 1);
            fill_grey(&p, v);
            g_autofree uint8_t *got = picture_squash(fastest, &p.frame, 16, 20);
            for (int i = 0; i < 3 * 16 * 20; i++) {
                if (got[i] != v)
                    g_error("format %d: grey %d became %d", format, v, got[i]);
            }
            picture_clear(&p);
        }
    }
}

static void
reads_the_same_colours_in_any_byte_order(void)
{
    Picture rgb = picture_new(PE_FORMAT_RGB, 61, 35, 0, 7);
    g_autofree uint8_t *want = picture_squash(fastest, &rgb.frame, 32, 32);
    for (int format = PE_FORMAT_BGR; format <= PE_FORMAT_BGRX; format++) {
        Picture p = picture_new((PeFormat)format, 61, 35, 5, 8);
        int step = format == PE_FORMAT_BGR ? 3 : 4;
        bool swap = format != PE_FORMAT_RGBX;
        for (int y = 0; y < 35; y++) {
            for (int i = 0; i < 61 * 3; i++) {
                int c = swap ? 2 - i % 3 : i % 3;
                p.planes[0][y * p.frame.strides[0] + i / 3 * step + c] =
                    rgb.planes[0][y * rgb.frame.strides[0] + i];
            }
        }
        g_autofree uint8_t *got = picture_squash(fastest, &p.frame, 32, 32);
        g_assert_cmpmem(got, 3 * 32 * 32, want, 3 * 32 * 32);
        picture_clear(&p);
    }
    picture_clear(&rgb);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    fastest = pe_pixels_func(picture_highest_isa());
    g_test_add_func("/preprocess-formats/yuv",
                    converts_yuv_as_the_standards_say);
    g_test_add_func("/preprocess-formats/grey/limited", expands_limited_grey);
    g_test_add_func("/preprocess-formats/grey/all",
                    sees_the_same_grey_in_every_format);
    g_test_add_func("/preprocess-formats/rgb",
                    reads_the_same_colours_in_any_byte_order);
    return g_test_run();
}
