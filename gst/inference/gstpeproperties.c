// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeproperties.c - the properties of peinference: what they are called, what
// they default to, and where they are kept. The signal that sets several of
// them at once is here too.

#include "gst/inference/gstpeproperties.h"

#include "gst/inference/gstpeenums.h"
#include "gst/inference/gstpeproperty.h"

#define BOOLEAN GST_PE_PROPERTY_BOOLEAN
#define INT GST_PE_PROPERTY_INT
#define UINT GST_PE_PROPERTY_UINT
#define DOUBLE GST_PE_PROPERTY_DOUBLE
#define ENUM GST_PE_PROPERTY_ENUM
#define FRACTION GST_PE_PROPERTY_FRACTION
#define STRING GST_PE_PROPERTY_STRING
#define STRUCTURE GST_PE_PROPERTY_STRUCTURE

#define READY (G_PARAM_READWRITE | GST_PARAM_MUTABLE_READY)
#define PLAYING (G_PARAM_READWRITE | GST_PARAM_MUTABLE_PLAYING)

#define AT(member) .offset = offsetof(GstPeShared, member)

// Not in the settings: those of the labels, and what is computed when asked.
#define OF_LABELS(setting) .elsewhere = 1 + (setting)
#define COMPUTED .elsewhere = 1 + GST_PE_LABELS_N_SETTINGS

// In the order of their ids, which begin with 1.
static const GstPeProperty rows[] = {
    // ---- The model --------------------------------------------------------
    {"model", STRING, READY, AT(model_path),
     .blurb = "Perception Encoder checkpoint: Meta's .pt, safetensors of timm "
              "or open_clip, one that pe-model wrote, or a folder that holds "
              "exactly one of them. Example: PE-Core-B16-224.pt. Empty: the "
              "small demo model that comes with the plugin (searched below "
              "GST_PE_DATA_PATH when that is set)"},
    {"vocab", STRING, READY, OF_LABELS(GST_PE_LABELS_VOCAB),
     .blurb = "Vocabulary of the text tower, needed for labels only: "
              "bpe_simple_vocab_16e6.txt, plain or .gz, or a tokenizer.json. "
              "Empty: found beside the model or in the data folders"},
    {"device", STRING, READY, AT(device), .init_string = "auto",
     .blurb = "Where to compute: auto, cpu, cuda or cuda:N, such as cuda:1. A "
              "device that is not there is an error; only auto falls back to "
              "the CPU"},
    {"precision", ENUM, READY, AT(precision),
     .enum_type = gst_pe_precision_get_type, .init = PE_PRECISION_AUTO,
     .blurb =
         "Number format of weights and computation. auto: the best for the "
         "device; bf16 halves the memory of fp32"},
    {"batch-size", UINT, READY, AT(settings.batch_size), .max = 1024,
     .blurb = "Frames, of all streams in the process, that are computed "
              "together. 0: what suits the device. The first element that "
              "uses a model decides"},
    {"batch-timeout", UINT, READY, AT(batch_timeout), .max = 10000,
     .blurb = "How long a frame waits for others to fill its batch, in "
              "milliseconds. The first element that uses a model decides"},

    // ---- Clips ------------------------------------------------------------
    {"frame-rate", FRACTION, PLAYING, AT(settings.sampler.rate_n),
     .max = G_MAXINT, .init = 2,
     .blurb = "Frames that are embedded, for each second of video. Examples: "
              "2/1 two a second, 1/10 one in ten seconds, 0/1 every frame "
              "that comes. The work grows with it"},
    {"inference-interval", INT, PLAYING, AT(settings.sampler.interval),
     .min = 1, .max = G_MAXINT, .init = 1,
     .blurb = "Embed every Nth of the frames that frame-rate leaves. Example: "
              "frame-rate=0/1 inference-interval=10 is every tenth frame"},
    {"clip-length", INT, PLAYING, AT(settings.sampler.clip_length), .min = 1,
     .max = 1024, .init = 8,
     .blurb = "Embedded frames that make a clip, and with it one result. "
              "Example: 8 at frame-rate=2/1 is a clip of four seconds; Meta's "
              "evaluation takes 8 of a video. 1: each embedded frame has a "
              "result of its own"},
    {"clip-stride", INT, PLAYING, AT(settings.sampler.clip_stride),
     .max = G_MAXINT,
     .blurb = "Embedded frames from the start of a clip to the start of the "
              "next. 0: clip-length, so that clips follow each other; 1: a "
              "sliding window with a result for each embedded frame. Overlap "
              "costs nothing"},

    // ---- Time -------------------------------------------------------------
    {"mode", ENUM, PLAYING, AT(settings.mode),
     .enum_type = gst_pe_inference_mode_get_type,
     .init = GST_PE_INFERENCE_MODE_AUTO, .in_latency = true,
     .blurb = "Whether frames wait for results. exact: the last frame of a "
              "clip does; latest: none does, and each carries the most recent "
              "result; auto: latest behind a live source or in front of a "
              "sink that keeps time (sync=true), else exact"},
    {"hold", ENUM, PLAYING, AT(settings.hold),
     .enum_type = gst_pe_inference_hold_get_type,
     .init = GST_PE_INFERENCE_HOLD_FRAMES,
     .blurb = "Whether frames carry results (frames), or pass at once while "
              "results travel as events and messages only (none). none saves "
              "the memory of waiting frames, for archives"},
    {"latency", UINT, PLAYING, AT(settings.latency), .max = 600000, .init = 500,
     .in_latency = true,
     .blurb = "How long a frame of a live source waits for its result in "
              "exact mode, in milliseconds; the pipeline's latency grows by "
              "as much. A result that comes later goes on a later frame"},

    // ---- Labels -----------------------------------------------------------
    {"labels", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_TEXT),
     .blurb = "What to look for, in plain words. Example: a dog|a cat, where "
              "\\| is a bar that is part of a label; or the JSON of a labels "
              "file. Empty: embeddings only. Labels that cannot be used post "
              "a warning, and the old ones stay in use. Change labels, "
              "templates and negatives in one call of g_object_set() or by "
              "the signal set-labels"},
    {"labels-file", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_FILE),
     .blurb = "Instead of labels: a file with a label a line, or JSON with "
              "prompts, negatives, templates and thresholds"},
    {"prompt-template", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_TEMPLATE),
     .init_string = PE_DEFAULT_TEMPLATE,
     .blurb = "Sentences that each label is put into, in place of {}; their "
              "embeddings are averaged. Example: a video of {}.|a photo of "
              "{}. The label as it is: {}. Takes the place of the templates "
              "of a labels file"},
    {"negative-labels", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_NEGATIVES),
     .blurb = "Labels that compete with the others and are never reported, so "
              "that what fits none of yours scores low. Example: a wall|"
              "nothing"},

    // ---- Results ----------------------------------------------------------
    {"top-k", UINT, PLAYING, AT(settings.top_k), .max = 10000, .init = 5,
     .blurb = "How many labels a result has at most, best first"},
    {"threshold", DOUBLE, PLAYING, AT(settings.threshold), .max = 1,
     .blurb = "Labels with a lower score are left out of results. Scores are "
              "probabilities among all labels and negatives. Example: 0.5"},
    {"attach-embedding", BOOLEAN, PLAYING, AT(settings.attach_embedding),
     .init = true,
     .blurb = "Whether results carry the embedding of their clip, a unit "
              "vector that can be compared with those of texts and of other "
              "clips"},
    {"post-messages", BOOLEAN, PLAYING, AT(settings.post_messages),
     .init = true,
     .blurb = "Whether an element message named peinference is posted for "
              "each result"},
    {"source-id", STRING, PLAYING, AT(source_id),
     .blurb = "Name of this camera or file in results, by which it can be "
              "found again. Example: entrance-north. Empty: upstream's URI, "
              "else the stream-id"},
    {"stats", STRUCTURE, G_PARAM_READABLE, COMPUTED,
     .blurb = "Counters since the start (frames, frames-without-pts, sampled, "
              "skipped, clips, partial-clips, late: frames that left without "
              "their result, superseded: results that no frame carried; of "
              "the embedded frames frames-in-place, frames-device-copied, "
              "frames-uploaded, frames-downloaded), then -p50, -p95 and -p99 "
              "in milliseconds of preprocess, hold and score; while the "
              "element runs also the engine's, over all streams: device, "
              "precision, engine-images, engine-batches, batch-fill, and "
              "percentiles of wait (of a frame for its batch) and compute (of "
              "a batch)"},
};

static GParamSpec *specs[1 + G_N_ELEMENTS(rows)];
static GObjectClass *parent_class;

static void
set_value(GstPeShared *shared, const GstPeProperty *row, const GValue *value)
{
    if (row->elsewhere) {
        gst_pe_label_source_set(&shared->labels,
                                (GstPeLabelSetting)(row->elsewhere - 1),
                                g_value_get_string(value));
        return;
    }
    g_mutex_lock(&shared->lock);
    gst_pe_property_set(row, shared, value);
    g_mutex_unlock(&shared->lock);
}

static bool
is_started(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    bool started = shared->engine != NULL;
    g_mutex_unlock(&shared->lock);
    return started;
}

// What the engine was made with does not change under it.
static void
warn_of_change(GstPeShared *shared, GParamSpec *pspec, const GValue *old)
{
    g_auto(GValue) now = G_VALUE_INIT;

    g_object_get_property(G_OBJECT(shared->element), pspec->name, &now);
    if (g_param_values_cmp(pspec, old, &now) == 0)
        return;
    g_autofree char *before = gst_value_serialize(old);
    g_autofree char *after = gst_value_serialize(&now);
    GST_ELEMENT_WARNING(shared->element, RESOURCE, SETTINGS,
                        ("%s=%s does not count before the element goes from "
                         "READY to PAUSED again; until then it goes on with %s",
                         pspec->name, after, before),
                        (NULL));
}

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstPeShared *shared = &GST_PE_INFERENCE(object)->shared;
    const GstPeProperty *row = &rows[id - 1];
    g_auto(GValue) old = G_VALUE_INIT;

    g_object_get_property(object, pspec->name, &old);
    set_value(shared, row, value);
    if ((row->flags & GST_PARAM_MUTABLE_READY) && is_started(shared))
        warn_of_change(shared, pspec, &old);
    if (row->in_latency)
        gst_element_post_message(shared->element,
                                 gst_message_new_latency(GST_OBJECT(object)));
}

static GstStructure *
get_stats(GstPeShared *shared)
{
    PeEngine *engine = gst_pe_shared_ref_engine(shared);
    GstStructure *stats = gst_pe_stats_to_structure(&shared->stats, engine);
    g_clear_pointer(&engine, pe_engine_unref);
    return stats;
}

static void
get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstPeShared *shared = &GST_PE_INFERENCE(object)->shared;
    const GstPeProperty *row = &rows[id - 1];

    if (row->type == STRUCTURE) {
        g_value_take_boxed(value, get_stats(shared));
    } else if (row->elsewhere) {
        GstPeLabelSetting setting = (GstPeLabelSetting)(row->elsewhere - 1);
        g_value_take_string(value,
                            gst_pe_label_source_dup(&shared->labels, setting));
    } else {
        g_mutex_lock(&shared->lock);
        gst_pe_property_get(row, shared, value);
        g_mutex_unlock(&shared->lock);
    }
}

void
gst_pe_properties_init(GstPeInference *self)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (!rows[i].elsewhere)
            gst_pe_property_set(&rows[i], &self->shared,
                                g_param_spec_get_default_value(specs[i + 1]));
    }
}

// At the end of a g_object_set(), or of g_object_freeze_notify(): what was set
// meanwhile belongs together.
static void
dispatch_properties_changed(GObject *object, guint n, GParamSpec **changed)
{
    gst_pe_label_source_commit(&GST_PE_INFERENCE(object)->shared.labels);
    parent_class->dispatch_properties_changed(object, n, changed);
}

static gboolean
set_labels(GstPeInference *self, const GstStructure *set)
{
    g_return_val_if_fail(set, FALSE);
    if (!gst_pe_label_source_set_all(&self->shared.labels, set))
        return FALSE;
    g_object_freeze_notify(G_OBJECT(self));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].elsewhere && rows[i].type == STRING)
            g_object_notify_by_pspec(G_OBJECT(self), specs[i + 1]);
    }
    g_object_thaw_notify(G_OBJECT(self));
    return TRUE;
}

void
gst_pe_properties_install(GObjectClass *klass)
{
    parent_class = g_type_class_peek_parent(klass);
    klass->dispatch_properties_changed = dispatch_properties_changed;
    klass->set_property = set_property;
    klass->get_property = get_property;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        specs[i + 1] = gst_pe_property_make_spec(&rows[i]);
    g_object_class_install_properties(klass, G_N_ELEMENTS(specs), specs);
    /**
     * GstPeInference::set-labels:
     * @set: a #GstStructure of any name with the fields `labels`,
     *     `labels-file`, `prompt-template` and `negative-labels`, each a string
     *
     * Changes labels, templates and negatives together, as the properties of
     * these names; what @set does not name gets its default. The old set stays
     * in use until the new one is embedded.
     *
     * Returns: %FALSE, after a warning on the bus, when the set cannot be used;
     *     then nothing has changed
     */
    g_signal_new_class_handler("set-labels", G_TYPE_FROM_CLASS(klass),
                               G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
                               G_CALLBACK(set_labels), NULL, NULL, NULL,
                               G_TYPE_BOOLEAN, 1, GST_TYPE_STRUCTURE);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_INFERENCE_HOLD, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_INFERENCE_MODE, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_PRECISION, 0);
}
