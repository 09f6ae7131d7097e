// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_preprocess.c - frames of every size become the same pictures as
// Pillow's, in every variant of the loops. Formats and colours are in
// check_preprocess_formats.c.
//
//     check_preprocess [--fixtures FILE] [--bench]
//
// The file has pairs "N.rgb" [H, W, 3] and "N.squash_S" [S, S, 3]. Without
// arguments: the file in tests/data and the tests of sizes.

#include "core/checkpoint/checkpoint.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/checkpoint_files.h"
#include "tests/support/model_compare.h"
#include "tests/support/picture.h"

static const char *fixtures;
static PeIsa machine; // the best of this one

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
    for (PeIsa isa = PE_ISA_C; isa <= machine; isa++) {
        g_autofree uint8_t *got =
            picture_squash(pe_pixels_func(isa), &frame, s, s);
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
    PeCheckpoint *file = checkpoint_open(fixtures);
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
        Picture p = picture_new(PE_FORMAT_RGB, s[0], s[1], 3, (guint32)i);
        g_autofree uint8_t *want = g_malloc(n);
        resize_plainly(&p.frame, s[2], s[3], want);
        for (PeIsa isa = PE_ISA_C; isa <= machine; isa++) {
            g_autofree uint8_t *got =
                picture_squash(pe_pixels_func(isa), &p.frame, s[2], s[3]);
            g_assert_cmpmem(got, n, want, n);
        }
        picture_clear(&p);
    }
}

static void
gives_the_same_bytes_in_every_variant(void)
{
    for (int format = 0; format < PE_N_FORMATS; format++) {
        for (int i = 0; i < 12; i++) {
            // Up to three tiles of columns, the last of them cut.
            int w = 1 + i * 73, h = 1 + i * i * 3, s = 16 + i * 7;
            Picture p = picture_new((PeFormat)format, w, h, 2 * i, 5);
            p.frame.full_range = i % 2;
            p.frame.matrix = (PeMatrix)(i % 3);
            p.frame.site = (PeSite)((i + i / 4) % 4);
            size_t n = (size_t)(3 * s * s);
            g_autofree uint8_t *want =
                picture_squash(pe_pixels_squash_c, &p.frame, s, s);
            for (PeIsa isa = PE_ISA_C; isa <= machine; isa++) {
                g_autofree uint8_t *got =
                    picture_squash(pe_pixels_func(isa), &p.frame, s, s);
                g_assert_cmpmem(got, n, want, n);
            }
            picture_clear(&p);
        }
    }
}

static void
refuses_frames_that_do_not_hold_together(void)
{
    Picture p = picture_new(PE_FORMAT_NV12, 32, 32, 0, 1);
    const PeFrame good = p.frame;
    PeFrame bad[8] = {good, good, good, good, good, good, good, good};
    bad[0].planes[1] = NULL;
    bad[1].strides[1] = 31;
    bad[2].width = 0;
    bad[3].height = PE_MAX_FRAME_SIZE + 1;
    bad[4].strides[0] = -32;
    bad[5].format = (PeFormat)99;
    bad[6].matrix = (PeMatrix)3;
    bad[7].site = (PeSite)4;
    g_assert_true(pe_frame_check(&good, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(pe_frame_check(&bad[i], &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    }
    picture_clear(&p);
}

static void
normalises_as_torchvision(void)
{
    for (int v = 0; v < 256; v++) {
        float t = pe_pixel_table()[v];
        float torch = ((float)v / 255.0f - 0.5f) / 0.5f;
        g_assert_cmpfloat(fabsf(t / PE_PIXEL_SCALE - torch), <=, 6e-8f);
        // Nothing is lost where activations are 16 bits.
        g_assert_cmpfloat(pe_bf16_to_f32(pe_bf16_from_f32(t)), ==, t);
        g_assert_cmpfloat(pe_f16_to_f32(pe_f16_from_f32(t)), ==, t);
    }
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
    Picture p = picture_new(format, w, h, 0, 1);
    g_print("%-12s -> %3d:", name, s);
    for (PeIsa isa = PE_ISA_C; isa <= machine; isa++) {
        double best = INFINITY;
        for (int i = 0; i < 20; i++) {
            double start = thread_ms();
            g_free(picture_squash(pe_pixels_func(isa), &p.frame, s, s));
            best = MIN(best, thread_ms() - start);
        }
        g_print("  %7.2f", best);
    }
    g_print(" ms\n");
    picture_clear(&p);
}

static void
run_bench(void)
{
    g_print("processor time, best of 20, isas from the lowest\n");
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
    machine = picture_highest_isa();
    if (bench) {
        run_bench();
        return 0;
    }
    g_autofree char *own = file_data_path("preprocess.safetensors");
    fixtures = file ? file : own;
    g_test_add_func("/preprocess/pillow", equals_pillow);
    if (!file) {
        g_test_add_func("/preprocess/sizes", resizes_any_size_to_any_size);
        g_test_add_func("/preprocess/variants",
                        gives_the_same_bytes_in_every_variant);
        g_test_add_func("/preprocess/checks",
                        refuses_frames_that_do_not_hold_together);
        g_test_add_func("/preprocess/normalise", normalises_as_torchvision);
    }
    return g_test_run();
}
