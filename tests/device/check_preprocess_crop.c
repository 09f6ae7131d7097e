// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_preprocess_crop.c - a crop is what is cut out of the frame after its
// conversion to RGB, to the bit, in every variant of the loops; and that
// conversion is the formula of preprocess.h.

#include "tests/support/picture.h"

static PeIsa machine; // the best of this one

// ---- The plain path -------------------------------------------------------

static int
sample16(const uint8_t *p)
{
    return (p[0] | p[1] << 8) >> 6;
}

// The samples that cover a pixel: R, G, B or y, u, v.
static void
get_samples(const PeFrame *f, int x, int y, int *s)
{
    const uint8_t *line = f->planes[0] + y * f->strides[0];
    const uint8_t *chroma = f->planes[1] + y / 2 * f->strides[1];
    int step = f->format <= PE_FORMAT_BGR ? 3 : 4;
    bool swapped = f->format == PE_FORMAT_BGR || f->format == PE_FORMAT_BGRX;
    switch (f->format) {
    case PE_FORMAT_YUY2:
        s[0] = line[2 * x];
        s[1] = line[x / 2 * 4 + 1];
        s[2] = line[x / 2 * 4 + 3];
        break;
    case PE_FORMAT_NV12:
        s[0] = line[x];
        s[1] = chroma[x / 2 * 2];
        s[2] = chroma[x / 2 * 2 + 1];
        break;
    case PE_FORMAT_I420:
        s[0] = line[x];
        s[1] = chroma[x / 2];
        s[2] = f->planes[2][y / 2 * f->strides[2] + x / 2];
        break;
    case PE_FORMAT_P010:
        s[0] = sample16(line + 2 * x);
        s[1] = sample16(chroma + x / 2 * 4);
        s[2] = sample16(chroma + x / 2 * 4 + 2);
        break;
    case PE_FORMAT_GRAY8:
        s[0] = line[x];
        s[1] = s[2] = 128;
        break;
    default:
        for (int c = 0; c < 3; c++)
            s[swapped ? 2 - c : c] = line[step * x + c];
    }
}

static uint8_t
level(int64_t fixed)
{
    int64_t v = fixed >> 16;
    return (uint8_t)CLAMP(v, 0, 255);
}

// The whole frame as RGB, pixel by pixel; the frame's own memory is `rgb`.
static PeFrame
convert_plainly(const PeFrame *f, uint8_t *rgb)
{
    PeYuvCoefficients k = pe_yuv_coefficients(
        f->format == PE_FORMAT_GRAY8 ? PE_MATRIX_BT601 : f->matrix,
        f->full_range, f->format == PE_FORMAT_P010 ? 10 : 8);
    for (int i = 0; i < f->width * f->height; i++) {
        int s[3];
        get_samples(f, i % f->width, i / f->width, s);
        uint8_t *out = rgb + 3 * i;
        int64_t l = (int64_t)k.y_mul * (s[0] - k.y_off) + (1 << 15);
        int u = s[1] - k.c_off, v = s[2] - k.c_off;
        bool yuv = f->format >= PE_FORMAT_GRAY8;
        out[0] = yuv ? level(l + k.r_v * v) : (uint8_t)s[0];
        out[1] = yuv ? level(l + k.g_u * u + k.g_v * v) : (uint8_t)s[1];
        out[2] = yuv ? level(l + k.b_u * u) : (uint8_t)s[2];
    }
    return (PeFrame){.format = PE_FORMAT_RGB,
                     .width = f->width,
                     .height = f->height,
                     .planes = {rgb},
                     .strides = {3 * f->width}};
}

static PeFrame
cut(const PeFrame *rgb, PeRect r)
{
    PeFrame f = *rgb;
    f.planes[0] += r.y * f.strides[0] + 3 * r.x;
    f.width = r.width;
    f.height = r.height;
    return f;
}

// `frame` with its crop, in every variant, against the cut of `rgb`.
static void
assert_is_cut(const PeFrame *frame, const PeFrame *rgb, int out_w, int out_h)
{
    PeFrame part = cut(rgb, pe_frame_get_crop(frame));
    size_t n = (size_t)(3 * out_w * out_h);
    g_autofree uint8_t *want =
        picture_squash(pe_pixels_squash_c, &part, out_w, out_h);
    for (PeIsa isa = PE_ISA_C; isa <= machine; isa++) {
        g_autofree uint8_t *got =
            picture_squash(pe_pixels_func(isa), frame, out_w, out_h);
        if (memcmp(got, want, n) != 0)
            g_error("format %d, matrix %d, %dx%d at (%d, %d) of %dx%d, isa "
                    "%d: other bytes than those of the cut picture",
                    frame->format, frame->matrix, part.width, part.height,
                    frame->crop.x, frame->crop.y, frame->width, frame->height,
                    isa);
    }
}

// ---- Tests ----------------------------------------------------------------

static void
converts_by_the_formula(void)
{
    for (int format = 0; format <= PE_FORMAT_P010; format++) {
        for (int i = 0; i < 6; i++) {
            // Wider than a tile of columns, and 300,000 colours of noise.
            int w = 1021, h = 299;
            Picture p = picture_new((PeFormat)format, w, h, 2, (guint32)i);
            p.frame.matrix = (PeMatrix)(i % 3);
            p.frame.full_range = i / 3;
            g_autofree uint8_t *rgb = g_malloc((size_t)(3 * w * h));
            PeFrame whole = convert_plainly(&p.frame, rgb);
            // Of the same size: nothing is resized.
            assert_is_cut(&p.frame, &whole, w, h);
            picture_clear(&p);
        }
    }
}

static void
equals_the_cut_of_the_converted_frame(void)
{
    enum { W = 83, H = 59 };
    static const PeRect rects[] = {
        {0, 0, 0, 0},     {0, 0, W, H},         {1, 1, 1, 1},
        {0, 1, 5, 3},     {1, 0, 2, 2},         {3, 5, 17, 9},
        {7, 3, 64, 33},   {W - 1, H - 1, 1, 1}, {2, 2, 80, 56},
        {5, 0, W - 5, H}, {0, 7, W, 1},         {9, 0, 1, H},
        {31, 15, 33, 17}, {W - 7, 11, 7, 5},    {1, H - 3, 9, 3},
        {4, 4, 32, 32},
    };
    for (int format = 0; format <= PE_FORMAT_P010; format++) {
        Picture p = picture_new((PeFormat)format, W, H, 6, 3);
        g_autofree uint8_t *rgb = g_malloc(3 * W * H);
        p.frame.matrix = (PeMatrix)(format % 3);
        PeFrame whole = convert_plainly(&p.frame, rgb);
        for (size_t i = 0; i < G_N_ELEMENTS(rects); i++) {
            p.frame.crop = rects[i];
            assert_is_cut(&p.frame, &whole, 32, 18);
            assert_is_cut(&p.frame, &whole, 7, 70);
        }
        picture_clear(&p);
    }
}

static void
cuts_any_rectangle_of_a_large_frame(void)
{
    enum { W = 701, H = 403 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);
    for (int format = 0; format <= PE_FORMAT_P010; format++) {
        Picture p = picture_new((PeFormat)format, W, H, 4, 9);
        g_autofree uint8_t *rgb = g_malloc(3 * W * H);
        PeFrame whole = convert_plainly(&p.frame, rgb);
        for (int i = 0; i < 12; i++) {
            PeRect *r = &p.frame.crop;
            r->x = g_rand_int_range(rand, 0, W);
            r->y = g_rand_int_range(rand, 0, H);
            r->width = g_rand_int_range(rand, 1, W - r->x + 1);
            r->height = g_rand_int_range(rand, 1, H - r->y + 1);
            assert_is_cut(&p.frame, &whole, 48, 32);
        }
        picture_clear(&p);
    }
}

// What a backend copies for a crop: no more than the samples that cover it, and
// words of four stay aligned.
static void
trims_a_frame_to_its_crop(void)
{
    Picture p = picture_new(PE_FORMAT_NV12, 200, 100, 0, 1);
    p.frame.crop = (PeRect){.x = 51, .y = 33, .width = 7, .height = 5};
    PeFrame f = pe_frame_trim(&p.frame);
    g_assert_cmpint(f.crop.x, ==, 3);
    g_assert_cmpint(f.crop.y, ==, 1);
    g_assert_cmpint(f.width, ==, 10);
    g_assert_cmpint(f.height, ==, 6);
    g_assert_true(f.planes[0] == p.planes[0] + 32 * 200 + 48);
    g_assert_true(f.planes[1] == p.planes[1] + 16 * 200 + 48);
    int line, n_lines;
    pe_frame_plane_size(&f, 1, &line, &n_lines);
    g_assert_cmpint(line, ==, 10);
    g_assert_cmpint(n_lines, ==, 3);
    g_assert_true(pe_frame_check(&f, NULL));
    picture_clear(&p);
}

static void
refuses_crops_outside_of_the_frame(void)
{
    static const PeRect bad[] = {
        {-1, 0, 5, 5},
        {0, -1, 5, 5},
        {0, 0, 41, 5},
        {0, 0, 5, 31},
        {40, 0, 1, 1},
        {0, 30, 1, 1},
        {36, 0, 5, 5},
        {0, 26, 5, 5},
        {5, 5, 0, 0},
        {0, 0, 0, 5},
        {0, 0, 5, -5},
        {1, 1, G_MAXINT, G_MAXINT},
        {G_MAXINT, G_MAXINT, 1, 1},
    };
    Picture p = picture_new(PE_FORMAT_I420, 40, 30, 0, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        p.frame.crop = bad[i];
        g_assert_false(pe_frame_check(&p.frame, &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        g_autofree char *found =
            g_strdup_printf("%dx%d pixels at (%d, %d)", bad[i].width,
                            bad[i].height, bad[i].x, bad[i].y);
        g_assert_nonnull(strstr(error->message, found));
        g_assert_nonnull(strstr(error->message, "frame of 40x30 pixels"));
    }
    p.frame.crop = (PeRect){39, 29, 1, 1};
    g_assert_true(pe_frame_check(&p.frame, NULL));
    picture_clear(&p);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    machine = picture_highest_isa();
    g_test_add_func("/preprocess-crop/formula", converts_by_the_formula);
    g_test_add_func("/preprocess-crop/cut",
                    equals_the_cut_of_the_converted_frame);
    g_test_add_func("/preprocess-crop/any",
                    cuts_any_rectangle_of_a_large_frame);
    g_test_add_func("/preprocess-crop/trim", trims_a_frame_to_its_crop);
    g_test_add_func("/preprocess-crop/outside",
                    refuses_crops_outside_of_the_frame);
    return g_test_run();
}
