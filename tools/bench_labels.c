// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bench_labels.c - see bench_labels.h. Labels share a few prompts, so that ten
// thousand of them need not be embedded; each still has a vector of its own.

#include "tools/bench_labels.h"

#include <stdio.h>

#define N_PROMPTS 16
#define MAX_COUNT 50000
#define N_CLIPS 51   // whose times are taken
#define N_TOGETHER 4 // that are timed at once: a clock has whole microseconds

struct BenchLabels {
    PeLabels *labels;
    float *clip; // [dim], unit
};

static void
append_labels(GString *json, const char *key, int n, int n_prompts)
{
    g_string_append_printf(json, "\"%s\": [", key);
    for (int i = 0; i < n; i++)
        g_string_append_printf(json,
                               "%s{\"name\": \"%s %d\", \"prompts\": [\"a "
                               "video of %d red cars.\"]}",
                               i ? "," : "", key, i, i % n_prompts);
    g_string_append(json, "]");
}

static PeLabels *
make_labels(PeEngine *engine, const PeTokenizer *tokenizer, int n_labels,
            int n_negatives, GError **error)
{
    g_autoptr(GString) json = g_string_new("{");
    append_labels(json, "labels", n_labels, N_PROMPTS);
    g_string_append(json, ",");
    append_labels(json, "negatives", n_negatives, N_PROMPTS);
    g_string_append(json, "}");
    PeLabelSpec *spec = pe_label_spec_parse(json->str, error);
    PeLabels *labels =
        spec ? pe_labels_new(engine, tokenizer, spec, error) : NULL;
    pe_label_spec_free(spec);
    return labels;
}

static bool
parse(const char *text, int *n_labels, int *n_negatives, GError **error)
{
    char end;
    *n_negatives = 0;
    int n = sscanf(text, "%d,%d%c", n_labels, n_negatives, &end);
    if ((n == 1 || n == 2) && *n_labels > 0 && *n_labels <= MAX_COUNT &&
        *n_negatives >= 0 && *n_negatives <= MAX_COUNT)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "--labels: expected a number of labels such as 400, or of "
                "labels and negatives such as 400,300, at most %d, found %s",
                MAX_COUNT, text);
    return false;
}

// Nobody wants to read that these labels look alike.
static void
say_nothing(PeLogLevel level, const char *message, void *user_data)
{
}

BenchLabels *
bench_labels_new(PeEngine *engine, const PeTokenizer *tokenizer,
                 const char *text, GError **error)
{
    int n_labels, n_negatives;
    if (!parse(text, &n_labels, &n_negatives, error))
        return NULL;
    pe_log_set(say_nothing, NULL);
    // The first set leaves its prompts' vectors in the cache for the other.
    PeLabels *few = make_labels(engine, tokenizer, N_PROMPTS, 0, error);
    PeLabels *labels =
        few ? make_labels(engine, tokenizer, n_labels, n_negatives, error)
            : NULL;
    pe_log_set(NULL, NULL);
    g_clear_pointer(&few, pe_labels_unref);
    if (!labels)
        return NULL;
    BenchLabels *b = g_new(BenchLabels, 1);
    int dim = pe_engine_get_dim(engine);
    *b = (BenchLabels){labels, g_new(float, (size_t)dim)};
    for (int i = 0; i < dim; i++)
        b->clip[i] = (float)g_random_double_range(-1, 1);
    pe_embedding_normalize(b->clip, dim);
    return b;
}

void
bench_labels_free(BenchLabels *b)
{
    if (!b)
        return;
    pe_labels_unref(b->labels);
    g_free(b->clip);
    g_free(b);
}

// The median of single clips: a busy machine interrupts few of them.
double
bench_labels_run(BenchLabels *b)
{
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(5);
    PeScore scores[5];
    PeVerdict verdict;
    float times[N_CLIPS];
    for (int i = 0; i < N_CLIPS; i++) {
        gint64 start = g_get_monotonic_time();
        for (int k = 0; k < N_TOGETHER; k++)
            pe_labels_score(b->labels, b->clip, &params, scores, &verdict,
                            NULL);
        times[i] = (float)(g_get_monotonic_time() - start) / N_TOGETHER;
    }
    return pe_percentile(times, N_CLIPS, 0.5);
}
