// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeproperties.c - the properties of peinference: what they are called, what
// they default to, and where they are kept.

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
     .max = G_MAXINT,
     .blurb = "Frames that are embedded, for each second of video. Examples: "
              "2/1 two a second, 1/10 one in ten seconds, 0/1 every frame "
              "that comes"},
    {"inference-interval", INT, PLAYING, AT(settings.sampler.interval),
     .min = 1, .max = G_MAXINT, .init = 1,
     .blurb = "Embed every Nth of the frames that frame-rate leaves. Example: "
              "frame-rate=0/1 inference-interval=10 is every tenth frame"},
    {"clip-length", INT, PLAYING, AT(settings.sampler.clip_length), .min = 1,
     .max = 1024, .init = 8,
     .blurb = "Embedded frames that make a clip, and with it one result. "
              "Example: 8 at frame-rate=2/1 is a clip of four seconds. 1: each "
              "embedded frame has a result of its own"},
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
              "\\| is a bar that is part of a label. Empty: embeddings only. "
              "Labels that cannot be used post a warning, and the old ones "
              "stay in use"},
    {"labels-file", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_FILE),
     .blurb = "Instead of labels: a file with a label a line, or JSON with "
              "prompts, negatives, templates and thresholds"},
    {"prompt-template", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_TEMPLATE),
     .blurb =
         "Sentences that each label is put into, in place of {}; their "
         "embeddings are averaged. Example: a video of {}.|a photo of {}."},
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

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstPeShared *shared = &GST_PE_INFERENCE(object)->shared;
    const GstPeProperty *row = &rows[id - 1];

    if (row->elsewhere) {
        gst_pe_labels_set(&shared->labels,
                          (GstPeLabelsSetting)(row->elsewhere - 1),
                          g_value_get_string(value));
        return;
    }
    g_mutex_lock(&shared->lock);
    gst_pe_property_set(row, shared, value);
    g_mutex_unlock(&shared->lock);
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
        GstPeLabelsSetting setting = (GstPeLabelsSetting)(row->elsewhere - 1);
        g_value_take_string(value, gst_pe_labels_dup(&shared->labels, setting));
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

void
gst_pe_properties_install(GObjectClass *klass)
{
    klass->set_property = set_property;
    klass->get_property = get_property;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        specs[i + 1] = gst_pe_property_make_spec(&rows[i]);
    g_object_class_install_properties(klass, G_N_ELEMENTS(specs), specs);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_INFERENCE_HOLD, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_INFERENCE_MODE, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_PRECISION, 0);
}
