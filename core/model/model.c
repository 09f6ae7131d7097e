// SPDX-License-Identifier: LGPL-2.1-or-later
//
// model.c - PeModel: finds the checkpoint, binds every tensor to a weight and
// answers questions about the result. Called by programs, the engine and, for
// the weights, by the towers.

#include "model.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/base/failure.h"
#include "core/base/installed_file.h"
#include "find_file.h"
#include "model_private.h"

// The published evaluation's, used when a file stores none.
#define DEFAULT_LOGIT_SCALE 100.0f

PeModel *
pe_model_new(void)
{
    PeModel *model = g_new0(PeModel, 1);
    model->refs = 1;
    model->weights = g_array_new(FALSE, TRUE, sizeof(PeWeight));
    model->logit_scale = DEFAULT_LOGIT_SCALE;
    return model;
}

PeModel *
pe_model_ref(PeModel *model)
{
    g_return_val_if_fail(model != NULL, NULL);
    g_atomic_int_inc(&model->refs);
    return model;
}

void
pe_model_unref(PeModel *model)
{
    if (!model || !g_atomic_int_dec_and_test(&model->refs))
        return;
    g_array_unref(model->weights);
    g_free(model->vision_weights.blocks);
    g_free(model->text_weights.blocks);
    pe_checkpoint_free(model->ckpt);
    g_free(model->pool);
    g_free(model->name);
    g_free(model->path);
    g_free(model);
}

// ---- Binding --------------------------------------------------------------

static bool
is_float(PeDtype dtype)
{
    return dtype == PE_DTYPE_F32 || dtype == PE_DTYPE_F16 ||
           dtype == PE_DTYPE_BF16 || dtype == PE_DTYPE_F64;
}

// timm keeps [1, 1, D] where Meta has [D], and the other way round.
static PeTensor
drop_leading_ones(const PeTensor *t, int n_dims)
{
    PeTensor view = *t;
    while (view.n_dims > n_dims && view.shape[0] == 1) {
        view.n_dims--;
        memmove(view.shape, view.shape + 1,
                (size_t)view.n_dims * sizeof view.shape[0]);
        memmove(view.strides, view.strides + 1,
                (size_t)view.n_dims * sizeof view.strides[0]);
    }
    return view;
}

// Find `name` with exactly this shape and numbers that can be weights.
static bool
find_weight(const PeModel *model, const char *name, const int64_t *shape,
            int n_dims, PeTensor *view, GError **error)
{
    const PeTensor *found = pe_checkpoint_get(model->ckpt, name);
    if (!found)
        return pe_fail(error, PE_ERROR_SHAPE, model->path, "'%s' is missing",
                       name);
    *view = drop_leading_ones(found, n_dims);
    bool fits = view->n_dims == n_dims;
    for (int i = 0; fits && i < n_dims; i++)
        fits = view->shape[i] == shape[i];
    if (!fits) {
        g_autofree char *is = pe_shape_to_string(found->shape, found->n_dims);
        g_autofree char *wants = pe_shape_to_string(shape, n_dims);
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "'%s' is %s, expected %s", name, is, wants);
    }
    if (!is_float(view->dtype))
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "'%s' holds %s numbers, expected floats", name,
                       pe_dtype_name(view->dtype));
    for (int i = 0; i < n_dims; i++) {
        if (view->strides[i] == 0 && view->shape[i] > 1)
            return pe_fail(error, PE_ERROR_SHAPE, model->path,
                           "'%s' repeats its values (an expanded tensor)",
                           name);
    }
    return true;
}

// The part of the stored tensor that belongs to the weight.
static PeTensor
take_part(const PeWeight *weight, PeNames names, const PeTensor *stored)
{
    if (names == PE_NAMES_TIMM && !weight->is_text)
        return *stored;
    switch (weight->spec->stored) {
    case PE_STORED_TRANSPOSED:
        return pe_tensor_transposed(stored);
    case PE_STORED_QKV_Q:
        return pe_tensor_rows(stored, 0, weight->shape[0]);
    case PE_STORED_QKV_KV:
        return pe_tensor_rows(stored, weight->shape[0] / 2, weight->shape[0]);
    default:
        return *stored;
    }
}

static bool
bind_weights(PeModel *model, const PeLayout *layout, GError **error)
{
    for (guint i = 0; i < model->weights->len; i++) {
        const PeWeight *weight = &g_array_index(model->weights, PeWeight, i);
        g_autofree char *name = pe_weight_get_name(weight, layout);
        int64_t shape[4];
        int n_dims = pe_weight_get_stored_shape(weight, layout->names, shape);
        PeTensor stored;
        if (!find_weight(model, name, shape, n_dims, &stored, error))
            return false;
        *weight->tensor = take_part(weight, layout->names, &stored);
    }
    return true;
}

// timm's head has a bias that Meta's projection has not: all zeros, unless
// somebody trained it. Zeros are left out, so that one model is one model.
static bool
bind_proj_bias(PeModel *model, const PeLayout *layout, GError **error)
{
    static const PeWeightSpec spec = {
        "proj_bias", "head.bias", offsetof(PeVisionWeights, proj_bias), "E"};
    PeWeight weight = {&spec, false,
                       -1,    &model->vision_weights.proj_bias,
                       1,     {model->vision.output_dim}};
    g_autofree char *name = pe_weight_get_name(&weight, layout);
    PeTensor bias;
    if (model->vision.output_dim == 0 || !pe_checkpoint_get(model->ckpt, name))
        return true;
    if (!find_weight(model, name, weight.shape, 1, &bias, error))
        return false;
    g_auto(PeLoaded) loaded = {0};
    if (!pe_checkpoint_load(model->ckpt, &bias, &loaded, error))
        return false;
    g_autofree float *values = g_new(float, model->vision.output_dim);
    pe_tensor_to_f32(&loaded.tensor, values);
    for (int i = 0; i < model->vision.output_dim; i++) {
        if (values[i] != 0) {
            *weight.tensor = bias;
            g_array_append_val(model->weights, weight);
            break;
        }
    }
    return true;
}

static bool
bind_logit_scale(PeModel *model, const PeLayout *layout, GError **error)
{
    // Beside the towers in every layout; some open_clip files have it as [1].
    if (!model->has_text)
        return true;
    g_autofree char *name = g_strconcat(layout->beside, "logit_scale", NULL);
    if (!pe_checkpoint_get(model->ckpt, name))
        return true;
    float value;
    g_auto(PeLoaded) loaded = {0};
    if (!find_weight(model, name, NULL, 0, &model->log_scale, error) ||
        !pe_checkpoint_load(model->ckpt, &model->log_scale, &loaded, error))
        return false;
    pe_tensor_to_f32(&loaded.tensor, &value);
    model->logit_scale = expf(value);
    if (!isfinite(model->logit_scale))
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "'%s' is %g, whose exponential is no number", name,
                       value);
    return true;
}

static void
log_ignored(const PeModel *model, PeNames names)
{
    int used = (int)model->weights->len + (model->log_scale.data ? 1 : 0);
    // Meta keeps two weights of the pool in one tensor.
    if (names == PE_NAMES_META && model->vision.pool_heads > 0)
        used -= 2;
    int ignored = pe_checkpoint_count(model->ckpt) - used;
    if (ignored > 0)
        pe_log(PE_LOG_DEBUG, "%s: %d tensors are not the model's", model->path,
               ignored);
}

// What was not read may be what is missed.
static void
tell_unread(const PeCheckpoint *ckpt, GError **error)
{
    g_autofree char *unread = pe_checkpoint_describe_unread(ckpt);
    if (!unread || !error || !*error)
        return;
    g_autofree char *message = (*error)->message;
    (*error)->message = g_strdup_printf("%s; %s", message, unread);
}

PeModel *
pe_model_new_from_checkpoint(PeCheckpoint *ckpt, GError **error)
{
    PeModel *model = pe_model_new();
    model->ckpt = ckpt;
    model->path = g_strdup(pe_checkpoint_get_path(ckpt));
    const PeLayout *layout = pe_layout_find(ckpt, error);
    bool ok = layout && pe_model_read_config(model, layout, error);
    if (ok) {
        pe_model_make_weights(model);
        ok = bind_weights(model, layout, error) &&
             bind_proj_bias(model, layout, error) &&
             bind_logit_scale(model, layout, error) &&
             pe_model_make_fingerprint(model, error);
    }
    if (!ok) {
        tell_unread(ckpt, error);
        pe_model_unref(model);
        return NULL;
    }
    bool pickled = strcmp(pe_checkpoint_get_container(ckpt), "torch-zip") == 0;
    model->format = strcmp(layout->format, "meta") != 0 ? layout->format
                    : pickled                           ? "meta-pt"
                                                        : "meta-safetensors";
    model->name = pe_model_make_name(&model->vision,
                                     pe_checkpoint_get_metadata(ckpt, "name"));
    log_ignored(model, layout->names);
    return model;
}

// ---- Opening --------------------------------------------------------------

PeModel *
pe_model_open(const char *path, GError **error)
{
    g_return_val_if_fail(path != NULL, NULL);
    g_autofree char *file = pe_model_find_file(path, error);
    PeCheckpoint *ckpt = file ? pe_checkpoint_open(file, error) : NULL;
    return ckpt ? pe_model_new_from_checkpoint(ckpt, error) : NULL;
}

// ---- Questions ------------------------------------------------------------

const char *
pe_model_get_name(const PeModel *model)
{
    return model->name;
}

const char *
pe_model_get_path(const PeModel *model)
{
    return model->path;
}

const char *
pe_model_get_format(const PeModel *model)
{
    return model->format;
}

const PeVisionConfig *
pe_model_get_vision(const PeModel *model)
{
    return &model->vision;
}

const PeTextConfig *
pe_model_get_text(const PeModel *model)
{
    return model->has_text ? &model->text : NULL;
}

float
pe_model_get_logit_scale(const PeModel *model)
{
    return model->logit_scale;
}

int64_t
pe_model_count_parameters(const PeModel *model, bool vision_only)
{
    int64_t n = 0;
    for (guint i = 0; i < model->weights->len; i++) {
        const PeWeight *weight = &g_array_index(model->weights, PeWeight, i);
        if (!vision_only || !weight->is_text)
            n += pe_tensor_size(weight->tensor);
    }
    // The scale of the logits is learned, too.
    return n + (!vision_only && model->has_text ? 1 : 0);
}

const char *
pe_model_get_dtype(const PeModel *model)
{
    PeDtype first = g_array_index(model->weights, PeWeight, 0).tensor->dtype;
    for (guint i = 1; i < model->weights->len; i++) {
        if (g_array_index(model->weights, PeWeight, i).tensor->dtype != first)
            return "mixed";
    }
    return pe_dtype_name(first);
}

const PeVisionWeights *
pe_model_get_vision_weights(const PeModel *model)
{
    return &model->vision_weights;
}

const PeTextWeights *
pe_model_get_text_weights(const PeModel *model)
{
    return model->has_text ? &model->text_weights : NULL;
}

bool
pe_model_load(const PeModel *model, const PeTensor *tensor, PeLoaded *loaded,
              GError **error)
{
    return pe_checkpoint_load(model->ckpt, tensor, loaded, error);
}

#define FOLDER "gst-perception-encoder"

char *
pe_model_find_installed(const char *file)
{
    // When GST_PE_DATA_PATH is set, no other folder is searched.
    const char *data = g_getenv("GST_PE_DATA_PATH");
    g_autofree char *installed =
        g_build_filename(data ? data : PE_DATADIR, FOLDER, file, NULL);
    g_autofree char *moved =
        g_build_filename(PE_DATADIR_FROM_LIBDIR, FOLDER, file, NULL);
    g_autofree char *built = g_build_filename("../models", file, NULL);
    const char *const beside[] = {data ? NULL : moved, built, NULL};
    return pe_installed_file_find(beside, installed);
}

PeModel *
pe_model_open_default(GError **error)
{
    static const char file[] = "pe-demo.safetensors";
    g_autofree char *path = pe_model_find_installed(file);
    if (path)
        return pe_model_open(path, error);
    const char *data = g_getenv("GST_PE_DATA_PATH");
    g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                "no model is named, and the demo model is not at %s/" FOLDER
                "/%s: name a Perception Encoder checkpoint, such as "
                "PE-Core-B16-224.pt or a folder with one",
                data ? data : PE_DATADIR, file);
    return NULL;
}
