// SPDX-License-Identifier: LGPL-2.1-or-later
//
// measure.c - one published shape with random weights, or one checkpoint, on
// one device: known answers, images per second by batch size and by two clocks,
// whether a batch's company changes a result, the time from a frame in device
// memory to its embedding on the host, single operations, and the memory of it
// all. Writes what it has to --out after every number. Called by run.
//
//     measure --config PE-Core-B16-224 --precision bf16 --batches 1,28
//
// Two clocks: "gpu_ms" is between two of the device's events, from the patches
// to the last operation, as PyTorch is timed by others; "wall_ms" is what a
// caller waits for a batch, results on the host. "queued_ms" is the wall
// clock's for one batch of several, each queued before the one before has
// ended.
//
// Status 77: the precision is not known here, or the device lacks it.

#include "core/device/backend.h"
#include "core/device/preprocess.h"
#include "core/tower/vision.h"
#include "operations.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_BATCHES 16
#define N_QUEUED 4 // batches in a row

static char *opt_config, *opt_device, *opt_precision, *opt_batches, *opt_out;
static double opt_seconds = 1;
static int opt_passes, opt_height = 1080;
static gboolean opt_load;
static GArray *gpu_ms; // of double: passes since it was emptied, as logged
static GThread *main_thread; // whose passes these are

static const GOptionEntry entries[] = {
    {"config", 'c', 0, G_OPTION_ARG_STRING, &opt_config,
     "Published shape, or a checkpoint", "NAME"},
    {"device", 'd', 0, G_OPTION_ARG_STRING, &opt_device, "Device", "D"},
    {"precision", 'p', 0, G_OPTION_ARG_STRING, &opt_precision, "Precision",
     "P"},
    {"batches", 'b', 0, G_OPTION_ARG_STRING, &opt_batches,
     "Batch sizes, with commas", "N"},
    {"seconds", 's', 0, G_OPTION_ARG_DOUBLE, &opt_seconds,
     "Measuring time of each quantity", "S"},
    {"passes", 0, 0, G_OPTION_ARG_INT, &opt_passes,
     "Only this many passes of the largest batch, for a profiler", "N"},
    {"height", 0, 0, G_OPTION_ARG_INT, &opt_height,
     "Of the frames, which are 16:9", "N"},
    {"load", 0, 0, G_OPTION_ARG_NONE, &opt_load,
     "Only how long an engine for the largest batch takes to load", NULL},
    {"out", 'o', 0, G_OPTION_ARG_FILENAME, &opt_out, "JSON, after every number",
     "FILE"},
    {NULL},
};

typedef struct {
    PeModel *model;
    PeBackend *be;
    PeVision *vision;
    int size, dim;
    int batches[MAX_BATCHES];
    int n_batches;
    int max_batch;
    PeSlot **slots; // [max_batch + 1], all with pictures
    PeFrame frame;  // NV12, in the device's memory if it has its own
    uint8_t *pixels;
    float *out; // [max_batch, dim]
} Bench;

// What has been measured by then is not lost.
static _Noreturn void
die(GError *error)
{
    g_printerr("measure: %s\n", error->message);
    report_text("error", error->message);
    exit(1);
}

// The module's choices go into the report, its times to time_action().
static void
print_log(PeLogLevel level, const char *message, void *user_data)
{
    double ms;
    if (sscanf(message, "pass: %lf ms on the device", &ms) == 1) {
        if (g_thread_self() == main_thread)
            g_array_append_val(gpu_ms, ms);
        return;
    }
    g_printerr("%s\n", message);
    if (g_str_has_prefix(message, "product ") ||
        g_str_has_prefix(message, "choice "))
        report_line("log", message);
}

// MiB in use on the first card, of all programs; 0 when nobody can say.
static double
used_memory(void)
{
    g_autofree char *text = NULL;
    g_spawn_command_line_sync("nvidia-smi --id=0 --query-gpu=memory.used "
                              "--format=csv,noheader,nounits",
                              &text, NULL, NULL, NULL);
    return text ? g_ascii_strtod(text, NULL) : 0;
}

// ---- Set-up -----------------------------------------------------------------

static void
make_frame(Bench *b)
{
    int height = opt_height / 2 * 2, width = height * 16 / 9 / 2 * 2;
    size_t luma = (size_t)width * (size_t)height, n = luma + luma / 2;
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    uint8_t *data = b->pixels = g_malloc(n);
    for (size_t i = 0; i < n; i++)
        data[i] = (uint8_t)g_rand_int(rand);
    b->frame = (PeFrame){.format = PE_FORMAT_NV12,
                         .matrix = PE_MATRIX_BT709,
                         .width = width,
                         .height = height,
                         .strides = {width, width}};
    if (strcmp(b->be->ops->name, "cpu") != 0) {
        data = b->be->ops->alloc(b->be, n);
        b->be->ops->upload(b->be, data, b->pixels, n);
        b->be->ops->sync(b->be);
        b->frame.memory = PE_MEMORY_CUDA;
    }
    b->frame.planes[0] = data;
    b->frame.planes[1] = data + luma;
}

static void
ingest(Bench *b, PeSlot *slot, const PeFrame *frame)
{
    GError *error = NULL;
    if (!b->be->ops->ingest(b->be, &slot, frame, NULL, 1, &error))
        die(error);
}

// Each slot gets another part of the frame.
static void
fill_slots(Bench *b)
{
    b->slots = g_new(PeSlot *, b->max_batch + 1);
    for (int i = 0; i <= b->max_batch; i++) {
        PeFrame part = b->frame;
        int cut = MIN(8 * (i + 1), b->frame.height / 2 / 2 * 2);
        part.width -= cut;
        part.height -= cut;
        part.planes[0] += cut * b->frame.width + cut;
        part.planes[1] += cut / 2 * b->frame.width + cut;
        b->slots[i] = b->be->ops->slot_new(b->be, b->size, b->size);
        ingest(b, b->slots[i], &part);
    }
}

static void
set_up(Bench *b, PePrecision precision)
{
    GError *error = NULL;
    b->be = pe_backend_open(opt_device, precision, 0, &error);
    if (!b->be)
        die(error);
    PeTowerParams params = {.max_batch = b->max_batch};
    b->vision = pe_vision_new(b->be, b->model, &params, &error);
    if (!b->vision)
        die(error);
    b->size = pe_model_get_vision(b->model)->image_size;
    b->dim = pe_model_get_vision(b->model)->output_dim;
    b->out = g_new(float, b->max_batch * b->dim);
    make_frame(b);
    fill_slots(b);
}

static void
parse_batches(Bench *b)
{
    g_auto(GStrv) fields = g_strsplit_set(opt_batches, ", ", MAX_BATCHES);
    for (int i = 0; fields[i]; i++) {
        int n = atoi(fields[i]);
        if (n < 1)
            continue;
        b->batches[b->n_batches++] = n;
        b->max_batch = MAX(b->max_batch, n);
    }
}

// ---- Measuring --------------------------------------------------------------

static void
embed(Bench *b, PeSlot *const *slots, int n, float *out)
{
    GError *error = NULL;
    if (!pe_vision_embed(b->vision, slots, n, out, &error))
        die(error);
}

static int
compare_doubles(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

static double
quantile(GArray *times, double q)
{
    guint i = (guint)(times->len * q);
    return g_array_index(times, double, MIN(i, times->len - 1));
}

static void
summarize(GArray *times, double ms[2])
{
    g_array_sort(times, compare_doubles);
    ms[0] = quantile(times, 0.5);
    ms[1] = quantile(times, 0.95);
}

typedef void (*Action)(Bench *b, int n);

// Milliseconds of `action` by the wall clock, for `seconds`; what the device
// says of the same calls is in gpu_ms afterwards.
static void
time_action(Bench *b, Action action, int n, double seconds, double ms[2])
{
    g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(double));
    for (int i = 0; i < 4; i++) // tuning, recording, and twice to warm up
        action(b, n);
    g_array_set_size(gpu_ms, 0);
    gint64 start = g_get_monotonic_time();
    while (times->len < 5 ||
           g_get_monotonic_time() - start < (gint64)(seconds * 1e6)) {
        gint64 before = g_get_monotonic_time();
        action(b, n);
        double t = (double)(g_get_monotonic_time() - before) / 1e3;
        g_array_append_val(times, t);
    }
    summarize(times, ms);
}

static void
run_batch(Bench *b, int n)
{
    embed(b, b->slots, n, b->out);
}

// Batches that are each queued before the one before has ended. Backends that
// cannot do that do one after the other.
static void
run_queued(Bench *b, int n)
{
    GError *error = NULL;
    bool queues = b->be->ops->download_begin != NULL;
    for (int i = 0; i <= N_QUEUED; i++) {
        if (!queues && i < N_QUEUED)
            run_batch(b, n);
        if (queues && i < N_QUEUED &&
            !pe_vision_begin(b->vision, b->slots, n, i % 2, &error))
            die(error);
        if (queues && i > 0 &&
            !pe_vision_end(b->vision, n, (i - 1) % 2, b->out, &error))
            die(error);
    }
}

static void
run_frame(Bench *b, int n)
{
    ingest(b, b->slots[0], &b->frame);
    embed(b, b->slots, 1, b->out);
}

// Into a slot that no batch reads.
static void
run_ingest(Bench *b, int n)
{
    ingest(b, b->slots[b->max_batch], &b->frame);
}

static void
measure_batch(Bench *b, int n)
{
    double wall[2], gpu[2], queued[2];
    gint64 start = g_get_monotonic_time();
    run_batch(b, n);
    double first = (double)(g_get_monotonic_time() - start) / 1e6;
    time_action(b, run_batch, n, opt_seconds, wall);
    JsonObject *row = report_row("batches");
    row_number(row, "batch", n);
    row_pair(row, "wall_ms", wall);
    row_number(row, "images_per_s", n / wall[0] * 1e3);
    row_number(row, "first_s", first); // with tuning
    if (gpu_ms->len > 0) {
        summarize(gpu_ms, gpu);
        row_pair(row, "gpu_ms", gpu);
    }
    report_save();
    time_action(b, run_queued, n, opt_seconds / 2, queued);
    row_number(row, "queued_ms", queued[0] / N_QUEUED);
    report_save();
}

// The largest difference between the unit vectors of images alone and in
// company.
static double
company_changes(Bench *b)
{
    size_t dim = (size_t)b->dim;
    g_autofree float *alone = g_new(float, dim);
    double most = 0;
    embed(b, b->slots, b->max_batch, b->out);
    for (int i = 0; i < b->max_batch; i += MAX(b->max_batch / 4, 1)) {
        float *in_batch = b->out + (size_t)i * dim;
        embed(b, &b->slots[i], 1, alone);
        pe_embedding_normalize(alone, b->dim);
        pe_embedding_normalize(in_batch, b->dim);
        for (size_t j = 0; j < dim; j++) {
            double d = fabs((double)alone[j] - in_batch[j]);
            most = d <= most ? most : d; // NaN wins
        }
    }
    return most;
}

typedef struct {
    Bench *bench;
    int ended; // the batches are not needed any more, atomic
} Batches;

static void *
run_batches(void *data)
{
    Batches *batches = data;
    while (!g_atomic_int_get(&batches->ended)) {
        run_batch(batches->bench, batches->bench->max_batch);
        g_usleep(50); // a lock need not be fair
    }
    return NULL;
}

// A streaming thread's time for one frame: alone, and while the largest batches
// are computed.
static void
measure_ingest(Bench *b)
{
    double ms[2];
    Batches batches = {.bench = b};
    time_action(b, run_ingest, 1, opt_seconds / 2, ms);
    report_pair("ingest_ms", ms);
    GThread *thread = g_thread_new("batches", run_batches, &batches);
    time_action(b, run_ingest, 1, opt_seconds / 2, ms);
    g_atomic_int_set(&batches.ended, 1);
    g_thread_join(thread);
    report_pair("busy_ingest_ms", ms);
    time_action(b, run_frame, 1, opt_seconds, ms);
    report_pair("frame_ms", ms);
}

// ---- All of it --------------------------------------------------------------

static void
measure(Bench *b, PePrecision precision)
{
    GError *error = NULL;
    PeDeviceReport report;
    double base = used_memory();
    if (!pe_device_check(b->model, opt_device, precision, &report, &error))
        die(error);
    report_number("cosine_image", report.cosine_image);
    report_number("cosine_text", report.cosine_text);
    set_up(b, precision);
    report_text("device", b->be->ops->describe(b->be));
    report_text("precision", pe_precision_nick(b->be->precision));
    for (int i = 0; i < b->n_batches; i++)
        measure_batch(b, b->batches[i]);
    report_number("company_changes", company_changes(b));
    measure_operations(b->be, b->model, b->max_batch);
    measure_ingest(b);
    report_number("memory_mib", used_memory() - base);
}

// How long until an engine is ready, and how many products it has timed
// meanwhile; a second process finds them in the user's cache.
static void
measure_load(const Bench *b, PePrecision precision)
{
    GError *error = NULL;
    PeEngineParams params = {.model = b->model,
                             .device = opt_device,
                             .precision = precision,
                             .batch_size = b->max_batch};
    gint64 start = g_get_monotonic_time();
    PeEngine *engine = pe_engine_get(&params, &error);
    if (!engine)
        die(error);
    report_number("load_s", (double)(g_get_monotonic_time() - start) / 1e6);
    report_text("device", pe_engine_get_description(engine));
    pe_engine_unref(engine);
    pe_engine_end_idle();
}

// Is it the precision alone that is missing? Then that is no failure.
static void
skip_unavailable(PePrecision precision)
{
    g_autoptr(GError) error = NULL;
    PeBackend *be = pe_backend_open(opt_device, precision, 0, &error);
    PeBackend *other =
        be ? NULL : pe_backend_open(opt_device, PE_PRECISION_AUTO, 0, NULL);
    if (be)
        be->ops->close(be);
    if (!other)
        return;
    other->ops->close(other);
    g_printerr("%s\n", error->message);
    exit(77);
}

static PePrecision
parse_options(int *argc, char ***argv, Bench *b)
{
    GError *error = NULL;
    PePrecision precision;
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, &error)) {
        g_printerr("measure: %s\n", error->message);
        exit(2);
    }
    opt_device = opt_device ? opt_device : g_strdup("cuda");
    opt_precision = opt_precision ? opt_precision : g_strdup("auto");
    opt_batches = opt_batches ? opt_batches : g_strdup("1");
    parse_batches(b);
    if (!opt_config || b->n_batches == 0 || opt_height < 16) {
        g_printerr("measure: needs --config and --batches, and --height of 16 "
                   "or more\n");
        exit(2);
    }
    if (pe_precision_parse(opt_precision, &precision))
        return precision;
    g_printerr("this build knows no precision %s\n", opt_precision);
    exit(77);
}

static void
free_bench(Bench *b)
{
    for (int i = 0; i <= b->max_batch; i++)
        b->be->ops->slot_free(b->be, b->slots[i]);
    if (b->frame.memory == PE_MEMORY_CUDA)
        b->be->ops->free(b->be, (void *)b->frame.planes[0]);
    pe_vision_free(b->vision);
    b->be->ops->close(b->be);
    g_free(b->slots);
    g_free(b->pixels);
    g_free(b->out);
}

int
main(int argc, char **argv)
{
    GError *error = NULL;
    Bench b = {0};
    PePrecision precision = parse_options(&argc, &argv, &b);
    // Before the module is opened, which reads it.
    g_setenv("PE_CUDA_TIMES", "1", TRUE);
    gpu_ms = g_array_new(FALSE, FALSE, sizeof(double));
    main_thread = g_thread_self();
    report_open(opt_out);
    report_text("config", opt_config);
    pe_log_set(print_log, NULL);
    b.model = g_file_test(opt_config, G_FILE_TEST_EXISTS)
                  ? pe_model_open(opt_config, &error)
                  : pe_model_new_random(opt_config, 1, &error);
    if (!b.model)
        die(error);
    skip_unavailable(precision);
    if (opt_load) {
        measure_load(&b, precision);
    } else if (opt_passes) {
        set_up(&b, precision);
        for (int i = 0; i < opt_passes; i++)
            run_batch(&b, b.max_batch);
        free_bench(&b);
    } else {
        measure(&b, precision);
        free_bench(&b);
    }
    pe_model_unref(b.model);
    report_print();
    g_array_unref(gpu_ms);
    return 0;
}
