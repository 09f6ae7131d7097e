// SPDX-License-Identifier: LGPL-2.1-or-later
//
// runner.c - the towers of a model on a backend.

#include "runner.h"

#include "core/tower/known_answer.h"
#include "core/tower/text.h"
#include "core/tower/vision.h"

typedef struct {
    PeRunner base;
    PeModel *model;
    PeBackend *be;
    PeVision *vision;
    PeSlot **slots; // [batch_size], of a batch that is filled up
    float *out;     // [batch_size, dim], its vectors
    PeText *text;   // while there are texts
    bool text_ready;
    int text_batch; // 0: no tower has been asked for
} TowerRunner;

// Enough rows for full-rate matrix products, few enough for a low latency.
#define BATCH_CPU 8

// Labels change now and then, and by hand several times in a row.
#define TEXT_IDLE_SECONDS 30

// More images than any device runs at once.
#define MANY_IMAGES 1024

// False when `n` vectors of `dim` values are no numbers.
static bool
check_finite(const TowerRunner *r, const char *what, const float *out, int n,
             size_t dim, GError **error)
{
    if (pe_all_finite(out, (size_t)n * dim))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_BACKEND,
                "%s: the %s vectors are not finite on %s in %s: a weight is "
                "damaged or overflows (`pe-model check` looks through all "
                "layers; another precision may help)",
                pe_model_get_path(r->model), what, r->base.name,
                pe_precision_nick(r->be->precision));
    return false;
}

// How many of n waiting images to run at once, see PeBackendOps.batch_bucket.
static int
pick_batch(const TowerRunner *r, int n, int max)
{
    const PeVisionConfig *v = pe_model_get_vision(r->model);
    int grid = v->image_size / v->patch_size;
    if (!r->be->ops->batch_bucket)
        return MIN(n, max);
    return r->be->ops->batch_bucket(r->be, n, max, grid * grid + v->cls_token,
                                    v->width, v->mlp_width);
}

static PeRunner *
runner_open(const PeEngineParams *params, GError **error)
{
    PeBackend *be =
        pe_backend_open(params->device ? params->device : "auto",
                        params->precision, params->n_threads, error);
    if (!be)
        return NULL;
    TowerRunner *r = g_new0(TowerRunner, 1);
    r->be = be;
    r->model = pe_model_ref(params->model);
    r->base.ops = &pe_runner_ops;
    r->base.name = g_strdup(be->name);
    r->base.description = g_strdup(be->ops->describe(be));
    if (be->note[0]) {
        r->base.notes = g_new0(char *, 2);
        r->base.notes[0] = g_strdup(be->note);
    }
    r->base.context = pe_device_get_context(r->base.name, NULL);
    r->base.precision = be->precision;
    r->base.text_idle_us = TEXT_IDLE_SECONDS * G_TIME_SPAN_SECOND;
    r->base.batch_size = params->batch_size;
    if (r->base.batch_size == 0)
        r->base.batch_size = be->ops->batch_bucket
                                 ? pick_batch(r, MANY_IMAGES, MANY_IMAGES)
                                 : BATCH_CPU;
    return &r->base;
}

static void
runner_close(PeRunner *runner)
{
    TowerRunner *r = (TowerRunner *)runner;
    g_clear_pointer(&r->text, pe_text_free);
    g_clear_pointer(&r->vision, pe_vision_free);
    r->be->ops->close(r->be);
    pe_model_unref(r->model);
    g_free(r->slots);
    g_free(r->out);
    g_free(r->base.name);
    g_free(r->base.description);
    g_strfreev(r->base.notes);
    g_free(r);
}

// Is it worth trying again with half of `batch`? Clears the error if so.
static bool
halve_batch(TowerRunner *r, const char *tower, int *batch, GError **error)
{
    if (!g_error_matches(*error, PE_ERROR, PE_ERROR_NOMEM) || *batch < 2)
        return false;
    pe_log(PE_LOG_WARNING, "%s: no memory for a %s batch of %d (%s); using %d",
           r->base.name, tower, *batch, (*error)->message, *batch / 2);
    *batch /= 2;
    g_clear_error(error);
    return true;
}

// Where operations are recorded, the first pass of a batch size chooses
// algorithms and the second records: here, for all sizes that there are, rather
// than under live frames.
static bool
warm_up(TowerRunner *r, GError **error)
{
    const PeVisionConfig *v = pe_model_get_vision(r->model);
    int max = r->base.batch_size;
    PeSlot *slot = r->be->ops->slot_new(r->be, v->image_size, v->image_size);
    if (!slot) {
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM,
                    "%s: no memory for a preprocessed frame", r->base.name);
        return false;
    }
    for (int i = 0; i < max; i++)
        r->slots[i] = slot;
    g_autofree bool *done = g_new0(bool, max + 1);
    bool ok = true;
    for (int n = 1; ok && n <= max; n++) {
        int size = pick_batch(r, n, max);
        if (done[size])
            continue;
        done[size] = true;
        ok = pe_vision_embed(r->vision, r->slots, size, r->out, error) &&
             pe_vision_embed(r->vision, r->slots, size, r->out, error);
    }
    r->be->ops->slot_free(r->be, slot);
    return ok;
}

// For batches of the runner's size. What is left after a failure is freed by
// the next attempt, or on closing.
static bool
try_vision_tower(TowerRunner *r, GError **error)
{
    PeTowerParams params = {.max_batch = r->base.batch_size};
    size_t n = (size_t)r->base.batch_size;
    size_t dim = (size_t)pe_model_get_vision(r->model)->output_dim;
    g_clear_pointer(&r->vision, pe_vision_free);
    r->vision = pe_vision_new(r->be, r->model, &params, error);
    if (!r->vision)
        return false;
    r->slots = g_renew(PeSlot *, r->slots, n);
    r->out = g_renew(float, r->out, n *dim);
    return !r->be->ops->graph_begin || warm_up(r, error);
}

static bool
runner_load(PeRunner *runner, GError **error)
{
    TowerRunner *r = (TowerRunner *)runner;
    GError *e = NULL;
    if (!pe_known_answer_check(r->be, r->model, PE_KNOWN_ANSWER_QUICK, NULL,
                               error))
        return false;
    while (!try_vision_tower(r, &e)) {
        if (halve_batch(r, "vision", &r->base.batch_size, &e))
            continue;
        g_propagate_error(error, e);
        return false;
    }
    return true;
}

// The n slots, and the last of them until there are `size`.
static void
fill_up(TowerRunner *r, PeSlot *const *slots, int n, int size)
{
    for (int i = 0; i < size; i++)
        r->slots[i] = slots[MIN(i, n - 1)];
}

static bool
embed_filled(TowerRunner *r, PeSlot *const *slots, int n, int size, float *out,
             GError **error)
{
    size_t dim = (size_t)pe_model_get_vision(r->model)->output_dim;
    fill_up(r, slots, n, size);
    if (!pe_vision_embed(r->vision, r->slots, size, r->out, error))
        return false;
    memcpy(out, r->out, (size_t)n * dim * sizeof *out);
    return true;
}

static bool
runner_embed_images(PeRunner *runner, PeSlot *const *slots, int n,
                    const int *abandon, float *out, GError **error)
{
    TowerRunner *r = (TowerRunner *)runner;
    size_t dim = (size_t)pe_model_get_vision(r->model)->output_dim;
    int size;
    pe_vision_set_abandon(r->vision, abandon);
    for (int i = 0; i < n; i += size) {
        float *to = out + (size_t)i * dim;
        size = pick_batch(r, n - i, r->base.batch_size);
        if (size > n - i
                ? !embed_filled(r, slots + i, n - i, size, to, error)
                : !pe_vision_embed(r->vision, slots + i, size, to, error))
            return false;
    }
    return check_finite(r, "image", out, n, dim, error);
}

static bool
runner_begin_images(PeRunner *runner, PeSlot *const *slots, int n, int turn,
                    GError **error)
{
    TowerRunner *r = (TowerRunner *)runner;
    int size = pick_batch(r, n, r->base.batch_size);
    if (!r->be->ops->download_begin || size < n)
        return false;
    fill_up(r, slots, n, size);
    return pe_vision_begin(r->vision, r->slots, size, turn, error);
}

static bool
runner_end_images(PeRunner *runner, int n, int turn, float *out, GError **error)
{
    TowerRunner *r = (TowerRunner *)runner;
    size_t dim = (size_t)pe_model_get_vision(r->model)->output_dim;
    return pe_vision_end(r->vision, n, turn, out, error) &&
           check_finite(r, "image", out, n, dim, error);
}

static void
runner_drop_texts(PeRunner *runner)
{
    TowerRunner *r = (TowerRunner *)runner;
    g_clear_pointer(&r->text, pe_text_free);
    r->text_ready = false;
}

static bool
begin_text_tower(TowerRunner *r, GError **error)
{
    if (r->text_batch == 0)
        r->text_batch = PE_TEXT_CHUNK;
    PeTowerParams params = {.max_batch = r->text_batch};
    r->text = pe_text_begin(r->be, r->model, &params, error);
    return r->text != NULL;
}

// Without memory for the tower it is begun again, for half as many texts.
static bool
runner_load_texts(PeRunner *runner, bool *ready, GError **error)
{
    TowerRunner *r = (TowerRunner *)runner;
    GError *e = NULL;
    bool ok = r->text_ready || ((r->text || begin_text_tower(r, &e)) &&
                                pe_text_load(r->text, &r->text_ready, &e));
    *ready = r->text_ready;
    if (ok)
        return true;
    runner_drop_texts(runner);
    if (halve_batch(r, "text", &r->text_batch, &e))
        return true;
    g_propagate_error(error, e);
    return false;
}

static bool
runner_embed_texts(PeRunner *runner, const int *ids, int n, int context,
                   float *out, GError **error)
{
    TowerRunner *r = (TowerRunner *)runner;
    g_assert(r->text_ready);
    size_t dim = (size_t)pe_model_get_text(r->model)->output_dim;
    for (int i = 0; i < n; i += r->text_batch) {
        if (!pe_text_embed(r->text, ids + (size_t)i * (size_t)context,
                           MIN(r->text_batch, n - i), context,
                           out + (size_t)i * dim, error))
            return false;
    }
    return check_finite(r, "text", out, n, dim, error);
}

static int64_t
runner_now(PeRunner *runner)
{
    return g_get_monotonic_time();
}

// Source for the products: vision.c; every linear of the tower once.
static double
runner_measure_gemm(PeRunner *runner, int batch)
{
    TowerRunner *r = (TowerRunner *)runner;
    double (*seconds)(PeBackend *, int, int, int) = r->be->ops->gemm_seconds;
    if (!seconds)
        return 0;
    const PeVisionConfig *v = pe_model_get_vision(r->model);
    int grid = v->image_size / v->patch_size;
    int align = MAX(r->be->k_align, 1);
    int k = 3 * v->patch_size * v->patch_size;
    int width = v->width;
    int patches = batch * grid * grid;
    int rows = patches + (v->cls_token ? batch : 0);

    double block = seconds(r->be, rows, 3 * width, width) +
                   seconds(r->be, rows, width, width) +
                   seconds(r->be, rows, v->mlp_width, width) +
                   seconds(r->be, rows, width, v->mlp_width);
    double total =
        seconds(r->be, patches, width, (k + align - 1) / align * align) +
        v->layers * block;
    if (v->pool_heads > 0)
        total += seconds(r->be, batch, width, v->pool_heads * width) +
                 seconds(r->be, batch, 4 * width, width) +
                 seconds(r->be, batch, width, 4 * width);
    return total + seconds(r->be, batch, v->output_dim, width);
}

static double
runner_measure_peak(PeRunner *runner, int n_threads)
{
    PeBackend *be = ((TowerRunner *)runner)->be;
    return be->ops->peak_flops ? be->ops->peak_flops(be, n_threads) : 0;
}

static int
runner_profile(PeRunner *runner, PeOperation *operations, int n)
{
    PeBackend *be = ((TowerRunner *)runner)->be;
    return be->ops->profile ? be->ops->profile(be, operations, n) : 0;
}

static PeSlot *
runner_slot_new(PeRunner *runner)
{
    TowerRunner *r = (TowerRunner *)runner;
    int size = pe_model_get_vision(r->model)->image_size;
    return r->be->ops->slot_new(r->be, size, size);
}

static void
runner_slot_free(PeRunner *runner, PeSlot *slot)
{
    TowerRunner *r = (TowerRunner *)runner;
    r->be->ops->slot_free(r->be, slot);
}

static bool
runner_ingest(PeRunner *runner, PeSlot *const *slots, const PeFrame *frame,
              const PeRect *regions, int n, GError **error)
{
    TowerRunner *r = (TowerRunner *)runner;
    return r->be->ops->ingest(r->be, slots, frame, regions, n, error);
}

const PeRunnerOps pe_runner_ops = {
    .open = runner_open,
    .load = runner_load,
    .close = runner_close,
    .embed_images = runner_embed_images,
    .begin_images = runner_begin_images,
    .end_images = runner_end_images,
    .load_texts = runner_load_texts,
    .embed_texts = runner_embed_texts,
    .drop_texts = runner_drop_texts,
    .now = runner_now,
    .measure_gemm = runner_measure_gemm,
    .measure_peak = runner_measure_peak,
    .profile = runner_profile,
    .slot_new = runner_slot_new,
    .slot_free = runner_slot_free,
    .ingest = runner_ingest,
};
