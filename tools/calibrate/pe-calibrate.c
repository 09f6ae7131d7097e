// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pe-calibrate.c - fits the score of a label to examples of it and of other
// things, and writes what it found into the labels file.

#include "core/pe.h"

#include <gst/gst.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/calibrate/class_vector.h"
#include "tools/calibrate/example_files.h"
#include "tools/calibrate/fit.h"
#include "tools/calibrate/label_set.h"
#include "tools/json_line.h"
#include "tools/program.h"
#include "tools/program_output.h"

#define MIN_EXAMPLES 2       // of a kind
#define MIN_FOR_SLOPE 20     // of both kinds together
#define MIN_SLOPE .05        // less: the evidence says nothing
#define MAX_LABEL_OFFSET 999 // what a labels file may have

static char *opt_label;
static char **opt_positives, **opt_negatives;
static int opt_frames = 8;
static double opt_threshold;
static gboolean opt_slope, opt_class_vector, opt_fresh, opt_dry_run,
    opt_skip_bad, opt_json;

static const GOptionEntry entries[] = {
    {"label", 'l', 0, G_OPTION_ARG_FILENAME, &opt_label,
     "The label, by its name in the file", "NAME"},
    {"positive", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_positives,
     "Pictures or videos that show it, folders of them, or VIDEO@SECONDS",
     "FILE..."},
    {"negative", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_negatives,
     "The same that do not", "FILE..."},
    {"slope", 0, 0, G_OPTION_ARG_NONE, &opt_slope,
     "Fit the slope of all labels as well; from 20 examples on", NULL},
    {"class-vector", 0, 0, G_OPTION_ARG_NONE, &opt_class_vector,
     "Also move the label's vector towards the positive examples", NULL},
    {"threshold", 0, 0, G_OPTION_ARG_DOUBLE, &opt_threshold,
     "Of the score, to count alarms (default: the label's, or 0.5)", "T"},
    {"frames", 'n', 0, G_OPTION_ARG_INT, &opt_frames,
     "Frames of a video, first to last (default 8)", "N"},
    {"fresh", 0, 0, G_OPTION_ARG_NONE, &opt_fresh,
     "Forget the file's calibration and all offsets first", NULL},
    {"skip-bad", 0, 0, G_OPTION_ARG_NONE, &opt_skip_bad,
     "Do without examples that cannot be read", NULL},
    {"dry-run", 0, 0, G_OPTION_ARG_NONE, &opt_dry_run,
     "Print what would be, and write nothing", NULL},
    {"json", 0, 0, G_OPTION_ARG_NONE, &opt_json, "Print it as JSON", NULL},
    {NULL},
};

static const char description[] =
    "The label gets an offset, which moves its score of 0.5 towards where the\n"
    "examples of both kinds meet: half of the way or more after 5 and 20 "
    "examples,\n"
    "all of it after very many. Both kinds count half, however many examples "
    "each "
    "has.\n"
    "What is printed before and after is measured on each example with what "
    "the\n"
    "others say. When the gain is within its standard error, nothing is "
    "written.\n"
    "\n"
    "Examples:\n"
    "  pe-calibrate pets.json --label \"a dog\" --positive dogs/*.jpg "
    "--negative "
    "others/\n"
    "  pe-calibrate yard.json --label \"a fox\" --positive night.mp4@12.5 "
    "night.mp4@1:40\n"
    "      --negative night.mp4@30 night.mp4@55\n"
    "\n"
    "Exit status: 0 written (or --dry-run), 1 failed or no better, 2 wrong "
    "usage.";

typedef struct {
    PeEngine *engine;
    PeModel *model;
    LabelSet *set;
    GPtrArray *files; // ExampleFile *
    double *log_odds; // [n], of the label
    bool *positive;   // [n]
    float *vectors;   // [n, dim], unit
    float *label;     // [dim], unit
    size_t dim;
    size_t n, n_positives;
    double threshold;
} App;

// What was found.
typedef struct {
    SetCalibration calibration;
    FitQuality before, after; // after: leave-one-out
    FitGain gain;
    FitWay way;
    double share; // of the examples in the label's vector
    float *mean;  // [dim], unit, of the positives; NULL: none
} Result;

// ---- Examples -------------------------------------------------------------

static bool
check_counts(const App *app, GError **error)
{
    size_t n_negatives = app->n - app->n_positives;
    guint n_bad = app->files->len - (guint)app->n;
    if (n_bad > 0 && !opt_skip_bad) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%u of %u examples cannot be read; nothing is written; "
                    "--skip-bad does without them",
                    n_bad, app->files->len);
        return false;
    }
    if (app->n_positives < MIN_EXAMPLES || n_negatives < MIN_EXAMPLES) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "found %zu positive and %zu negative example(s); %d of "
                    "each are needed",
                    app->n_positives, n_negatives, MIN_EXAMPLES);
        return false;
    }
    if (opt_slope && app->n < MIN_FOR_SLOPE) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "found %zu examples; --slope needs %d", app->n,
                    MIN_FOR_SLOPE);
        return false;
    }
    return true;
}

// The log-odds of the label for every example that can be read.
static bool
weigh(App *app, const PeLabels *labels, const float *vectors, size_t dim,
      GError **error)
{
    const PeScoreParams none = PE_SCORE_PARAMS_TOP(0);
    int number = 0, n_labels = pe_labels_count(labels);
    while (number < n_labels &&
           strcmp(pe_labels_get_name(labels, number), opt_label) != 0)
        number++;
    g_return_val_if_fail(number < n_labels, false);
    g_autofree float *evidence = g_new(float, (size_t)n_labels);
    app->log_odds = g_new(double, app->files->len);
    app->positive = g_new(bool, app->files->len);
    app->vectors = g_new(float, app->files->len *dim);
    app->dim = dim;
    app->label = g_memdup2(pe_labels_get_vector(labels, number),
                           dim * sizeof *app->label);
    for (guint i = 0; i < app->files->len; i++) {
        const ExampleFile *file = app->files->pdata[i];
        const EvalItem *item = &file->item;
        if (item->problem)
            continue;
        pe_labels_score(labels, vectors + i * dim, &none, NULL, NULL, evidence);
        memcpy(app->vectors + app->n * dim, vectors + i * dim,
               dim * sizeof *vectors);
        app->log_odds[app->n] = (double)evidence[number];
        app->positive[app->n++] = item->class_index == 1;
        app->n_positives += item->class_index == 1;
    }
    return check_counts(app, error);
}

static bool
read_examples(App *app, const PeLabels *labels, GError **error)
{
    size_t dim = (size_t)pe_engine_get_dim(app->engine);
    app->files = example_files_list(opt_positives, opt_negatives, error);
    if (!app->files)
        return false;
    g_autofree float *vectors = g_new0(float, app->files->len *dim);
    return example_files_embed(app->files, app->engine, opt_frames, vectors,
                               error) &&
           weigh(app, labels, vectors, dim, error);
}

// ---- Fit ------------------------------------------------------------------

// What the offset, or with --slope the line, brings by leave-one-out.
//   before  what the examples get now
//   after   [n]
static void
fit_offset(const Examples *before, const Examples *examples, double *after,
           Result *result)
{
    size_t n = examples->n;
    result->way = fit_way(examples, opt_slope);
    fit_leave_one_out(examples, result->way, after);
    result->gain = fit_compare(before, after, result->way);
    if (!fit_is_better(result->gain))
        return;
    FitWay further = fit_way_further(result->way);
    g_autofree double *more = g_new(double, n);
    fit_leave_one_out(examples, further, more);
    Examples less = {after, examples->positive, n};
    if (!fit_goes_further(fit_compare(&less, more, further)))
        return;
    result->way = further;
    result->gain = fit_compare(before, more, further);
    memcpy(after, more, n * sizeof *after);
}

// Move the label's vector if that is better still.
//   before    what the examples get now
//   evidence  [n] of its own vector; gets that of the moved one
//   after     [n], with the offset alone; gets that of both
static void
fit_vector(const App *app, const Examples *before, double scale,
           double *evidence, double *after, Result *result)
{
    ClassExamples e = {.examples = {evidence, app->positive, app->n},
                       .vectors = app->vectors,
                       .label = app->label,
                       .dim = app->dim,
                       .scale = scale};
    FitWay way = fit_way(&e.examples, opt_slope);
    double share = class_vector_choose(&e, way);
    g_autofree double *moved = g_new(double, app->n);
    class_vector_leave_one_out(&e, share, way, moved);
    FitGain gain = fit_compare(before, moved, way);
    Examples alone = {after, app->positive, app->n};
    if (share == 0 || !fit_is_better(gain) ||
        fit_compare(&alone, moved, way).gain <= 0)
        return;
    result->way = way;
    result->gain = gain;
    result->share = way.trust * share;
    result->mean = g_new(float, app->dim);
    memcpy(after, moved, app->n * sizeof *after);
    class_vector_mean(&e, app->n, result->mean);
    class_vector_weigh(&e, result->mean, share, evidence);
}

static bool
fit(const App *app, Result *result, GError **error)
{
    SetCalibration now = label_set_get(app->set);
    g_autofree double *without = g_new(double, app->n); // the label's offset
    g_autofree double *before = g_new(double, app->n);
    g_autofree double *after = g_new(double, app->n);
    for (size_t i = 0; i < app->n; i++) {
        without[i] = now.slope * app->log_odds[i] + now.offset;
        before[i] = without[i] + now.label_offset;
    }
    Examples examples = {without, app->positive, app->n};
    Examples as_now = {before, app->positive, app->n};
    fit_offset(&as_now, &examples, after, result);
    if (opt_class_vector)
        fit_vector(app, &as_now,
                   now.slope * (double)pe_model_get_logit_scale(app->model),
                   without, after, result);
    Line fitted = fit_line(&examples);
    Line line = opt_slope ? fitted : fit_shift(fitted, result->way.trust);
    result->before = fit_measure(&as_now, app->threshold);
    result->after =
        fit_measure(&(Examples){after, app->positive, app->n}, app->threshold);
    // The offset of the set is scaled with its slope, so that the scores of
    // other labels are 0.5 where they were, unless these have offsets, too.
    result->calibration = (SetCalibration){
        line.slope * now.slope, line.slope * now.offset, line.offset};
    if (fitted.slope >= MIN_SLOPE &&
        fabs(result->calibration.label_offset) <= MAX_LABEL_OFFSET)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "\"%s\": the examples give a slope of %.3g and an offset of "
                "%.3g: its scores do not tell the two kinds apart",
                opt_label, fitted.slope, result->calibration.label_offset);
    return false;
}

// ---- Output ---------------------------------------------------------------

static void
add_quality(JsonLine *j, const char *key, const FitQuality *q)
{
    JsonLine o;
    json_line_begin(&o);
    json_line_number(&o, "auroc", q->auroc);
    json_line_number(&o, "log-loss", q->log_loss);
    json_line_number(&o, "error", q->error);
    json_line_number(&o, "ece", q->ece);
    json_line_int(&o, "found", (gint64)q->n_found);
    json_line_int(&o, "false-alarms", (gint64)q->n_false_alarms);
    g_autofree char *text = json_line_steal(&o);
    json_line_json(j, key, text);
}

static void
print_json(const App *app, const Result *r, bool written)
{
    JsonLine j;
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-calibrate-1");
    json_line_string(&j, "label", opt_label);
    json_line_string(&j, "model", pe_model_get_name(app->model));
    json_line_string(&j, "model-fingerprint",
                     pe_model_get_fingerprint(app->model));
    json_line_int(&j, "positives", (gint64)app->n_positives);
    json_line_int(&j, "negatives", (gint64)(app->n - app->n_positives));
    json_line_int(&j, "unreadable", (gint64)(app->files->len - app->n));
    json_line_number(&j, "threshold", app->threshold);
    json_line_number(&j, "slope", r->calibration.slope);
    json_line_number(&j, "offset", r->calibration.offset);
    json_line_number(&j, "label-offset", r->calibration.label_offset);
    json_line_number(&j, "image-weight", r->share);
    json_line_number(&j, "trust", r->way.trust);
    json_line_number(&j, "gain", r->gain.gain);
    json_line_number(&j, "gain-error", r->gain.standard_error);
    add_quality(&j, "before", &r->before);
    add_quality(&j, "after", &r->after);
    json_line_bool(&j, "written", written);
    json_line_end(&j);
}

static void
print_table(const App *app, const Result *r)
{
    size_t n_negatives = app->n - app->n_positives;
    printf("%s: %zu positive, %zu negative examples\n", opt_label,
           app->n_positives, n_negatives);
    printf("%-28s %8s %8s\n", "", "before", "after");
    printf("%-28s %8.4f %8.4f\n", "AUROC", r->before.auroc, r->after.auroc);
    printf("%-28s %8.4f %8.4f\n", "calibration error (ECE)", r->before.ece,
           r->after.ece);
    printf("%-28s %8.4f %8.4f\n", "log loss", r->before.log_loss,
           r->after.log_loss);
    printf("%-28s %8.4f %8.4f\n", "expected error", r->before.error,
           r->after.error);
    printf("found at %-19.4g %7.1f%% %7.1f%%\n", app->threshold,
           100. * (double)r->before.n_found / (double)app->n_positives,
           100. * (double)r->after.n_found / (double)app->n_positives);
    printf("false alarms at %-12.4g %7.1f%% %7.1f%%\n", app->threshold,
           100. * (double)r->before.n_false_alarms / (double)n_negatives,
           100. * (double)r->after.n_false_alarms / (double)n_negatives);
    printf("slope %.6g, offset %.6g, offset of the label %.6g\n",
           r->calibration.slope, r->calibration.offset,
           r->calibration.label_offset);
    printf("trusted by %.2f; gain in %s %.4f, standard error %.4f\n",
           r->way.trust, opt_slope ? "log loss" : "expected error",
           r->gain.gain, r->gain.standard_error);
    if (r->share > 0)
        printf("share of the examples in the label's vector %.3f\n", r->share);
    else if (opt_class_vector)
        printf("the label's vector stays as it is: no share of the examples up "
               "to %.3f is better\n",
               CLASS_VECTOR_STEPS * CLASS_VECTOR_STEP);
}

// ---- Main -----------------------------------------------------------------

static PeLabels *
open_labels(App *app, const char *path, GError **error)
{
    app->model = program_open_model(error);
    if (!app->model)
        return NULL;
    app->set = label_set_open(path, opt_label, app->model, opt_fresh, error);
    if (app->set && opt_class_vector && label_set_has_examples(app->set)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: the label \"%s\" has a vector or images already; "
                    "remove them, or do without --class-vector",
                    path, opt_label);
        return NULL;
    }
    PeLabelSpec *plain =
        app->set ? label_set_make_plain(app->set, error) : NULL;
    if (plain)
        app->engine = program_open_engine(app->model, error);
    bool has_texts = pe_model_get_text(app->model) != NULL;
    PeTokenizer *tokenizer = app->engine && has_texts
                                 ? pe_tokenizer_open_for_model(
                                       program_options.vocab, app->model, error)
                                 : NULL;
    PeLabels *labels = NULL;
    if (tokenizer || (app->engine && !has_texts))
        labels = pe_labels_new(app->engine, tokenizer, plain, error);
    pe_tokenizer_unref(tokenizer);
    pe_label_spec_free(plain);
    return labels;
}

static bool
write_set(const App *app, const Result *result, GError **error)
{
    SetVector vector = {result->mean, app->dim, result->share};
    return label_set_write(app->set, &result->calibration,
                           result->mean ? &vector : NULL, error);
}

static int
run(App *app, const char *path)
{
    g_autoptr(GError) error = NULL;
    PeLabels *labels = open_labels(app, path, &error);
    if (!labels)
        return program_fail(error);
    app->threshold =
        opt_threshold > 0 ? opt_threshold : label_set_get_threshold(app->set);
    Result result = {0};
    bool ok = read_examples(app, labels, &error) && fit(app, &result, &error);
    pe_labels_unref(labels);
    bool better = ok && fit_is_better(result.gain);
    bool write = better && !opt_dry_run;
    ok = ok && (!write || write_set(app, &result, &error));
    g_free(result.mean);
    if (!ok)
        return program_fail(error);
    if (opt_json)
        print_json(app, &result, write);
    else
        print_table(app, &result);
    if (better)
        return 0;
    fprintf(stderr,
            "%s: it gets no better (%s %.4f, was %.4f; a gain must be more "
            "than its standard error, %.4f); %s is as it was\n",
            g_get_prgname(), opt_slope ? "log loss" : "expected error",
            fit_get_loss(&result.after, result.way),
            fit_get_loss(&result.before, result.way),
            result.gain.standard_error, path);
    return 1;
}

static void
app_clear(App *app)
{
    g_clear_pointer(&app->files, g_ptr_array_unref);
    g_free(app->log_odds);
    g_free(app->positive);
    g_free(app->vectors);
    g_free(app->label);
    label_set_free(app->set);
    g_clear_pointer(&app->engine, pe_engine_unref);
    g_clear_pointer(&app->model, pe_model_unref);
}

// "--positive a b" is "--positive a --positive b", as a shell's patterns are.
// Returns, g_strfreev().
static char **
repeat_options(char **argv)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const char *list = NULL;
    for (char **arg = argv; *arg; arg++) {
        bool is_option = (*arg)[0] == '-';
        if (is_option)
            list = g_str_equal(*arg, "--positive") ||
                           g_str_equal(*arg, "--negative")
                       ? *arg
                       : NULL;
        if (list && is_option)
            continue;
        if (list)
            g_strv_builder_add(builder, list);
        g_strv_builder_add(builder, *arg);
    }
    return g_strv_builder_end(builder);
}

// What is wrong with the command line, or NULL.
static const char *
check_options(char **args)
{
    if (!args[1])
        return "expected a labels file";
    if (args[2])
        return "expected one labels file, before --positive and --negative";
    if (!opt_label || !g_utf8_validate(opt_label, -1, NULL))
        return "expected a --label, in UTF-8";
    if (!opt_positives || !opt_negatives)
        return "expected --positive and --negative examples, 2 of each or more";
    if (opt_frames < 1 || program_options.batch < 0 ||
        program_options.threads < 0)
        return "--frames, --batch and --threads must be positive";
    if (opt_threshold < 0 || opt_threshold >= 1)
        return "--threshold must be above 0 and below 1";
    return NULL;
}

int
main(int argc, char **argv)
{
    if (program_output_begin("pe-calibrate", argc, argv))
        return 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context =
        g_option_context_new("LABELS.json - fit a label's score to examples");
    g_auto(GStrv) args = repeat_options(argv);
    program_add_engine_options(context);
    g_option_context_add_main_entries(context, entries, NULL);
    program_output_add_version(context);
    g_option_context_set_description(context, description);
    if (!g_option_context_parse_strv(context, &args, &error))
        return program_fail_usage(NULL, error->message);
    const char *wrong = check_options(args);
    if (wrong)
        return program_fail_usage(NULL, wrong);
    gst_init(NULL, NULL);
    App app = {0};
    int status = run(&app, args[1]);
    app_clear(&app);
    return status;
}
