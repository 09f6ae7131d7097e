// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeloader.c - see gstpeloader.h.

#include "gst/inference/gstpeloader.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

#define PROGRESS_CODE "load" // of the progress messages

// What is loaded.
typedef struct {
    char *path;
    char *device;
    PePrecision precision;
    int batch_size;
    int batch_timeout; // ms
} Wanted;

// One load, shared by its thread and the loader. Reference counted.
typedef struct {
    GstPeShared *shared; // of `element`
    GstElement *element; // its thread has a reference
    Wanted wanted;
    PeModel *model;

    GMutex lock;
    GCond cond;
    bool abandoned; // nobody waits any more
    bool done;
    PeEngine *engine; // when done; NULL: failed
    GError *error;    // when failed
} Load;

struct _GstPeLoader {
    GstPeShared *shared; // borrowed
    Load *load;          // NULL: none
};

// ---- What is wanted -------------------------------------------------------

static Wanted
get_wanted(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    Wanted wanted = {
        .path = g_strdup(shared->model_path),
        .device = g_strdup(shared->device),
        .precision = shared->precision,
        .batch_size = (int)shared->settings.batch_size,
        .batch_timeout = (int)shared->batch_timeout,
    };
    g_mutex_unlock(&shared->lock);
    return wanted;
}

static void
clear_wanted(Wanted *wanted)
{
    g_free(wanted->path);
    g_free(wanted->device);
}

static bool
is_same(const Wanted *a, const Wanted *b)
{
    return g_strcmp0(a->path, b->path) == 0 &&
           g_strcmp0(a->device, b->device) == 0 &&
           a->precision == b->precision && a->batch_size == b->batch_size &&
           a->batch_timeout == b->batch_timeout;
}

// ---- One load -------------------------------------------------------------

// Takes `wanted`. NULL with the error when there is no such model.
static Load *
load_new(GstPeShared *shared, Wanted *wanted, GError **error)
{
    PeModel *model = wanted->path && *wanted->path
                         ? pe_model_open(wanted->path, error)
                         : pe_model_open_default(error);
    if (!model) {
        clear_wanted(wanted);
        return NULL;
    }
    Load *load = g_atomic_rc_box_new0(Load);
    load->shared = shared;
    load->element = shared->element;
    load->wanted = *wanted;
    load->model = model;
    g_mutex_init(&load->lock);
    g_cond_init(&load->cond);
    return load;
}

static void
load_clear(void *data)
{
    Load *load = data;

    g_clear_pointer(&load->engine, pe_engine_unref);
    g_clear_error(&load->error);
    pe_model_unref(load->model);
    clear_wanted(&load->wanted);
    g_mutex_clear(&load->lock);
    g_cond_clear(&load->cond);
}

static void
load_unref(Load *load)
{
    g_atomic_rc_box_release_full(load, load_clear);
}

static void
post_progress(Load *load, GstProgressType type, const char *text)
{
    gst_element_post_message(
        load->element, gst_message_new_progress(GST_OBJECT(load->element), type,
                                                PROGRESS_CODE, text));
}

static void
log_engine(Load *load, PeEngine *engine)
{
    GST_INFO_OBJECT(
        load->element, "%s on %s (%s), %s", pe_model_get_name(load->model),
        pe_engine_get_device(engine), pe_engine_get_description(engine),
        pe_precision_nick(pe_engine_get_precision(engine)));
}

// Takes the engine or the error. Returns whether somebody wants to know.
static bool
finish(Load *load, PeEngine *engine, GError *error)
{
    g_mutex_lock(&load->lock);
    bool wanted = !load->abandoned;
    load->engine = engine;
    load->error = error;
    g_mutex_unlock(&load->lock);
    return wanted;
}

static void *
run(void *data)
{
    Load *load = data;
    GstElement *element = load->element;
    GError *error = NULL;
    PeEngineParams params = {
        .model = load->model,
        .device = load->wanted.device,
        .precision = load->wanted.precision,
        .batch_size = load->wanted.batch_size,
        .batch_timeout = load->wanted.batch_timeout,
    };

    PeEngine *engine = pe_engine_get(&params, &error);
    if (engine)
        log_engine(load, engine);
    if (!finish(load, engine, error)) {
        post_progress(load, GST_PROGRESS_TYPE_CANCELED, "Not needed any more");
    } else if (engine) {
        post_progress(load, GST_PROGRESS_TYPE_COMPLETE, "Loaded the model");
    } else {
        post_progress(load, GST_PROGRESS_TYPE_ERROR, error->message);
        gst_pe_shared_post_error(load->shared, error);
    }
    // Only now, so that these messages precede those of the state change.
    g_mutex_lock(&load->lock);
    load->done = true;
    g_cond_broadcast(&load->cond);
    g_mutex_unlock(&load->lock);
    load_unref(load);
    gst_object_unref(element);
    return NULL;
}

// ---- The loader -----------------------------------------------------------

GstPeLoader *
gst_pe_loader_new(GstPeShared *shared)
{
    GstPeLoader *self = g_new0(GstPeLoader, 1);

    self->shared = shared;
    return self;
}

void
gst_pe_loader_free(GstPeLoader *self)
{
    gst_pe_loader_stop(self);
    g_free(self);
}

bool
gst_pe_loader_start(GstPeLoader *self)
{
    Wanted wanted = get_wanted(self->shared);
    g_autoptr(GError) error = NULL;

    gst_pe_loader_stop(self);
    gst_pe_shared_forget_failure(self->shared);
    self->load = load_new(self->shared, &wanted, &error);
    if (!self->load) {
        gst_pe_shared_post_error(self->shared, error);
        return false;
    }
    g_autofree char *text =
        g_strdup_printf("Loading %s", pe_model_get_name(self->load->model));
    post_progress(self->load, GST_PROGRESS_TYPE_START, text);
    gst_object_ref(self->load->element);
    GThread *thread =
        g_thread_new("pe-load", run, g_atomic_rc_box_acquire(self->load));
    g_thread_unref(thread);
    return true;
}

PeEngine *
gst_pe_loader_wait(GstPeLoader *self)
{
    Wanted wanted = get_wanted(self->shared);
    bool same = self->load && is_same(&wanted, &self->load->wanted);

    clear_wanted(&wanted);
    if (!same && !gst_pe_loader_start(self))
        return NULL;

    Load *load = self->load;
    g_mutex_lock(&load->lock);
    while (!load->done)
        g_cond_wait(&load->cond, &load->lock);
    PeEngine *engine = load->engine ? pe_engine_ref(load->engine) : NULL;
    g_mutex_unlock(&load->lock);
    if (!engine)
        gst_pe_loader_stop(self); // the next one may find it mended
    return engine;
}

void
gst_pe_loader_stop(GstPeLoader *self)
{
    Load *load = g_steal_pointer(&self->load);

    if (!load)
        return;
    g_mutex_lock(&load->lock);
    load->abandoned = true;
    g_mutex_unlock(&load->lock);
    load_unref(load);
}
