// SPDX-License-Identifier: LGPL-2.1-or-later
//
// save.c - writes a model as safetensors in Meta's names, a piece of a
// tensor at a time.

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/failure.h"
#include "core/base/json.h"
#include "model_private.h"

#define PIECE_VALUES (1 << 18)
// Header and data start on a cache line.
#define HEADER_ALIGNMENT 64

typedef struct {
    const PeModel *model;
    const char *path;
    PeDtype dtype;
    bool vision_only;
    FILE *file;
    float *values;           // [PIECE_VALUES]
    uint16_t *halves;        // [PIECE_VALUES]
    int64_t n_done, n_total; // bytes
    PeProgressFunc progress; // may be NULL
    void *user_data;
} Writer;

// PE-Core's vision tower is called "visual." in Meta's files, those of models
// without a text side have no prefix.
static PeLayout
get_layout(const PeModel *model)
{
    return (PeLayout){"meta", model->vision.pool_heads ? "visual." : "",
                      PE_NAMES_META, ""};
}

static bool
is_written(const Writer *w, const PeWeight *weight)
{
    return !weight->is_text || !w->vision_only;
}

static bool
has_scale(const Writer *w)
{
    return w->model->log_scale.data && !w->vision_only;
}

// ---- Header ---------------------------------------------------------------

static void
add_entry(JsonObject *header, const char *name, PeDtype dtype,
          const int64_t *shape, int n_dims, int64_t *offset)
{
    JsonArray *axes = json_array_new(), *offsets = json_array_new();
    int64_t bytes = (int64_t)pe_dtype_size(dtype);
    for (int i = 0; i < n_dims; i++) {
        json_array_add_int_element(axes, shape[i]);
        bytes *= shape[i];
    }
    json_array_add_int_element(offsets, *offset);
    json_array_add_int_element(offsets, *offset += bytes);
    g_autofree char *dtype_name = g_ascii_strup(pe_dtype_name(dtype), -1);
    JsonObject *entry = json_object_new();
    json_object_set_string_member(entry, "dtype", dtype_name);
    json_object_set_array_member(entry, "shape", axes);
    json_object_set_array_member(entry, "data_offsets", offsets);
    json_object_set_object_member(header, name, entry);
}

static JsonObject *
make_metadata(const Writer *w)
{
    const PeModel *model = w->model;
    g_autofree char *config = pe_vision_config_to_json(&model->vision);
    g_autofree char *source = *model->path ? g_path_get_basename(model->path)
                                           : g_strdup("random weights");
    JsonObject *metadata = json_object_new();
    // Other readers of safetensors look for this word.
    json_object_set_string_member(metadata, "format", "pt");
    json_object_set_string_member(metadata, "producer",
                                  "gst-perception-encoder");
    json_object_set_string_member(metadata, "name", model->name);
    json_object_set_string_member(metadata, "source", source);
    json_object_set_string_member(metadata, "config", config);
    if (model->has_text && !w->vision_only) {
        g_autofree char *text = pe_text_config_to_json(&model->text);
        json_object_set_string_member(metadata, "text", text);
    }
    return metadata;
}

// Meta's probe is [1, 1, D]; every other weight has the shape of its weight.
// A stored tensor that two weights share is entered by the first.
static void
add_weight(const PeWeight *weight, const PeLayout *layout, PeDtype dtype,
           JsonObject *header, int64_t *offset)
{
    if (weight->spec->stored == PE_STORED_QKV_KV)
        return;
    int64_t shape[6] = {1, 1};
    bool is_probe = g_str_has_suffix(weight->spec->meta, "probe");
    int lead = is_probe ? 2 : 0;
    int n_dims =
        lead + pe_weight_get_stored_shape(weight, PE_NAMES_META, shape + lead);
    g_autofree char *name = pe_weight_get_name(weight, layout);
    add_entry(header, name, dtype, shape, n_dims, offset);
}

// The JSON text, padded with blanks; `n_data` is how many bytes follow it.
static GString *
make_header(const Writer *w, int64_t *n_data)
{
    JsonObject *header = json_object_new();
    PeLayout layout = get_layout(w->model);
    *n_data = 0;
    json_object_set_object_member(header, "__metadata__", make_metadata(w));
    // First, because only then it is aligned whatever follows.
    if (has_scale(w))
        add_entry(header, "logit_scale", PE_DTYPE_F32, NULL, 0, n_data);
    for (guint i = 0; i < w->model->weights->len; i++) {
        const PeWeight *weight = &g_array_index(w->model->weights, PeWeight, i);
        if (is_written(w, weight))
            add_weight(weight, &layout, w->dtype, header, n_data);
    }
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(root, header);
    g_autofree char *text = json_to_string(root, FALSE);
    GString *padded = g_string_new(text);
    while ((padded->len + 8) % HEADER_ALIGNMENT != 0)
        g_string_append_c(padded, ' ');
    return padded;
}

// ---- Data -----------------------------------------------------------------

static bool
write_bytes(Writer *w, const void *data, size_t n, GError **error)
{
    if (fwrite(data, 1, n, w->file) == n) {
        w->n_done += (int64_t)n;
        if (w->progress)
            w->progress(w->n_done, w->n_total, w->user_data);
        return true;
    }
    return pe_fail(error, PE_ERROR_FILE, w->path, "cannot write: %s",
                   g_strerror(errno));
}

static bool
write_values(Writer *w, const char *name, size_t n, GError **error)
{
    if (w->dtype == PE_DTYPE_F32)
        return write_bytes(w, w->values, n * sizeof(float), error);
    for (size_t i = 0; i < n; i++) {
        w->halves[i] = pe_half_from_f32(w->dtype, w->values[i]);
        float back = pe_half_to_f32(w->dtype, w->halves[i]);
        if (isinf(back) && !isinf(w->values[i])) {
            return pe_fail(error, PE_ERROR_FORMAT, w->model->path,
                           "'%s' has the value %g, too large for %s; take "
                           "bf16 or fp32",
                           name, w->values[i], pe_dtype_name(w->dtype));
        }
    }
    return write_bytes(w, w->halves, n * sizeof(uint16_t), error);
}

// In row-major order, so many rows of the first axis at a time that they fit.
static bool
write_tensor(Writer *w, const char *name, const PeTensor *t, GError **error)
{
    int64_t row = pe_tensor_size(t) / t->shape[0];
    int64_t rows = MAX(PIECE_VALUES / row, 1);
    if (row > PIECE_VALUES) {
        return pe_fail(error, PE_ERROR_SHAPE, w->model->path,
                       "'%s' has rows of %" G_GINT64_FORMAT " values", name,
                       row);
    }
    for (int64_t first = 0; first < t->shape[0]; first += rows) {
        PeTensor piece =
            pe_tensor_rows(t, first, MIN(rows, t->shape[0] - first));
        g_auto(PeLoaded) loaded = {0};
        if (!pe_checkpoint_load(w->model->ckpt, &piece, &loaded, error))
            return false;
        pe_tensor_to_f32(&loaded.tensor, w->values);
        if (!write_values(w, name, (size_t)pe_tensor_size(&piece), error))
            return false;
    }
    return true;
}

static bool
write_weight(Writer *w, const PeWeight *weight, GError **error)
{
    PeLayout layout = get_layout(w->model);
    g_autofree char *name = pe_weight_get_name(weight, &layout);
    PeTensor t = *weight->tensor;
    if (weight->spec->stored == PE_STORED_TRANSPOSED)
        t = pe_tensor_transposed(&t);
    return write_tensor(w, name, &t, error);
}

static bool
write_all(Writer *w, GError **error)
{
    int64_t n_data;
    g_autoptr(GString) header = make_header(w, &n_data);
    uint64_t size = GUINT64_TO_LE((uint64_t)header->len);
    w->n_total = (int64_t)(sizeof size + header->len) + n_data;
    if (!write_bytes(w, &size, sizeof size, error) ||
        !write_bytes(w, header->str, header->len, error))
        return false;
    if (has_scale(w)) {
        float log_scale;
        g_auto(PeLoaded) loaded = {0};
        if (!pe_checkpoint_load(w->model->ckpt, &w->model->log_scale, &loaded,
                                error))
            return false;
        pe_tensor_to_f32(&loaded.tensor, &log_scale);
        if (!write_bytes(w, &log_scale, sizeof log_scale, error))
            return false;
    }
    for (guint i = 0; i < w->model->weights->len; i++) {
        const PeWeight *weight = &g_array_index(w->model->weights, PeWeight, i);
        if (is_written(w, weight) && !write_weight(w, weight, error))
            return false;
    }
    if (fflush(w->file) == 0 && fsync(fileno(w->file)) == 0)
        return true;
    return pe_fail(error, PE_ERROR_FILE, w->path, "cannot write: %s",
                   g_strerror(errno));
}

// ---- File -----------------------------------------------------------------

// Write beside `path` and move there when complete.
static bool
write_file(Writer *w, GError **error)
{
    g_autofree char *temporary = g_strconcat(w->path, ".XXXXXX", NULL);
    int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0666);
    w->file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (!w->file) {
        return pe_fail(error, PE_ERROR_FILE, w->path, "cannot create: %s",
                       g_strerror(errno));
    }
    bool ok = write_all(w, error);
    if (fclose(w->file) != 0 && ok) {
        pe_fail(error, PE_ERROR_FILE, w->path, "cannot write: %s",
                g_strerror(errno));
        ok = false;
    }
    if (ok && g_rename(temporary, w->path) != 0) {
        pe_fail(error, PE_ERROR_FILE, w->path, "cannot replace: %s",
                g_strerror(errno));
        ok = false;
    }
    if (!ok)
        g_unlink(temporary);
    return ok;
}

bool
pe_model_save(const PeModel *model, const char *path, PePrecision precision,
              bool vision_only, PeProgressFunc progress, void *user_data,
              GError **error)
{
    g_return_val_if_fail(model != NULL && path != NULL, false);
    g_return_val_if_fail(precision == PE_PRECISION_FP32 ||
                             precision == PE_PRECISION_BF16 ||
                             precision == PE_PRECISION_FP16,
                         false);
    g_autofree float *values = g_new(float, PIECE_VALUES);
    g_autofree uint16_t *halves = g_new(uint16_t, PIECE_VALUES);
    Writer w = {.model = model,
                .path = path,
                .dtype = precision == PE_PRECISION_FP32   ? PE_DTYPE_F32
                         : precision == PE_PRECISION_BF16 ? PE_DTYPE_BF16
                                                          : PE_DTYPE_F16,
                .vision_only = vision_only,
                .values = values,
                .halves = halves,
                .progress = progress,
                .user_data = user_data};
    if (model->vision_weights.proj_bias.data)
        pe_log(PE_LOG_WARNING,
               "%s: the head has a bias, which other readers of Meta's names "
               "do not know",
               model->path);
    return write_file(&w, error);
}
