// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_stand_in.c - see label_stand_in.h.

#include "label_stand_in.h"

#include <glib/gstdio.h>
#include <string.h>

static const PeTextConfig text_config = {.context_length = 16};

StandIn stand_in;
PeEngine *const stand_in_engine = (PeEngine *)&stand_in;

int
pe_engine_get_dim(const PeEngine *e)
{
    return stand_in.dim;
}

PeModel *
pe_engine_get_model(const PeEngine *e)
{
    return (PeModel *)&stand_in;
}

PePrecision
pe_engine_get_precision(const PeEngine *e)
{
    return PE_PRECISION_BF16;
}

const char *
pe_engine_get_description(const PeEngine *e)
{
    return "stand-in";
}

const char *
pe_model_get_name(const PeModel *model)
{
    return "fake model";
}

const char *
pe_model_get_path(const PeModel *model)
{
    return stand_in.model_path;
}

const PeTextConfig *
pe_model_get_text(const PeModel *model)
{
    return stand_in.text;
}

float
pe_model_get_logit_scale(const PeModel *model)
{
    return 100;
}

const char *
pe_model_get_fingerprint(const PeModel *model)
{
    return stand_in.fingerprint;
}

void
stand_in_embed(const char *text, float *out)
{
    g_autoptr(GRand) noise = g_rand_new_with_seed(g_str_hash(text));
    for (int i = 0; i < stand_in.dim; i++)
        out[i] = (float)g_rand_double_range(noise, -1, 1);
    if (!g_ascii_isdigit(*text) && *text != '-' && strcmp(text, "nan") != 0)
        return;
    char *end = (char *)text;
    for (int i = 0; i < stand_in.dim; i++)
        out[i] = (float)g_ascii_strtod(end, &end);
}

bool
pe_engine_embed_texts(PeEngine *e, const PeTokenizer *t,
                      const char *const *texts, int n, float *out,
                      GError **error)
{
    if (stand_in.broken) {
        g_set_error(error, PE_ERROR, PE_ERROR_BACKEND, "broken");
        return false;
    }
    for (int i = 0; i < n; i++)
        stand_in_embed(texts[i], out + (size_t)i * (size_t)stand_in.dim);
    stand_in.n_texts += n;
    return true;
}

bool
pe_engine_embed_frames(PeEngine *e, const PeFrame *frames, int n, float *out,
                       GError **error)
{
    for (int i = 0; i < n; i++)
        memcpy(out + (size_t)i * (size_t)stand_in.dim, frames[i].planes[0],
               sizeof *out * (size_t)stand_in.dim);
    stand_in.n_pictures += n;
    return true;
}

static void
remember_warning(PeLogLevel level, const char *message, void *user_data)
{
    if (level <= PE_LOG_WARNING)
        g_ptr_array_add(stand_in.warnings, g_strdup(message));
}

void
stand_in_use(const char *fingerprint, int dim)
{
    g_assert_cmpint(dim, <=, MAX_DIM);
    stand_in.dim = dim;
    stand_in.n_texts = stand_in.n_pictures = 0;
    stand_in.broken = false;
    stand_in.text = &text_config;
    stand_in.fingerprint = fingerprint;
    g_free(stand_in.model_path);
    stand_in.model_path = g_strdup("");
    g_ptr_array_set_size(stand_in.warnings, 0);
}

PeLabels *
make_labels_of(PeLabelSpec *spec, GError **error)
{
    PeLabels *labels =
        pe_labels_new(stand_in_engine, stand_in.tokenizer, spec, error);
    pe_label_spec_free(spec);
    return labels;
}

PeLabels *
make_labels(const char *text, const char *negatives, const char *templates)
{
    g_autoptr(GError) error = NULL;
    PeLabelSpec *spec = pe_label_spec_parse(text, &error);
    g_assert_no_error(error);
    g_assert_true(pe_label_spec_add_negatives(
        spec, negatives ? negatives : "none", NULL));
    g_assert_true(pe_label_spec_set_templates(spec, templates, NULL));
    PeLabels *labels = make_labels_of(spec, &error);
    g_assert_no_error(error);
    return labels;
}

static void
remove_folder(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_DIR))
            remove_folder(child);
        g_remove(child);
    }
    g_clear_pointer(&dir, g_dir_close);
    g_rmdir(path);
}

int
stand_in_run(int argc, char **argv, void (*add_tests)(void))
{
    g_test_init(&argc, &argv, NULL);
    stand_in.folder = g_dir_make_tmp("check-labels-XXXXXX", NULL);
    g_setenv("XDG_CACHE_HOME", stand_in.folder, TRUE);
    g_unsetenv("GST_PE_CACHE");
    stand_in.warnings = g_ptr_array_new_with_free_func(g_free);
    pe_log_set(remember_warning, NULL);
    g_autofree char *vocab =
        g_build_filename(stand_in.folder, "vocab.txt", NULL);
    g_file_set_contents(vocab, "#version: 0.2\na b\n", -1, NULL);
    stand_in.tokenizer = pe_tokenizer_open(vocab, NULL);
    add_tests();
    int status = g_test_run();
    pe_tokenizer_unref(stand_in.tokenizer);
    g_ptr_array_unref(stand_in.warnings);
    remove_folder(stand_in.folder);
    g_free(stand_in.model_path);
    g_free(stand_in.folder);
    return status;
}
