// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_preprocess_crop.c - a crop is what is cut out of the frame after its
// conversion to RGB, to the bit, in every variant of the loops; and that
// conversion is the formula of preprocess.h.

#include "tests/support/picture.h"

static PeIsa machine; // the best of this one

// ---- The plain path -------------------------------------------------------

// Component c of a pixel, between the four samples around it where there are
// fewer than pixels.
static int
get_sample(const PeFrame *f, int c, int x, int y)
{
    const PeLayout *l = pe_format_layout(f->format);
    const PeComponent *p = &l->c[c];
    bool chroma = l->colours == PE_COLOURS_YUV && c > 0;
    const uint8_t *plane = f->planes[p->plane];
    int stride = f->strides[p->plane];
    if (!chroma)
        return (int)pe_layout_read(l, p, plane + y * stride, x);
    bool left = f->site == PE_SITE_LEFT || f->site == PE_SITE_TOP_LEFT;
    bool top = f->site == PE_SITE_TOP || f->site == PE_SITE_TOP_LEFT;
    int w = 1 << l->x_shift, h = 1 << l->y_shift;
    // In eighths of a sample.
    int at_x = 8 * x / w - (left ? 0 : 4 - 4 / w);
    int at_y = 8 * y / h - (top ? 0 : 4 - 4 / h);
    int columns = (f->width + w - 1) / w, lines = (f->height + h - 1) / h;
    int row[2];
    for (int i = 0; i < 2; i++) {
        int s[2];
        int column = CLAMP((at_x + 64) / 8 - 8 + i, 0, columns - 1);
        for (int j = 0; j < 2; j++) {
            int line = CLAMP((at_y + 64) / 8 - 8 + j, 0, lines - 1);
            unsigned v = pe_layout_read(l, p, plane + line * stride, column);
            s[j] = (int)(v / 2) - 16384;
        }
        row[i] = s[0] + (((s[1] - s[0]) * ((at_y + 64) % 8) + 4) >> 3);
    }
    return row[0] + (((row[1] - row[0]) * ((at_x + 64) % 8) + 4) >> 3);
}

static uint8_t
level(int64_t v)
{
    return (uint8_t)CLAMP(v >> 6, 0, 255);
}

static int
part(int64_t factor, int chroma)
{
    return (int)((factor * chroma + 16384) >> 15);
}

// The whole frame as RGB, pixel by pixel; the frame's own memory is `rgb`.
static PeFrame
convert_plainly(const PeFrame *f, uint8_t *rgb)
{
    PeColours colours = pe_format_layout(f->format)->colours;
    PeYuvCoefficients k = pe_frame_coefficients(f, 0);
    for (int i = 0; i < f->width * f->height; i++) {
        uint8_t *out = rgb + 3 * i;
        int l[3], u = 0, v = 0;
        for (int c = 0; c < 3; c++) {
            bool own = colours == PE_COLOURS_RGB;
            PeYuvCoefficients kc = pe_frame_coefficients(f, own ? c : 0);
            int64_t s = get_sample(f, own ? c : 0, i % f->width, i / f->width);
            l[c] = (int)((s + kc.y_low) * kc.y_mul >> 16) + kc.y_add;
        }
        if (colours == PE_COLOURS_YUV) {
            u = get_sample(f, 1, i % f->width, i / f->width);
            v = get_sample(f, 2, i % f->width, i / f->width);
        }
        out[0] = level(l[0] + part(k.r_v, v));
        out[1] = level(l[1] + part(k.g_u, u) + part(k.g_v, v));
        out[2] = level(l[2] + part(k.b_u, u));
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
            g_error("%s, matrix %d, site %d, %dx%d at (%d, %d) of %dx%d, isa "
                    "%d: other bytes than those of the cut picture",
                    pe_format_layout(frame->format)->name, frame->matrix,
                    frame->site, part.width, part.height, frame->crop.x,
                    frame->crop.y, frame->width, frame->height, isa);
    }
}

// ---- Tests ----------------------------------------------------------------

static void
converts_by_the_formula(void)
{
    for (int format = 0; format < PE_N_FORMATS; format++) {
        for (int i = 0; i < 6; i++) {
            // Wider than a tile of columns, and 300,000 colours of noise; fewer
            // where the format has no code of its own.
            bool own = format <= PE_FORMAT_P010;
            int w = own ? 1021 : 277, h = own ? 299 : 31;
            Picture p = picture_new((PeFormat)format, w, h, 2, (guint32)i);
            p.frame.matrix = (PeMatrix)(i % 3);
            p.frame.site = (PeSite)(i % 4);
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
    for (int format = 0; format < PE_N_FORMATS; format++) {
        Picture p = picture_new((PeFormat)format, W, H, 6, 3);
        g_autofree uint8_t *rgb = g_malloc(3 * W * H);
        p.frame.matrix = (PeMatrix)(format % 3);
        p.frame.site = (PeSite)(format % 4);
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
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);
    for (int format = 0; format < PE_N_FORMATS; format++) {
        bool own = format <= PE_FORMAT_P010;
        const int w = own ? 701 : 301, h = own ? 403 : 83;
        Picture p = picture_new((PeFormat)format, w, h, 4, 9);
        g_autofree uint8_t *rgb = g_malloc((size_t)(3 * w * h));
        p.frame.site = (PeSite)((format + 1) % 4);
        PeFrame whole = convert_plainly(&p.frame, rgb);
        for (int i = 0; i < 12; i++) {
            PeRect *r = &p.frame.crop;
            r->x = g_rand_int_range(rand, 0, w);
            r->y = g_rand_int_range(rand, 0, h);
            r->width = g_rand_int_range(rand, 1, w - r->x + 1);
            r->height = g_rand_int_range(rand, 1, h - r->y + 1);
            assert_is_cut(&p.frame, &whole, 48, 32);
        }
        picture_clear(&p);
    }
}

// What a backend copies for a crop: no more than the samples that it is made
// of, those of chroma around it too, and words of four stay aligned.
static void
trims_a_frame_to_its_crop(void)
{
    Picture p = picture_new(PE_FORMAT_NV12, 200, 100, 0, 1);
    p.frame.crop = (PeRect){.x = 51, .y = 33, .width = 7, .height = 5};
    PeFrame f = pe_frame_trim(&p.frame);
    g_assert_cmpint(f.crop.x, ==, 3);
    g_assert_cmpint(f.crop.y, ==, 3);
    g_assert_cmpint(f.width, ==, 12);
    g_assert_cmpint(f.height, ==, 10);
    g_assert_true(f.planes[0] == p.planes[0] + 30 * 200 + 48);
    g_assert_true(f.planes[1] == p.planes[1] + 15 * 200 + 48);
    int line, n_lines;
    pe_frame_plane_size(&f, 1, &line, &n_lines);
    g_assert_cmpint(line, ==, 12);
    g_assert_cmpint(n_lines, ==, 5);
    g_assert_true(pe_frame_check(&f, NULL));
    PeFrame again = pe_frame_trim(&f);
    g_assert_cmpmem(&again, sizeof again, &f, sizeof f);
    // At the end of the frame there is nothing around it.
    p.frame.crop = (PeRect){.x = 193, .y = 95, .width = 7, .height = 5};
    f = pe_frame_trim(&p.frame);
    g_assert_cmpint(f.crop.x + f.crop.width, ==, f.width);
    g_assert_cmpint(f.crop.y + f.crop.height, ==, f.height);
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
