// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pe-eval.c - how good a model is on the user's own data: zero-shot
// classification and retrieval, as the reference evaluates them.

#include "core/pe.h"

#include <glib/gstdio.h>
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>

#include "tools/eval/classify.h"
#include "tools/eval/embed.h"
#include "tools/eval/report.h"
#include "tools/eval/retrieve.h"
#include "tools/eval/words.h"
#include "tools/program.h"
#include "tools/program_output.h"

static char *opt_classes, *opt_templates, *opt_root, *opt_split, *opt_out;
static int opt_frames = 8, opt_jobs;
static gboolean opt_video, opt_json, opt_skip_bad;

static const GOptionEntry entries[] = {
    {"classes", 'c', 0, G_OPTION_ARG_FILENAME, &opt_classes,
     "Names of the classes (default: what the data has)", "FILE"},
    {"templates", 't', 0, G_OPTION_ARG_FILENAME, &opt_templates,
     "Templates (default \"a photo of {}.\", \"a video of {}.\")", "FILE"},
    {"video", 'v', 0, G_OPTION_ARG_NONE, &opt_video,
     "The data is videos, not pictures", NULL},
    {"frames", 'n', 0, G_OPTION_ARG_INT, &opt_frames,
     "Frames of a video, first to last (default 8)", "N"},
    {"root", 'r', 0, G_OPTION_ARG_FILENAME, &opt_root,
     "Folder of the files of a list (default: the list's)", "DIR"},
    {"split", 's', 0, G_OPTION_ARG_FILENAME, &opt_split,
     "The part of a list that has several, such as test", "NAME"},
    {"out", 'o', 0, G_OPTION_ARG_FILENAME, &opt_out,
     "Folder of reports and finished vectors (default: NAME.pe-eval)", "DIR"},
    {"jobs", 'j', 0, G_OPTION_ARG_INT, &opt_jobs,
     "Files decoded at a time (default: cores, up to 8)", "N"},
    {"skip-bad", 0, 0, G_OPTION_ARG_NONE, &opt_skip_bad,
     "Exit with 0 although files could not be read", NULL},
    {"json", 0, 0, G_OPTION_ARG_NONE, &opt_json, "Print the report as JSON",
     NULL},
    {NULL},
};

static const char description[] =
    "classify DATA: a folder with a folder for each class (by its name, its id "
    "or\nits number), a CSV \"path,class\", or Kinetics' CSV.\n"
    "retrieve DATA: a CSV \"path,caption[,caption2...]\", COCO's JSON, or "
    "MSR-VTT's\nJSON or CSV.\n"
    "\n"
    "--classes is a file with a class a line (\"name\" or \"id<tab>name\"), "
    "JSON, or\nimagenet, imagenet-a or objectnet; --templates is a file or "
    "imagenet.\n"
    "docs/evaluation.md has a command for each line of the published table.\n"
    "\n"
    "The output folder gets report.json, report.html and vectors.bin, with "
    "which a\nprogram that was stopped goes on where it was.\n"
    "\n"
    "Examples:\n"
    "  pe-eval classify photos/ -m PE-Core-B16-224.pt\n"
    "  pe-eval classify val/ --classes imagenet --templates imagenet -m "
    "l14.pt\n"
    "  pe-eval retrieve captions.csv --video -m l14.pt\n"
    "\n"
    "Exit status: 0 all evaluated, 1 something failed or a file could not be\n"
    "read (without --skip-bad), 2 wrong usage.";

typedef struct {
    const char *path;
    EvalWords words; // of a classification
    Dataset *dataset;
    PeEngine *engine;
    PeTokenizer *tokenizer;
    Embedding embedding;
    char *out; // folder
    size_t dim;
} App;

// ---- Opening --------------------------------------------------------------

static bool
open_data(App *app, bool classify, GError **error)
{
    DatasetParams params = {app->path, opt_root, opt_split, opt_video};
    if (!classify) {
        app->dataset = dataset_open_captions(&params, error);
        return app->dataset != NULL;
    }
    if (!eval_words_load(&app->words, opt_classes, opt_templates, app->path,
                         opt_video, error))
        return false;
    app->dataset =
        dataset_open_classes(&params, g_steal_pointer(&app->words.classes),
                             app->words.partial, error);
    return app->dataset != NULL;
}

static bool
open_engine(App *app, GError **error)
{
    PeModel *model = program_open_model(error);
    if (!model)
        return false;
    app->engine = program_open_engine(model, error);
    if (app->engine)
        app->tokenizer =
            pe_tokenizer_open_for_model(program_options.vocab, model, error);
    pe_model_unref(model);
    return app->tokenizer != NULL;
}

static bool
open_out(App *app, GError **error)
{
    g_autofree char *name = g_path_get_basename(app->path);
    app->out =
        opt_out ? g_strdup(opt_out) : g_strconcat(name, ".pe-eval", NULL);
    if (g_mkdir_with_parents(app->out, 0777) != 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: cannot be made",
                    app->out);
        return false;
    }
    PeModel *model = pe_engine_get_model(app->engine);
    g_autofree char *path = g_build_filename(app->out, "vectors.bin", NULL);
    g_autofree char *made_by = g_strdup_printf(
        "model %s (%s) in %s", pe_model_get_fingerprint(model),
        pe_model_get_name(model),
        pe_precision_nick(pe_engine_get_precision(app->engine)));
    app->dim = (size_t)pe_engine_get_dim(app->engine);
    app->embedding = (Embedding){
        .engine = app->engine,
        .file = vector_file_open(path, made_by, (int)app->dim, error),
        .n_frames = opt_video ? opt_frames : 0,
        .mean_of_units = opt_video && !app->dataset->classes,
        .n_jobs = opt_jobs ? opt_jobs : (int)MIN(g_get_num_processors(), 8),
    };
    return app->embedding.file != NULL;
}

static void
print_notes(App *app)
{
    VectorFile *file = app->embedding.file;
    if (vector_file_count_damaged(file) > 0)
        dataset_note(app->dataset,
                     "%s/vectors.bin: %d damaged records are made again",
                     app->out, vector_file_count_damaged(file));
    for (guint i = 0; i < app->dataset->notes->len; i++)
        fprintf(stderr, "%s: %s\n", g_get_prgname(),
                (char *)app->dataset->notes->pdata[i]);
    if (vector_file_count(file) > 0)
        fprintf(stderr, "%s: goes on with the %d vectors of %s/vectors.bin\n",
                g_get_prgname(), vector_file_count(file), app->out);
}

// ---- Evaluating -----------------------------------------------------------

// All templates of a class, class after class.
static GPtrArray *
fill_templates(const App *app)
{
    GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < app->dataset->classes->len; i++) {
        const EvalClass *c = app->dataset->classes->pdata[i];
        for (char **t = app->words.templates; *t; t++) {
            g_auto(GStrv) parts = g_strsplit(*t, "{}", -1);
            g_ptr_array_add(texts, g_strjoinv(c->name, parts));
        }
    }
    return texts;
}

// The vectors of texts and items, g_free(). NULL with the error.
static float *
embed(App *app, GPtrArray *texts, float **items, GError **error)
{
    g_autofree float *vectors = g_try_new(float, texts->len * app->dim);
    g_autofree float *files =
        g_try_new(float, app->dataset->items->len * app->dim);
    if (!vectors || !files) {
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM,
                    "no memory for the vectors of %u texts and %u files",
                    texts->len, app->dataset->items->len);
        return NULL;
    }
    if (!eval_embed_texts(&app->embedding, app->tokenizer, texts, vectors,
                          error) ||
        !eval_embed_items(&app->embedding, app->dataset->items, files, error))
        return NULL;
    guint n_bad = 0;
    for (guint i = 0; i < app->dataset->items->len; i++)
        n_bad += ((EvalItem *)app->dataset->items->pdata[i])->problem != NULL;
    if (n_bad == app->dataset->items->len) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: none of the %u files can be read", app->path, n_bad);
        return NULL;
    }
    *items = g_steal_pointer(&files);
    return g_steal_pointer(&vectors);
}

static bool
write_report(const App *app, const Report *report, GError **error)
{
    g_autofree char *json_path =
        g_build_filename(app->out, "report.json", NULL);
    g_autofree char *html_path =
        g_build_filename(app->out, "report.html", NULL);
    g_autofree char *json = report_make_json(report);
    g_autofree char *html = report_make_html(report);
    g_autofree char *line = g_strconcat(json, "\n", NULL);
    if (opt_json)
        fputs(line, stdout);
    else
        report_print(report);
    program_output_flush();
    if (!program_output_write(json_path, line, -1, error) ||
        !program_output_write(html_path, html, -1, error))
        return false;
    if (!opt_json)
        printf("%-24s %s\n", "report", html_path);
    return true;
}

static bool
run_classify(App *app, Report *report, GError **error)
{
    g_autoptr(GPtrArray) texts = fill_templates(app);
    g_autofree float *items = NULL;
    g_autofree float *vectors = embed(app, texts, &items, error);
    if (!vectors)
        return false;
    size_t n = app->dataset->classes->len;
    g_autofree double *classes = g_new(double, n * app->dim);
    classify_mean_texts(vectors, n, texts->len / n, app->dim, classes);
    Classification result;
    bool ok = classify(
        app->dataset, items, classes, app->dim,
        (double)pe_model_get_logit_scale(pe_engine_get_model(app->engine)),
        &result, error);
    report->templates = app->words.templates;
    report->classification = &result;
    ok = ok && write_report(app, report, error);
    classification_clear(&result);
    return ok;
}

static bool
run_retrieve(App *app, Report *report, GError **error)
{
    g_autofree float *items = NULL;
    g_autofree float *texts = embed(app, app->dataset->captions, &items, error);
    if (!texts)
        return false;
    Retrieval result;
    retrieve(app->dataset, items, texts, app->dim, &result);
    report->retrieval = &result;
    return write_report(app, report, error);
}

// ---- Main -----------------------------------------------------------------

static int
run(App *app, bool classify)
{
    g_autoptr(GError) error = NULL;
    if (!open_data(app, classify, &error) || !open_engine(app, &error) ||
        !open_out(app, &error))
        return program_fail(error);
    print_notes(app);
    Report report = {
        .dataset = app->dataset,
        .engine = app->engine,
        .n_frames = app->embedding.n_frames,
    };
    if (!(classify ? run_classify(app, &report, &error)
                   : run_retrieve(app, &report, &error)))
        return program_fail(error);
    guint n_skipped = report_count_skipped(&report);
    if (n_skipped == 0)
        return 0;
    fprintf(stderr,
            "%s: %u of %u files could not be read; %s/report.json names "
            "them\n",
            g_get_prgname(), n_skipped, app->dataset->items->len, app->out);
    return opt_skip_bad ? 0 : 1;
}

static void
app_clear(App *app)
{
    vector_file_close(app->embedding.file);
    g_clear_pointer(&app->tokenizer, pe_tokenizer_unref);
    g_clear_pointer(&app->engine, pe_engine_unref);
    dataset_free(app->dataset);
    eval_words_clear(&app->words);
    g_free(app->out);
}

// What is wrong with the options, or NULL.
static const char *
check_options(bool classify)
{
    if (opt_frames < 1 || opt_jobs < 0 || program_options.batch < 0 ||
        program_options.threads < 0)
        return "--frames, --jobs, --batch and --threads must be positive";
    if (!classify && (opt_classes || opt_templates))
        return "--classes and --templates belong to classify";
    return NULL;
}

int
main(int argc, char **argv)
{
    if (program_output_begin("pe-eval", argc, argv))
        return 0;
    int status =
        program_parse(NULL, "classify|retrieve DATA - how good a model is",
                      entries, description, &argc, &argv);
    if (status != 0)
        return status;

    bool classify = argc > 1 && g_str_equal(argv[1], "classify");
    if (argc < 2 || (!classify && !g_str_equal(argv[1], "retrieve")))
        return program_fail_usage(NULL,
                                  "expected a command, classify or retrieve");
    if (argc != 3)
        return program_fail_usage(
            NULL, argc < 3 ? "expected the data, a folder or a list"
                           : "expected one folder or list of data");
    const char *wrong = check_options(classify);
    if (wrong)
        return program_fail_usage(NULL, wrong);
    gst_init(NULL, NULL);
    App app = {.path = argv[2]};
    status = run(&app, classify);
    app_clear(&app);
    return status;
}
