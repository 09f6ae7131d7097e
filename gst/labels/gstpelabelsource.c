// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelsource.c - settings in, PeLabels out. At most one thread computes;
// it goes on when something else was wanted meanwhile, so that ten changes in a
// row cost two computations and the last one wins.

#include "gst/labels/gstpelabelsource.h"

#include "gst/engine/gstpenotes.h"

#define GST_CAT_DEFAULT gst_pe_notes_get_category()

void
gst_pe_label_source_init(GstPeLabelSource *source, GstElement *element,
                         bool takes_regions)
{
    *source =
        (GstPeLabelSource){.element = element, .takes_regions = takes_regions};
    source->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_mutex_init(&source->changing);
    g_mutex_init(&source->lock);
}

void
gst_pe_label_source_clear(GstPeLabelSource *source)
{
    gst_pe_label_source_stop(source);
    gst_pe_label_settings_clear(&source->settings);
    g_hash_table_unref(source->told);
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

GstPeRegions *
gst_pe_label_source_get_regions(GstPeLabelSource *source)
{
    g_mutex_lock(&source->lock);
    GstPeRegions *regions =
        source->regions ? gst_pe_regions_ref(source->regions) : NULL;
    g_mutex_unlock(&source->lock);
    return regions;
}

static void
warn_kept(GstPeLabelSource *source, const GError *error)
{
    GST_ELEMENT_WARNING(source->element, RESOURCE, SETTINGS,
                        ("%s; keeping the labels%s in use", error->message,
                         source->takes_regions ? " and regions" : ""),
                        (NULL));
}

// ---- Computing ------------------------------------------------------------

// What a computation needs, free of the lock.
typedef struct {
    PeEngine *engine;
    PeTokenizer *tokenizer; // NULL: not opened so far
    char *vocab;
    GstPeAsked asked;
    uint64_t generation;
    PeLabels *labels; // once they are embedded; the regions have theirs
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
            .asked = source->wanted,
            .generation = source->generation,
        };
    if (mine)
        source->wanted = (GstPeAsked){0};
    g_mutex_unlock(&source->lock);
    return mine;
}

static void
clear_request(Request *request)
{
    g_clear_pointer(&request->engine, pe_engine_unref);
    g_clear_pointer(&request->tokenizer, pe_tokenizer_unref);
    g_clear_pointer(&request->labels, pe_labels_unref);
    gst_pe_asked_clear(&request->asked);
    g_free(request->vocab);
}

// *labels stays NULL when there is no spec.
static bool
embed(Request *r, const PeLabelSpec *spec, PeLabels **labels, GError **error)
{
    if (!spec)
        return true;
    const PeModel *model = pe_engine_get_model(r->engine);
    bool has_texts = pe_model_get_text(model) != NULL;

    if (!r->tokenizer && has_texts)
        r->tokenizer = pe_tokenizer_open_for_model(r->vocab, model, error);
    if (r->tokenizer || !has_texts)
        *labels = pe_labels_new(r->engine, r->tokenizer, spec, error);
    return *labels != NULL;
}

static bool
compute(Request *r, GError **error)
{
    GstPeRegions *regions = r->asked.regions;

    if (!embed(r, r->asked.spec, &r->labels, error))
        return false;
    for (guint i = 0; regions && i < regions->n; i++) {
        GstPeNamedRegion *region = &regions->regions[i];
        if (!embed(r, region->spec, &region->labels, error)) {
            g_prefix_error(error, "regions: region %s: ", region->name);
            return false;
        }
        g_clear_pointer(&region->spec, pe_label_spec_free);
    }
    return true;
}

static void
post_notes(GstPeLabelSource *source, PeLabels *labels)
{
    if (!labels)
        return;
    g_mutex_lock(&source->lock);
    bool is_new = g_hash_table_add(source->told,
                                   g_strdup(pe_labels_get_fingerprint(labels)));
    g_mutex_unlock(&source->lock);
    if (is_new)
        gst_pe_notes_post(source->element, GST_MESSAGE_INFO,
                          pe_labels_get_notes(labels));
    gst_pe_notes_post(source->element, GST_MESSAGE_WARNING,
                      pe_labels_get_warnings(labels));
}

// What has become of a request.
typedef enum { DONE, OUTDATED, STOPPED } Fate;

// Use what was embedded, if it is still wanted; the old sets are in the request
// then.
static Fate
use(GstPeLabelSource *source, uint64_t run, Request *r, bool ok)
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
        PeLabels *labels = source->current;
        GstPeRegions *regions = source->regions;
        source->current = r->labels;
        source->regions = r->asked.regions;
        r->labels = labels;
        r->asked.regions = regions;
    }
    g_mutex_unlock(&source->lock);
    return fate;
}

// The warnings of sets that come into use.
static void
tell(GstPeLabelSource *source, PeLabels *labels, const GstPeRegions *regions)
{
    post_notes(source, labels);
    for (guint i = 0; regions && i < regions->n; i++)
        post_notes(source, regions->regions[i].labels);
}

// Compute until the sets are what is wanted, and use them. The caller has set
// `busy`. error must not be NULL.
static bool
refresh(GstPeLabelSource *source, uint64_t run, GError **error)
{
    Fate fate = OUTDATED;
    bool ok = true;

    while (fate == OUTDATED) {
        Request request;

        g_clear_error(error);
        if (!take_request(source, run, &request))
            return true;
        ok = compute(&request, error);
        GstPeRegions *regions = request.asked.regions;
        PeLabels *labels =
            request.labels ? pe_labels_ref(request.labels) : NULL;
        if (regions)
            gst_pe_regions_ref(regions);
        fate = use(source, run, &request, ok);
        if (fate == DONE && ok)
            tell(source, labels, regions);
        g_clear_pointer(&labels, pe_labels_unref);
        g_clear_pointer(&regions, gst_pe_regions_unref);
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

// Takes what is asked for. Outside of the lock, as a new thread may need it.
static void
want(GstPeLabelSource *source, GstPeAsked *asked)
{
    Task task = {.source = source};
    GstPeAsked outdated = *asked; // the next start reads the settings again

    g_mutex_lock(&source->lock);
    if (source->engine) {
        outdated = source->wanted;
        source->wanted = *asked;
    }
    source->generation++;
    task.run = source->run;
    bool begin = source->engine && !source->busy;
    source->busy |= begin;
    g_mutex_unlock(&source->lock);
    gst_pe_asked_clear(&outdated);
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
    GstPeAsked asked;

    g_mutex_lock(&source->changing);
    if (take_settings(source, &settings) &&
        gst_pe_label_settings_ask(&settings, &asked, &error))
        want(source, &asked);
    g_mutex_unlock(&source->changing);
    if (error)
        warn_kept(source, error);
}

// What is not of the labels: the vocabulary, and regions unless the set has
// some.
static void
keep_others(GstPeLabelSource *source, const GstStructure *set,
            GstPeLabelSettings *settings)
{
    bool regions = gst_structure_has_field(set, "regions") ||
                   gst_structure_has_field(set, "regions-file");

    g_mutex_lock(&source->lock);
    char **values = source->settings.values;
    gst_pe_label_settings_set(settings, GST_PE_LABELS_VOCAB,
                              values[GST_PE_LABELS_VOCAB]);
    if (!regions) {
        gst_pe_label_settings_set(settings, GST_PE_LABELS_REGIONS,
                                  values[GST_PE_LABELS_REGIONS]);
        gst_pe_label_settings_set(settings, GST_PE_LABELS_REGIONS_FILE,
                                  values[GST_PE_LABELS_REGIONS_FILE]);
    }
    g_mutex_unlock(&source->lock);
}

bool
gst_pe_label_source_set_all(GstPeLabelSource *source, const GstStructure *set)
{
    g_auto(GstPeLabelSettings) settings = {{NULL}};
    g_autoptr(GError) error = NULL;
    GstPeAsked asked;

    g_mutex_lock(&source->changing);
    keep_others(source, set, &settings);
    if (gst_pe_label_settings_read(&settings, set, source->takes_regions,
                                   &error) &&
        gst_pe_label_settings_ask(&settings, &asked, &error)) {
        g_mutex_lock(&source->lock);
        gst_pe_label_settings_clear(&source->settings);
        gst_pe_label_settings_copy(&source->settings, &settings);
        source->changed = false;
        g_mutex_unlock(&source->lock);
        want(source, &asked);
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
    GstPeAsked asked;

    g_mutex_lock(&source->changing);
    take_settings(source, &settings);
    bool ok = gst_pe_label_settings_ask(&settings, &asked, error);
    g_mutex_lock(&source->lock);
    *run = ++source->run;
    if (ok) {
        source->engine = pe_engine_ref(engine);
        source->vocab = g_strdup(settings.values[GST_PE_LABELS_VOCAB]);
        source->wanted = asked;
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
    GstPeAsked wanted = source->wanted;
    PeLabels *current = g_steal_pointer(&source->current);
    GstPeRegions *regions = g_steal_pointer(&source->regions);
    source->wanted = (GstPeAsked){0};
    g_clear_pointer(&source->vocab, g_free);
    // What is still being computed is no longer wanted.
    source->run++;
    source->busy = false;
    g_mutex_unlock(&source->lock);
    g_clear_pointer(&engine, pe_engine_unref);
    g_clear_pointer(&tokenizer, pe_tokenizer_unref);
    gst_pe_asked_clear(&wanted);
    g_clear_pointer(&current, pe_labels_unref);
    g_clear_pointer(&regions, gst_pe_regions_unref);
}
