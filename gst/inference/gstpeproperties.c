// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeproperties.c - the properties of peinference: what they are called, what
// they default to, and where they are kept. Those of labels, results and events
// are in gstpelabelproperties.c.

#include "gst/inference/gstpeproperties.h"

#include "gst/inference/gstpeenums.h"
#include "gst/labels/gstpelabelenums.h"
#include "gst/labels/gstpelabelproperties.h"

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

static const GstPeProperty rows[] = {
    // ---- The model --------------------------------------------------------
    {"model", STRING, READY, AT(engine_settings.path),
     .blurb = "Perception Encoder checkpoint: Meta's .pt, safetensors of timm "
              "or open_clip, one that pe-model wrote, or a folder that holds "
              "exactly one of them. Example: PE-Core-B16-224.pt. Empty: the "
              "small demo model that comes with the plugin (searched below "
              "GST_PE_DATA_PATH when that is set)"},
    {"vocab", STRING, READY, OF_LABELS(GST_PE_LABELS_VOCAB),
     .blurb = "Vocabulary of the text tower, needed for labels only: "
              "bpe_simple_vocab_16e6.txt, plain or .gz, a tokenizer.json, or a "
              "vocab.json with merges.txt beside it. "
              "Empty: found beside the model or in the data folders"},
    {"device", STRING, READY, AT(engine_settings.device), .init_string = "auto",
     .blurb = "Where to compute: auto, cpu, cuda or cuda:N, such as cuda:1. A "
              "device that is not there is an error; only auto falls back to "
              "the CPU"},
    {"precision", ENUM, READY, AT(engine_settings.precision),
     .enum_type = gst_pe_precision_get_type, .init = PE_PRECISION_AUTO,
     .blurb =
         "Number format of weights and computation. auto: the best for the "
         "device; bf16 halves the memory of fp32"},
    {"batch-size", UINT, READY, AT(settings.batch_size), .max = 1024,
     .blurb = "Frames, of all streams in the process, that are computed "
              "together. 0: what suits the device. The first element that "
              "uses a model decides"},
    {"batch-timeout", UINT, READY, AT(engine_settings.batch_timeout),
     .max = 10000,
     .blurb = "How long a frame waits for others to fill its batch, in "
              "milliseconds. The first element that uses a model decides"},
    {"threads", UINT, READY, AT(engine_settings.threads), .max = 1024,
     .blurb = "Threads that compute on the CPU, of which one belongs to the "
              "model and the others to all models of the process. 0: as many "
              "as the process may use cores. The first element that uses a "
              "model decides; other models may have other numbers"},

    // ---- Clips ------------------------------------------------------------
    {"frame-rate", FRACTION, PLAYING, AT(settings.sampler.rate_n),
     .max = G_MAXINT, .init = 2,
     .blurb = "Samples for each second of video: each is the frame that is "
              "on screen then. Examples: 2/1 two a second, 1/10 one in ten "
              "seconds, 0/1 every frame that comes, however long it is shown. "
              "The work grows with it"},
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
    {"max-gap", UINT, PLAYING, AT(settings.max_gap), .max = G_MAXUINT,
     .blurb = "Milliseconds without a frame that end a clip, as when a camera "
              "was away; what is shorter belongs to the frame before it. 0: "
              "two sampling periods, and at least a second. How long a frame "
              "is shown by its own duration is no gap"},
    {"skip-corrupted", BOOLEAN, PLAYING, AT(settings.skip_corrupted),
     .init = true,
     .blurb = "Whether frames that a decoder marked as corrupted are left out "
              "of clips. stats counts them either way"},

    {"hdr", ENUM, PLAYING, AT(settings.hdr),
     .enum_type = gst_pe_inference_hdr_get_type,
     .blurb = "What is done with HDR video before it is embedded. auto: PQ "
              "becomes SDR, which the models know; none: values are taken as "
              "they are, as the models' reference does. HLG is always taken "
              "as it is"},
    {"orientation", ENUM, PLAYING, AT(settings.orientation),
     .enum_type = gst_pe_inference_orientation_get_type,
     .init = GST_PE_INFERENCE_ORIENTATION_AUTO,
     .blurb = "Which way up frames are embedded; they leave as they came. "
              "auto: as a person sees them, by the image-orientation tag that "
              "phones write; none: as they are stored; the others turn or "
              "mirror what is stored, as video-direction of videoflip does"},

    // ---- Regions ----------------------------------------------------------
    {"inference-region", ENUM, PLAYING, AT(settings.region),
     .enum_type = gst_pe_inference_region_get_type,
     .blurb = "What of a frame is embedded. auto: all of it, or, with "
              "regions, these alone; full-frame: all of it, and regions "
              "besides; roi-list: what a detector found "
              "(GstVideoRegionOfInterestMeta, and GstAnalyticsODMtd from "
              "GStreamer 1.24), and regions besides. Each region of a sampled "
              "frame has a result of its own"},
    {"object-class", STRING, PLAYING, AT(object_class),
     .blurb = "With roi-list: what the detector calls the objects that are "
              "embedded. Example: person|car. Empty: all"},
    {"min-roi-size", UINT, PLAYING, AT(settings.min_roi_size), .max = 16384,
     .init = 16,
     .blurb = "With roi-list: objects whose shorter side has fewer pixels are "
              "left out, and counted in stats"},
    {"reclassify-interval", UINT, PLAYING, AT(settings.reclassify_interval),
     .max = G_MAXINT,
     .blurb = "With roi-list: an object that is tracked is embedded in every "
              "Nth sampled frame; in between, its last embedding is scored "
              "again. 0: in every sampled frame"},
    {"regions", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_REGIONS),
     .blurb = "Fixed regions that are embedded and scored by labels of their "
              "own: name=left,top,width,height;labels, in pixels or per cent, "
              "then labels-mode=, interval= and on-change=, separated by ;; or "
              "JSON. Example: gate=0,180,220,400;open|closed;on-change=4;;"
              "door=50%,10%,20%,60%;open|closed;interval=2"},
    {"regions-file", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_REGIONS_FILE),
     .blurb = "Instead of regions: a file with a region a line, or with the "
              "JSON"},

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
    {"qos", BOOLEAN, PLAYING, AT(settings.qos),
     .blurb = "Whether a sink's QoS events reach the decoder, which then drops "
              "frames before they are seen here, also in exact mode behind a "
              "source that is not live. In any other case they always do"},

    {"event-state", STRING, READY, AT(event_state),
     .blurb = "File that keeps the history for alarms-per-day across "
              "restarts; a file for each camera. It is written every five "
              "minutes and at the end. One of another model or of other "
              "labels, or one that is damaged, posts a warning and is left "
              "alone. Empty: the history is lost at the end"},
    {"source-id", STRING, PLAYING, AT(source_id),
     .blurb = "Name of this camera or file in results, by which it can be "
              "found again. Example: entrance-north. Empty: upstream's URI, "
              "else the stream-id"},
    {"stats", STRUCTURE, G_PARAM_READABLE, COMPUTED,
     .blurb = "Counters since the start (frames, frames-without-pts, "
              "corrupted, stray-timestamps, held, sampled, skipped, regions, "
              "regions-reused, regions-outside, regions-too-small, "
              "regions-over-limit, clips, "
              "partial-clips, late: frames "
              "that left without their result, superseded: results that no "
              "frame carried, qos-events-stopped; of the embedded frames "
              "frames-in-place, frames-device-copied, frames-uploaded, "
              "frames-downloaded), then -p50, -p95 and -p99 in milliseconds "
              "of preprocess, hold and score; while the element runs also the "
              "engine's, over all streams: device, precision, engine-images, "
              "engine-batches, batch-fill, and percentiles of wait (of a frame "
              "for its batch) and compute (of a batch)"},
};

static GstPePropertyTable table;

static GstPeKept
get_kept(GObject *object)
{
    GstPeShared *shared = &GST_PE_INFERENCE(object)->shared;

    g_mutex_lock(&shared->lock);
    bool started = shared->engine != NULL;
    g_mutex_unlock(&shared->lock);
    return (GstPeKept){shared, &shared->lock, &shared->labels, started};
}

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    gst_pe_property_table_set(&table, object, id, value);
    if (table.rows[id - 1].in_latency)
        gst_element_post_message(GST_ELEMENT(object),
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
    if (table.rows[id - 1].type == STRUCTURE)
        g_value_take_boxed(value, get_stats(&GST_PE_INFERENCE(object)->shared));
    else
        gst_pe_property_table_get(&table, object, id, value);
}

void
gst_pe_properties_init(GstPeInference *self)
{
    gst_pe_property_table_init(&table, G_OBJECT(self));
}

void
gst_pe_properties_install(GObjectClass *klass)
{
    klass->set_property = set_property;
    klass->get_property = get_property;
    table = (GstPePropertyTable){
        .own = rows,
        .n_own = G_N_ELEMENTS(rows),
        .judge = offsetof(GstPeShared, settings.judge),
        .get_kept = get_kept,
    };
    gst_pe_property_table_install(&table, klass);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_INFERENCE_HDR, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_INFERENCE_HOLD, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_INFERENCE_MODE, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_INFERENCE_ORIENTATION, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_INFERENCE_REGION, 0);
}
