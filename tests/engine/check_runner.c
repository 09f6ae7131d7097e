// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_runner.c - the engine over a tiny model on the CPU.

#include "core/pe.h"
#include "tests/support/model_compare.h"
#include "tests/support/tiny_model.h"

#include <string.h>

static TinyModel tiny; // of every test

static PeEngine *
get_on(const char *device, PePrecision precision)
{
    PeEngineParams params = {
        .model = tiny.model,
        .device = device,
        .precision = precision,
        .batch_size = 3,
    };
    GError *error = NULL;
    PeEngine *e = pe_engine_get(&params, &error);
    g_assert_no_error(error);
    return e;
}

static PeEngine *
get_real(PePrecision precision)
{
    return get_on("cpu", precision);
}

static void
embeds_frames_alike_alone_and_in_batches(void)
{
    enum { N = 7, SIZE = TINY_MODEL_SIZE };
    PeEngine *e = get_real(PE_PRECISION_FP32);
    g_autofree uint8_t *pixels = g_malloc(N * SIZE * SIZE * 3);
    for (int i = 0; i < N * SIZE * SIZE * 3; i++)
        pixels[i] = (uint8_t)(i * 31 % 251 + i / 9973);
    PeFrame frames[N];
    for (int i = 0; i < N; i++)
        frames[i] = (PeFrame){
            .format = PE_FORMAT_RGB,
            .width = SIZE,
            .height = SIZE,
            .planes = {pixels + i * SIZE * SIZE * 3},
            .strides = {SIZE * 3},
        };
    g_autofree float *together = g_new(float, N *TINY_MODEL_DIM);
    float alone[TINY_MODEL_DIM];
    GError *error = NULL;
    g_assert_true(pe_engine_embed_frames(e, frames, N, together, &error));
    for (int i = 0; i < N; i++) {
        g_assert_true(pe_engine_embed_frames(e, &frames[i], 1, alone, &error));
        double diff =
            max_abs_diff(alone, together + i * TINY_MODEL_DIM, TINY_MODEL_DIM);
        g_assert_cmpfloat(diff, <, 1e-5);
    }
    g_assert_null(pe_engine_get_device_context(e));
    pe_engine_unref(e);
}

static void
embeds_texts_and_tells_them_apart(void)
{
    PeEngine *e = get_real(PE_PRECISION_FP32);
    const char *texts[] = {"a dog", "a cat", "a dog"};
    float out[3][TINY_MODEL_DIM];
    GError *error = NULL;
    g_assert_true(
        pe_engine_embed_texts(e, tiny.tokenizer, texts, 3, out[0], &error));
    g_assert_cmpfloat(max_abs_diff(out[0], out[2], TINY_MODEL_DIM), <, 1e-6);
    g_assert_cmpfloat(max_abs_diff(out[0], out[1], TINY_MODEL_DIM), >, 1e-3);
    pe_engine_unref(e);
}

static void
names_a_device_that_is_not_there(void)
{
    PeEngineParams params = {.model = tiny.model, .device = "abacus"};
    g_autoptr(GError) error = NULL;
    g_assert_null(pe_engine_get(&params, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_DEVICE);
    g_assert_nonnull(strstr(error->message, "abacus"));
}

// The module that this machine may have is hidden, see main().
static void
says_why_auto_is_the_cpu(void)
{
    PeEngine *e = get_on("auto", PE_PRECISION_FP32);
    const char *const *notes = pe_engine_get_notes(e);
    g_assert_cmpstr(pe_engine_get_device(e), ==, "cpu");
    g_assert_nonnull(notes[0]);
    g_assert_true(g_str_has_prefix(notes[0], "auto: not cuda: "));
    g_assert_null(notes[1]);
    pe_engine_unref(e);

    e = get_on("cpu", PE_PRECISION_FP32);
    g_assert_null(pe_engine_get_notes(e)[0]);
    pe_engine_unref(e);
}

int
main(int argc, char **argv)
{
    g_setenv("GST_PE_CUDA_MODULE", "/nonexistent", TRUE);
    g_test_init(&argc, &argv, NULL);
    tiny_model_open(&tiny, 1);
    g_test_add_func("/engine-device/frames",
                    embeds_frames_alike_alone_and_in_batches);
    g_test_add_func("/engine-device/texts", embeds_texts_and_tells_them_apart);
    g_test_add_func("/engine-device/absent", names_a_device_that_is_not_there);
    g_test_add_func("/engine-device/notes", says_why_auto_is_the_cpu);
    int rc = g_test_run();
    tiny_model_close(&tiny);
    return rc;
}
