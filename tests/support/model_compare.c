// SPDX-License-Identifier: LGPL-2.1-or-later
//
// model_compare.c - see model_compare.h.

#include "model_compare.h"

#include <math.h>
#include <string.h>

#include "checkpoint_files.h"
#include "core/model/model_private.h"

PeModel *
model_open(const char *path)
{
    g_autoptr(GError) error = NULL;
    PeModel *model = pe_model_open(path, &error);
    g_assert_no_error(error);
    return model;
}

PeModel *
model_open_data(const char *name)
{
    g_autofree char *path = file_data_path(name);
    return model_open(path);
}

PeModel *
model_open_tiny(const char *kind)
{
    g_autofree char *name =
        g_strdup_printf("checkpoints/tiny_core_cls.%s", kind);
    return model_open_data(name);
}

PeCheckpoint *
checkpoint_open(const char *path)
{
    g_autoptr(GError) error = NULL;
    PeCheckpoint *ckpt = pe_checkpoint_open(path, &error);
    g_assert_no_error(error);
    g_assert_true(pe_checkpoint_load_all(ckpt, &error));
    return ckpt;
}

float *
model_get_values(const PeModel *model, const PeTensor *t)
{
    float *values = g_new(float, pe_tensor_size(t) + 1);
    g_auto(PeLoaded) loaded = {*t, NULL};
    g_assert_true(!model || pe_model_load(model, t, &loaded, NULL));
    pe_tensor_to_f32(&loaded.tensor, values);
    return values;
}

double
max_abs_diff(const float *a, const float *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (isnan(d))
            return d;
        most = MAX(most, d);
    }
    return most;
}

static float
round_to(float f, PePrecision precision)
{
    return precision == PE_PRECISION_BF16 ? pe_bf16_to_f32(pe_bf16_from_f32(f))
           : precision == PE_PRECISION_FP16 ? pe_f16_to_f32(pe_f16_from_f32(f))
                                            : f;
}

void
model_assert_same(const PeModel *model, const PeModel *reference,
                  PePrecision precision)
{
    for (guint i = 0; i < model->weights->len; i++) {
        const PeWeight *a = &g_array_index(model->weights, PeWeight, i);
        const PeWeight *b = &g_array_index(reference->weights, PeWeight, i);
        g_assert_cmpstr(a->spec->meta, ==, b->spec->meta);
        g_assert_cmpint(a->n_dims, ==, a->tensor->n_dims);
        g_assert_cmpint(memcmp(a->tensor->shape, a->shape,
                               (size_t)a->n_dims * sizeof *a->shape),
                        ==, 0);
        g_autofree float *x = model_get_values(model, a->tensor);
        g_autofree float *y = model_get_values(reference, b->tensor);
        for (int64_t k = 0; k < pe_tensor_size(a->tensor); k++) {
            float expected = round_to(y[k], precision);
            if (memcmp(&x[k], &expected, sizeof expected) != 0)
                g_error("%s[%d]: %a, expected %a", a->spec->meta, (int)k, x[k],
                        expected);
        }
    }
}
