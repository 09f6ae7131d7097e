// SPDX-License-Identifier: LGPL-2.1-or-later
//
// engine_device.c - the towers of a model on a backend.

#include "engine_device.h"

#include "known_answer.h"
#include "text.h"
#include "vision.h"

typedef struct {
    PeDevice base;
    PeModel *model;
    PeBackend *be;
    PeVision *vision;
    PeText *text; // made for the first text
    int text_batch;
} TowerDevice;

// Enough rows for full-rate matrix products, few enough for a low latency.
#define BATCH_CPU 8

// More images than any device runs at once.
#define MANY_IMAGES 1024

char *
pe_device_make_name(const PeBackend *be, const char *asked)
{
    if (g_str_equal(be->ops->name, "cpu"))
        return g_strdup("cpu");
    const char *colon = asked ? strchr(asked, ':') : NULL;
    return g_strconcat(be->ops->name, colon ? colon : ":0", NULL);
}

// How many of n waiting images to run at once.
static int
pick_batch(const TowerDevice *d, int n)
{
    const PeVisionConfig *v = pe_model_get_vision(d->model);
    int grid = v->image_size / v->patch_size;
    if (!d->be->ops->batch_bucket)
        return n;
    return d->be->ops->batch_bucket(d->be, n, grid * grid + v->cls_token,
                                    v->width, v->mlp_width);
}

static PeDevice *
device_open(const PeEngineParams *params, GError **error)
{
    PeBackend *be =
        pe_backend_open(params->device ? params->device : "auto",
                        params->precision, params->n_threads, error);
    if (!be)
        return NULL;
    TowerDevice *d = g_new0(TowerDevice, 1);
    d->be = be;
    d->model = pe_model_ref(params->model);
    d->base.ops = &pe_device_ops;
    d->base.name = pe_device_make_name(be, params->device);
    d->base.description = g_strdup(be->ops->describe(be));
    d->base.context = pe_device_get_context(d->base.name, NULL);
    d->base.precision = be->precision;
    d->base.batch_size = params->batch_size;
    if (d->base.batch_size == 0)
        d->base.batch_size =
            be->ops->batch_bucket ? pick_batch(d, MANY_IMAGES) : BATCH_CPU;
    return &d->base;
}

static void
device_close(PeDevice *device)
{
    TowerDevice *d = (TowerDevice *)device;
    g_clear_pointer(&d->text, pe_text_free);
    g_clear_pointer(&d->vision, pe_vision_free);
    d->be->ops->close(d->be);
    pe_model_unref(d->model);
    g_free(d->base.name);
    g_free(d->base.description);
    g_free(d);
}

// Is it worth trying again with half of `batch`? Clears the error if so.
static bool
halve_batch(TowerDevice *d, const char *tower, int *batch, GError **error)
{
    if (!g_error_matches(*error, PE_ERROR, PE_ERROR_NOMEM) || *batch < 2)
        return false;
    pe_log(PE_LOG_WARNING, "%s: no memory for a %s batch of %d (%s); using %d",
           d->base.name, tower, *batch, (*error)->message, *batch / 2);
    *batch /= 2;
    g_clear_error(error);
    return true;
}

// Where operations are recorded, the first pass of a batch size chooses
// algorithms and the second records: here rather than under the first frames.
static bool
warm_up(TowerDevice *d, int n, GError **error)
{
    const PeVisionConfig *v = pe_model_get_vision(d->model);
    size_t size = (size_t)n;
    PeSlot *slot = d->be->ops->slot_new(d->be, v->image_size, v->image_size);
    g_autofree PeSlot **slots = g_new(PeSlot *, size);
    g_autofree float *out = g_new(float, size *(size_t)v->output_dim);
    if (!slot) {
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM,
                    "%s: no memory for a preprocessed frame", d->base.name);
        return false;
    }
    for (int i = 0; i < n; i++)
        slots[i] = slot;
    bool ok = pe_vision_embed(d->vision, slots, n, out, error) &&
              pe_vision_embed(d->vision, slots, n, out, error);
    d->be->ops->slot_free(d->be, slot);
    return ok;
}

static bool
make_vision_tower(TowerDevice *d, GError **error)
{
    GError *e = NULL;
    for (int attempt = 0; attempt < 2; attempt++) {
        PeTowerParams params = {.max_batch = d->base.batch_size};
        d->vision = pe_vision_new(d->be, d->model, &params, &e);
        if (d->vision)
            return true;
        if (attempt > 0 || !halve_batch(d, "vision", &d->base.batch_size, &e))
            break;
    }
    g_propagate_error(error, e);
    return false;
}

static bool
device_load(PeDevice *device, GError **error)
{
    TowerDevice *d = (TowerDevice *)device;
    if (!pe_known_answer_check(d->be, d->base.name, d->model,
                               PE_KNOWN_ANSWER_QUICK, NULL, error) ||
        !make_vision_tower(d, error))
        return false;
    return !d->be->ops->graph_begin ||
           (warm_up(d, 1, error) &&
            warm_up(d, pick_batch(d, d->base.batch_size), error));
}

static bool
device_embed_images(PeDevice *device, PeSlot *const *slots, int n, float *out,
                    GError **error)
{
    TowerDevice *d = (TowerDevice *)device;
    size_t dim = (size_t)pe_model_get_vision(d->model)->output_dim;
    int size;
    for (int i = 0; i < n; i += size) {
        size = pick_batch(d, n - i);
        if (!pe_vision_embed(d->vision, slots + i, size, out + (size_t)i * dim,
                             error))
            return false;
    }
    return true;
}

static bool
make_text_tower(TowerDevice *d, GError **error)
{
    GError *e = NULL;
    d->text_batch = PE_TEXT_CHUNK;
    for (int attempt = 0; attempt < 2; attempt++) {
        PeTowerParams params = {.max_batch = d->text_batch};
        d->text = pe_text_new(d->be, d->model, &params, &e);
        if (d->text)
            return true;
        if (attempt > 0 || !halve_batch(d, "text", &d->text_batch, &e))
            break;
    }
    g_propagate_error(error, e);
    return false;
}

static bool
device_embed_texts(PeDevice *device, const int *ids, int n, int context,
                   float *out, GError **error)
{
    TowerDevice *d = (TowerDevice *)device;
    if (!d->text && !make_text_tower(d, error))
        return false;
    size_t dim = (size_t)pe_model_get_text(d->model)->output_dim;
    for (int i = 0; i < n; i += d->text_batch) {
        if (!pe_text_embed(d->text, ids + (size_t)i * (size_t)context,
                           MIN(d->text_batch, n - i), context,
                           out + (size_t)i * dim, error))
            return false;
    }
    return true;
}

// Source for the products: vision.c; every linear of the tower once.
static double
device_measure_gemm(PeDevice *device, int batch)
{
    TowerDevice *d = (TowerDevice *)device;
    double (*seconds)(PeBackend *, int, int, int) = d->be->ops->gemm_seconds;
    if (!seconds)
        return 0;
    const PeVisionConfig *v = pe_model_get_vision(d->model);
    int grid = v->image_size / v->patch_size;
    int align = MAX(d->be->k_align, 1);
    int k = 3 * v->patch_size * v->patch_size;
    int width = v->width;
    int patches = batch * grid * grid;
    int rows = patches + (v->cls_token ? batch : 0);

    double block = seconds(d->be, rows, 3 * width, width) +
                   seconds(d->be, rows, width, width) +
                   seconds(d->be, rows, v->mlp_width, width) +
                   seconds(d->be, rows, width, v->mlp_width);
    double total =
        seconds(d->be, patches, width, (k + align - 1) / align * align) +
        v->layers * block;
    if (v->pool_heads > 0)
        total += seconds(d->be, batch, width, v->pool_heads * width) +
                 seconds(d->be, batch, 4 * width, width) +
                 seconds(d->be, batch, width, 4 * width);
    return total + seconds(d->be, batch, v->output_dim, width);
}

static PeSlot *
device_slot_new(PeDevice *device)
{
    TowerDevice *d = (TowerDevice *)device;
    int size = pe_model_get_vision(d->model)->image_size;
    return d->be->ops->slot_new(d->be, size, size);
}

static void
device_slot_free(PeDevice *device, PeSlot *slot)
{
    TowerDevice *d = (TowerDevice *)device;
    d->be->ops->slot_free(d->be, slot);
}

static bool
device_ingest(PeDevice *device, PeSlot *slot, const PeFrame *frame,
              GError **error)
{
    TowerDevice *d = (TowerDevice *)device;
    return d->be->ops->ingest(d->be, slot, frame, error);
}

const PeDeviceOps pe_device_ops = {
    .open = device_open,
    .load = device_load,
    .close = device_close,
    .embed_images = device_embed_images,
    .embed_texts = device_embed_texts,
    .measure_gemm = device_measure_gemm,
    .slot_new = device_slot_new,
    .slot_free = device_slot_free,
    .ingest = device_ingest,
};
