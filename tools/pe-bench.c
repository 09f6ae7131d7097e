// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pe-bench.c - how fast a model runs on a device, and how near that is to the
// device's own matrix products of the same shapes. All quantities are measured
// in turns within one run, so that whatever else the machine does hits them
// alike; the printed values are medians over the rounds.

#include "core/pe.h"

#include <glib/gstdio.h>
#include <gst/gst.h>
#include <math.h>
#include <stdio.h>

#include "tools/bench_labels.h"
#include "tools/bench_peak.h"
#include "tools/bench_pipeline.h"
#include "tools/json_line.h"
#include "tools/program.h"
#include "tools/program_output.h"
#include "tools/progress.h"

static char *opt_config, *opt_labels;
static int opt_texts, opt_streams;
static double opt_seconds = 10;
static gboolean opt_pipeline, opt_json, opt_list;

static const GOptionEntry entries[] = {
    {"config", 'c', 0, G_OPTION_ARG_FILENAME, &opt_config,
     "A published shape with random weights instead", "NAME"},
    {"list", 'l', 0, G_OPTION_ARG_NONE, &opt_list, "List the shapes", NULL},
    {"seconds", 's', 0, G_OPTION_ARG_DOUBLE, &opt_seconds,
     "How long to measure (default 10)", "S"},
    {"pipeline", 0, 0, G_OPTION_ARG_NONE, &opt_pipeline,
     "Also measure the element peinference with frames of the model's size",
     NULL},
    {"streams", 0, 0, G_OPTION_ARG_INT, &opt_streams,
     "Also measure N elements that share the engine, in turn with one", "N"},
    {"texts", 0, 0, G_OPTION_ARG_INT, &opt_texts,
     "Also measure the text tower with N texts a round", "N"},
    {"labels", 0, 0, G_OPTION_ARG_STRING, &opt_labels,
     "Also measure scoring a clip among N labels and M negatives", "N[,M]"},
    {"json", 'j', 0, G_OPTION_ARG_NONE, &opt_json,
     "One JSON object on the last line", NULL},
    {NULL},
};

static const char description[] =
    "images_per_s counts preprocessed images through the whole vision tower.\n"
    "gflops counts 2 x multiply-accumulates, attention included;\n"
    "gemm_gflops is what the device's own library reaches on the linear layers "
    "alone;\n"
    "peak_gflops is what its cores reach with operands in registers, the best "
    "round.\n"
    "Operations are listed with their part of the time, that of one, and the "
    "fraction\n"
    "of the peak that they reach (CPU only).\n"
    "\n"
    "Examples:\n"
    "  pe-bench --config PE-Core-L14-336 --device cpu --batch 4\n"
    "  pe-bench -m PE-Core-B16-224.pt -d cuda -p bf16 -b 32 --pipeline --json\n"
    "\n"
    "Exit status: 0 measured, 1 something failed, 2 wrong usage.";

#define MIN_ROUNDS 3

typedef struct {
    PeEngine *engine;
    PeTokenizer *tokenizer; // with --texts or --labels
    BenchPeak *peak;
    BenchLabels *labels;     // with --labels
    BenchPipeline *pipeline; // with --pipeline or --streams
    BenchPipeline *streams;  // with --streams
    char *saved;             // random weights on disk, for the pipeline
    int batch;
    uint8_t *pixels; // RGB of one frame
    // One value a round.
    GArray *seconds_per_batch;
    GArray *gemm_seconds;
    GArray *pipeline_rate;
    GArray *streams_rate;
    GArray *text_rate;
    GArray *label_times; // us
} Bench;

// ---- Cost ------------------------------------------------------------------

// Multiply-accumulates of one image in the linear layers, the attention's own
// products left out.
static double
linear_mac(const PeVisionConfig *c)
{
    double grid = c->image_size / c->patch_size;
    double patches = grid * grid;
    double n = patches + c->cls_token;
    double d = c->width;
    double mac = patches * d * 3 * c->patch_size * c->patch_size;
    mac += c->layers * (n * 4 * d * d + 2 * n * d * c->mlp_width);
    if (c->pool_heads > 0)
        mac += (c->pool_heads + 8) * d * d; // out and MLP of the pool
    return mac + d * c->output_dim;
}

static double
attention_mac(const PeVisionConfig *c)
{
    double grid = c->image_size / c->patch_size;
    double n = grid * grid + c->cls_token;
    double d = c->width;
    return c->layers * 2 * n * n * d + c->pool_heads * 2 * n * d;
}

// ---- Statistics ------------------------------------------------------------

static double
percentile(const GArray *values, double p)
{
    g_autofree float *copy = g_new(float, values->len);
    for (guint i = 0; i < values->len; i++)
        copy[i] = (float)g_array_index(values, double, i);
    return pe_percentile(copy, values->len, p);
}

static double
median(const GArray *values)
{
    return percentile(values, 0.5);
}

static void
add(GArray *values, double value)
{
    g_array_append_val(values, value);
}

// ---- Set-up ----------------------------------------------------------------

static bool
has_pipeline(void)
{
    return opt_pipeline || opt_streams;
}

static PeModel *
open_model(Bench *b, GError **error)
{
    if (!opt_config)
        return program_open_model(error);
    PeModel *random = pe_model_new_random(opt_config, 1, error);
    if (!random || !has_pipeline())
        return random;
    // The element opens files only.
    g_autofree char *dir = g_dir_make_tmp("pe-bench-XXXXXX", error);
    if (!dir) {
        pe_model_unref(random);
        return NULL;
    }
    b->saved = g_build_filename(dir, "random.safetensors", NULL);
    bool ok =
        program_save_model(random, b->saved, PE_PRECISION_BF16, true, error);
    pe_model_unref(random);
    return ok ? pe_model_open(b->saved, error) : NULL;
}

static void
remove_saved(Bench *b)
{
    if (!b->saved)
        return;
    g_autofree char *dir = g_path_get_dirname(b->saved);
    g_unlink(b->saved);
    g_rmdir(dir);
    g_free(b->saved);
}

static BenchPipeline *
open_pipeline(Bench *b, int n_streams, GError **error)
{
    PeModel *model = pe_engine_get_model(b->engine);
    BenchPipelineParams params = {
        .model = pe_model_get_path(model),
        .device = pe_engine_get_device(b->engine),
        .precision = pe_precision_nick(pe_engine_get_precision(b->engine)),
        .batch = b->batch,
        .n_streams = n_streams,
        .size = pe_model_get_vision(model)->image_size,
        .pixels = b->pixels,
    };
    return bench_pipeline_new(&params, error);
}

static bool
open_pipelines(Bench *b, GError **error)
{
    if (has_pipeline() && !(b->pipeline = open_pipeline(b, 1, error)))
        return false;
    return !opt_streams ||
           (b->streams = open_pipeline(b, opt_streams, error)) != NULL;
}

static bool
set_up(Bench *b, GError **error)
{
    PeModel *model = open_model(b, error);
    if (!model)
        return false;
    b->engine = program_open_engine(model, error);
    size_t size = (size_t)pe_model_get_vision(model)->image_size;
    b->pixels = g_malloc(size * size * 3);
    for (size_t i = 0; i < size * size * 3; i++)
        b->pixels[i] = (uint8_t)g_random_int();
    if (b->engine && (opt_texts || opt_labels))
        b->tokenizer =
            pe_tokenizer_open_for_model(program_options.vocab, model, error);
    pe_model_unref(model);
    if (!b->engine || ((opt_texts || opt_labels) && !b->tokenizer))
        return false;
    if (opt_labels)
        b->labels =
            bench_labels_new(b->engine, b->tokenizer, opt_labels, error);
    if (opt_labels && !b->labels)
        return false;

    b->peak = bench_peak_new(b->engine);
    PeEngineStats stats;
    pe_engine_get_stats(b->engine, &stats);
    b->batch = stats.batch_size;
    return open_pipelines(b, error);
}

// ---- Rounds ----------------------------------------------------------------

// Seconds on the device for one batch; -1 with the error.
static double
run_batch(Bench *b, GError **error)
{
    int size = pe_model_get_vision(pe_engine_get_model(b->engine))->image_size;
    size_t n = (size_t)b->batch;
    g_autofree PeFrame *frames = g_new0(PeFrame, n);
    g_autofree float *out =
        g_new(float, n *(size_t)pe_engine_get_dim(b->engine));
    for (size_t i = 0; i < n; i++) {
        frames[i].format = PE_FORMAT_RGB;
        frames[i].width = frames[i].height = size;
        frames[i].planes[0] = b->pixels;
        frames[i].strides[0] = size * 3;
    }
    PeEngineStats before, after;
    pe_engine_get_stats(b->engine, &before);
    if (!pe_engine_embed_frames(b->engine, frames, b->batch, out, error))
        return -1;
    pe_engine_get_stats(b->engine, &after);
    return after.compute_seconds - before.compute_seconds;
}

// A round may need several batches to be long enough for a clock.
static bool
measure_engine(Bench *b, GError **error)
{
    double total = 0;
    while (total < 0.2) {
        double s = run_batch(b, error);
        if (s < 0)
            return false;
        add(b->seconds_per_batch, s);
        total += s;
    }
    return true;
}

static bool
measure_texts(Bench *b, GError **error)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; i < opt_texts; i++)
        g_ptr_array_add(texts, g_strdup_printf("a video of %d red cars.", i));
    g_autofree float *out =
        g_new(float, (size_t)opt_texts *(size_t)pe_engine_get_dim(b->engine));
    gint64 start = g_get_monotonic_time();
    if (!pe_engine_embed_texts(b->engine, b->tokenizer,
                               (const char *const *)texts->pdata, opt_texts,
                               out, error))
        return false;
    add(b->text_rate,
        opt_texts * 1e6 / (double)(g_get_monotonic_time() - start));
    return true;
}

static bool
measure_pipeline(Bench *b, BenchPipeline *pipeline, GArray *rates,
                 GError **error)
{
    // Filling and draining the element is part of the time, so not too few; as
    // many of each stream.
    int n = 4 * MAX(b->batch, opt_streams);
    n -= n % MAX(opt_streams, 1);
    double seconds = bench_pipeline_run(pipeline, n, error);
    if (seconds < 0)
        return false;
    add(rates, n / seconds);
    return true;
}

static bool
run_round(Bench *b, GError **error)
{
    if (!measure_engine(b, error))
        return false;
    bench_peak_run(b->peak);
    double gemm = pe_engine_measure_gemm(b->engine, b->batch);
    if (gemm > 0)
        add(b->gemm_seconds, gemm);
    if (b->pipeline &&
        !measure_pipeline(b, b->pipeline, b->pipeline_rate, error))
        return false;
    if (b->streams && !measure_pipeline(b, b->streams, b->streams_rate, error))
        return false;
    if (b->labels)
        add(b->label_times, bench_labels_run(b->labels));
    return opt_texts == 0 || measure_texts(b, error);
}

static void
forget_rounds(Bench *b)
{
    g_array_set_size(b->seconds_per_batch, 0);
    g_array_set_size(b->gemm_seconds, 0);
    g_array_set_size(b->pipeline_rate, 0);
    g_array_set_size(b->streams_rate, 0);
    g_array_set_size(b->text_rate, 0);
    g_array_set_size(b->label_times, 0);
    bench_peak_forget(b->peak);
}

// Returns how many rounds there were, or -1.
static int
measure(Bench *b, GError **error)
{
    Progress progress;
    progress_start(&progress, "s", opt_seconds);
    int rounds = -1; // the first only warms everything up
    gint64 start = 0;
    double elapsed = 0;
    while (rounds < MIN_ROUNDS || elapsed < opt_seconds) {
        if (!run_round(b, error))
            return -1;
        if (++rounds == 0) {
            forget_rounds(b);
            start = g_get_monotonic_time();
        }
        elapsed = (double)(g_get_monotonic_time() - start) / 1e6;
        progress_show(&progress, elapsed);
    }
    progress_end(&progress);
    bench_peak_end(b->peak);
    return rounds;
}

// ---- Report ----------------------------------------------------------------

typedef struct {
    double images_per_s, ms[3];
    double gflop, gflops;
    double gemm_gflops, fraction_of_gemm;
    double pipeline_rate, pipeline_fraction;
    double streams_rate, streams_fraction;
} Result;

static Result
summarize(Bench *b)
{
    const PeVisionConfig *c =
        pe_model_get_vision(pe_engine_get_model(b->engine));
    double gemm = median(b->gemm_seconds);
    Result r = {
        .images_per_s = b->batch / median(b->seconds_per_batch),
        .ms = {1000 * percentile(b->seconds_per_batch, 0.50),
               1000 * percentile(b->seconds_per_batch, 0.95),
               1000 * percentile(b->seconds_per_batch, 0.99)},
        .gflop = 2e-9 * (linear_mac(c) + attention_mac(c)),
        .gemm_gflops = gemm > 0 ? 2e-9 * linear_mac(c) * b->batch / gemm : NAN,
        .pipeline_rate = median(b->pipeline_rate),
        .streams_rate = median(b->streams_rate),
    };
    r.gflops = r.gflop * r.images_per_s;
    r.fraction_of_gemm = r.gflops / r.gemm_gflops;
    r.pipeline_fraction = r.pipeline_rate / r.images_per_s;
    r.streams_fraction = r.streams_rate / r.pipeline_rate;
    return r;
}

static void
print_text(Bench *b, const Result *r, int rounds)
{
    PeModel *model = pe_engine_get_model(b->engine);
    printf("%s on %s (%s), %s, batch %d, %d rounds\n", pe_model_get_name(model),
           pe_engine_get_device(b->engine),
           pe_engine_get_description(b->engine),
           pe_precision_nick(pe_engine_get_precision(b->engine)), b->batch,
           rounds);
    printf("  images/s          %10.2f\n", r->images_per_s);
    printf("  ms per batch      %10.2f p50 %10.2f p95 %10.2f p99\n", r->ms[0],
           r->ms[1], r->ms[2]);
    printf("  GFLOP/s           %10.1f (%.1f GFLOP an image)\n", r->gflops,
           r->gflop);
    if (b->gemm_seconds->len > 0)
        printf("  GFLOP/s of GEMM   %10.1f (fraction reached %.3f)\n",
               r->gemm_gflops, r->fraction_of_gemm);
    bench_peak_print(b->peak, r->gflops);
    if (b->pipeline)
        printf("  element images/s  %10.2f (%.3f of the engine's)\n",
               r->pipeline_rate, r->pipeline_fraction);
    if (b->streams)
        printf("  %3d of them       %10.2f (%.3f of one's)\n", opt_streams,
               r->streams_rate, r->streams_fraction);
    if (b->labels)
        printf("  us per score      %10.1f (labels,negatives: %s)\n",
               median(b->label_times), opt_labels);
    if (opt_texts)
        printf("  texts/s           %10.2f\n", median(b->text_rate));
}

static void
print_json(Bench *b, const Result *r, int rounds)
{
    PeModel *model = pe_engine_get_model(b->engine);
    JsonLine j;
    json_line_begin(&j);
    json_line_string(&j, "model", pe_model_get_name(model));
    json_line_string(&j, "device", pe_engine_get_device(b->engine));
    json_line_string(&j, "description", pe_engine_get_description(b->engine));
    json_line_string(&j, "precision",
                     pe_precision_nick(pe_engine_get_precision(b->engine)));
    json_line_int(&j, "batch", b->batch);
    json_line_int(&j, "rounds", rounds);
    json_line_number(&j, "images_per_s", r->images_per_s);
    json_line_number(&j, "p50_ms", r->ms[0]);
    json_line_number(&j, "p95_ms", r->ms[1]);
    json_line_number(&j, "p99_ms", r->ms[2]);
    json_line_number(&j, "gflop_per_image", r->gflop);
    json_line_number(&j, "gflops", r->gflops);
    json_line_number(&j, "gemm_gflops", r->gemm_gflops);
    json_line_number(&j, "fraction_of_gemm", r->fraction_of_gemm);
    bench_peak_write(b->peak, &j, r->gflops);
    if (b->pipeline) {
        json_line_number(&j, "pipeline_images_per_s", r->pipeline_rate);
        json_line_number(&j, "pipeline_fraction", r->pipeline_fraction);
    }
    if (b->streams) {
        json_line_int(&j, "streams", opt_streams);
        json_line_number(&j, "streams_images_per_s", r->streams_rate);
        json_line_number(&j, "streams_fraction", r->streams_fraction);
    }
    if (b->labels)
        json_line_number(&j, "us_per_score", median(b->label_times));
    if (opt_texts)
        json_line_number(&j, "texts_per_s", median(b->text_rate));
    json_line_end(&j);
}

// ---- Main ------------------------------------------------------------------

static int
run(void)
{
    g_autoptr(GError) error = NULL;
    Bench b = {0};
    GArray **arrays[] = {&b.seconds_per_batch, &b.gemm_seconds,
                         &b.pipeline_rate,     &b.streams_rate,
                         &b.text_rate,         &b.label_times};
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
        *arrays[i] = g_array_new(FALSE, FALSE, sizeof(double));

    int status = 0;
    int rounds = set_up(&b, &error) ? measure(&b, &error) : -1;
    if (rounds > 0) {
        Result r = summarize(&b);
        print_text(&b, &r, rounds);
        if (opt_json)
            print_json(&b, &r, rounds);
    } else {
        status = program_fail(error);
    }

    bench_peak_free(b.peak);
    bench_labels_free(b.labels);
    bench_pipeline_free(b.pipeline);
    bench_pipeline_free(b.streams);
    g_clear_pointer(&b.tokenizer, pe_tokenizer_unref);
    g_clear_pointer(&b.engine, pe_engine_unref);
    remove_saved(&b);
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_array_unref(*arrays[i]);
    g_free(b.pixels);
    return status;
}

int
main(int argc, char **argv)
{
    if (program_output_begin("pe-bench", argc, argv))
        return 0;
    int status = program_parse(NULL, "- measure a model on a device", entries,
                               description, &argc, &argv);
    if (status != 0)
        return status;

    if (opt_list) {
        for (const char *const *name = pe_model_list_configs(); *name; name++)
            puts(*name);
        return 0;
    }
    if (argc > 1)
        return program_fail_usage(NULL, "unexpected argument");
    if (program_options.model && opt_config)
        return program_fail_usage(NULL, "give either --model or --config");
    if (program_options.batch < 0 || program_options.threads < 0 ||
        opt_texts < 0 || opt_streams < 0 || opt_seconds < 0)
        return program_fail_usage(NULL, "numbers must not be negative");
    gst_init(NULL, NULL);
    return run();
}
