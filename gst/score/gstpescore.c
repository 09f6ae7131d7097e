// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpescore.c - class and states of pescore. Its properties are in
// gstpescoreproperties.c, what it does with buffers in gstpescoreflow.c.

/**
 * SECTION:element-pescore
 * @title: pescore
 * @short_description: scores embeddings that pass by other labels and windows
 *
 * Stands behind a #peinference, compares the embeddings that this one puts on
 * buffers with labels of its own, and adds a result of its own to the buffer.
 * Several stand behind one another, so that each embedded frame is scored by
 * several label sets, and is part of several windows over time, while the image
 * tower sees it once. Anything may stand between them that keeps the metadata,
 * also an encoder. Pixels pass through untouched, and so do buffers without
 * results.
 *
 * ## Windows
 *
 * Behind a #peinference with clip-length=1, each result is one sample. By
 * #GstPeScore:clip-length and #GstPeScore:clip-stride, or #GstPeScore:window
 * and #GstPeScore:window-stride, samples become clips as they do in
 * #peinference: the embedding of a clip is the mean of its samples' raw
 * embeddings, and what the end, a jump in time, other settings or a device that
 * is too slow cut short is partial and says why. A window of time holds the
 * samples that lie in it; windows begin with the first sample. Results name
 * their window, see gst_pe_result_get_window().
 *
 * Samples of a region are windowed for each region: an object for as long as
 * its track goes on, a region without a track for as long as it stays where it
 * is.
 *
 * One thing differs from #peinference with the same sampling: with
 * clip-length=1, every timestamp is believed at once. A single frame with a
 * wrong one ends clips here.
 *
 * ## Which frame carries the result
 *
 * The frame that carries the last sample of a clip carries the result too, and
 * the result follows it as an event. Where the sample comes as an event, as in
 * latest mode or with hold=none, the result is an event behind it. A frame that
 * repeats a sample, as all do in latest mode, repeats what was made of that
 * last. Nothing waits here, and nothing adds latency.
 *
 * ## The model
 *
 * Labels are embedded by the text tower of the same model. Without
 * #GstPeScore:model, this is the model of the nearest #peinference upstream, on
 * its device, so that weights are in memory once. Embeddings of another model
 * are not scored; a warning names both. The text tower is loaded as
 * #peinference loads it.
 *
 * ## Messages
 *
 * Messages named `pescore` and `pescore-event` are posted, with the fields of
 * those that #peinference posts.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -m filesrc location=video.mp4 ! decodebin ! videoconvert !
 * peinference clip-length=1 post-messages=false !
 * pescore name=what clip-length=8 labels="a dog|a cat" !
 * pescore name=where window=10s labels="a street|a garden" ! fakesink
 * ]| Prints what is seen every four seconds, and where every ten.
 *
 * Since: 0.1
 */

#include "gst/score/gstpescore.h"

#include "gst/engine/gstpeenginequery.h"
#include "gst/engine/gstpenotes.h"
#include "gst/labels/gstpeproperty.h"
#include "gst/score/gstpescoreflow.h"
#include "gst/score/gstpescoreproperties.h"

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE(GstPeScore, gst_pe_score, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(pescore, "pescore", GST_RANK_NONE,
                            GST_TYPE_PE_SCORE)

// ---- States ---------------------------------------------------------------

// What is not set is as upstream has it. Returns a copy.
static GstPeEngineSettings
get_wanted(GstPeScore *self)
{
    GstPeEngineSettings wanted;

    bool found = gst_pe_engine_query_ask(self->sinkpad, &wanted);
    g_mutex_lock(&self->lock);
    const GstPeEngineSettings *own = &self->engine_settings;
    if (gst_pe_property_is_set(own->path)) {
        g_free(wanted.path);
        wanted.path = g_strdup(own->path);
    }
    if (gst_pe_property_is_set(own->device) || !found) {
        g_free(wanted.device);
        wanted.device = g_strdup(
            gst_pe_property_is_set(own->device) ? own->device : "auto");
    }
    if (own->precision != PE_PRECISION_AUTO || !found)
        wanted.precision = own->precision;
    g_mutex_unlock(&self->lock);
    return wanted;
}

static bool
load(GstPeScore *self)
{
    g_auto(GstPeEngineSettings) wanted = get_wanted(self);

    return gst_pe_loader_start(self->loader, &wanted);
}

static void
stop(GstPeScore *self)
{
    gst_pe_score_flow_stop(self);
    gst_pe_label_source_stop(&self->labels);
}

static bool
start(GstPeScore *self)
{
    g_autoptr(GError) error = NULL;
    g_auto(GstPeEngineSettings) wanted = get_wanted(self);
    PeEngine *engine = gst_pe_loader_wait(self->loader, &wanted);

    if (!engine)
        return false;
    gst_pe_failure_forget(&self->failure);
    if (gst_pe_label_source_start(&self->labels, engine, &error)) {
        if (gst_pe_score_flow_start(self, engine, &error))
            return true;
        gst_pe_label_source_stop(&self->labels);
    } else {
        pe_engine_unref(engine);
    }
    gst_pe_failure_post(&self->failure, error);
    return false;
}

static GstStateChangeReturn
change_state(GstElement *element, GstStateChange transition)
{
    GstPeScore *self = GST_PE_SCORE(element);

    if (transition == GST_STATE_CHANGE_NULL_TO_READY && !load(self))
        return GST_STATE_CHANGE_FAILURE;
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start(self))
        return GST_STATE_CHANGE_FAILURE;

    GstStateChangeReturn ret = GST_ELEMENT_CLASS(gst_pe_score_parent_class)
                                   ->change_state(element, transition);

    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
        (transition == GST_STATE_CHANGE_READY_TO_PAUSED &&
         ret == GST_STATE_CHANGE_FAILURE))
        stop(self);
    if (transition == GST_STATE_CHANGE_READY_TO_NULL)
        gst_pe_loader_stop(self->loader);
    return ret;
}

// ---- Object ---------------------------------------------------------------

static void
finalize(GObject *object)
{
    GstPeScore *self = GST_PE_SCORE(object);

    gst_pe_loader_free(self->loader);
    gst_pe_score_flow_clear(self);
    gst_pe_label_source_clear(&self->labels);
    gst_pe_engine_settings_clear(&self->engine_settings);
    g_free(self->window);
    g_free(self->window_stride);
    g_free(self->window_name);
    g_free(self->of_element);
    g_free(self->event_state);
    g_mutex_clear(&self->lock);
    G_OBJECT_CLASS(gst_pe_score_parent_class)->finalize(object);
}

static void
gst_pe_score_class_init(GstPeScoreClass *klass)
{
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = finalize;
    gst_pe_score_properties_install(G_OBJECT_CLASS(klass));
    element_class->change_state = change_state;
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "Perception Encoder scores", "Filter/Analyzer/Video",
        "Scores embeddings that peinference made by other labels, over windows "
        "of time",
        "gst-perception-encoder contributors");
}

static void
gst_pe_score_init(GstPeScore *self)
{
    GstElement *element = GST_ELEMENT(self);

    self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
    self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
    self->failure.element = element;
    g_mutex_init(&self->lock);
    gst_pe_label_source_init(&self->labels, element, false);
    gst_pe_score_flow_init(self);
    gst_pe_score_properties_init(self);
    self->loader = gst_pe_loader_new(&self->failure);
    gst_element_add_pad(element, self->sinkpad);
    gst_element_add_pad(element, self->srcpad);
}
