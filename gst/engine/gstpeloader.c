// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeloader.c - see gstpeloader.h.

#include "gst/engine/gstpeloader.h"

#include "gst/engine/gstpenotes.h"

#define GST_CAT_DEFAULT gst_pe_notes_get_category()

#define PROGRESS_CODE "load" // of the progress messages

// One load, shared by its thread and the loader. Reference counted.
typedef struct {
    GstPeFailure *failure; // of `element`
    GstElement *element;   // its thread has a reference
    GstPeEngineSettings wanted;
    PeModel *model;

    GMutex lock;
    GCond cond;
    bool abandoned; // nobody waits any more
    bool done;
    PeEngine *engine; // when done; NULL: failed
    GError *error;    // when failed
} Load;

struct _GstPeLoader {
    GstPeFailure *failure; // borrowed
    Load *load;            // NULL: none
};

// ---- What is wanted -------------------------------------------------------

GstPeEngineSettings
gst_pe_engine_settings_copy(const GstPeEngineSettings *settings)
{
    GstPeEngineSettings copy = *settings;

    copy.path = g_strdup(settings->path);
    copy.device = g_strdup(settings->device);
    return copy;
}

void
gst_pe_engine_settings_clear(GstPeEngineSettings *settings)
{
    g_clear_pointer(&settings->path, g_free);
    g_clear_pointer(&settings->device, g_free);
}

static bool
is_same(const GstPeEngineSettings *a, const GstPeEngineSettings *b)
{
    return g_strcmp0(a->path, b->path) == 0 &&
           g_strcmp0(a->device, b->device) == 0 &&
           a->precision == b->precision && a->batch_size == b->batch_size &&
           a->batch_timeout == b->batch_timeout && a->threads == b->threads;
}

// ---- One load -------------------------------------------------------------

// NULL with the error when there is no such model.
static Load *
load_new(GstPeFailure *failure, const GstPeEngineSettings *wanted,
         GError **error)
{
    PeModel *model = wanted->path && *wanted->path
                         ? pe_model_open(wanted->path, error)
                         : pe_model_open_default(error);
    if (!model)
        return NULL;
    Load *load = g_atomic_rc_box_new0(Load);
    load->failure = failure;
    load->element = failure->element;
    load->wanted = gst_pe_engine_settings_copy(wanted);
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
    gst_pe_engine_settings_clear(&load->wanted);
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
        .batch_size = (int)load->wanted.batch_size,
        .batch_timeout = (int)load->wanted.batch_timeout,
        .n_threads = (int)load->wanted.threads,
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
        gst_pe_failure_post(load->failure, error);
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
gst_pe_loader_new(GstPeFailure *failure)
{
    GstPeLoader *self = g_new0(GstPeLoader, 1);

    self->failure = failure;
    return self;
}

void
gst_pe_loader_free(GstPeLoader *self)
{
    gst_pe_loader_stop(self);
    g_free(self);
}

bool
gst_pe_loader_start(GstPeLoader *self, const GstPeEngineSettings *wanted)
{
    g_autoptr(GError) error = NULL;

    gst_pe_loader_stop(self);
    gst_pe_failure_forget(self->failure);
    self->load = load_new(self->failure, wanted, &error);
    if (!self->load) {
        gst_pe_failure_post(self->failure, error);
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
gst_pe_loader_wait(GstPeLoader *self, const GstPeEngineSettings *wanted)
{
    bool same = self->load && is_same(wanted, &self->load->wanted);

    if (!same && !gst_pe_loader_start(self, wanted))
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
