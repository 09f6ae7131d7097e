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

// Sample x, y of a component as it is stored.
static int
get_stored(const PeFrame *f, int c, int x, int y)
{
    const uint8_t *line = f->planes[0] + y * f->strides[0];
    const uint8_t *chroma = c ? f->planes[1] + y * f->strides[1] : NULL;
    switch (f->format) {
    case PE_FORMAT_YUY2:
        return c ? line[4 * x + 2 * c - 1] : line[2 * x];
    case PE_FORMAT_NV12:
        return c ? chroma[2 * x + c - 1] : line[x];
    case PE_FORMAT_I420:
        return (f->planes[c] + y * f->strides[c])[x];
    default:
        g_assert_cmpint(f->format, ==, PE_FORMAT_P010);
        return sample16(c ? chroma + 4 * x + 2 * c - 2 : line + 2 * x);
    }
}

// Between two samples at x, where sample i lies at i + offset.
static double
place(int x, double offset, int step, int n, int *i, int *j)
{
    double at = (double)x / step - offset;
    *i = (int)floor(at);
    *j = CLAMP(*i + 1, 0, n - 1);
    double weight = at - *i;
    *i = CLAMP(*i, 0, n - 1);
    return weight;
}

// y, u, v of a pixel; chroma from the samples around it.
static void
get_yuv(const PeFrame *f, int x, int y, double *yuv)
{
    bool left = f->site == PE_SITE_LEFT || f->site == PE_SITE_TOP_LEFT;
    bool top = f->site == PE_SITE_TOP || f->site == PE_SITE_TOP_LEFT;
    int step_y = f->format == PE_FORMAT_YUY2 ? 1 : 2;
    int x0, x1, y0, y1;
    double wx = place(x, left ? 0 : 0.25, 2, (f->width + 1) / 2, &x0, &x1);
    double wy = place(y, top || step_y == 1 ? 0 : 0.25, step_y,
                      (f->height + step_y - 1) / step_y, &y0, &y1);
    yuv[0] = get_stored(f, 0, x, y);
    for (int c = 1; c < 3; c++)
        yuv[c] = (1 - wy) * ((1 - wx) * get_stored(f, c, x0, y0) +
                             wx * get_stored(f, c, x1, y0)) +
                 wy * ((1 - wx) * get_stored(f, c, x0, y1) +
                       wx * get_stored(f, c, x1, y1));
}

// R, G, B of a pixel by the standards' own definition, in double.
static void
expected_rgb(const PeFrame *f, const double *yuv, double *rgb)
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
        double yuv[3], rgb[3];
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
            for (int j = 0; j < 8; j++) {
                // Odd sizes; output of the same size resizes nothing.
                Picture p = picture_new(formats[i], 75, 41, 6, 1);
                p.frame.matrix = (PeMatrix)matrix;
                p.frame.full_range = j % 2;
                p.frame.site = (PeSite)(j / 2);
                g_autofree uint8_t *got =
                    picture_squash(fastest, &p.frame, 75, 41);
                worst = MAX(worst, worst_pixel(&p.frame, got));
                picture_clear(&p);
            }
        }
    }
    // Half a level is the rounding itself, and luma and chroma are rounded to
    // 1/64 before.
    g_test_message("largest difference %.4f of a level (limit 0.531)", worst);
    g_assert_cmpfloat(worst, <=, 0.5 + 2 / 64.0);
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
        int line, lines;
        pe_frame_plane_size(f, i, &line, &lines);
        int ten = i ? 512 << 6 : (int)lround(v * 1023 / 255.0) << 6;
        for (int j = 0; j < lines; j++) {
            uint8_t *out = p->planes[i] + j * f->strides[i];
            for (int k = 0; k < line; k++) {
                if (f->format == PE_FORMAT_P010)
                    out[k] = (uint8_t)(k % 2 ? ten >> 8 : ten);
                else if (f->format == PE_FORMAT_YUY2 && k % 2)
                    out[k] = 128;
                else
                    out[k] = (uint8_t)(i ? 128 : v);
            }
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

// What SDR shows of so much light, in cd/m2, as a byte of PQ.
static int
pq_of(double light)
{
    double p = pow(light / 10000, 0.1593017578125);
    double v = pow((0.8359375 + 18.8515625 * p) / (1 + 18.6875 * p), 78.84375);
    return (int)lround(255 * v);
}

static void
maps_pq_to_the_light_of_sdr(void)
{
    Picture p = picture_new(PE_FORMAT_RGB, 256, 2, 0, 1);
    for (int i = 0; i < 2 * 3 * 256; i++)
        p.planes[0][i] = (uint8_t)(i / 3);
    p.frame.transfer = PE_TRANSFER_PQ;
    g_autofree uint8_t *got = picture_squash(fastest, &p.frame, 256, 2);
    // Dark parts keep their light; a byte of PQ is up to 4 of SDR.
    for (double light = 0.5; light < 85; light *= 1.3) {
        double want = 255 * pow(light / 203, 1 / 2.4);
        int is = got[pq_of(light)];
        g_test_message("%.1f cd/m2: %d, should be %.1f (within 4)", light, is,
                       want);
        g_assert_cmpfloat(fabs(is - want), <=, 4);
    }
    // Bright ones come together below white.
    g_assert_cmpint(got[0], ==, 0);
    g_assert_cmpint(got[pq_of(203)], >, 220);
    g_assert_cmpint(got[pq_of(203)], <, 240);
    g_assert_cmpint(got[pq_of(1000)], >=, 254);
    g_assert_cmpint(got[255], ==, 255);
    for (int i = 1; i < 256; i++)
        g_assert_cmpint(got[i], >=, got[i - 1]);
    for (int c = 1; c < 3; c++)
        g_assert_cmpmem(got + c * 512, 256, got, 256);
    g_autofree uint8_t *plain =
        picture_squash(pe_pixels_squash_c, &p.frame, 256, 2);
    g_assert_cmpmem(plain, 3 * 512, got, 3 * 512);
    picture_clear(&p);
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
    g_test_add_func("/preprocess-formats/pq", maps_pq_to_the_light_of_sdr);
    g_test_add_func("/preprocess-formats/rgb",
                    reads_the_same_colours_in_any_byte_order);
    return g_test_run();
}
