// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeshared.c - see gstpeshared.h.

#include "gst/inference/flow/gstpeshared.h"

#include "gst/inference/flow/gstpepace.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

void
gst_pe_shared_init(GstPeShared *shared, GstElement *element, GstPad *sinkpad,
                   GstPad *srcpad)
{
    shared->element = element;
    shared->sinkpad = sinkpad;
    shared->srcpad = srcpad;
    g_mutex_init(&shared->lock);
    gst_pe_cuda_init(&shared->cuda, element);
    gst_pe_label_source_init(&shared->labels, element);
    gst_pe_stats_init(&shared->stats);
}

void
gst_pe_shared_clear(GstPeShared *shared)
{
    gst_pe_cuda_stop(&shared->cuda);
    gst_pe_label_source_clear(&shared->labels);
    gst_pe_queue_clear(&shared->queue);
    gst_pe_stats_clear(&shared->stats);
    g_free(shared->model_path);
    g_free(shared->device);
    g_free(shared->source_id);
    g_mutex_clear(&shared->lock);
}

GstPeSettings
gst_pe_shared_get_settings(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    GstPeSettings settings = shared->settings;
    g_mutex_unlock(&shared->lock);
    return settings;
}

char *
gst_pe_shared_dup_source_id(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    char *source_id = g_strdup(shared->source_id);
    g_mutex_unlock(&shared->lock);
    return source_id;
}

char *
gst_pe_shared_dup_device(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    char *device = g_strdup(shared->device);
    g_mutex_unlock(&shared->lock);
    return device;
}

// ---- The engine -----------------------------------------------------------

void
gst_pe_shared_set_engine(GstPeShared *shared, PeEngine *engine,
                         PeClient *client)
{
    g_mutex_lock(&shared->lock);
    shared->engine = engine;
    shared->client = client;
    g_mutex_unlock(&shared->lock);
}

void
gst_pe_shared_drop_engine(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    PeEngine *engine = g_steal_pointer(&shared->engine);
    PeClient *client = g_steal_pointer(&shared->client);
    g_mutex_unlock(&shared->lock);
    g_clear_pointer(&client, pe_client_free);
    g_clear_pointer(&engine, pe_engine_unref);
}

PeEngine *
gst_pe_shared_ref_engine(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    PeEngine *engine = shared->engine ? pe_engine_ref(shared->engine) : NULL;
    g_mutex_unlock(&shared->lock);
    return engine;
}

void
gst_pe_shared_run_now(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    if (shared->client)
        pe_client_run_now(shared->client);
    g_mutex_unlock(&shared->lock);
}

// ---- Frames held ----------------------------------------------------------

void
gst_pe_shared_set_held(GstPeShared *shared, int max_held, int n_ingesting)
{
    g_mutex_lock(&shared->lock);
    shared->max_held = max_held;
    shared->n_ingesting = n_ingesting;
    g_mutex_unlock(&shared->lock);
}

int
gst_pe_shared_get_max_held(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    int max_held = shared->max_held;
    g_mutex_unlock(&shared->lock);
    return max_held;
}

int
gst_pe_shared_count_held(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    int held = shared->max_held + shared->n_ingesting;
    g_mutex_unlock(&shared->lock);
    return held;
}

// ---- Pace -----------------------------------------------------------------

bool
gst_pe_shared_is_paced(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    bool known = shared->pace_known;
    bool paced = shared->paced;
    shared->pace_known = true;
    g_mutex_unlock(&shared->lock);
    if (known)
        return paced;

    paced = gst_pe_pace_is_synchronised(shared->srcpad);
    GST_INFO_OBJECT(shared->element, "%s sink downstream",
                    paced ? "a synchronising" : "no synchronising");
    g_mutex_lock(&shared->lock);
    shared->paced = paced;
    g_mutex_unlock(&shared->lock);
    return paced;
}

void
gst_pe_shared_look_for_pace(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    shared->pace_known = false;
    g_mutex_unlock(&shared->lock);
}

void
gst_pe_shared_set_paced(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    shared->paced = true;
    shared->pace_known = true;
    g_mutex_unlock(&shared->lock);
}

// ---- Errors ---------------------------------------------------------------

void
gst_pe_shared_forget_failure(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    shared->failed = false;
    g_mutex_unlock(&shared->lock);
}

static void
post(GstPeShared *shared, GQuark domain, int code, const char *message)
{
    g_mutex_lock(&shared->lock);
    bool first = !shared->failed;
    shared->failed = true;
    g_mutex_unlock(&shared->lock);
    if (first)
        gst_element_message_full(shared->element, GST_MESSAGE_ERROR, domain,
                                 code, g_strdup(message), NULL, __FILE__,
                                 GST_FUNCTION, __LINE__);
    else
        GST_WARNING_OBJECT(shared->element, "then: %s", message);
}

void
gst_pe_shared_post_format_error(GstPeShared *shared, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    post(shared, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, message);
}

void
gst_pe_shared_post_error(GstPeShared *shared, const GError *error)
{
    GQuark domain = GST_LIBRARY_ERROR;
    int code = GST_LIBRARY_ERROR_FAILED;

    if (error->domain == PE_ERROR) {
        switch ((PeError)error->code) {
        case PE_ERROR_FILE:
        case PE_ERROR_DEVICE:
            domain = GST_RESOURCE_ERROR;
            code = GST_RESOURCE_ERROR_NOT_FOUND;
            break;
        case PE_ERROR_FORMAT:
        case PE_ERROR_SHAPE:
            domain = GST_STREAM_ERROR;
            code = GST_STREAM_ERROR_FORMAT;
            break;
        case PE_ERROR_NOMEM:
            domain = GST_RESOURCE_ERROR;
            code = GST_RESOURCE_ERROR_NO_SPACE_LEFT;
            break;
        case PE_ERROR_BACKEND:
        case PE_ERROR_CANCELLED:
            break;
        }
    }
    post(shared, domain, code, error->message);
}
