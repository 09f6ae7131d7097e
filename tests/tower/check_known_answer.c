// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_known_answer.c - the CPU passes; a device that computes one operation
// wrongly is refused by name.

#include "core/device/backend.h"
#include "core/model/model.h"
#include "core/tower/known_answer.h"
#include "tests/support/tiny_model.h"

#include <math.h>
#include <string.h>

static PeModel *model; // of every test

static void
passes_the_cpu(void)
{
    const PePrecision precisions[] = {PE_PRECISION_FP32, PE_PRECISION_BF16};
    for (size_t i = 0; i < G_N_ELEMENTS(precisions); i++) {
        PeDeviceReport report;
        GError *error = NULL;
        bool ok = pe_device_check(model, "cpu", precisions[i], &report, &error);
        g_assert_no_error(error);
        g_assert_true(ok);
        g_test_message("%s %s: image %.8f, text %.8f, max %.2e", report.device,
                       report.precision, report.cosine_image,
                       report.cosine_text, report.max_abs);
        g_assert_cmpstr(report.device, ==, "cpu");
        g_assert_cmpfloat(report.cosine_text, >, 0.999);
    }
}

static void
passes_a_model_without_projection(void)
{
    GError *error = NULL;
    PeDeviceReport report;
    PeModel *spatial = pe_model_new_random("PE-Spatial-T16-512", 1, &error);
    g_assert_no_error(error);
    g_assert_true(
        pe_device_check(spatial, "cpu", PE_PRECISION_FP32, &report, &error));
    g_assert_cmpfloat(report.cosine_image, >, 0.99999);
    g_assert_true(isnan(report.cosine_text));
    pe_model_unref(spatial);
}

// ---- Faults ----------------------------------------------------------------

static const PeBackendOps *right;

static void
attend_to_the_past_only(PeBackend *be, void *y, const void *qkv,
                        const int *offsets, int b, int n, int heads,
                        int head_dim, bool causal)
{
    right->attention(be, y, qkv, offsets, b, n, heads, head_dim, true);
}

static void
forget_the_rotation(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
                    const PeRope *rope, void *y, const void *x, int rows)
{
    if (epilogue == PE_EPILOGUE_ROPE)
        right->linear(be, l, PE_EPILOGUE_NONE, NULL, y, x, rows);
    else
        right->linear(be, l, epilogue, rope, y, x, rows);
}

static void
answer_nan(PeBackend *be, void *y, PeDtype type, const float *x,
           const float *shift, const float *w, const float *b, int rows, int d,
           float eps)
{
    right->layernorm(be, y, type, x, shift, w, b, rows, d, NAN);
}

// The quick check, with one operation of the CPU exchanged.
static void
assert_refused(void (*break_it)(PeBackendOps *ops))
{
    GError *error = NULL;
    PeBackend *be = pe_backend_open("cpu", PE_PRECISION_FP32, 0, &error);
    g_assert_no_error(error);
    right = be->ops;
    PeBackendOps wrong = *right;
    break_it(&wrong);
    be->ops = &wrong;
    bool ok =
        pe_known_answer_check(be, model, PE_KNOWN_ANSWER_QUICK, NULL, &error);
    g_assert_false(ok);
    g_assert_error(error, PE_ERROR, PE_ERROR_BACKEND);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "cpu (fp32)"));
    g_error_free(error);
    be->ops = right;
    right->close(be);
}

static void
break_attention(PeBackendOps *ops)
{
    ops->attention = attend_to_the_past_only;
}

static void
break_rotation(PeBackendOps *ops)
{
    ops->linear = forget_the_rotation;
}

static void
break_norm(PeBackendOps *ops)
{
    ops->layernorm = answer_nan;
}

static void
refuses_wrong_operations(void)
{
    assert_refused(break_attention);
    assert_refused(break_rotation);
    assert_refused(break_norm);
}

// The weights of a random model share their memory: this one gets its own.
static void
assert_spoilt(PeModel *deep, const PeTensor *weight, const char *part)
{
    GError *error = NULL;
    PeDeviceReport report;
    PeTensor *t = (PeTensor *)weight;
    const void *old = t->data;
    g_assert_cmpint(t->dtype, ==, PE_DTYPE_BF16);
    g_autofree uint16_t *values =
        g_memdup2(old, (size_t)pe_tensor_size(t) * sizeof *values);
    values[0] = 0x7fc0; // NaN
    t->data = values;
    g_assert_false(
        pe_device_check(deep, "cpu", PE_PRECISION_FP32, &report, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_BACKEND);
    g_assert_nonnull(strstr(error->message, part));
    g_error_free(error);
    t->data = old;
}

static void
looks_for_nan_in_every_layer(void)
{
    GError *error = NULL;
    PeModel *deep = pe_model_new_random("PE-Core-T16-384", 1, &error);
    g_assert_no_error(error);
    const PeBlockWeights *vision = pe_model_get_vision_weights(deep)->blocks;
    const PeBlockWeights *text = pe_model_get_text_weights(deep)->blocks;
    assert_spoilt(deep, &vision[11].fc_weight, "the image tower's output");
    assert_spoilt(deep, &vision[5].ln_2_bias, "the image tower's output");
    assert_spoilt(deep, &text[11].proj_weight, "the text tower's output");
    pe_model_unref(deep);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    GError *error = NULL;
    char *path = tiny_model_new(1);
    model = pe_model_open(path, &error);
    g_assert_no_error(error);
    g_test_add_func("/known-answer/cpu", passes_the_cpu);
    g_test_add_func("/known-answer/tokens", passes_a_model_without_projection);
    g_test_add_func("/known-answer/faults", refuses_wrong_operations);
    g_test_add_func("/known-answer/nan", looks_for_nan_in_every_layer);
    int rc = g_test_run();
    pe_model_unref(model);
    tiny_model_remove(path);
    return rc;
}
