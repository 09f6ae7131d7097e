// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelsource.c - settings in, PeLabels out. At most one thread computes;
// it goes on when something else was wanted meanwhile, so that ten changes in a
// row cost two computations and the last one wins.

#include "gst/inference/gstpelabelsource.h"

#include "gst/inference/gstpenotes.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

void
gst_pe_label_source_init(GstPeLabelSource *source, GstElement *element)
{
    *source = (GstPeLabelSource){.element = element};
    g_mutex_init(&source->changing);
    g_mutex_init(&source->lock);
}

void
gst_pe_label_source_clear(GstPeLabelSource *source)
{
    gst_pe_label_source_stop(source);
    gst_pe_label_settings_clear(&source->settings);
    g_mutex_clear(&source->lock);
    g_mutex_clear(&source->changing);
}

char *
gst_pe_label_source_dup(GstPeLabelSource *source, GstPeLabelSetting setting)
{
    g_mutex_lock(&source->lock);
    char *copy = gst_pe_label_settings_dup(&source->settings, setting);
    g_mutex_unlock(&source->lock);
    return copy;
}

PeLabels *
gst_pe_label_source_get(GstPeLabelSource *source)
{
    g_mutex_lock(&source->lock);
    PeLabels *current = source->current ? pe_labels_ref(source->current) : NULL;
    g_mutex_unlock(&source->lock);
    return current;
}

static void
warn_kept(GstPeLabelSource *source, const GError *error)
{
    GST_ELEMENT_WARNING(source->element, RESOURCE, SETTINGS,
                        ("%s; keeping the labels in use", error->message),
                        (NULL));
}

// ---- Computing ------------------------------------------------------------

// What a computation needs, free of the lock.
typedef struct {
    PeEngine *engine;
    PeTokenizer *tokenizer; // NULL: not opened so far
    char *vocab;
    PeLabelSpec *spec;
    uint64_t generation;
} Request;

// false: this run is over.
static bool
take_request(GstPeLabelSource *source, uint64_t run, Request *request)
{
    g_mutex_lock(&source->lock);
    bool mine = source->run == run;
    if (mine)
        *request = (Request){
            .engine = pe_engine_ref(source->engine),
            .tokenizer =
                source->tokenizer ? pe_tokenizer_ref(source->tokenizer) : NULL,
            .vocab = g_strdup(source->vocab),
            .spec = g_steal_pointer(&source->wanted),
            .generation = source->generation,
        };
    g_mutex_unlock(&source->lock);
    return mine;
}

static void
clear_request(Request *request)
{
    g_clear_pointer(&request->engine, pe_engine_unref);
    g_clear_pointer(&request->tokenizer, pe_tokenizer_unref);
    g_clear_pointer(&request->spec, pe_label_spec_free);
    g_free(request->vocab);
}

// *labels becomes NULL when no labels are set.
static bool
compute(Request *r, PeLabels **labels, GError **error)
{
    *labels = NULL;
    if (!r->spec)
        return true;
    if (!r->tokenizer)
        r->tokenizer = pe_tokenizer_open_for_model(
            r->vocab, pe_engine_get_model(r->engine), error);
    if (r->tokenizer)
        *labels = pe_labels_new(r->engine, r->tokenizer, r->spec, error);
    return *labels != NULL;
}

// What has become of a request.
typedef enum { DONE, OUTDATED, STOPPED } Fate;

// Use the set, if it is still wanted; *labels becomes the old one then.
static Fate
use_labels(GstPeLabelSource *source, uint64_t run, const Request *r, bool ok,
           PeLabels **labels)
{
    Fate fate = DONE;

    g_mutex_lock(&source->lock);
    if (source->run != run) {
        fate = STOPPED;
    } else {
        if (!source->tokenizer && r->tokenizer)
            source->tokenizer = pe_tokenizer_ref(r->tokenizer);
        if (source->generation != r->generation)
            fate = OUTDATED;
    }
    if (fate == DONE)
        source->busy = false;
    if (fate == DONE && ok) {
        PeLabels *old = source->current;
        source->current = *labels;
        *labels = old;
    }
    g_mutex_unlock(&source->lock);
    return fate;
}

// Compute until the set is what is wanted, and use it. The caller has set
// `busy`. error must not be NULL.
static bool
refresh(GstPeLabelSource *source, uint64_t run, GError **error)
{
    Fate fate = OUTDATED;
    bool ok = true;

    while (fate == OUTDATED) {
        Request request;
        PeLabels *labels;

        g_clear_error(error);
        if (!take_request(source, run, &request))
            return true;
        ok = compute(&request, &labels, error);
        PeLabels *new = labels ? pe_labels_ref(labels) : NULL;
        fate = use_labels(source, run, &request, ok, &labels);
        if (fate == DONE && new)
            gst_pe_notes_post(source->element, GST_MESSAGE_WARNING,
                              pe_labels_get_warnings(new));
        g_clear_pointer(&new, pe_labels_unref);
        g_clear_pointer(&labels, pe_labels_unref);
        clear_request(&request);
    }
    if (fate == STOPPED)
        g_clear_error(error);
    return ok || fate == STOPPED;
}

typedef struct {
    GstPeLabelSource *source;
    uint64_t run;
} Task;

static void
refresh_async(GstElement *element, void *data)
{
    const Task *task = data;
    g_autoptr(GError) error = NULL;

    if (refresh(task->source, task->run, &error))
        GST_INFO_OBJECT(element, "labels changed");
    else
        warn_kept(task->source, error);
}

// Takes the specification. Outside of the lock, as a new thread may need it.
static void
want(GstPeLabelSource *source, PeLabelSpec *spec)
{
    Task task = {.source = source};

    g_mutex_lock(&source->lock);
    PeLabelSpec *outdated = source->wanted;
    source->wanted = source->engine ? spec : NULL;
    if (!source->engine)
        outdated = spec; // the next start reads the settings again
    source->generation++;
    task.run = source->run;
    bool begin = source->engine && !source->busy;
    source->busy |= begin;
    g_mutex_unlock(&source->lock);
    pe_label_spec_free(outdated);
    // The call keeps the element, and with it the source, alive.
    if (begin)
        gst_element_call_async(source->element, refresh_async,
                               g_memdup2(&task, sizeof task), g_free);
}

// ---- Changing -------------------------------------------------------------

void
gst_pe_label_source_set(GstPeLabelSource *source, GstPeLabelSetting setting,
                        const char *value)
{
    g_mutex_lock(&source->lock);
    gst_pe_label_settings_set(&source->settings, setting, value);
    source->changed |= setting != GST_PE_LABELS_VOCAB;
    g_mutex_unlock(&source->lock);
}

// Copy the settings; they count as committed then. Returns whether that was
// called for.
static bool
take_settings(GstPeLabelSource *source, GstPeLabelSettings *settings)
{
    g_mutex_lock(&source->lock);
    bool called_for = source->changed && source->engine;
    source->changed = false;
    gst_pe_label_settings_copy(settings, &source->settings);
    g_mutex_unlock(&source->lock);
    return called_for;
}

void
gst_pe_label_source_commit(GstPeLabelSource *source)
{
    g_auto(GstPeLabelSettings) settings;
    g_autoptr(GError) error = NULL;
    PeLabelSpec *spec;

    g_mutex_lock(&source->changing);
    if (take_settings(source, &settings) &&
        gst_pe_label_settings_make_spec(&settings, &spec, &error))
        want(source, spec);
    g_mutex_unlock(&source->changing);
    if (error)
        warn_kept(source, error);
}

bool
gst_pe_label_source_set_all(GstPeLabelSource *source, const GstStructure *set)
{
    g_auto(GstPeLabelSettings) settings = {{NULL}};
    g_autoptr(GError) error = NULL;
    PeLabelSpec *spec;

    g_mutex_lock(&source->changing);
    if (gst_pe_label_settings_read(&settings, set, &error) &&
        gst_pe_label_settings_make_spec(&settings, &spec, &error)) {
        g_mutex_lock(&source->lock);
        gst_pe_label_settings_set(&settings, GST_PE_LABELS_VOCAB,
                                  source->settings.values[GST_PE_LABELS_VOCAB]);
        gst_pe_label_settings_clear(&source->settings);
        gst_pe_label_settings_copy(&source->settings, &settings);
        source->changed = false;
        g_mutex_unlock(&source->lock);
        want(source, spec);
    }
    g_mutex_unlock(&source->changing);
    if (error)
        warn_kept(source, error);
    return !error;
}

// ---- Start and stop -------------------------------------------------------

// false: the settings are wrong.
static bool
begin_run(GstPeLabelSource *source, PeEngine *engine, uint64_t *run,
          GError **error)
{
    g_auto(GstPeLabelSettings) settings;
    PeLabelSpec *spec;

    g_mutex_lock(&source->changing);
    take_settings(source, &settings);
    bool ok = gst_pe_label_settings_make_spec(&settings, &spec, error);
    g_mutex_lock(&source->lock);
    *run = ++source->run;
    if (ok) {
        source->engine = pe_engine_ref(engine);
        source->vocab = g_strdup(settings.values[GST_PE_LABELS_VOCAB]);
        source->wanted = spec;
        source->busy = true;
    }
    g_mutex_unlock(&source->lock);
    g_mutex_unlock(&source->changing);
    return ok;
}

bool
gst_pe_label_source_start(GstPeLabelSource *source, PeEngine *engine,
                          GError **error)
{
    GError *local = NULL;
    uint64_t run;

    if (begin_run(source, engine, &run, &local) && refresh(source, run, &local))
        return true;
    g_propagate_error(error, local);
    gst_pe_label_source_stop(source);
    return false;
}

void
gst_pe_label_source_stop(GstPeLabelSource *source)
{
    g_mutex_lock(&source->lock);
    PeEngine *engine = g_steal_pointer(&source->engine);
    PeTokenizer *tokenizer = g_steal_pointer(&source->tokenizer);
    PeLabelSpec *wanted = g_steal_pointer(&source->wanted);
    PeLabels *current = g_steal_pointer(&source->current);
    g_clear_pointer(&source->vocab, g_free);
    // What is still being computed is no longer wanted.
    source->run++;
    source->busy = false;
    g_mutex_unlock(&source->lock);
    g_clear_pointer(&engine, pe_engine_unref);
    g_clear_pointer(&tokenizer, pe_tokenizer_unref);
    pe_label_spec_free(wanted);
    g_clear_pointer(&current, pe_labels_unref);
}
