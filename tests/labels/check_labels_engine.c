// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_labels_engine.c - labels of a whole model on the real engine; what is
// particular to labels and their cache is in check_labels.c.

#include "core/pe.h"
#include "tests/support/tiny_model.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

typedef struct {
    TinyModel tiny;
    PeEngine *engine;
} Fixture;

static void
set_up(Fixture *f, const void *user_data)
{
    g_autoptr(GError) error = NULL;
    tiny_model_open(&f->tiny, 7);
    PeEngineParams params = {.model = f->tiny.model,
                             .device = "cpu",
                             .precision = PE_PRECISION_FP32,
                             .n_threads = 1};
    f->engine = pe_engine_get(&params, &error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *f, const void *user_data)
{
    pe_engine_unref(f->engine);
    tiny_model_close(&f->tiny);
}

static PeLabels *
make_labels(const Fixture *f)
{
    g_autoptr(GError) error = NULL;
    PeLabelSpec *spec = pe_label_spec_parse("a dog|zebras 42", NULL);
    g_assert_true(pe_label_spec_add_negatives(spec, "nothing", NULL));
    g_assert_true(pe_label_spec_set_templates(spec, "{}|my {}!", NULL));
    PeLabels *labels =
        pe_labels_new(f->engine, f->tiny.tokenizer, spec, &error);
    g_assert_no_error(error);
    pe_label_spec_free(spec);
    return labels;
}

static void
averages_what_the_engine_embeds(Fixture *f, const void *user_data)
{
    static const double limit = 1e-5;
    static const char *const texts[] = {"zebras 42", "my zebras 42!"};
    float x[2][TINY_MODEL_DIM], mean[TINY_MODEL_DIM];
    g_assert_true(pe_engine_embed_texts(f->engine, f->tiny.tokenizer, texts, 2,
                                        x[0], NULL));
    pe_embedding_normalize(x[0], TINY_MODEL_DIM);
    pe_embedding_normalize(x[1], TINY_MODEL_DIM);
    pe_embedding_mean((const float *[]){x[0], x[1]}, 2, TINY_MODEL_DIM, mean);

    PeLabels *labels = make_labels(f);
    const float *ours = pe_labels_get_vector(labels, 1);
    double worst = 0;
    for (int i = 0; i < TINY_MODEL_DIM; i++)
        worst = fmax(worst, fabs((double)ours[i] - mean[i]));
    g_test_message("largest difference %.2g, limit %.2g", worst, limit);
    g_assert_cmpfloat(worst, <=, limit);

    PeScore scores[3];
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(3);
    g_assert_cmpint(pe_labels_score(labels, mean, &params, scores, NULL, NULL),
                    ==, 2);
    g_assert_cmpint(scores[0].index, ==, 1);
    g_assert_cmpfloat(scores[0].similarity, >, 1 - 1e-5f);
    pe_labels_unref(labels);
}

static void
asks_the_engine_only_once(Fixture *f, const void *user_data)
{
    PeEngineStats before, after;
    PeLabels *first = make_labels(f);
    pe_engine_get_stats(f->engine, &before);
    PeLabels *second = make_labels(f);
    pe_engine_get_stats(f->engine, &after);
    g_assert_cmpuint(after.texts, ==, before.texts);
    g_assert_cmpmem(
        pe_labels_get_vector(first, 0), 2 * TINY_MODEL_DIM * sizeof(float),
        pe_labels_get_vector(second, 0), 2 * TINY_MODEL_DIM * sizeof(float));
    pe_labels_unref(first);
    pe_labels_unref(second);
}

// Another process, another machine and another year find the same. Only a
// deliberate change of what is identical may change this number.
static void
has_the_same_fingerprint_everywhere(Fixture *f, const void *user_data)
{
    PeLabels *labels = make_labels(f);
    g_assert_cmpstr(pe_labels_get_fingerprint(labels), ==, "26dc1aab717c6c15");
    pe_labels_unref(labels);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autofree char *cache = g_dir_make_tmp("check-labels-XXXXXX", NULL);
    g_setenv("XDG_CACHE_HOME", cache, TRUE);
    g_test_add("/labels-engine/average", Fixture, NULL, set_up,
               averages_what_the_engine_embeds, tear_down);
    g_test_add("/labels-engine/once", Fixture, NULL, set_up,
               asks_the_engine_only_once, tear_down);
    g_test_add("/labels-engine/fingerprint", Fixture, NULL, set_up,
               has_the_same_fingerprint_everywhere, tear_down);
    int status = g_test_run();

    g_autofree char *inner = g_build_filename(cache, "gst-pe", NULL);
    GDir *dir = g_dir_open(inner, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(inner, name, NULL);
        g_remove(file);
    }
    g_clear_pointer(&dir, g_dir_close);
    g_rmdir(inner);
    g_rmdir(cache);
    return status;
}
