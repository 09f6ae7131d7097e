// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_text.c - what the text tower promises beside its numbers, which
// check_towers.c compares.

#include "core/tower/text.h"

#include <math.h>

#include "tests/support/model_compare.h"

// The tiny model on the CPU in fp32.
static PeBackend *be;
static PeModel *model;
static int dim; // E
static int end; // id of the end token

static PeText *
new_text(int max_batch)
{
    g_autoptr(GError) error = NULL;
    PeTowerParams params = {.max_batch = max_batch};
    PeText *t = pe_text_new(be, model, &params, &error);
    g_assert_no_error(error);
    return t;
}

static void
embeds_a_list_alike_in_any_chunks(void)
{
    // 40 texts of 2 to 9 tokens; the small arena takes a few at a time.
    g_autoptr(GError) error = NULL;
    int ids[40][10] = {0};
    for (int i = 0; i < 40; i++) {
        int n = 2 + i % 8;
        ids[i][0] = end - 1;
        for (int j = 1; j < n - 1; j++)
            ids[i][j] = 3 + i * j % 100;
        ids[i][n - 1] = end;
    }
    PeText *small = new_text(1), *large = new_text(40);
    g_autofree float *a = g_new(float, 40 * dim);
    g_autofree float *b = g_new(float, 40 * dim);
    g_assert_true(pe_text_embed(small, ids[0], 40, 10, a, &error));
    g_assert_true(pe_text_embed(large, ids[0], 40, 10, b, &error));
    double diff = max_abs_diff(a, b, 40 * (size_t)dim);
    g_test_message("max|diff| %.2e (limit 1e-5)", diff);
    g_assert_cmpfloat(diff, <=, 1e-5);
    g_assert_cmpfloat(max_abs_diff(a, a + dim, (size_t)dim), >, 1e-3);
    pe_text_free(small);
    pe_text_free(large);
}

static void
ignores_what_follows_the_first_end(void)
{
    g_autoptr(GError) error = NULL;
    int ids[3][8] = {{end - 1, 5, 7, end, 0, 0, 0, 0},
                     {end - 1, 5, 7, end, 9, end, 3, 1},
                     {end - 1, 5, 8, end, 0, 0, 0, 0}};
    PeText *t = new_text(3);
    g_autofree float *out = g_new(float, 3 * dim);
    g_assert_true(pe_text_embed(t, ids[0], 3, 8, out, &error));
    g_assert_cmpfloat(max_abs_diff(out, out + dim, (size_t)dim), <=, 1e-6);
    g_assert_cmpfloat(max_abs_diff(out, out + 2 * dim, (size_t)dim), >, 1e-3);
    pe_text_free(t);
}

static void
takes_a_full_context_and_no_texts(void)
{
    g_autoptr(GError) error = NULL;
    int context = pe_model_get_text(model)->context_length;
    g_autofree int *ids = g_new0(int, context);
    ids[context - 1] = end;
    PeText *t = new_text(1);
    g_autofree float *out = g_new(float, dim);
    g_assert_true(pe_text_embed(t, ids, 1, context, out, &error));
    g_assert_true(isfinite(out[0]));
    g_assert_true(pe_text_embed(t, ids, 0, context, out, &error));
    pe_text_free(t);
}

static void
refuses_ids_outside_the_vocabulary(void)
{
    PeText *t = new_text(1);
    const int bad[] = {end + 1, -1};
    float out;
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        int ids[2] = {1, bad[i]};
        g_assert_false(pe_text_embed(t, ids, 1, 2, &out, &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    }
    pe_text_free(t);
}

static void
gives_equal_bits_from_every_format_of_weights(void)
{
    static const char *const names[] = {"meta.safetensors", "meta.pt",
                                        "open_clip.safetensors"};
    static const int ids[8] = {510, 5, 7, 511};
    float out[2][48];
    PeModel *own = model;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GError) error = NULL;
        model = model_open_tiny(names[i]);
        g_assert_cmpint(pe_model_get_text(model)->output_dim, ==, 48);
        PeText *t = new_text(1);
        g_assert_true(pe_text_embed(t, ids, 1, 8, out[i > 0], &error));
        g_test_message("%s", names[i]);
        if (i > 0)
            g_assert_cmpmem(out[0], sizeof out[0], out[1], sizeof out[1]);
        pe_text_free(t);
        pe_model_unref(model);
    }
    model = own;
}

static void
loads_in_pieces_what_it_loads_at_once(void)
{
    static const int ids[8] = {510, 5, 7, 511};
    PeTowerParams params = {.max_batch = 1};
    g_autofree float *at_once = g_new(float, dim);
    g_autofree float *in_pieces = g_new(float, dim);
    g_autoptr(GError) error = NULL;
    PeText *t = new_text(1);
    g_assert_true(pe_text_embed(t, ids, 1, 8, at_once, &error));
    pe_text_free(t);

    int n_pieces = 0;
    bool ready = false;
    t = pe_text_begin(be, model, &params, &error);
    g_assert_no_error(error);
    while (!ready) {
        g_assert_true(pe_text_load(t, &ready, &error));
        n_pieces++;
    }
    // The buffers, four matrices of each block, and the projection.
    g_assert_cmpint(n_pieces, ==, 4 * pe_model_get_text(model)->layers + 2);
    g_assert_true(pe_text_embed(t, ids, 1, 8, in_pieces, &error));
    size_t size = sizeof(float) * (size_t)dim;
    g_assert_cmpmem(at_once, size, in_pieces, size);
    pe_text_free(t);

    // Given up in the middle.
    t = pe_text_begin(be, model, &params, &error);
    g_assert_true(pe_text_load(t, &ready, &error));
    g_assert_true(pe_text_load(t, &ready, &error));
    g_assert_false(ready);
    pe_text_free(t);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    be = pe_backend_open("cpu", PE_PRECISION_FP32, 0, &error);
    g_assert_no_error(error);
    model = model_open_data("tiny_core_cls.safetensors");
    dim = pe_model_get_text(model)->output_dim;
    end = pe_model_get_text(model)->vocab_size - 1;
    g_test_add_func("/text/chunks", embeds_a_list_alike_in_any_chunks);
    g_test_add_func("/text/end", ignores_what_follows_the_first_end);
    g_test_add_func("/text/context", takes_a_full_context_and_no_texts);
    g_test_add_func("/text/ids", refuses_ids_outside_the_vocabulary);
    g_test_add_func("/text/formats",
                    gives_equal_bits_from_every_format_of_weights);
    g_test_add_func("/text/pieces", loads_in_pieces_what_it_loads_at_once);
    int failed = g_test_run();
    pe_model_unref(model);
    be->ops->close(be);
    return failed;
}
