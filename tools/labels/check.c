// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check.c - see check.h: the file and its vectors.

#include "check.h"

#include <string.h>

#include "gst/video/gstpepicture.h"

int
check_count_clips(const Check *check)
{
    return (int)check->clips->len / check->dim;
}

const float *
check_get_clip(const Check *check, int index)
{
    return &g_array_index(check->clips, float, (guint)(index * check->dim));
}

double
check_cosine(const Check *check, const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < check->dim; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

// ---- Vectors of texts -----------------------------------------------------

// What the library warns about is found here, and told with what to do.
static void
keep_quiet(PeLogLevel level, const char *message, void *data)
{
}

static PeLabels *
make_labels(const Check *check, const PeLabelSpec *spec, GError **error)
{
    pe_log_set(keep_quiet, NULL);
    PeLabels *labels =
        pe_labels_new(check->engine, check->tokenizer, spec, error);
    pe_log_set(NULL, NULL);
    return labels;
}

static void
append_label(GString *json, const LabelText *label, const GPtrArray *templates)
{
    g_autoptr(GPtrArray) prompts = label_text_list(label, templates);
    g_string_append(json, "{\"name\": ");
    json_append_quoted(json, label->name);
    for (guint i = 0; i < prompts->len && !label->wordless; i++) {
        g_string_append(json, i ? ", " : ", \"prompts\": [");
        json_append_quoted(json, prompts->pdata[i]);
    }
    g_string_append_printf(json, "%s%s}", label->wordless ? "" : "]",
                           label->examples ? label->examples : "");
}

bool
check_embed(const Check *check, const GPtrArray *labels,
            const GPtrArray *templates, float *out, GError **error)
{
    if (labels->len == 0)
        return true;
    g_autoptr(GString) json = g_string_new("{\"labels\": [");
    for (guint i = 0; i < labels->len; i++) {
        g_string_append(json, i ? ", " : "");
        append_label(json, labels->pdata[i], templates);
    }
    g_string_append(json, "], \"negatives\": []");
    if (check->texts->model) {
        g_string_append(json, ", \"model\": ");
        json_append_quoted(json, check->texts->model);
    }
    g_string_append_c(json, '}');
    PeLabelSpec *spec = pe_label_spec_parse(json->str, error);
    if (!spec)
        return false;
    pe_label_spec_set_picture_reader(spec, gst_pe_picture_read);
    PeLabels *set = make_labels(check, spec, error);
    pe_label_spec_free(spec);
    if (!set)
        return false;
    memcpy(out, pe_labels_get_vector(set, 0),
           labels->len * (size_t)check->dim * sizeof *out);
    pe_labels_unref(set);
    return true;
}

// ---- The file -------------------------------------------------------------

static bool
open_labels(Check *check, const char *path, const char *vocab, GError **error)
{
    PeLabelSpec *spec = pe_label_spec_load(path, error);
    if (!spec)
        return false;
    pe_label_spec_set_picture_reader(spec, gst_pe_picture_read);
    check->tokenizer = pe_tokenizer_open_for_model(
        vocab, pe_engine_get_model(check->engine), error);
    if (check->tokenizer)
        check->labels = make_labels(check, spec, error);
    pe_label_spec_free(spec);
    return check->labels != NULL;
}

static float *
vectors_new(const Check *check, guint n)
{
    return g_new(float, (size_t)n *(size_t)check->dim);
}

bool
check_open(Check *check, const char *path, const char *vocab, GError **error)
{
    check->dim = pe_engine_get_dim(check->engine);
    check->findings = findings_new();
    check->clips = g_array_new(FALSE, FALSE, sizeof(float));
    if (!open_labels(check, path, vocab, error))
        return false;
    check->texts = label_texts_read(path, error);
    if (!check->texts)
        return false;
    guint n = check->texts->labels->len;
    if (n != (guint)pe_labels_count(check->labels)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: changed while it was read; try again", path);
        return false;
    }
    check->label_vectors = vectors_new(check, n);
    memcpy(check->label_vectors, pe_labels_get_vector(check->labels, 0),
           n * (size_t)check->dim * sizeof(float));
    check->negative_vectors = vectors_new(check, check->texts->negatives->len);
    return check_embed(check, check->texts->negatives, check->texts->templates,
                       check->negative_vectors, error);
}

void
check_clear(Check *check)
{
    g_clear_pointer(&check->labels, pe_labels_unref);
    g_clear_pointer(&check->tokenizer, pe_tokenizer_unref);
    g_clear_pointer(&check->engine, pe_engine_unref);
    g_clear_pointer(&check->texts, label_texts_free);
    g_clear_pointer(&check->findings, g_ptr_array_unref);
    g_clear_pointer(&check->clips, g_array_unref);
    g_clear_pointer(&check->label_vectors, g_free);
    g_clear_pointer(&check->negative_vectors, g_free);
}
