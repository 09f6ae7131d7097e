// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_preprocess.c - frames of every format become the same pictures as
// Pillow's, in every variant of the loops.
//
//     check_preprocess [--fixtures FILE] [--bench]
//
// The file has pairs "N.rgb" [H, W, 3] and "N.squash_S" [S, S, 3]. Without
// arguments: the file in tests/data and the tests of formats and sizes.

#include "core/checkpoint.h"
#include "core/cpu/pixels.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "checkpoint_files.h"

static const char *fixtures;
static PeRung machine; // the highest rung here

// A frame that owns its planes.
typedef struct {
    PeFrame frame;
    uint8_t *planes[3];
} Picture;

static void
clear_picture(Picture *p)
{
    for (int i = 0; i < 3; i++)
        g_free(p->planes[i]);
}

// Planes of random bytes with `pad` unused bytes behind every line.
static Picture
new_picture(PeFormat format, int w, int h, int pad, guint32 seed)
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

// The picture [3, out_h, out_w] of a frame. Returns, g_free().
static uint8_t *
squash(PePixelsFunc func, const PeFrame *frame, int out_w, int out_h)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(pe_frame_check(frame, &error));
    PeResizeAxis *x = pe_resize_axis_new(frame->width, out_w);
    PeResizeAxis *y = pe_resize_axis_new(frame->height, out_h);
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

static PePixelsFunc
fastest(void)
{
    return pe_pixels_func(machine);
}

// ---- Pillow ---------------------------------------------------------------

// "N.rgb" -> the tensor whose name starts with "N.squash_".
static const PeTensor *
find_squashed(PeCheckpoint *file, const char *name)
{
    g_autofree char *number = g_strndup(name, strlen(name) - strlen("rgb"));
    g_autofree char *prefix = g_strconcat(number, "squash_", NULL);
    for (int i = 0; i < pe_checkpoint_count(file); i++) {
        if (g_str_has_prefix(pe_checkpoint_get_name(file, i), prefix))
            return pe_checkpoint_get_nth(file, i);
    }
    g_error("%s has no squashed twin", name);
}

static void
check_pair(const char *name, const PeTensor *in, const PeTensor *want)
{
    int s = (int)want->shape[0];
    PeFrame frame = {.format = PE_FORMAT_RGB,
                     .width = (int)in->shape[1],
                     .height = (int)in->shape[0],
                     .planes = {in->data},
                     .strides = {3 * (int)in->shape[1]}};
    for (PeRung rung = PE_RUNG_C; rung <= machine; rung++) {
        g_autofree uint8_t *got = squash(pe_pixels_func(rung), &frame, s, s);
        int worst = 0, wrong = 0;
        for (int i = 0; i < 3 * s * s; i++) {
            int d = abs(got[i % 3 * s * s + i / 3] -
                        ((const uint8_t *)want->data)[i]);
            worst = MAX(worst, d);
            wrong += d != 0;
        }
        g_test_message("%s %dx%d -> %d: %d bytes differ, at most by %d "
                       "(limit 0)",
                       name, frame.width, frame.height, s, wrong, worst);
        if (wrong) {
            g_test_set_nonfatal_assertions(); // the other pairs, too
            g_test_fail();
        }
    }
}

static void
equals_pillow(void)
{
    g_autoptr(GError) error = NULL;
    PeCheckpoint *file = pe_checkpoint_open(fixtures, &error);
    g_assert_no_error(error);
    int n = 0;
    for (int i = 0; i < pe_checkpoint_count(file); i++) {
        const char *name = pe_checkpoint_get_name(file, i);
        if (!g_str_has_suffix(name, ".rgb"))
            continue;
        check_pair(name, pe_checkpoint_get_nth(file, i),
                   find_squashed(file, name));
        n++;
    }
    g_assert_cmpint(n, >, 0);
    pe_checkpoint_free(file);
}

// ---- Formats --------------------------------------------------------------

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
                Picture p = new_picture(formats[i], 75, 41, 6, 1);
                p.frame.matrix = (PeMatrix)matrix;
                p.frame.full_range = full;
                g_autofree uint8_t *got = squash(fastest(), &p.frame, 75, 41);
                worst = MAX(worst, worst_pixel(&p.frame, got));
                clear_picture(&p);
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
    Picture p = new_picture(PE_FORMAT_GRAY8, 256, 1, 0, 0);
    for (int i = 0; i < 256; i++)
        p.planes[0][i] = (uint8_t)i;
    g_autofree uint8_t *limited = squash(fastest(), &p.frame, 256, 1);
    p.frame.full_range = true;
    g_autofree uint8_t *full = squash(fastest(), &p.frame, 256, 1);
    for (int i = 0; i < 3 * 256; i++) {
        double want = CLAMP((i % 256 - 16) / 219.0, 0, 1) * 255;
        g_assert_cmpint(limited[i], ==, (int)floor(want + 0.5));
        g_assert_cmpint(full[i], ==, i % 256);
    }
    clear_picture(&p);
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
            Picture p = new_picture((PeFormat)format, 37, 23, 2, 1);
            fill_grey(&p, v);
            g_autofree uint8_t *got = squash(fastest(), &p.frame, 16, 20);
            for (int i = 0; i < 3 * 16 * 20; i++) {
                if (got[i] != v)
                    g_error("format %d: grey %d became %d", format, v, got[i]);
            }
            clear_picture(&p);
        }
    }
}

static void
reads_the_same_colours_in_any_byte_order(void)
{
    Picture rgb = new_picture(PE_FORMAT_RGB, 61, 35, 0, 7);
    g_autofree uint8_t *want = squash(fastest(), &rgb.frame, 32, 32);
    for (int format = PE_FORMAT_BGR; format <= PE_FORMAT_BGRX; format++) {
        Picture p = new_picture((PeFormat)format, 61, 35, 5, 8);
        int step = format == PE_FORMAT_BGR ? 3 : 4;
        bool swap = format != PE_FORMAT_RGBX;
        for (int y = 0; y < 35; y++) {
            for (int i = 0; i < 61 * 3; i++) {
                int c = swap ? 2 - i % 3 : i % 3;
                p.planes[0][y * p.frame.strides[0] + i / 3 * step + c] =
                    rgb.planes[0][y * rgb.frame.strides[0] + i];
            }
        }
        g_autofree uint8_t *got = squash(fastest(), &p.frame, 32, 32);
        g_assert_cmpmem(got, 3 * 32 * 32, want, 3 * 32 * 32);
        clear_picture(&p);
    }
    clear_picture(&rgb);
}

// ---- Sizes and variants ---------------------------------------------------

// The same filter with a loop for every output and nothing clever.
static void
resize_plainly(const PeFrame *f, int out_w, int out_h, uint8_t *out)
{
    PeResizeAxis *ax = pe_resize_axis_new(f->width, out_w);
    PeResizeAxis *ay = pe_resize_axis_new(f->height, out_h);
    g_autofree uint8_t *mid = g_malloc((size_t)(out_w * f->height));
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < out_w * f->height; i++) {
            int o = i % out_w;
            const uint8_t *in = f->planes[0] + i / out_w * f->strides[0] + c;
            int64_t sum = 1 << 21;
            for (int k = 0; k < ax->count[o]; k++)
                sum += (int64_t)ax->weights[o * ax->taps + k] *
                       in[3 * (ax->first[o] + k)];
            mid[i] = (uint8_t)CLAMP(sum >> 22, 0, 255);
        }
        for (int i = 0; i < out_w * out_h; i++) {
            int o = i / out_w;
            int64_t sum = 1 << 21;
            for (int k = 0; k < ay->count[o]; k++)
                sum += (int64_t)ay->weights[o * ay->taps + k] *
                       mid[(ay->first[o] + k) * out_w + i % out_w];
            out[c * out_w * out_h + i] = (uint8_t)CLAMP(sum >> 22, 0, 255);
        }
    }
    pe_resize_axis_free(ax);
    pe_resize_axis_free(ay);
}

static void
resizes_any_size_to_any_size(void)
{
    static const int sizes[][4] = {
        {1, 1, 16, 16},     {1, 300, 32, 32},   {300, 1, 32, 32},
        {16384, 2, 48, 48}, {2, 16384, 48, 48}, {17, 15, 224, 224},
        {15, 17, 1, 1},     {64, 64, 64, 64},   {223, 225, 224, 224},
        {640, 360, 98, 50}, {33, 31, 17, 15},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        const int *s = sizes[i];
        size_t n = (size_t)(3 * s[2] * s[3]);
        Picture p = new_picture(PE_FORMAT_RGB, s[0], s[1], 3, (guint32)i);
        g_autofree uint8_t *want = g_malloc(n);
        resize_plainly(&p.frame, s[2], s[3], want);
        for (PeRung rung = PE_RUNG_C; rung <= machine; rung++) {
            g_autofree uint8_t *got =
                squash(pe_pixels_func(rung), &p.frame, s[2], s[3]);
            g_assert_cmpmem(got, n, want, n);
        }
        clear_picture(&p);
    }
}

static void
gives_the_same_bytes_in_every_variant(void)
{
    for (int format = 0; format <= PE_FORMAT_P010; format++) {
        for (int i = 0; i < 12; i++) {
            int w = 1 + i * 29, h = 1 + i * i * 3, s = 16 + i * 7;
            Picture p = new_picture((PeFormat)format, w, h, 2 * i, 5);
            p.frame.full_range = i % 2;
            p.frame.matrix = (PeMatrix)(i % 3);
            size_t n = (size_t)(3 * s * s);
            g_autofree uint8_t *want =
                squash(pe_pixels_squash_c, &p.frame, s, s);
            for (PeRung rung = PE_RUNG_C; rung <= machine; rung++) {
                g_autofree uint8_t *got =
                    squash(pe_pixels_func(rung), &p.frame, s, s);
                g_assert_cmpmem(got, n, want, n);
            }
            clear_picture(&p);
        }
    }
}

static void
refuses_frames_that_do_not_hold_together(void)
{
    Picture p = new_picture(PE_FORMAT_NV12, 32, 32, 0, 1);
    const PeFrame good = p.frame;
    PeFrame bad[7] = {good, good, good, good, good, good, good};
    bad[0].planes[1] = NULL;
    bad[1].strides[1] = 31;
    bad[2].width = 0;
    bad[3].height = PE_MAX_FRAME_SIZE + 1;
    bad[4].strides[0] = -32;
    bad[5].format = (PeFormat)99;
    bad[6].matrix = (PeMatrix)3;
    g_assert_true(pe_frame_check(&good, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(pe_frame_check(&bad[i], &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    }
    clear_picture(&p);
}

static void
normalises_as_torchvision(void)
{
    const float *t = pe_pixel_table();
    g_assert_cmpfloat(t[0], ==, -1.0f);
    g_assert_cmpfloat(t[1], ==, -0.99215686f);
    g_assert_cmpfloat(t[127], ==, -0.0039215684f);
    g_assert_cmpfloat(t[128], ==, 0.003921628f);
    g_assert_cmpfloat(t[254], ==, 0.99215686f);
    g_assert_cmpfloat(t[255], ==, 1.0f);
}

// ---- Time -----------------------------------------------------------------

// Processor time of this thread, which a busy machine disturbs least.
static double
thread_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
measure(const char *name, PeFormat format, int w, int h, int s)
{
    Picture p = new_picture(format, w, h, 0, 1);
    g_print("%-12s -> %3d:", name, s);
    for (PeRung rung = PE_RUNG_C; rung <= machine; rung++) {
        double best = INFINITY;
        for (int i = 0; i < 20; i++) {
            double start = thread_ms();
            g_free(squash(pe_pixels_func(rung), &p.frame, s, s));
            best = MIN(best, thread_ms() - start);
        }
        g_print("  %7.2f", best);
    }
    g_print(" ms\n");
    clear_picture(&p);
}

static void
run_bench(void)
{
    g_print("processor time, best of 20, rungs from the lowest\n");
    static const int sizes[] = {224, 336, 448};
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        measure("1080p NV12", PE_FORMAT_NV12, 1920, 1080, sizes[i]);
        measure("1080p I420", PE_FORMAT_I420, 1920, 1080, sizes[i]);
        measure("1080p RGB", PE_FORMAT_RGB, 1920, 1080, sizes[i]);
        measure("1080p RGBx", PE_FORMAT_RGBX, 1920, 1080, sizes[i]);
        measure("1080p GRAY8", PE_FORMAT_GRAY8, 1920, 1080, sizes[i]);
        measure("2160p NV12", PE_FORMAT_NV12, 3840, 2160, sizes[i]);
        measure("2160p P010", PE_FORMAT_P010, 3840, 2160, sizes[i]);
    }
}

int
main(int argc, char **argv)
{
    g_autofree char *file = NULL;
    gboolean bench = FALSE;
    const GOptionEntry entries[] = {
        {"fixtures", 0, 0, G_OPTION_ARG_FILENAME, &file, "File of pairs",
         "FILE"},
        {"bench", 0, 0, G_OPTION_ARG_NONE, &bench, "Measure time", NULL},
        {NULL},
    };
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("%s\n", error->message);
        return 2;
    }
    PeBackend *be = pe_backend_open("cpu", PE_PRECISION_FP32, 1, &error);
    g_assert_no_error(error);
    machine = MIN(((PeCpu *)be)->rung, PE_RUNG_AVX512);
    be->ops->close(be);
    if (bench) {
        run_bench();
        return 0;
    }
    g_autofree char *own = file_data_path("preprocess.safetensors");
    fixtures = file ? file : own;
    g_test_add_func("/preprocess/pillow", equals_pillow);
    if (!file) {
        g_test_add_func("/preprocess/yuv", converts_yuv_as_the_standards_say);
        g_test_add_func("/preprocess/grey/limited", expands_limited_grey);
        g_test_add_func("/preprocess/grey/all",
                        sees_the_same_grey_in_every_format);
        g_test_add_func("/preprocess/rgb",
                        reads_the_same_colours_in_any_byte_order);
        g_test_add_func("/preprocess/sizes", resizes_any_size_to_any_size);
        g_test_add_func("/preprocess/variants",
                        gives_the_same_bytes_in_every_variant);
        g_test_add_func("/preprocess/checks",
                        refuses_frames_that_do_not_hold_together);
        g_test_add_func("/preprocess/normalise", normalises_as_torchvision);
    }
    return g_test_run();
}
