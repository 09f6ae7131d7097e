// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_towers.c - both towers against files of inputs, activations and
// outputs that the reference implementation wrote.
//
//     check_towers [--fixtures DIR] [--device cpu] [--precision fp32]
//
// Any safetensors file with a "config" in its metadata, weights "w.*" and
// inputs "in.*" takes part. Without arguments: the files in tests/data, on
// the reference backend and on the CPU in fp32, bf16 and int8. Every compared
// group of tensors is one line with its value and its limit.

#include "core/tower/text.h"
#include "core/tower/vision.h"

#include <math.h>

#include "tests/support/checkpoint_files.h"
#include "tests/support/model_compare.h"

#define MAX_ABS_FP32 5e-5
#define MIN_COSINE_FP32 0.9999995
#define MIN_COSINE_16BIT 0.999
#define MIN_COSINE_INT8 0.9995
#define MIN_COSINE_FP8 0.995

typedef struct {
    char *path;
    const char *device; // NULL: the reference backend
    PePrecision precision;
} Case;

// One fixture file open on one backend.
typedef struct {
    const Case *what;
    PeCheckpoint *file;
    PeModel *model;
    PeBackend *be;
    PeVision *vision;
    PeText *text; // NULL without a text tower
    int dim;      // E
    const char *tag;
    int n_compared;
} Run;

static const char *
case_device(const Case *c)
{
    return c->device ? c->device : "reference";
}

// ---- Comparing ------------------------------------------------------------

// The least cosine of any row of [n / dim, dim]; NaN when any is.
static double
min_cosine(const float *a, const float *b, size_t n, size_t dim)
{
    double least = 1;
    for (size_t row = 0; row + dim <= n; row += dim) {
        double ab = 0, aa = 0, bb = 0;
        for (size_t i = row; i < row + dim; i++) {
            ab += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }
        double c = ab / sqrt(aa * bb);
        if (isnan(c))
            return c;
        least = MIN(least, c);
    }
    return least;
}

static double
least_cosine(PePrecision precision)
{
    switch (precision) {
    case PE_PRECISION_FP32:
        return MIN_COSINE_FP32;
    case PE_PRECISION_INT8:
        return MIN_COSINE_INT8;
    case PE_PRECISION_FP8:
        return MIN_COSINE_FP8;
    default:
        return MIN_COSINE_16BIT;
    }
}

// Compare with the file's tensor of this name; nothing when it has none.
static void
compare(Run *run, const char *name, const float *got, size_t n)
{
    const PeTensor *t = pe_checkpoint_get(run->file, name);
    if (!t)
        return;
    g_assert_cmpint((int64_t)n, ==, pe_tensor_size(t));
    g_autofree float *want = model_get_values(NULL, t);
    size_t dim = t->n_dims > 1 ? (size_t)t->shape[t->n_dims - 1] : n;
    double diff = max_abs_diff(got, want, n);
    double cosine = min_cosine(got, want, n, dim);
    bool exact = run->what->precision == PE_PRECISION_FP32;
    double least = least_cosine(run->what->precision);
    bool ok = cosine >= least && (!exact || diff <= MAX_ABS_FP32);
    g_autofree char *limit =
        exact ? g_strdup_printf(" (limit %.0e)", MAX_ABS_FP32) : g_strdup("");

    g_test_message("%-22s max|diff| %.2e%s  cosine %.8f (limit %.7f)%s", name,
                   diff, limit, cosine, least, ok ? "" : "  OUT OF BOUNDS");
    run->n_compared++;
    if (!ok) {
        g_test_set_nonfatal_assertions(); // the other files are of interest
        g_test_fail();
    }
}

static void
compare_activation(const char *name, const float *data, size_t n,
                   void *user_data)
{
    Run *run = user_data;
    g_autofree char *full = g_strdup_printf("act.%s.%s", run->tag, name);
    compare(run, full, data, n);
}

// ---- Running --------------------------------------------------------------

static PeBackend *
open_backend(const char *device, PePrecision precision)
{
    if (!device)
        return pe_backend_open_reference();
    g_autoptr(GError) error = NULL;
    PeBackend *be = pe_backend_open(device, precision, 0, &error);
    g_assert_no_error(error);
    return be;
}

// The most images and tokens of any input in the file.
static void
measure_inputs(const Run *run, PeTowerParams *params)
{
    const PeVisionConfig *c = pe_model_get_vision(run->model);
    params->max_batch = 1;
    params->max_tokens = 1;
    for (int i = 0; i < pe_checkpoint_count(run->file); i++) {
        const PeTensor *t = pe_checkpoint_get_nth(run->file, i);
        const char *name = pe_checkpoint_get_name(run->file, i);
        if (!g_str_has_prefix(name, "in.") && strcmp(name, "video.in") != 0)
            continue;
        const int64_t *size = &t->shape[t->n_dims - 2];
        int tokens = c->cls_token + (int)(size[0] / c->patch_size) *
                                        (int)(size[1] / c->patch_size);
        int batch = (int)(pe_tensor_size(t) / (3 * size[0] * size[1]));
        params->max_tokens = MAX(params->max_tokens, tokens);
        params->max_batch = MAX(params->max_batch, batch);
    }
}

static void
open_run(Run *run, const Case *what)
{
    g_autoptr(GError) error = NULL;
    *run = (Run){.what = what};
    run->file = checkpoint_open(what->path);
    run->model = model_open(what->path);
    run->be = open_backend(what->device, what->precision);
    run->dim = pe_model_get_vision(run->model)->output_dim;

    PeTowerParams params = {0};
    measure_inputs(run, &params);
    run->vision = pe_vision_new(run->be, run->model, &params, &error);
    g_assert_no_error(error);
    if (pe_model_get_text(run->model)) {
        run->text = pe_text_new(run->be, run->model, &params, &error);
        g_assert_no_error(error);
    }
    g_test_message("%s on %s, %s", pe_model_get_name(run->model),
                   run->be->ops->describe(run->be),
                   pe_precision_nick(run->be->precision));
}

static void
close_run(Run *run)
{
    pe_text_free(run->text);
    pe_vision_free(run->vision);
    run->be->ops->close(run->be);
    pe_model_unref(run->model);
    pe_checkpoint_free(run->file);
}

// Images [.., 3, h, w] through the tower. Returns, g_free().
static float *
embed_tensor(Run *run, const PeTensor *t, size_t *n)
{
    g_autoptr(GError) error = NULL;
    const PeVisionConfig *c = pe_model_get_vision(run->model);
    int h = (int)t->shape[t->n_dims - 2], w = (int)t->shape[t->n_dims - 1];
    int b = (int)(pe_tensor_size(t) / (3 * (int64_t)h * w));
    int tokens = c->cls_token + (h / c->patch_size) * (w / c->patch_size);
    *n = (size_t)b * (size_t)(run->dim ? run->dim : tokens * c->width);
    g_autofree float *pixels = model_get_values(NULL, t);
    float *out = g_new(float, *n);
    g_assert_true(
        pe_vision_embed_pixels(run->vision, pixels, b, h, w, out, &error));
    g_assert_no_error(error);
    return out;
}

static void
check_images(Run *run)
{
    for (int i = 0; i < pe_checkpoint_count(run->file); i++) {
        const char *name = pe_checkpoint_get_name(run->file, i);
        if (!g_str_has_prefix(name, "in."))
            continue;
        size_t n;
        run->tag = name + 3;
        pe_vision_set_trace(run->vision, compare_activation, run);
        g_autofree float *out =
            embed_tensor(run, pe_checkpoint_get_nth(run->file, i), &n);
        pe_vision_set_trace(run->vision, NULL, NULL);
        g_autofree char *full = g_strdup_printf("out.%s", run->tag);
        compare(run, full, out, n);
    }
}

// Mean over the frames of every clip, without and with unit frames.
static void
check_video(Run *run)
{
    const PeTensor *t = pe_checkpoint_get(run->file, "video.in");
    if (!t)
        return;
    size_t n, clips = (size_t)t->shape[0], frames = (size_t)t->shape[1];
    size_t dim = (size_t)run->dim;
    g_autofree float *out = embed_tensor(run, t, &n);
    g_autofree float *raw = g_new0(float, clips *dim);
    g_autofree float *unit = g_new0(float, clips *dim);
    for (size_t i = 0; i < clips * frames; i++) {
        float *x = out + i * dim;
        size_t clip = i / frames * dim;
        for (size_t j = 0; j < dim; j++)
            raw[clip + j] += x[j] / (float)frames;
        pe_embedding_normalize(x, run->dim);
        for (size_t j = 0; j < dim; j++)
            unit[clip + j] += x[j] / (float)frames;
    }
    compare(run, "video.out_raw", raw, clips * dim);
    compare(run, "video.out_normalize_true", unit, clips * dim);
}

static float *
embed_ids(PeText *text, const PeTensor *t, int dim)
{
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(t->dtype, ==, PE_DTYPE_I64);
    int n = (int)pe_tensor_size(t), b = (int)t->shape[0];
    g_autofree int *ids = g_new(int, n);
    for (int i = 0; i < n; i++)
        ids[i] = (int)((const int64_t *)t->data)[i];
    float *out = g_new(float, (size_t)b *(size_t)dim);
    g_assert_true(pe_text_embed(text, ids, b, n / b, out, &error));
    g_assert_no_error(error);
    return out;
}

// logits [b, n] = scale * image image^T, both unit
static void
check_logits(Run *run, const float *image, size_t b, const float *text,
             size_t n)
{
    float scale = pe_model_get_logit_scale(run->model);
    compare(run, "clip.logit_scale_exp", &scale, 1);
    if (!pe_checkpoint_get(run->file, "clip.logits"))
        return;
    size_t dim = (size_t)run->dim;
    g_autofree float *logits = g_new(float, b *n);
    for (size_t i = 0; i < b * n; i++) {
        double sum = 0;
        for (size_t j = 0; j < dim; j++)
            sum += (double)image[i / n * dim + j] * text[i % n * dim + j];
        logits[i] = (float)(scale * sum);
    }
    compare(run, "clip.logits", logits, b * n);
}

static void
check_texts(Run *run)
{
    const PeTensor *ids = pe_checkpoint_get(run->file, "text.ids");
    if (!ids || !run->text)
        return;
    size_t dim = (size_t)pe_model_get_text(run->model)->output_dim;
    size_t n = (size_t)ids->shape[0];
    g_autofree float *out = embed_ids(run->text, ids, (int)dim);
    compare(run, "text.out", out, n * dim);
    for (size_t i = 0; i < n; i++)
        pe_embedding_normalize(out + i * dim, (int)dim);
    compare(run, "text.out_norm", out, n * dim);
    compare(run, "clip.text", out, n * dim);

    const PeTensor *native = pe_checkpoint_get(run->file, "in.native");
    if (!native || (size_t)run->dim != dim)
        return;
    size_t size;
    g_autofree float *image = embed_tensor(run, native, &size);
    for (size_t i = 0; i < size; i += dim)
        pe_embedding_normalize(image + i, (int)dim);
    compare(run, "clip.image", image, size);
    check_logits(run, image, size / dim, out, n);
}

static void
reproduces_the_reference(gconstpointer data)
{
    Run run;
    open_run(&run, data);
    check_images(&run);
    check_video(&run);
    check_texts(&run);
    g_assert_cmpint(run.n_compared, >, 0);
    close_run(&run);
}

// ---- Which files on which device ------------------------------------------

static bool
is_fixture(const char *path)
{
    if (!g_str_has_suffix(path, ".safetensors"))
        return false;
    g_autoptr(GError) error = NULL;
    PeCheckpoint *file = pe_checkpoint_open(path, &error);
    if (!file) {
        g_printerr("%s\n", error->message);
        return false;
    }
    bool is = pe_checkpoint_get_metadata(file, "config") != NULL;
    pe_checkpoint_free(file);
    return is;
}

static void
add_case(const char *path, const char *device, PePrecision precision)
{
    Case *c = g_new(Case, 1);
    *c = (Case){g_strdup(path), device, precision};
    g_autofree char *file = g_path_get_basename(path);
    *strrchr(file, '.') = '\0';
    g_autofree char *name = g_strdup_printf(
        "/towers/%s/%s/%s", file, case_device(c), pe_precision_nick(precision));
    g_test_add_data_func(name, c, reproduces_the_reference);
}

static int
compare_paths(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static GPtrArray *
list_fixtures(const char *dir)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    GDir *d = g_dir_open(dir, 0, &error);
    if (!d)
        g_printerr("%s\n", error->message);
    const char *name;
    while (d && (name = g_dir_read_name(d))) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        if (is_fixture(path))
            g_ptr_array_add(paths, g_steal_pointer(&path));
    }
    g_clear_pointer(&d, g_dir_close);
    g_ptr_array_sort(paths, compare_paths);
    return paths;
}

int
main(int argc, char **argv)
{
    g_autofree char *dir = NULL, *device = NULL, *nick = NULL;
    const GOptionEntry entries[] = {
        {"fixtures", 0, 0, G_OPTION_ARG_FILENAME, &dir, "Folder of files",
         "DIR"},
        {"device", 0, 0, G_OPTION_ARG_STRING, &device, "cpu, cuda:0", "D"},
        {"precision", 0, 0, G_OPTION_ARG_STRING, &nick, "fp32, bf16, int8",
         "P"},
        {NULL},
    };
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    PePrecision precision = PE_PRECISION_FP32;
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        (nick && !pe_precision_parse(nick, &precision))) {
        g_printerr("%s\n", error ? error->message : "no such precision");
        return 2;
    }

    bool chosen = dir || device || nick;
    if (!dir)
        dir = file_data_path("");
    g_autoptr(GPtrArray) paths = list_fixtures(dir);
    if (paths->len == 0) {
        g_printerr("%s: no file with a \"config\" in its metadata\n", dir);
        return 2;
    }
    for (guint i = 0; i < paths->len; i++) {
        if (chosen) {
            add_case(paths->pdata[i], device ? device : "cpu", precision);
            continue;
        }
        add_case(paths->pdata[i], NULL, PE_PRECISION_FP32);
        add_case(paths->pdata[i], "cpu", PE_PRECISION_FP32);
        add_case(paths->pdata[i], "cpu", PE_PRECISION_BF16);
        add_case(paths->pdata[i], "cpu", PE_PRECISION_INT8);
    }
    return g_test_run();
}
