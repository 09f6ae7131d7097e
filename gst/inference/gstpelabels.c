// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabels.c - settings in, PeLabels out. At most one thread computes; it
// starts again when the settings changed under it, so that ten changes in a row
// cost two computations and the last one wins.

#include "gst/inference/gstpelabels.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

void
gst_pe_labels_init(GstPeLabels *labels, GstElement *element)
{
    *labels = (GstPeLabels){.element = element};
    g_mutex_init(&labels->lock);
}

void
gst_pe_labels_clear(GstPeLabels *labels)
{
    gst_pe_labels_stop(labels);
    for (int i = 0; i < GST_PE_LABELS_N_SETTINGS; i++)
        g_clear_pointer(&labels->settings[i], g_free);
    g_mutex_clear(&labels->lock);
}

char *
gst_pe_labels_dup(GstPeLabels *labels, GstPeLabelsSetting setting)
{
    g_mutex_lock(&labels->lock);
    char *copy = g_strdup(labels->settings[setting]);
    g_mutex_unlock(&labels->lock);
    return copy;
}

PeLabels *
gst_pe_labels_get(GstPeLabels *labels)
{
    g_mutex_lock(&labels->lock);
    PeLabels *current = labels->current ? pe_labels_ref(labels->current) : NULL;
    g_mutex_unlock(&labels->lock);
    return current;
}

static bool
is_set(const char *text)
{
    return text && *text;
}

// NULL without an error: no labels are set.
static PeLabelSpec *
make_spec(char *const *settings, GError **error)
{
    const char *text = settings[GST_PE_LABELS_TEXT];
    const char *file = settings[GST_PE_LABELS_FILE];
    PeLabelSpec *spec = NULL;

    if (is_set(text) && is_set(file)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "labels and labels-file are both set; clear one of them");
        return NULL;
    }
    if (is_set(text))
        spec = pe_label_spec_parse(text, error);
    else if (is_set(file))
        spec = pe_label_spec_load(file, error);
    if (!spec)
        return NULL;
    if (!pe_label_spec_set_templates(spec, settings[GST_PE_LABELS_TEMPLATE],
                                     error) ||
        !pe_label_spec_add_negatives(spec, settings[GST_PE_LABELS_NEGATIVES],
                                     error))
        g_clear_pointer(&spec, pe_label_spec_free);
    return spec;
}

// *labels becomes NULL when no labels are set.
static bool
compute(PeEngine *engine, char *const *settings, PeLabels **labels,
        GError **error)
{
    GError *local = NULL;
    PeLabelSpec *spec = make_spec(settings, &local);

    *labels = NULL;
    if (spec) {
        PeTokenizer *tokenizer = pe_tokenizer_open_for_model(
            settings[GST_PE_LABELS_VOCAB], pe_engine_get_model(engine), &local);
        if (tokenizer) {
            *labels = pe_labels_new(engine, tokenizer, spec, &local);
            pe_tokenizer_unref(tokenizer);
        }
        pe_label_spec_free(spec);
    }
    if (local)
        g_propagate_error(error, local);
    return local == NULL;
}

// What a computation needs, free of the lock.
typedef struct {
    PeEngine *engine;
    char *settings[GST_PE_LABELS_N_SETTINGS];
    uint64_t generation;
} Request;

// false: stopped.
static bool
take_request_locked(GstPeLabels *labels, Request *request)
{
    if (!labels->engine)
        return false;
    request->engine = pe_engine_ref(labels->engine);
    request->generation = labels->generation;
    for (int i = 0; i < GST_PE_LABELS_N_SETTINGS; i++)
        request->settings[i] = g_strdup(labels->settings[i]);
    return true;
}

static void
clear_request(Request *request)
{
    pe_engine_unref(request->engine);
    for (int i = 0; i < GST_PE_LABELS_N_SETTINGS; i++)
        g_free(request->settings[i]);
}

// Compute until the result belongs to the settings as they are, then use it.
// The caller has set `busy`.
static bool
refresh(GstPeLabels *labels, GError **error)
{
    bool ok = true, fresh = false;

    while (!fresh) {
        Request request;
        PeLabels *set = NULL;

        g_clear_error(error);
        g_mutex_lock(&labels->lock);
        bool running = take_request_locked(labels, &request);
        labels->busy = running;
        g_mutex_unlock(&labels->lock);
        if (!running)
            return true;

        ok = compute(request.engine, request.settings, &set, error);

        g_mutex_lock(&labels->lock);
        fresh = request.generation == labels->generation;
        if (ok && fresh) {
            PeLabels *old = labels->current;
            labels->current = set;
            set = old;
        }
        if (fresh)
            labels->busy = false;
        g_mutex_unlock(&labels->lock);
        g_clear_pointer(&set, pe_labels_unref);
        clear_request(&request);
    }
    return ok;
}

bool
gst_pe_labels_start(GstPeLabels *labels, PeEngine *engine, GError **error)
{
    GError *local = NULL;

    g_mutex_lock(&labels->lock);
    labels->engine = pe_engine_ref(engine);
    labels->busy = true;
    g_mutex_unlock(&labels->lock);

    if (refresh(labels, &local))
        return true;
    g_propagate_error(error, local);
    gst_pe_labels_stop(labels);
    return false;
}

void
gst_pe_labels_stop(GstPeLabels *labels)
{
    g_mutex_lock(&labels->lock);
    PeEngine *engine = g_steal_pointer(&labels->engine);
    PeLabels *current = g_steal_pointer(&labels->current);
    // What is still being computed is no longer wanted.
    labels->generation++;
    g_mutex_unlock(&labels->lock);
    g_clear_pointer(&engine, pe_engine_unref);
    g_clear_pointer(&current, pe_labels_unref);
}

static void
refresh_async(GstElement *element, void *data)
{
    GstPeLabels *labels = data;
    g_autoptr(GError) error = NULL;

    if (refresh(labels, &error))
        GST_INFO_OBJECT(element, "labels changed");
    else
        GST_ELEMENT_WARNING(element, RESOURCE, SETTINGS,
                            ("%s; keeping the labels in use", error->message),
                            (NULL));
}

void
gst_pe_labels_set(GstPeLabels *labels, GstPeLabelsSetting setting,
                  const char *value)
{
    g_mutex_lock(&labels->lock);
    g_free(labels->settings[setting]);
    labels->settings[setting] = g_strdup(value);
    labels->generation++;
    bool start = labels->engine && !labels->busy;
    labels->busy |= start;
    g_mutex_unlock(&labels->lock);
    // The call keeps the element, and with it the labels, alive.
    if (start)
        gst_element_call_async(labels->element, refresh_async, labels, NULL);
}
