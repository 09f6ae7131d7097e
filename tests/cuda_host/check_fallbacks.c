// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_fallbacks.c - the CUDA backend, on the emulated device, where CUDA's
// libraries do not do all that they could.

#include "core/tower/vision.h"
#include "open_cuda.h"
#include "tests/support/tiny_model.h"

#include <math.h>

static PeModel *model;
static int (*graph_launches)(void);

static int n_warnings; // that recording failed

static void
count_log(PeLogLevel level, const char *message, void *user_data)
{
    g_test_message("%s", message);
    n_warnings += strstr(message, "recording them failed") != NULL;
}

typedef struct {
    PeBackend *be;
    PeVision *vision;
    PeSlot *slot; // as it comes from the device, all bytes 255
} Embedder;

static Embedder
embedder_new(PePrecision precision)
{
    g_autoptr(GError) error = NULL;
    PeTowerParams params = {.max_batch = 1};
    Embedder e = {.be = open_cuda(precision)};
    e.vision = pe_vision_new(e.be, model, &params, &error);
    g_assert_no_error(error);
    e.slot = e.be->ops->slot_new(e.be, TINY_MODEL_SIZE, TINY_MODEL_SIZE);
    return e;
}

static void
embed(const Embedder *e, float out[TINY_MODEL_DIM])
{
    g_autoptr(GError) error = NULL;
    g_assert_true(pe_vision_embed(e->vision, &e->slot, 1, out, &error));
    g_assert_no_error(error);
}

static void
embedder_clear(Embedder *e)
{
    e->be->ops->slot_free(e->be, e->slot);
    pe_vision_free(e->vision);
    e->be->ops->close(e->be);
}

static void
does_epilogues_without_the_library(void)
{
    float out[2][TINY_MODEL_DIM];
    double most = 0, power = 0;
    for (int i = 0; i < 2; i++) {
        if (i == 1) {
            g_setenv("PE_FAKE_CUBLASLT_NO_EPILOGUES", "1", TRUE);
            g_setenv("PE_CUDA_GELU", "tanh", TRUE); // asks for another one
        }
        Embedder e = embedder_new(PE_PRECISION_FP32);
        embed(&e, out[i]);
        embedder_clear(&e);
    }
    g_unsetenv("PE_FAKE_CUBLASLT_NO_EPILOGUES");
    g_unsetenv("PE_CUDA_GELU");
    for (int i = 0; i < TINY_MODEL_DIM; i++) {
        power += (double)out[0][i] * out[0][i];
        most = MAX(most, fabs((double)out[0][i] - out[1][i]));
    }
    g_test_message("largest difference %.2e of %.2e", most, sqrt(power));
    g_assert_cmpfloat(power, >, 0);
    g_assert_cmpfloat(most, <=, 1e-5 * sqrt(power));
}

// Pass 0 runs as it is; 1 and 2 cannot be recorded and do the same; 3 and 4 are
// launches of a recording.
static void
check_second_attempts(const char *failure)
{
    int before = graph_launches();
    float first[TINY_MODEL_DIM], out[TINY_MODEL_DIM];
    Embedder e = embedder_new(PE_PRECISION_AUTO);
    g_setenv(failure, "1", TRUE);
    embed(&e, first);
    for (int pass = 1; pass < 5; pass++) {
        if (pass == 3)
            g_unsetenv(failure);
        embed(&e, out);
        g_assert_cmpmem(out, sizeof out, first, sizeof first);
    }
    g_test_message("%d launches", graph_launches() - before);
    g_assert_cmpint(graph_launches() - before, ==, 2);
    g_assert_cmpint(n_warnings, ==, 0);
    embedder_clear(&e);
}

static void
a_recording_that_failed_is_tried_again(void)
{
    check_second_attempts("PE_FAKE_CUDA_BAD_GRAPHS");
}

static void
so_is_one_that_did_not_begin(void)
{
    check_second_attempts("PE_FAKE_CUDA_NO_GRAPHS");
}

static void
but_not_for_ever(void)
{
    int before = graph_launches();
    float out[TINY_MODEL_DIM];
    Embedder e = embedder_new(PE_PRECISION_AUTO);
    g_setenv("PE_FAKE_CUDA_BAD_GRAPHS", "1", TRUE);
    for (int pass = 0; pass < 8; pass++)
        embed(&e, out);
    g_unsetenv("PE_FAKE_CUDA_BAD_GRAPHS");
    embed(&e, out);
    embed(&e, out);
    g_assert_cmpint(graph_launches(), ==, before);
    g_assert_cmpint(n_warnings, ==, 1);
    embedder_clear(&e);
}

// Neither machine code nor PTX that the device could run.
static void
a_device_without_code_is_left_to_others(void)
{
    g_autoptr(GError) error = NULL;
    g_setenv("PE_FAKE_CUDA_NO_CODE", "1", TRUE);
    g_assert_null(pe_backend_open("cuda", PE_PRECISION_AUTO, 0, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_DEVICE);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "no code for host emulator"));
    PeBackend *be = pe_backend_open("auto", PE_PRECISION_AUTO, 0, NULL);
    g_unsetenv("PE_FAKE_CUDA_NO_CODE");
    g_assert_cmpstr(be->ops->name, ==, "cpu");
    g_assert_nonnull(strstr(be->note, "no code for"));
    be->ops->close(be);
}

// Not for having no memory, which a smaller batch would cure.
static void
a_lost_device_is_named_for_it(void)
{
    g_autoptr(GError) error = NULL;
    PeTowerParams params = {.max_batch = 1};
    PeBackend *be = open_cuda(PE_PRECISION_AUTO);
    g_setenv("PE_FAKE_CUDA_LOST", "1", TRUE);
    g_assert_null(pe_vision_new(be, model, &params, &error));
    g_unsetenv("PE_FAKE_CUDA_LOST");
    g_assert_error(error, PE_ERROR, PE_ERROR_BACKEND);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "llegal"));
    be->ops->close(be);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_test_init(&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
    pe_log_set(count_log, NULL);
    char *path = tiny_model_new(1);
    model = pe_model_open(path, &error);
    g_assert_no_error(error);
    graph_launches = (int (*)(void))find_in_cuda("fake_cuda_graph_launches");
    g_test_add_func("/cuda/fallbacks/epilogues",
                    does_epilogues_without_the_library);
    g_test_add_func("/cuda/fallbacks/recordings",
                    a_recording_that_failed_is_tried_again);
    g_test_add_func("/cuda/fallbacks/beginnings", so_is_one_that_did_not_begin);
    g_test_add_func("/cuda/fallbacks/never", but_not_for_ever);
    g_test_add_func("/cuda/fallbacks/code",
                    a_device_without_code_is_left_to_others);
    g_test_add_func("/cuda/fallbacks/lost", a_lost_device_is_named_for_it);
    int failed = g_test_run();
    pe_model_unref(model);
    tiny_model_remove(path);
    return failed;
}
