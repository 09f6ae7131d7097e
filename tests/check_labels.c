// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_labels.c - labels become the mean of their prompts, are scored by a
// softmax, and their vectors survive in a cache that may be damaged or shared.
//
// The engine is a stand-in: a text that is a list of numbers is embedded as
// those numbers, any other as noise that depends on the text.

#include "core/pe.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_DIM 1024

static struct {
    int dim;
    int n_texts; // embedded since it was last set to 0
    bool broken; // embed_texts() fails
    const PeTextConfig *text;
    const char *fingerprint;
} fake;

static const PeTextConfig text_config = {.context_length = 16};
static PeEngine *const engine = (PeEngine *)&fake;
static PeTokenizer *tokenizer;
static char *folder;
static GPtrArray *warnings; // of char *

// ---- The stand-in ---------------------------------------------------------

int
pe_engine_get_dim(const PeEngine *e)
{
    return fake.dim;
}

PeModel *
pe_engine_get_model(const PeEngine *e)
{
    return (PeModel *)&fake;
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

const PeTextConfig *
pe_model_get_text(const PeModel *model)
{
    return fake.text;
}

float
pe_model_get_logit_scale(const PeModel *model)
{
    return 100;
}

const char *
pe_model_get_fingerprint(const PeModel *model)
{
    return fake.fingerprint;
}

static void
embed_text(const char *text, float *out)
{
    g_autoptr(GRand) noise = g_rand_new_with_seed(g_str_hash(text));
    for (int i = 0; i < fake.dim; i++)
        out[i] = (float)g_rand_double_range(noise, -1, 1);
    if (!g_ascii_isdigit(*text) && *text != '-' && strcmp(text, "nan") != 0)
        return;
    char *end = (char *)text;
    for (int i = 0; i < fake.dim; i++)
        out[i] = (float)g_ascii_strtod(end, &end);
}

bool
pe_engine_embed_texts(PeEngine *e, const PeTokenizer *t,
                      const char *const *texts, int n, float *out,
                      GError **error)
{
    if (fake.broken) {
        g_set_error(error, PE_ERROR, PE_ERROR_BACKEND, "broken");
        return false;
    }
    for (int i = 0; i < n; i++)
        embed_text(texts[i], out + (size_t)i * (size_t)fake.dim);
    fake.n_texts += n;
    return true;
}

static void
remember_warning(PeLogLevel level, const char *message, void *user_data)
{
    if (level <= PE_LOG_WARNING)
        g_ptr_array_add(warnings, g_strdup(message));
}

// ---- Help -----------------------------------------------------------------

// Every test has its own cache file.
static void
use_model(const char *fingerprint, int dim)
{
    g_assert_cmpint(dim, <=, MAX_DIM);
    fake.dim = dim;
    fake.n_texts = 0;
    fake.broken = false;
    fake.text = &text_config;
    fake.fingerprint = fingerprint;
    g_ptr_array_set_size(warnings, 0);
}

static char *
cache_path(void)
{
    g_autofree char *name =
        g_strdup_printf("text-%s-%s-bf16.cache", fake.fingerprint,
                        pe_tokenizer_get_fingerprint(tokenizer));
    return g_build_filename(folder, "gst-pe", name, NULL);
}

static PeLabels *
make_labels(const char *text, const char *negatives, const char *templates)
{
    g_autoptr(GError) error = NULL;
    PeLabelSpec *spec = pe_label_spec_parse(text, &error);
    g_assert_no_error(error);
    g_assert_true(pe_label_spec_add_negatives(spec, negatives, NULL));
    g_assert_true(pe_label_spec_set_templates(spec, templates, NULL));
    PeLabels *labels = pe_labels_new(engine, tokenizer, spec, &error);
    g_assert_no_error(error);
    pe_label_spec_free(spec);
    return labels;
}

static GError *
fail_to_make_labels(const char *text)
{
    GError *error = NULL;
    PeLabelSpec *spec = pe_label_spec_parse(text, NULL);
    g_assert_true(pe_label_spec_set_templates(spec, "{}", NULL));
    g_assert_null(pe_labels_new(engine, tokenizer, spec, &error));
    pe_label_spec_free(spec);
    return error;
}

static void
assert_near(float value, double expected, double limit)
{
    g_test_message("%.9g, expected %.9g, limit %.1g", (double)value, expected,
                   limit);
    g_assert_cmpfloat(fabs(value - expected), <=, limit);
}

// ---- Vectors --------------------------------------------------------------

static void
averages_unit_vectors_of_prompts(void)
{
    use_model("average", 3);
    // "3 0 0" and "0 0.5 0": (1,0,0) and (0,1,0) although one is longer.
    PeLabels *labels = make_labels("0", NULL, "3 {} {}|{} 0.5 {}");
    const float *x = pe_labels_get_vector(labels, 0);
    g_assert_cmpint(pe_labels_count(labels), ==, 1);
    g_assert_cmpstr(pe_labels_get_name(labels, 0), ==, "0");
    assert_near(x[0], sqrt(0.5), 1e-6);
    assert_near(x[1], sqrt(0.5), 1e-6);
    assert_near(x[2], 0, 1e-6);
    pe_labels_unref(labels);
}

static void
numbers_every_set(void)
{
    use_model("version", 2);
    PeLabels *a = make_labels("1 0", NULL, "{}");
    PeLabels *b = make_labels("1 0", NULL, "{}");
    g_assert_cmpuint(pe_labels_get_version(a), !=, pe_labels_get_version(b));
    g_assert_true(pe_labels_ref(a) == a);
    pe_labels_unref(a);
    pe_labels_unref(a);
    pe_labels_unref(b);
}

static void
refuses_vectors_that_are_not_finite(void)
{
    use_model("nan", 2);
    for (int i = 0; i < 2; i++) { // the second time nothing was cached
        g_autoptr(GError) error = fail_to_make_labels("nan");
        g_assert_error(error, PE_ERROR, PE_ERROR_BACKEND);
    }
}

static void
passes_on_the_failure_of_the_engine(void)
{
    use_model("broken", 2);
    fake.broken = true;
    g_autoptr(GError) error = fail_to_make_labels("x");
    g_assert_error(error, PE_ERROR, PE_ERROR_BACKEND);
    g_assert_cmpstr(error->message, ==, "broken");
}

static void
needs_a_text_tower(void)
{
    use_model("vision", 2);
    fake.text = NULL;
    g_autoptr(GError) error = fail_to_make_labels("x");
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "fake model"));
}

static void
warns_about_labels_that_hardly_differ(void)
{
    use_model("similar", 2);
    PeLabels *labels = make_labels("1 0|1 0.1|1 0.5|0 1", NULL, "{}");
    g_assert_cmpuint(warnings->len, ==, 1); // 0.995; the next is 0.939
    g_assert_nonnull(strstr(warnings->pdata[0], "\"1 0\" and \"1 0.1\""));
    pe_labels_unref(labels);
}

static void
warns_about_cut_texts_also_when_cached(void)
{
    use_model("cut", 2);
    static const char text[] = "a b c d e f g h i j k l m n o p";
    pe_labels_unref(make_labels(text, NULL, "{}"));
    g_assert_cmpuint(warnings->len, ==, 0); // it is the engine that warns
    pe_labels_unref(make_labels(text, NULL, "{}"));
    g_assert_cmpuint(warnings->len, ==, 1);
    g_assert_nonnull(strstr(warnings->pdata[0], "\"o p\""));
}

// ---- Scores ---------------------------------------------------------------

static void
scores_by_softmax_over_labels_and_negatives(void)
{
    use_model("softmax", 2);
    PeLabels *labels = make_labels("1 0|0.8 0.6|0 1", "0.96 0.28", "{}");
    const float x[2] = {1, 0};
    PeScore scores[5];
    int n = pe_labels_score(labels, x, 5, 0, scores);
    double sum = 1 + exp(-20) + exp(-100) + exp(-4);
    g_assert_cmpint(n, ==, 3); // the negative is not reported
    g_assert_cmpint(scores[0].index, ==, 0);
    g_assert_cmpstr(scores[0].name, ==, "1 0");
    assert_near(scores[0].probability, 1 / sum, 1e-6);
    assert_near(scores[0].similarity, 1, 1e-6);
    g_assert_cmpint(scores[1].index, ==, 1);
    assert_near(scores[1].probability, exp(-20) / sum, 1e-13);
    assert_near(scores[1].similarity, 0.8, 1e-6);
    g_assert_cmpint(scores[2].index, ==, 2);
    pe_labels_unref(labels);
}

static void
reports_the_best_first_and_ties_by_index(void)
{
    use_model("ties", 2);
    // 4 and 1 are best and equal; all probabilities but these are far below.
    PeLabels *labels = make_labels("0 1|2 0|0 2|0 3|3 0", NULL, "{}");
    const float x[2] = {1, 0};
    PeScore scores[5];
    static const int order[] = {1, 4, 0, 2, 3};
    for (int top_k = 0; top_k <= 5; top_k++) {
        int n = pe_labels_score(labels, x, top_k, 0, scores);
        g_assert_cmpint(n, ==, top_k);
        for (int i = 0; i < n; i++)
            g_assert_cmpint(scores[i].index, ==, order[i]);
    }
    pe_labels_unref(labels);
}

static void
applies_the_larger_threshold(void)
{
    use_model("threshold", 2);
    g_autofree char *path = g_build_filename(folder, "labels.json", NULL);
    static const char json[] =
        "{\"labels\": [{\"name\": \"1 0\", \"threshold\": 0.6},"
        "{\"name\": \"2 0\", \"threshold\": 0.1}, \"0 1\"],"
        "\"templates\": [\"{}\"]}";
    g_assert_true(g_file_set_contents(path, json, -1, NULL));
    PeLabelSpec *spec = pe_label_spec_load(path, NULL);
    PeLabels *labels = pe_labels_new(engine, tokenizer, spec, NULL);
    pe_label_spec_free(spec);

    const float x[2] = {1, 0}; // probabilities 0.5, 0.5, 0
    PeScore scores[3];
    g_assert_cmpint(pe_labels_score(labels, x, 1, 0, scores), ==, 1);
    g_assert_cmpint(scores[0].index, ==, 1);
    g_assert_cmpint(pe_labels_score(labels, x, 3, 0, scores), ==, 2);
    g_assert_cmpint(scores[1].index, ==, 2);
    g_assert_cmpint(pe_labels_score(labels, x, 3, 0.4f, scores), ==, 1);
    g_assert_cmpint(pe_labels_score(labels, x, 3, 0.7f, scores), ==, 0);
    pe_labels_unref(labels);
}

static void
reports_nothing_for_a_vector_that_is_not_finite(void)
{
    use_model("bad-clip", 2);
    PeLabels *labels = make_labels("1 0|0 1", NULL, "{}");
    const float x[2] = {NAN, 0};
    PeScore scores[2];
    g_assert_cmpint(pe_labels_score(labels, x, 2, 0, scores), ==, 0);
    pe_labels_unref(labels);
}

// ---- Cache ----------------------------------------------------------------

static void
takes_cached_vectors_bit_for_bit(void)
{
    use_model("again", 137);
    PeLabels *first = make_labels("a|b", "c", "{}|my {}");
    g_assert_cmpint(fake.n_texts, ==, 6);
    // Cleaning makes these the same texts.
    PeLabels *second = make_labels("A| b ", "C", "{}|My  {}");
    g_assert_cmpint(fake.n_texts, ==, 6);
    g_assert_cmpmem(pe_labels_get_vector(first, 0), 2 * 137 * sizeof(float),
                    pe_labels_get_vector(second, 0), 2 * 137 * sizeof(float));
    pe_labels_unref(make_labels("a|d", NULL, "{}"));
    g_assert_cmpint(fake.n_texts, ==, 7);
    g_assert_cmpuint(warnings->len, ==, 0);
    pe_labels_unref(first);
    pe_labels_unref(second);

    use_model("another", 137);
    pe_labels_unref(make_labels("a|b", NULL, "{}"));
    g_assert_cmpint(fake.n_texts, ==, 2);
}

typedef void (*Damage)(char *content, gsize *size);

static void
cut_last_byte(char *content, gsize *size)
{
    *size -= 1;
}

static void
cut_to_half_a_header(char *content, gsize *size)
{
    *size = 12;
}

static void
flip_a_vector_bit(char *content, gsize *size)
{
    content[*size - 6] ^= 4;
}

static void
flip_a_header_bit(char *content, gsize *size)
{
    content[20] ^= 1;
}

static void
overwrite_all(char *content, gsize *size)
{
    memset(content, 'x', *size);
}

static void
rebuilds_a_damaged_file(void)
{
    static const Damage damages[] = {
        cut_last_byte,     cut_to_half_a_header, flip_a_vector_bit,
        flip_a_header_bit, overwrite_all,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
        use_model("damaged", 64);
        g_autofree char *path = cache_path();
        g_autofree char *content = NULL;
        gsize size;
        pe_labels_unref(make_labels("a|b", NULL, "{}"));
        g_assert_true(g_file_get_contents(path, &content, &size, NULL));
        damages[i](content, &size);
        g_assert_true(g_file_set_contents(path, content, (gssize)size, NULL));

        fake.n_texts = 0;
        pe_labels_unref(make_labels("a|b", NULL, "{}"));
        g_assert_cmpint(fake.n_texts, >, 0);
        g_assert_cmpuint(warnings->len, ==, 1);
        g_assert_nonnull(strstr(warnings->pdata[0], path));

        // What was rebuilt is found; a label lost with the file is not.
        pe_labels_unref(make_labels("a|b", NULL, "{}"));
        fake.n_texts = 0;
        pe_labels_unref(make_labels("a|b", NULL, "{}"));
        g_assert_cmpint(fake.n_texts, ==, 0);
        g_assert_cmpuint(warnings->len, ==, 1);
        g_assert_cmpint(g_remove(path), ==, 0);
    }
}

static void
shares_the_file_with_other_processes(void)
{
    enum { PROCESSES = 4, ROUNDS = 20 };
    use_model("shared", 64);
    pid_t children[PROCESSES];
    for (int c = 0; c < PROCESSES; c++) {
        children[c] = fork();
        if (children[c] != 0)
            continue;
        for (int i = 0; i < ROUNDS; i++) {
            g_autofree char *text =
                g_strdup_printf("common %d|own %d %d", i, c, i);
            pe_labels_unref(make_labels(text, NULL, "{}"));
        }
        _exit(warnings->len == 0 ? 0 : 1);
    }
    for (int c = 0; c < PROCESSES; c++) {
        int status;
        g_assert_cmpint(waitpid(children[c], &status, 0), ==, children[c]);
        g_assert_cmpint(status, ==, 0);
    }
    for (int c = 0; c < PROCESSES; c++) {
        for (int i = 0; i < ROUNDS; i++) {
            g_autofree char *text =
                g_strdup_printf("common %d|own %d %d", i, c, i);
            pe_labels_unref(make_labels(text, NULL, "{}"));
        }
    }
    g_assert_cmpint(fake.n_texts, ==, 0);
    g_assert_cmpuint(warnings->len, ==, 0);
}

// Seconds of the processor.
#ifdef __SANITIZE_ADDRESS__
#define LOAD_LIMIT 5.0
#else
#define LOAD_LIMIT 0.25
#endif

static void
loads_400_labels_in_no_time(void)
{
    use_model("many", MAX_DIM);
    g_autoptr(GString) text = g_string_new("label 0");
    for (int i = 1; i < 400; i++)
        g_string_append_printf(text, "|label number %d of many", i);
    pe_labels_unref(make_labels(text->str, NULL, NULL));
    fake.n_texts = 0;
    clock_t start = clock();
    PeLabels *labels = make_labels(text->str, NULL, NULL);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    g_test_message("%.4f s from the cache, limit %.2f s", seconds, LOAD_LIMIT);
    g_assert_cmpint(fake.n_texts, ==, 0);
    g_assert_cmpfloat(seconds, <, LOAD_LIMIT);

    float x[MAX_DIM];
    PeScore scores[5];
    embed_text("some clip", x);
    pe_embedding_normalize(x, MAX_DIM);
    start = clock();
    for (int i = 0; i < 100; i++)
        g_assert_cmpint(pe_labels_score(labels, x, 5, 0, scores), ==, 5);
    seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    g_test_message("%.1f us a score of 400 labels", seconds * 1e4);
    pe_labels_unref(labels);
}

static void
works_without_a_cache(void)
{
    use_model("off", 4);
    g_setenv("GST_PE_CACHE", "off", TRUE);
    pe_labels_unref(make_labels("a", NULL, "{}"));
    pe_labels_unref(make_labels("a", NULL, "{}"));
    g_unsetenv("GST_PE_CACHE");
    g_assert_cmpint(fake.n_texts, ==, 2);
    g_autofree char *path = cache_path();
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));

    // A file where the folder should be: nothing can be written, also by root.
    g_autofree char *dir = g_build_filename(folder, "gst-pe", NULL);
    g_autofree char *aside = g_build_filename(folder, "aside", NULL);
    g_assert_cmpint(g_rename(dir, aside), ==, 0);
    g_assert_true(g_file_set_contents(dir, "x", 1, NULL));
    pe_labels_unref(make_labels("b", NULL, "{}"));
    pe_labels_unref(make_labels("b", NULL, "{}"));
    g_assert_cmpint(fake.n_texts, ==, 4);
    g_assert_cmpuint(warnings->len, ==, 1); // once, not at every label set
    g_assert_cmpint(g_remove(dir), ==, 0);
    g_assert_cmpint(g_rename(aside, dir), ==, 0);
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
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("check-labels-XXXXXX", NULL);
    g_setenv("XDG_CACHE_HOME", folder, TRUE);
    g_unsetenv("GST_PE_CACHE");
    warnings = g_ptr_array_new_with_free_func(g_free);
    pe_log_set(remember_warning, NULL);
    g_autofree char *vocab = g_build_filename(folder, "vocab.txt", NULL);
    g_file_set_contents(vocab, "#version: 0.2\na b\n", -1, NULL);
    tokenizer = pe_tokenizer_open(vocab, NULL);

    g_test_add_func("/labels/average", averages_unit_vectors_of_prompts);
    g_test_add_func("/labels/version", numbers_every_set);
    g_test_add_func("/labels/finite", refuses_vectors_that_are_not_finite);
    g_test_add_func("/labels/failure", passes_on_the_failure_of_the_engine);
    g_test_add_func("/labels/no-text", needs_a_text_tower);
    g_test_add_func("/labels/similar", warns_about_labels_that_hardly_differ);
    g_test_add_func("/labels/cut", warns_about_cut_texts_also_when_cached);
    g_test_add_func("/score/softmax",
                    scores_by_softmax_over_labels_and_negatives);
    g_test_add_func("/score/order", reports_the_best_first_and_ties_by_index);
    g_test_add_func("/score/threshold", applies_the_larger_threshold);
    g_test_add_func("/score/finite",
                    reports_nothing_for_a_vector_that_is_not_finite);
    g_test_add_func("/cache/again", takes_cached_vectors_bit_for_bit);
    g_test_add_func("/cache/damage", rebuilds_a_damaged_file);
    g_test_add_func("/cache/shared", shares_the_file_with_other_processes);
    g_test_add_func("/cache/speed", loads_400_labels_in_no_time);
    g_test_add_func("/cache/off", works_without_a_cache);
    int status = g_test_run();
    pe_tokenizer_unref(tokenizer);
    g_ptr_array_unref(warnings);
    remove_folder(folder);
    g_free(folder);
    return status;
}
