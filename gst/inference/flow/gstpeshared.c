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
    shared->failure.element = element;
    g_mutex_init(&shared->lock);
    gst_pe_cuda_init(&shared->cuda, element);
    gst_pe_label_source_init(&shared->labels, element, true);
    gst_pe_stats_init(&shared->stats);
}

void
gst_pe_shared_clear(GstPeShared *shared)
{
    gst_pe_cuda_stop(&shared->cuda);
    gst_pe_label_source_clear(&shared->labels);
    gst_pe_queue_clear(&shared->queue);
    gst_pe_stats_clear(&shared->stats);
    gst_pe_engine_settings_clear(&shared->engine_settings);
    g_free(shared->source_id);
    g_free(shared->event_state);
    g_free(shared->object_class);
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
gst_pe_shared_dup_event_state(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    char *path = g_strdup(shared->event_state);
    g_mutex_unlock(&shared->lock);
    return path;
}

char *
gst_pe_shared_dup_object_class(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    char *classes = g_strdup(shared->object_class);
    g_mutex_unlock(&shared->lock);
    return classes;
}

GstPeEngineSettings
gst_pe_shared_dup_engine_settings(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    GstPeEngineSettings settings =
        gst_pe_engine_settings_copy(&shared->engine_settings);
    settings.batch_size = shared->settings.batch_size;
    g_mutex_unlock(&shared->lock);
    return settings;
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

// ---- QoS ------------------------------------------------------------------

void
gst_pe_shared_set_whole(GstPeShared *shared, bool whole)
{
    g_mutex_lock(&shared->lock);
    shared->whole = whole;
    g_mutex_unlock(&shared->lock);
}

bool
gst_pe_shared_stops_qos(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    bool stops = shared->whole && !shared->settings.qos;
    g_mutex_unlock(&shared->lock);
    return stops;
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
gst_pe_shared_post_format_error(GstPeShared *shared, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    gst_pe_failure_post_format(&shared->failure, message);
}
