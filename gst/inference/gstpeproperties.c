// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeproperties.c - the properties of peinference: what they are called, what
// they default to, and where they are kept.

#include "gst/inference/gstpeproperties.h"

#define DEFAULT_DEVICE "auto"
#define DEFAULT_PRECISION PE_PRECISION_AUTO
#define DEFAULT_INTERVAL 1
#define DEFAULT_CLIP_LENGTH 8
#define DEFAULT_CLIP_STRIDE 0
#define DEFAULT_MODE GST_PE_INFERENCE_MODE_AUTO
#define DEFAULT_LATENCY 500
#define DEFAULT_TOP_K 5
#define DEFAULT_THRESHOLD 0.0
#define DEFAULT_BATCH_SIZE 0
#define DEFAULT_BATCH_TIMEOUT 0
#define DEFAULT_ATTACH_EMBEDDING TRUE
#define DEFAULT_POST_MESSAGES TRUE

#define MAX_CLIP_LENGTH 1024
#define MAX_LATENCY 600000
#define MAX_TOP_K 10000
#define MAX_BATCH_SIZE 1024
#define MAX_BATCH_TIMEOUT 10000

#define FLAGS (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS)
#define IN_READY (FLAGS | GST_PARAM_MUTABLE_READY)
#define IN_PLAYING (FLAGS | GST_PARAM_MUTABLE_PLAYING)

enum {
    PROP_0,
    PROP_MODEL,
    PROP_VOCAB,
    PROP_DEVICE,
    PROP_PRECISION,
    PROP_FRAME_RATE,
    PROP_INFERENCE_INTERVAL,
    PROP_CLIP_LENGTH,
    PROP_CLIP_STRIDE,
    PROP_MODE,
    PROP_LATENCY,
    PROP_LABELS,
    PROP_LABELS_FILE,
    PROP_PROMPT_TEMPLATE,
    PROP_NEGATIVE_LABELS,
    PROP_TOP_K,
    PROP_THRESHOLD,
    PROP_BATCH_SIZE,
    PROP_BATCH_TIMEOUT,
    PROP_ATTACH_EMBEDDING,
    PROP_POST_MESSAGES,
    PROP_STATS,
    N_PROPERTIES,
};

static GParamSpec *properties[N_PROPERTIES];

// ---- Setting and getting --------------------------------------------------

// The properties that GstPeLabels keeps; false for all others.
static bool
get_labels_setting(guint id, GstPeLabelsSetting *setting)
{
    switch (id) {
    case PROP_LABELS:
        *setting = GST_PE_LABELS_TEXT;
        return true;
    case PROP_LABELS_FILE:
        *setting = GST_PE_LABELS_FILE;
        return true;
    case PROP_PROMPT_TEMPLATE:
        *setting = GST_PE_LABELS_TEMPLATE;
        return true;
    case PROP_NEGATIVE_LABELS:
        *setting = GST_PE_LABELS_NEGATIVES;
        return true;
    case PROP_VOCAB:
        *setting = GST_PE_LABELS_VOCAB;
        return true;
    default:
        return false;
    }
}

static void
replace_string(char **string, const GValue *value)
{
    g_free(*string);
    *string = g_value_dup_string(value);
}

static void
set_locked(GstPeInference *self, guint id, const GValue *value,
           GParamSpec *pspec)
{
    GstPeSettings *s = &self->shared.settings;

    switch (id) {
    case PROP_MODEL:
        replace_string(&self->shared.model_path, value);
        break;
    case PROP_DEVICE:
        replace_string(&self->shared.device, value);
        break;
    case PROP_PRECISION:
        self->shared.precision = (PePrecision)g_value_get_enum(value);
        break;
    case PROP_FRAME_RATE:
        s->sampler.rate_n = gst_value_get_fraction_numerator(value);
        s->sampler.rate_d = gst_value_get_fraction_denominator(value);
        break;
    case PROP_INFERENCE_INTERVAL:
        s->sampler.interval = g_value_get_int(value);
        break;
    case PROP_CLIP_LENGTH:
        s->sampler.clip_length = g_value_get_int(value);
        break;
    case PROP_CLIP_STRIDE:
        s->sampler.clip_stride = g_value_get_int(value);
        break;
    case PROP_MODE:
        s->mode = (GstPeInferenceMode)g_value_get_enum(value);
        break;
    case PROP_LATENCY:
        s->latency = g_value_get_uint(value);
        break;
    case PROP_TOP_K:
        s->top_k = g_value_get_uint(value);
        break;
    case PROP_THRESHOLD:
        s->threshold = g_value_get_double(value);
        break;
    case PROP_BATCH_SIZE:
        s->batch_size = g_value_get_uint(value);
        break;
    case PROP_BATCH_TIMEOUT:
        self->shared.batch_timeout = g_value_get_uint(value);
        break;
    case PROP_ATTACH_EMBEDDING:
        s->attach_embedding = g_value_get_boolean(value);
        break;
    case PROP_POST_MESSAGES:
        s->post_messages = g_value_get_boolean(value);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, pspec);
        break;
    }
}

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstPeInference *self = GST_PE_INFERENCE(object);
    GstPeLabelsSetting setting;

    if (get_labels_setting(id, &setting)) {
        gst_pe_labels_set(&self->shared.labels, setting,
                          g_value_get_string(value));
        return;
    }
    g_mutex_lock(&self->shared.lock);
    set_locked(self, id, value, pspec);
    g_mutex_unlock(&self->shared.lock);
    if (id == PROP_MODE || id == PROP_LATENCY)
        gst_element_post_message(GST_ELEMENT(self),
                                 gst_message_new_latency(GST_OBJECT(self)));
}

static void
get_locked(GstPeInference *self, guint id, GValue *value, GParamSpec *pspec)
{
    const GstPeSettings *s = &self->shared.settings;

    switch (id) {
    case PROP_MODEL:
        g_value_set_string(value, self->shared.model_path);
        break;
    case PROP_DEVICE:
        g_value_set_string(value, self->shared.device);
        break;
    case PROP_PRECISION:
        g_value_set_enum(value, self->shared.precision);
        break;
    case PROP_FRAME_RATE:
        gst_value_set_fraction(value, s->sampler.rate_n, s->sampler.rate_d);
        break;
    case PROP_INFERENCE_INTERVAL:
        g_value_set_int(value, s->sampler.interval);
        break;
    case PROP_CLIP_LENGTH:
        g_value_set_int(value, s->sampler.clip_length);
        break;
    case PROP_CLIP_STRIDE:
        g_value_set_int(value, s->sampler.clip_stride);
        break;
    case PROP_MODE:
        g_value_set_enum(value, s->mode);
        break;
    case PROP_LATENCY:
        g_value_set_uint(value, s->latency);
        break;
    case PROP_TOP_K:
        g_value_set_uint(value, s->top_k);
        break;
    case PROP_THRESHOLD:
        g_value_set_double(value, s->threshold);
        break;
    case PROP_BATCH_SIZE:
        g_value_set_uint(value, s->batch_size);
        break;
    case PROP_BATCH_TIMEOUT:
        g_value_set_uint(value, self->shared.batch_timeout);
        break;
    case PROP_ATTACH_EMBEDDING:
        g_value_set_boolean(value, s->attach_embedding);
        break;
    case PROP_POST_MESSAGES:
        g_value_set_boolean(value, s->post_messages);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, pspec);
        break;
    }
}

static GstStructure *
get_stats(GstPeInference *self)
{
    PeEngine *engine = gst_pe_shared_ref_engine(&self->shared);
    GstStructure *stats =
        gst_pe_stats_to_structure(&self->shared.stats, engine);
    g_clear_pointer(&engine, pe_engine_unref);
    return stats;
}

static void
get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstPeInference *self = GST_PE_INFERENCE(object);
    GstPeLabelsSetting setting;

    if (get_labels_setting(id, &setting)) {
        g_value_take_string(value,
                            gst_pe_labels_dup(&self->shared.labels, setting));
    } else if (id == PROP_STATS) {
        g_value_take_boxed(value, get_stats(self));
    } else {
        g_mutex_lock(&self->shared.lock);
        get_locked(self, id, value, pspec);
        g_mutex_unlock(&self->shared.lock);
    }
}

void
gst_pe_properties_init(GstPeInference *self)
{
    self->shared.device = g_strdup(DEFAULT_DEVICE);
    self->shared.precision = DEFAULT_PRECISION;
    self->shared.batch_timeout = DEFAULT_BATCH_TIMEOUT;
    self->shared.settings = (GstPeSettings){
        .sampler = {0, 1, DEFAULT_INTERVAL, DEFAULT_CLIP_LENGTH,
                    DEFAULT_CLIP_STRIDE},
        .mode = DEFAULT_MODE,
        .latency = DEFAULT_LATENCY,
        .top_k = DEFAULT_TOP_K,
        .threshold = DEFAULT_THRESHOLD,
        .batch_size = DEFAULT_BATCH_SIZE,
        .attach_embedding = DEFAULT_ATTACH_EMBEDDING,
        .post_messages = DEFAULT_POST_MESSAGES,
    };
}

// ---- Declaring ------------------------------------------------------------

static void
declare_model(void)
{
    /**
     * GstPeInference:model:
     *
     * A Perception Encoder checkpoint: Meta's .pt, timm or open_clip
     * safetensors, or one written by pe-model; or a folder that holds exactly
     * one. Empty: the demo model that ships with the plugin, or
     * gst-perception-encoder/pe-demo.safetensors below GST_PE_DATA_PATH when
     * that environment variable is set.
     *
     * Since: 0.1
     */
    properties[PROP_MODEL] = g_param_spec_string(
        "model", "Model",
        "Checkpoint file or a folder with one; empty: the demo model", NULL,
        IN_READY);

    /**
     * GstPeInference:vocab:
     *
     * The vocabulary of the text tower: bpe_simple_vocab_16e6.txt, plain or
     * .gz, or a tokenizer.json. Empty: looked for beside the model and in the
     * data folders. Needed only for labels.
     *
     * Since: 0.1
     */
    properties[PROP_VOCAB] = g_param_spec_string(
        "vocab", "Vocabulary",
        "CLIP BPE vocabulary or tokenizer.json; empty: found beside the model "
        "or in the data folders",
        NULL, IN_READY);

    /**
     * GstPeInference:device:
     *
     * Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`. Asking for a device
     * that is not there is an error; only `auto` falls back to the CPU.
     *
     * Since: 0.1
     */
    properties[PROP_DEVICE] =
        g_param_spec_string("device", "Device", "auto, cpu, cuda or cuda:N",
                            DEFAULT_DEVICE, IN_READY);

    /**
     * GstPeInference:precision:
     *
     * Number format of the computation. Asking for one that the device does not
     * have is an error.
     *
     * Since: 0.1
     */
    properties[PROP_PRECISION] = g_param_spec_enum(
        "precision", "Precision", "Number format of the computation",
        GST_TYPE_PE_PRECISION, DEFAULT_PRECISION, IN_READY);

    /**
     * GstPeInference:batch-size:
     *
     * Frames of all streams of the process that are computed together. 0: what
     * suits the device. The first element to use a model decides.
     *
     * Since: 0.1
     */
    properties[PROP_BATCH_SIZE] = g_param_spec_uint(
        "batch-size", "Batch size", "Frames computed together; 0: automatic", 0,
        MAX_BATCH_SIZE, DEFAULT_BATCH_SIZE, IN_READY);

    /**
     * GstPeInference:batch-timeout:
     *
     * How long, in milliseconds, a frame waits for others to fill its batch.
     * The first element to use a model decides.
     *
     * Since: 0.1
     */
    properties[PROP_BATCH_TIMEOUT] =
        g_param_spec_uint("batch-timeout", "Batch timeout",
                          "Time that a frame waits for a fuller batch (ms)", 0,
                          MAX_BATCH_TIMEOUT, DEFAULT_BATCH_TIMEOUT, IN_READY);
}

static void
declare_sampling(void)
{
    /**
     * GstPeInference:frame-rate:
     *
     * Frames to sample per second of running time. 0/1: every frame.
     *
     * Since: 0.1
     */
    properties[PROP_FRAME_RATE] =
        gst_param_spec_fraction("frame-rate", "Frame rate",
                                "Frames to sample per second; 0/1: every frame",
                                0, 1, G_MAXINT, 1, 0, 1, IN_PLAYING);

    /**
     * GstPeInference:inference-interval:
     *
     * Embed every Nth of the frames that #GstPeInference:frame-rate leaves.
     *
     * Since: 0.1
     */
    properties[PROP_INFERENCE_INTERVAL] =
        g_param_spec_int("inference-interval", "Inference interval",
                         "Embed every Nth sampled frame", 1, G_MAXINT,
                         DEFAULT_INTERVAL, IN_PLAYING);

    /**
     * GstPeInference:clip-length:
     *
     * Sampled frames in a clip; their embeddings are averaged. 1: every sampled
     * frame has its own result.
     *
     * Since: 0.1
     */
    properties[PROP_CLIP_LENGTH] = g_param_spec_int(
        "clip-length", "Clip length", "Sampled frames in a clip", 1,
        MAX_CLIP_LENGTH, DEFAULT_CLIP_LENGTH, IN_PLAYING);

    /**
     * GstPeInference:clip-stride:
     *
     * Sampled frames from the start of a clip to the start of the next. 0: as
     * many as a clip has; 1: a sliding window. Overlap costs nothing, as each
     * frame is embedded once.
     *
     * Since: 0.1
     */
    properties[PROP_CLIP_STRIDE] =
        g_param_spec_int("clip-stride", "Clip stride",
                         "Sampled frames between two results; 0: clip-length",
                         0, G_MAXINT, DEFAULT_CLIP_STRIDE, IN_PLAYING);
}

static void
declare_mode(void)
{
    /**
     * GstPeInference:mode:
     *
     * Whether frames wait for results.
     *
     * Since: 0.1
     */
    properties[PROP_MODE] =
        g_param_spec_enum("mode", "Mode", "Whether frames wait for results",
                          GST_TYPE_PE_INFERENCE_MODE, DEFAULT_MODE, IN_PLAYING);

    /**
     * GstPeInference:latency:
     *
     * How long, in milliseconds, a frame of a live source waits for its result
     * in exact mode. The pipeline's latency grows by as much. A result that
     * misses its frame goes on the next one.
     *
     * Since: 0.1
     */
    properties[PROP_LATENCY] = g_param_spec_uint(
        "latency", "Latency",
        "Time that a live frame waits for its result in exact mode (ms)", 0,
        MAX_LATENCY, DEFAULT_LATENCY, IN_PLAYING);
}

static void
declare_labels(void)
{
    /**
     * GstPeInference:labels:
     *
     * Labels in plain text, `a dog|a cat`; `\|` is a bar. Empty: embeddings
     * only. A change in PLAYING takes effect when the new labels have been
     * embedded; labels that cannot be used post a warning and change nothing.
     *
     * Since: 0.1
     */
    properties[PROP_LABELS] = g_param_spec_string(
        "labels", "Labels", "Labels separated by |, such as a dog|a cat", NULL,
        IN_PLAYING);

    /**
     * GstPeInference:labels-file:
     *
     * A file with a label a line, or JSON with prompts, negatives, templates
     * and thresholds. Instead of #GstPeInference:labels.
     *
     * Since: 0.1
     */
    properties[PROP_LABELS_FILE] = g_param_spec_string(
        "labels-file", "Labels file",
        "File with a label a line, or JSON; instead of labels", NULL,
        IN_PLAYING);

    /**
     * GstPeInference:prompt-template:
     *
     * Sentences around the label, `a video of {}.|a photo of {}.`; their
     * embeddings are averaged. Empty: the label as it is.
     *
     * Since: 0.1
     */
    properties[PROP_PROMPT_TEMPLATE] = g_param_spec_string(
        "prompt-template", "Prompt template",
        "Sentences around the label {}, separated by |", NULL, IN_PLAYING);

    /**
     * GstPeInference:negative-labels:
     *
     * Labels that compete with #GstPeInference:labels and are never reported,
     * `a wall|nothing`.
     *
     * Since: 0.1
     */
    properties[PROP_NEGATIVE_LABELS] = g_param_spec_string(
        "negative-labels", "Negative labels",
        "Labels that compete but are never reported, separated by |", NULL,
        IN_PLAYING);
}

static void
declare_output(void)
{
    /**
     * GstPeInference:top-k:
     *
     * How many labels a result has at most.
     *
     * Since: 0.1
     */
    properties[PROP_TOP_K] =
        g_param_spec_uint("top-k", "Top k", "Labels of a result, at most", 0,
                          MAX_TOP_K, DEFAULT_TOP_K, IN_PLAYING);

    /**
     * GstPeInference:threshold:
     *
     * Labels with a lower probability are not reported.
     *
     * Since: 0.1
     */
    properties[PROP_THRESHOLD] = g_param_spec_double(
        "threshold", "Threshold", "Lowest probability that is reported", 0, 1,
        DEFAULT_THRESHOLD, IN_PLAYING);

    /**
     * GstPeInference:attach-embedding:
     *
     * Whether results carry the embedding of their clip.
     *
     * Since: 0.1
     */
    properties[PROP_ATTACH_EMBEDDING] =
        g_param_spec_boolean("attach-embedding", "Attach embedding",
                             "Whether results carry the embedding",
                             DEFAULT_ATTACH_EMBEDDING, IN_PLAYING);

    /**
     * GstPeInference:post-messages:
     *
     * Whether to post a `peinference` element message for each result.
     *
     * Since: 0.1
     */
    properties[PROP_POST_MESSAGES] = g_param_spec_boolean(
        "post-messages", "Post messages", "Post a message for each result",
        DEFAULT_POST_MESSAGES, IN_PLAYING);

    /**
     * GstPeInference:stats:
     *
     * Counters since the start: `frames`, `frames-without-pts`, `sampled`,
     * `skipped` (sampled but not embedded, in latest mode), `clips`,
     * `partial-clips`, `late` (frames that left without their result) and
     * `superseded` (results that no frame carried). Of the frames that were
     * embedded: `frames-in-place` (read where they lay in CUDA memory),
     * `frames-device-copied` (out of another CUDA context), `frames-uploaded`
     * (from system memory to a CUDA device) and `frames-downloaded` (from CUDA
     * memory to the CPU). Percentiles `-p50`, `-p95`,
     * `-p99` in milliseconds of `preprocess`, `hold` and `score`. While the
     * element runs also the engine's, over all streams: `device`, `precision`,
     * `engine-images`, `engine-batches`, `batch-fill`, and percentiles of
     * `wait` (of a frame for its batch) and `compute` (of a batch).
     *
     * Since: 0.1
     */
    properties[PROP_STATS] = g_param_spec_boxed(
        "stats", "Statistics", "Counters and times", GST_TYPE_STRUCTURE,
        G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
}

void
gst_pe_properties_install(GObjectClass *klass)
{
    klass->set_property = set_property;
    klass->get_property = get_property;
    declare_model();
    declare_sampling();
    declare_mode();
    declare_labels();
    declare_output();
    g_object_class_install_properties(klass, N_PROPERTIES, properties);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_INFERENCE_MODE, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_PRECISION, 0);
}
