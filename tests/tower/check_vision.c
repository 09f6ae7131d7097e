// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_vision.c - what the image tower promises beside its numbers, which
// check_towers.c compares: slots, batches, depth, limits, formats of weights.

#include "core/device/preprocess.h"
#include "core/tower/vision.h"

#include <math.h>

#include "tests/support/model_compare.h"

// The tiny model on the CPU in fp32.
static PeBackend *be;
static PeModel *model;
static int size; // pixels of a side
static int dim;  // E

static PeVision *
new_vision(int max_batch, int max_layers)
{
    g_autoptr(GError) error = NULL;
    PeTowerParams params = {.max_batch = max_batch, .max_layers = max_layers};
    PeVision *v = pe_vision_new(be, model, &params, &error);
    g_assert_no_error(error);
    return v;
}

// A random picture of the native size: rgb [size, size, 3], and the same as
// pixels [3, size, size].
static void
fill_picture(guint32 seed, uint8_t *rgb, float *pixels)
{
    int n = size * size;
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (int i = 0; i < 3 * n; i++) {
        rgb[i] = (uint8_t)g_rand_int_range(rand, 0, 256);
        pixels[i % 3 * n + i / 3] = pe_pixel_table()[rgb[i]] / PE_PIXEL_SCALE;
    }
}

static PeSlot *
new_slot(uint8_t *rgb)
{
    g_autoptr(GError) error = NULL;
    PeFrame frame = {.format = PE_FORMAT_RGB,
                     .width = size,
                     .height = size,
                     .planes = {rgb},
                     .strides = {3 * size}};
    PeSlot *slot = be->ops->slot_new(be, size, size);
    g_assert_true(be->ops->ingest(be, &slot, &frame, NULL, 1, &error));
    g_assert_no_error(error);
    return slot;
}

static void
embeds_slots_like_their_pixels(void)
{
    g_autoptr(GError) error = NULL;
    size_t n = (size_t)(3 * size * size);
    PeVision *v = new_vision(2, 0);
    g_autofree uint8_t *rgb = g_malloc(n);
    g_autofree float *pixels = g_new(float, 2 * n);
    g_autofree float *a = g_new(float, 2 * dim);
    g_autofree float *b = g_new(float, 2 * dim);
    PeSlot *slots[2];
    for (guint32 i = 0; i < 2; i++) {
        fill_picture(i, rgb, pixels + i * n);
        slots[i] = new_slot(rgb);
    }
    g_assert_true(pe_vision_embed(v, slots, 2, a, &error));
    g_assert_true(pe_vision_embed_pixels(v, pixels, 2, size, size, b, &error));
    g_assert_cmpmem(a, 2 * (size_t)dim * sizeof *a, b,
                    2 * (size_t)dim * sizeof *b);
    for (int i = 0; i < 2; i++)
        be->ops->slot_free(be, slots[i]);
    pe_vision_free(v);
}

static void
embeds_an_image_alike_alone_and_in_a_batch(void)
{
    g_autoptr(GError) error = NULL;
    size_t n = (size_t)(3 * size * size);
    PeVision *v = new_vision(5, 0);
    g_autofree uint8_t *rgb = g_malloc(n);
    g_autofree float *pixels = g_new(float, 5 * n);
    g_autofree float *all = g_new(float, 5 * dim);
    g_autofree float *one = g_new(float, dim);
    for (guint32 i = 0; i < 5; i++)
        fill_picture(i, rgb, pixels + i * n);
    g_assert_true(
        pe_vision_embed_pixels(v, pixels, 5, size, size, all, &error));
    for (int i = 0; i < 5; i++) {
        g_assert_true(pe_vision_embed_pixels(v, pixels + (size_t)i * n, 1, size,
                                             size, one, &error));
        double diff = max_abs_diff(one, all + i * dim, (size_t)dim);
        g_test_message("max|diff| %.2e (limit 1e-5)", diff);
        g_assert_cmpfloat(diff, <=, 1e-5);
    }
    pe_vision_free(v);
}

static void
keeps_grids_apart(void)
{
    // More grids than are kept, each twice; the second time must agree.
    g_autoptr(GError) error = NULL;
    PeVision *v = new_vision(1, 0);
    int p = pe_model_get_vision(model)->patch_size;
    g_autofree float *pixels = g_new(float, 3 * size * size);
    for (int i = 0; i < 3 * size * size; i++)
        pixels[i] = (float)(i % 97) / 97;
    g_autofree float *first = g_new(float, 12 * dim);
    g_autofree float *again = g_new(float, dim);
    for (int i = 0; i < 24; i++) {
        int h = (1 + i % 12 / 3) * p, w = (1 + i % 3) * p;
        float *out = i < 12 ? first + i * dim : again;
        g_assert_true(pe_vision_embed_pixels(v, pixels, 1, h, w, out, &error));
        if (i >= 12)
            g_assert_cmpmem(again, (size_t)dim * sizeof *again,
                            first + (i - 12) * dim,
                            (size_t)dim * sizeof *first);
    }
    pe_vision_free(v);
}

static void
note_name(const char *name, const float *data, size_t n, void *user_data)
{
    g_string_append_printf(user_data, "%s ", name);
}

static void
stops_after_max_layers(void)
{
    g_autoptr(GError) error = NULL;
    PeVision *v = new_vision(1, 1);
    g_autofree float *pixels = g_new0(float, 3 * size * size);
    g_autofree float *out = g_new(float, dim);
    g_autoptr(GString) names = g_string_new(NULL);
    pe_vision_set_trace(v, note_name, names);
    g_assert_true(
        pe_vision_embed_pixels(v, pixels, 1, size, size, out, &error));
    g_assert_cmpstr(names->str, ==, "embed ln_pre block0 ln_post attn_pool ");
    g_assert_true(isfinite(out[0]));
    pe_vision_free(v);
}

static void
refuses_images_that_do_not_fit(void)
{
    static const int sizes[][2] = {{1, 1}, {8192, 8192}, {1, 8192}};
    PeVision *v = new_vision(1, 0);
    float pixel = 0, out;
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(pe_vision_embed_pixels(v, &pixel, 1, sizes[i][0],
                                              sizes[i][1], &out, &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    }
    pe_vision_free(v);
}

static void
open_model(const char *name)
{
    g_clear_pointer(&model, pe_model_unref);
    model = model_open_data(name);
    size = pe_model_get_vision(model)->image_size;
    dim = pe_model_get_vision(model)->output_dim;
}

// The embedding of one picture by a checkpoint; out [dim].
static void
embed_with(const char *name, float *out)
{
    g_autoptr(GError) error = NULL;
    open_model(name);
    size_t n = (size_t)(3 * size * size);
    g_autofree uint8_t *rgb = g_malloc(n);
    g_autofree float *pixels = g_new(float, n);
    fill_picture(1, rgb, pixels);
    PeVision *v = new_vision(1, 0);
    g_assert_true(
        pe_vision_embed_pixels(v, pixels, 1, size, size, out, &error));
    pe_vision_free(v);
}

#define CHECKPOINT "checkpoints/tiny_core_cls."
#define DIM 48 // of that model

static void
gives_equal_bits_from_every_format_of_weights(void)
{
    static const char *const names[] = {
        CHECKPOINT "meta.pt",
        CHECKPOINT "meta_nested.pt",
        CHECKPOINT "timm.safetensors",
        CHECKPOINT "open_clip.safetensors",
    };
    float want[DIM], got[DIM];
    embed_with(CHECKPOINT "meta.safetensors", want);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        embed_with(names[i], got);
        g_test_message("%s", names[i]);
        g_assert_cmpmem(got, sizeof got, want, sizeof want);
    }
}

static void
stays_close_with_16_bit_weights(void)
{
    static const char *const names[] = {CHECKPOINT "meta_fp16.pt",
                                        CHECKPOINT "meta_bf16.pt"};
    float want[DIM], got[DIM];
    embed_with(CHECKPOINT "meta.safetensors", want);
    pe_embedding_normalize(want, DIM);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        embed_with(names[i], got);
        pe_embedding_normalize(got, DIM);
        double cosine = 0, distance = 0;
        for (int j = 0; j < DIM; j++) {
            cosine += (double)got[j] * want[j];
            distance += pow((double)got[j] - want[j], 2);
        }
        g_test_message("%s: cosine %.7f (limit 0.9995), distance %.1e",
                       names[i], cosine, sqrt(distance));
        g_assert_cmpfloat(cosine, >=, 0.9995);
        // They are other weights: unit vectors in f32 are told apart by their
        // distance, not by a cosine that lacks less than an epsilon to 1.
        g_assert_cmpfloat(distance, >, 1e-9);
    }
}

typedef struct {
    int abandon;
    int n_blocks; // that have run
    int last;     // block to run, then the result is not wanted any more
} Stop;

static void
abandon_after_block(const char *name, const float *data, size_t n, void *user)
{
    Stop *stop = user;
    if (!g_str_has_prefix(name, "block"))
        return;
    if (stop->n_blocks++ == stop->last)
        g_atomic_int_set(&stop->abandon, 1);
}

static void
stops_between_layers_when_abandoned(void)
{
    g_autoptr(GError) error = NULL;
    PeModel *m = pe_model_new_random("PE-Core-T16-384", 1, &error);
    g_assert_no_error(error);
    PeVision *v =
        pe_vision_new(be, m, &(PeTowerParams){.max_batch = 1}, &error);
    g_assert_no_error(error);
    int side = pe_model_get_vision(m)->image_size;
    PeSlot *slot = be->ops->slot_new(be, side, side);
    Stop stop = {.last = 4};
    float out[2][2048];
    g_assert_cmpint(pe_model_get_vision(m)->output_dim, <=, 2048);
    pe_vision_set_trace(v, abandon_after_block, &stop);
    pe_vision_set_abandon(v, &stop.abandon);
    g_assert_false(pe_vision_embed(v, &slot, 1, out[0], &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_CANCELLED);
    g_clear_error(&error);
    g_assert_cmpint(stop.n_blocks, ==, 5);

    // The tower is as good as new.
    pe_vision_set_abandon(v, NULL);
    g_assert_true(pe_vision_embed(v, &slot, 1, out[0], &error));
    g_assert_cmpint(stop.n_blocks, ==, 5 + pe_model_get_vision(m)->layers);
    g_assert_true(pe_vision_embed(v, &slot, 1, out[1], &error));
    g_assert_cmpmem(out[0], sizeof(float) * 512, out[1], sizeof(float) * 512);
    be->ops->slot_free(be, slot);
    pe_vision_free(v);
    pe_model_unref(m);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    be = pe_backend_open("cpu", PE_PRECISION_FP32, 0, &error);
    g_assert_no_error(error);
    open_model("tiny_core_cls.safetensors");
    g_test_add_func("/vision/slots", embeds_slots_like_their_pixels);
    g_test_add_func("/vision/batch",
                    embeds_an_image_alike_alone_and_in_a_batch);
    g_test_add_func("/vision/grids", keeps_grids_apart);
    g_test_add_func("/vision/max_layers", stops_after_max_layers);
    g_test_add_func("/vision/limits", refuses_images_that_do_not_fit);
    g_test_add_func("/vision/formats",
                    gives_equal_bits_from_every_format_of_weights);
    g_test_add_func("/vision/16bit", stays_close_with_16_bit_weights);
    g_test_add_func("/vision/abandon", stops_between_layers_when_abandoned);
    int failed = g_test_run();
    pe_model_unref(model);
    be->ops->close(be);
    return failed;
}
