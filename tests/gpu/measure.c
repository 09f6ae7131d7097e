// SPDX-License-Identifier: LGPL-2.1-or-later
//
// measure.c - one published shape with random weights on one device: known
// answers, whether a batch's company changes a result, images per second by
// batch size, the time from a frame in device memory to its embedding on the
// host, and the memory of it all. Prints one line of JSON. Called by run.
//
//     measure --config PE-Core-B16-224 --precision bf16 --batches 1,28

#include "core/device/backend.h"
#include "core/device/preprocess.h"
#include "core/tower/vision.h"

#include <math.h>
#include <stdlib.h>

#define FRAME_WIDTH 1920
#define FRAME_HEIGHT 1080
#define MAX_BATCHES 16

static char *opt_config, *opt_device, *opt_precision, *opt_batches;
static double opt_seconds = 1;
static int opt_passes;
static bool printing; // a line of JSON has been begun

static const GOptionEntry entries[] = {
    {"config", 'c', 0, G_OPTION_ARG_STRING, &opt_config, "Shape", "NAME"},
    {"device", 'd', 0, G_OPTION_ARG_STRING, &opt_device, "Device", "D"},
    {"precision", 'p', 0, G_OPTION_ARG_STRING, &opt_precision, "Precision",
     "P"},
    {"batches", 'b', 0, G_OPTION_ARG_STRING, &opt_batches,
     "Batch sizes, with commas", "N"},
    {"seconds", 's', 0, G_OPTION_ARG_DOUBLE, &opt_seconds,
     "Measuring time of each quantity", "S"},
    {"passes", 0, 0, G_OPTION_ARG_INT, &opt_passes,
     "Only this many passes of the largest batch, for a profiler", "N"},
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
    PeSlot **slots; // [max_batch], all with pictures
    PeFrame frame;  // NV12, in the device's memory if it has its own
    uint8_t *pixels;
    float *out; // [max_batch, dim]
} Bench;

// What has been measured by then is not lost.
static _Noreturn void
die(GError *error)
{
    g_printerr("measure: %s\n", error->message);
    if (printing) {
        g_autofree char *text = g_strescape(error->message, NULL);
        g_print("], \"error\": \"%s\"}\n", text);
    }
    exit(1);
}

// What products were measured, and what the library lacks.
static void
print_log(PeLogLevel level, const char *message, void *user_data)
{
    g_printerr("%s\n", message);
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
    size_t luma = (size_t)FRAME_WIDTH * FRAME_HEIGHT, n = luma + luma / 2;
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    uint8_t *data = b->pixels = g_malloc(n);
    for (size_t i = 0; i < n; i++)
        data[i] = (uint8_t)g_rand_int(rand);
    b->frame = (PeFrame){.format = PE_FORMAT_NV12,
                         .matrix = PE_MATRIX_BT709,
                         .width = FRAME_WIDTH,
                         .height = FRAME_HEIGHT,
                         .strides = {FRAME_WIDTH, FRAME_WIDTH}};
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
    b->slots = g_new(PeSlot *, b->max_batch);
    for (int i = 0; i < b->max_batch; i++) {
        PeFrame part = b->frame;
        int cut = 8 * (i + 1);
        part.width -= cut;
        part.height -= cut;
        part.planes[0] += cut * FRAME_WIDTH + cut;
        part.planes[1] += cut / 2 * FRAME_WIDTH + cut;
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

typedef void (*Action)(Bench *b, int n);

// Milliseconds of `action`: median and 95th percentile.
static void
time_action(Bench *b, Action action, int n, double ms[2])
{
    g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(double));
    for (int i = 0; i < 4; i++) // tuning, recording, and twice to warm up
        action(b, n);
    gint64 start = g_get_monotonic_time();
    while (times->len < 5 ||
           g_get_monotonic_time() - start < (gint64)(opt_seconds * 1e6)) {
        gint64 before = g_get_monotonic_time();
        action(b, n);
        double t = (double)(g_get_monotonic_time() - before) / 1e3;
        g_array_append_val(times, t);
    }
    g_array_sort(times, compare_doubles);
    ms[0] = g_array_index(times, double, times->len / 2);
    ms[1] = g_array_index(times, double, times->len * 95 / 100);
}

static void
run_batch(Bench *b, int n)
{
    embed(b, b->slots, n, b->out);
}

static void
run_frame(Bench *b, int n)
{
    ingest(b, b->slots[0], &b->frame);
    embed(b, b->slots, 1, b->out);
}

static void
run_ingest(Bench *b, int n)
{
    ingest(b, b->slots[0], &b->frame);
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

static void
print_results(Bench *b, const PeDeviceReport *report, double base)
{
    double ms[2];
    g_print("{\"config\": \"%s\", \"device\": \"%s\", \"precision\": \"%s\"",
            opt_config, b->be->ops->describe(b->be),
            pe_precision_nick(b->be->precision));
    g_print(", \"cosine_image\": %.6f, \"cosine_text\": %.6f",
            report->cosine_image, report->cosine_text);
    g_print(", \"company_changes\": %.2e", company_changes(b));
    time_action(b, run_ingest, 1, ms);
    g_print(", \"ingest_ms\": [%.4f, %.4f]", ms[0], ms[1]);
    time_action(b, run_frame, 1, ms);
    g_print(", \"frame_ms\": [%.4f, %.4f]", ms[0], ms[1]);
    g_print(", \"batches\": [");
    printing = true;
    for (int i = 0; i < b->n_batches; i++) {
        int n = b->batches[i];
        time_action(b, run_batch, n, ms);
        g_print("%s{\"batch\": %d, \"ms\": [%.4f, %.4f], "
                "\"images_per_s\": %.2f}",
                i ? ", " : "", n, ms[0], ms[1], n / ms[0] * 1e3);
    }
    printing = false;
    g_print("], \"memory_mib\": %.0f}\n", used_memory() - base);
}

static void
measure(Bench *b, PePrecision precision)
{
    GError *error = NULL;
    PeDeviceReport report;
    double base = used_memory();
    pe_log_set(print_log, NULL);
    if (!opt_passes &&
        !pe_device_check(b->model, opt_device, precision, &report, &error))
        die(error);
    set_up(b, precision);
    for (int i = 0; i < opt_passes; i++)
        run_batch(b, b->max_batch);
    if (!opt_passes)
        print_results(b, &report, base);
}

int
main(int argc, char **argv)
{
    GError *error = NULL;
    PePrecision precision;
    Bench b = {0};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        die(error);
    opt_device = opt_device ? opt_device : g_strdup("cuda");
    opt_precision = opt_precision ? opt_precision : g_strdup("auto");
    opt_batches = opt_batches ? opt_batches : g_strdup("1");
    parse_batches(&b);
    if (!opt_config || !pe_precision_parse(opt_precision, &precision) ||
        b.n_batches == 0) {
        g_printerr("measure: needs --config, a known --precision and "
                   "--batches\n");
        return 2;
    }
    b.model = pe_model_new_random(opt_config, 1, &error);
    if (!b.model)
        die(error);
    measure(&b, precision);

    for (int i = 0; i < b.max_batch; i++)
        b.be->ops->slot_free(b.be, b.slots[i]);
    if (b.frame.memory == PE_MEMORY_CUDA)
        b.be->ops->free(b.be, (void *)b.frame.planes[0]);
    pe_vision_free(b.vision);
    b.be->ops->close(b.be);
    pe_model_unref(b.model);
    g_free(b.slots);
    g_free(b.pixels);
    g_free(b.out);
    return 0;
}
