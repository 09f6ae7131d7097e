// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemetaconvert.c - results on buffers become lines of JSON.

/**
 * SECTION:element-pemetaconvert
 * @title: pemetaconvert
 * @short_description: turns the results of peinference into JSON lines, or
 *     its events into WebVTT
 *
 * For each result of #peinference one buffer with a compact JSON object and a
 * line break. A result that is on many buffers, as in latest mode, or that
 * comes on a buffer and in an event, is written once. Frames without a new
 * result become GAP events, so that sinks and muxers downstream keep time.
 * Pixels are never looked at, so any kind of buffer may carry the metadata,
 * encoded video too.
 *
 * `docs/schema/pe-result.json` is the JSON Schema of the lines. Times are
 * integers in nanoseconds, times of the wall clock ISO 8601 in UTC with nine
 * digits; what is not known is left out. The messages of #peinference use
 * the same words, with `clip-` or `region-` before those that are in an object
 * here:
 *
 * * `schema`: `pe-1`; `type`: `clip`, or `frame` for frames without a result,
 *   see #GstPeMetaConvert:add-empty-results
 * * `source`, `element`, `sequence`: the result's identity. What the stream is
 *   found by again (name of a camera, URI), the name of the element that made
 *   the result, and the result's number
 * * `stream-id`: of the stream
 * * `pts`, `duration`, `running-time`, `stream-time`, `wall-clock`: of the
 *   frame that carries the result, or without one of the clip's last frame
 * * `age`: how long before that frame the clip ended
 * * `clip`: `start`, `end` in running time, `stream-start`, `stream-end` in
 *   stream time, `wall-start`, `wall-end` by the wall clock, `frames`: samples
 *   that were embedded, where a frame that stays on screen is several,
 * `partial` when these are fewer than were asked for, and then the `reason`:
 * `eos`, `jump`, `overload` or `reconfigured`
 * * `region`: `id`, `name`, `x`, `y`, `width`, `height`, `track-id` of the part
 *   of the picture; none: all of it
 * * `window`: name of the window over time, when there are several
 * * `model`, `model-fingerprint`, `device`, `precision`
 * * `label-set`, `label-set-fingerprint`: name of the label set, and 16
 *   hexadecimal digits that change with everything that labels are scored by
 * * `labels`: list of `label`, `score`, `probability`, `similarity` (cosine)
 * and, where a history of the camera is kept, `p-value`; best first
 * * `dim`, `embedding`: see #GstPeMetaConvert:embedding
 *
 * An event that a result makes known is a line of its own behind the result's.
 * It has `type` `event`, `event`: `start`, `update` or `end`, the event's `id`
 * and `label`, the identity of the result that made it known, and `start`,
 * `end` (so far) and `peak` in running time, `stream-start`, `wall-start` and
 * so on by the other clocks, `peak-score`, `threshold` (at which it began),
 * `p-value`: how usual the score is on this camera, `clips`: how many, the
 * model, the label set, and the mean embedding of its clips.
 *
 * When downstream takes `application/x-subtitle-vtt` or `text/vtt`, and no
 * JSON, a cue of WebVTT is written for each event that has ended, with its
 * label and peak score; its times are positions in the video. Cues come in the
 * order of their starts, and wait for events that began before them.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 filesrc location=video.mp4 ! decodebin ! videoconvert !
 * peinference model=PE-Core-B16-224.pt labels="a dog|a cat" ! pemetaconvert !
 * filesink location=labels.jsonl
 * ]|
 * |[
 * gst-launch-1.0 filesrc location=video.mp4 ! decodebin ! videoconvert !
 * peinference model=PE-Core-B16-224.pt labels="a dog|a cat"
 * event-threshold=0.6 ! pemetaconvert ! application/x-subtitle-vtt !
 * filesink location=video.vtt
 * ]|
 *
 * Since: 0.1
 */

#include "gst/convert/gstpemetaconvert.h"

#include "gst/convert/gstpeembeddingformat.h"
#include "gst/convert/gstpejson.h"
#include "gst/convert/gstpewebvtt.h"
#include "gst/convert/gstpewritten.h"

#include <gst/video/video.h>
#include <stdbool.h>

GST_DEBUG_CATEGORY_STATIC(pe_meta_convert_debug);
#define GST_CAT_DEFAULT pe_meta_convert_debug

#define DEFAULT_EMBEDDING GST_PE_EMBEDDING_NONE
#define DEFAULT_ADD_EMPTY_RESULTS FALSE

enum {
    PROP_0,
    PROP_EMBEDDING,
    PROP_ADD_EMPTY_RESULTS,
    N_PROPERTIES,
};

static GParamSpec *properties[N_PROPERTIES];

struct _GstPeMetaConvert {
    GstElement parent;
    GstPad *sinkpad;
    GstPad *srcpad;

    // Properties, object lock.
    GstPeEmbeddingFormat embedding;
    bool add_empty_results;

    // Streaming thread.
    GstSegment segment;
    gchar *stream_id;
    guint32 stream_seqnum; // of the event that named it
    GstPeWritten written;
    bool is_vtt; // that, and not JSON, is written
    GstPeWebvtt vtt;
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS(
        "application/x-json; application/x-subtitle-vtt; text/vtt"));

G_DEFINE_TYPE(GstPeMetaConvert, gst_pe_meta_convert, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(pemetaconvert, "pemetaconvert", GST_RANK_NONE,
                            GST_TYPE_PE_META_CONVERT)

// ---- Data flow ------------------------------------------------------------

static GstPeEmbeddingFormat
get_embedding_format(GstPeMetaConvert *self)
{
    GST_OBJECT_LOCK(self);
    GstPeEmbeddingFormat format = self->embedding;
    GST_OBJECT_UNLOCK(self);
    return format;
}

// Takes the text, which may be empty.
static GstFlowReturn
push_text(GstPeMetaConvert *self, GString *text, GstClockTime pts,
          GstClockTime duration)
{
    gsize size = text->len;
    GstBuffer *out = gst_buffer_new_wrapped(g_string_free(text, FALSE), size);

    if (size == 0) {
        gst_buffer_unref(out);
        return GST_FLOW_OK;
    }
    GST_BUFFER_PTS(out) = pts;
    GST_BUFFER_DURATION(out) = duration;
    return gst_pad_push(self->srcpad, out);
}

static GstFlowReturn
push_json(GstPeMetaConvert *self, const GstPeResult *result,
          const GstPeTimes *times, GstClockTime age, GstClockTime pts)
{
    return push_text(self,
                     gst_pe_json_new(result, self->stream_id, times, age,
                                     get_embedding_format(self)),
                     pts, times->duration);
}

static GstFlowReturn
push_event(GstPeMetaConvert *self, const GstPeResult *result,
           const GstPeLabelEvent *event, GstClockTime pts,
           GstClockTime duration)
{
    GString *text = self->is_vtt
                        ? gst_pe_webvtt_add(&self->vtt, result, event)
                        : gst_pe_json_new_event(result, event, self->stream_id,
                                                get_embedding_format(self));

    return push_text(self, text, pts, duration);
}

// A clip, unless there are only its events, and those.
static GstFlowReturn
push_result(GstPeMetaConvert *self, const GstPeResult *result,
            const GstPeTimes *times, GstClockTime age, GstClockTime pts)
{
    GstFlowReturn flow = GST_FLOW_OK;
    guint n = gst_pe_result_get_n_events(result);

    if (!self->is_vtt && (n == 0 || gst_pe_result_get_n_frames(result) > 0))
        flow = push_json(self, result, times, age, pts);
    for (guint i = 0; flow == GST_FLOW_OK && i < n; i++)
        flow = push_event(self, result, gst_pe_result_get_event(result, i), pts,
                          times->duration);
    return flow;
}

static void
end_vtt(GstPeMetaConvert *self)
{
    if (self->is_vtt && self->segment.format != GST_FORMAT_UNDEFINED)
        push_text(self, gst_pe_webvtt_end(&self->vtt), self->segment.position,
                  GST_CLOCK_TIME_NONE);
}

// A frame without a new result.
static GstFlowReturn
push_nothing(GstPeMetaConvert *self, const GstPeTimes *times)
{
    GST_OBJECT_LOCK(self);
    bool empty = self->add_empty_results && !self->is_vtt;
    GST_OBJECT_UNLOCK(self);

    if (empty)
        return push_json(self, NULL, times, GST_CLOCK_TIME_NONE, times->pts);
    if (GST_CLOCK_TIME_IS_VALID(times->pts))
        gst_pad_push_event(self->srcpad,
                           gst_event_new_gap(times->pts, times->duration));
    return GST_FLOW_OK;
}

// Write the results that have not been written yet.
static GstFlowReturn
push_results(GstPeMetaConvert *self, GstBuffer *buffer, const GstPeTimes *times,
             guint *n_written)
{
    GstFlowReturn flow = GST_FLOW_OK;
    gpointer state = NULL;
    GstPeMeta *meta;

    while (flow == GST_FLOW_OK &&
           (meta = (GstPeMeta *)gst_buffer_iterate_meta_filtered(
                buffer, &state, GST_PE_META_API_TYPE))) {
        if (!gst_pe_written_add(&self->written, meta->result))
            continue;
        flow = push_result(self, meta->result, times, meta->age, times->pts);
        (*n_written)++;
    }
    return flow;
}

static GstFlowReturn
chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    GstPeMetaConvert *self = GST_PE_META_CONVERT(parent);
    GstPeTimes times = gst_pe_times_get(&self->segment, buffer);
    guint n_written = 0;
    GstFlowReturn flow = push_results(self, buffer, &times, &n_written);

    gst_buffer_unref(buffer);
    return n_written > 0 ? flow : push_nothing(self, &times);
}

// Of the event's clip. One that another program made may say only what is in
// the result: then it is the end.
static void
get_result_times(GstPeMetaConvert *self, GstEvent *event, GstPeTimes *times)
{
    GstPeResult *result = gst_event_get_pe_result(event);

    if (gst_pe_times_from_structure(times, gst_event_get_structure(event)))
        return;
    times->running_time = gst_pe_result_get_clip_end(result);
    times->stream_time = gst_pe_result_get_clip_stream_end(result);
    times->wall_clock = gst_pe_result_get_clip_wall_end(result);
    if (self->segment.format == GST_FORMAT_TIME)
        times->pts = gst_segment_position_from_running_time(
            &self->segment, GST_FORMAT_TIME, times->running_time);
}

// In a segment, where sinks drop what is outside: another one may have begun
// since the frame.
static GstClockTime
find_place(const GstSegment *segment, const GstPeTimes *times)
{
    GstClockTime pts = times->pts;

    if (segment->format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID(pts))
        return pts;
    pts = MAX(pts, segment->start);
    if (GST_CLOCK_TIME_IS_VALID(segment->stop) && pts >= segment->stop)
        pts = MAX(segment->start, segment->stop - MIN(segment->stop, 1));
    return pts;
}

// A result without a frame. Its place in time is that of its clip's last frame.
static gboolean
take_result(GstPeMetaConvert *self, GstEvent *event)
{
    GstPeResult *result = gst_event_get_pe_result(event);
    GstPeTimes times;

    if (!gst_pe_written_add(&self->written, result))
        return TRUE;
    get_result_times(self, event, &times);
    return push_result(self, result, &times, GST_CLOCK_TIME_NONE,
                       find_place(&self->segment, &times)) == GST_FLOW_OK;
}

// Another stream may count its results from 0 again. The same event comes
// again when pads are linked anew; then results go on.
static void
take_stream_start(GstPeMetaConvert *self, GstEvent *event)
{
    const gchar *id;
    guint32 seqnum = gst_event_get_seqnum(event);

    gst_event_parse_stream_start(event, &id);
    g_free(self->stream_id);
    self->stream_id = g_strdup(id);
    if (seqnum != self->stream_seqnum)
        gst_pe_written_forget(&self->written);
    self->stream_seqnum = seqnum;
}

// JSON, unless downstream takes something else only. Returns, writable.
static GstCaps *
choose_caps(GstPeMetaConvert *self)
{
    GstCaps *caps = gst_pad_get_allowed_caps(self->srcpad);

    if (!caps || gst_caps_is_empty(caps)) {
        g_clear_pointer(&caps, gst_caps_unref);
        caps = gst_pad_get_pad_template_caps(self->srcpad);
    }
    return gst_caps_fixate(gst_caps_make_writable(caps));
}

static gboolean
push_caps(GstPeMetaConvert *self)
{
    g_autoptr(GstCaps) caps = choose_caps(self);
    GstStructure *s = gst_caps_get_structure(caps, 0);

    self->is_vtt = !gst_structure_has_name(s, "application/x-json");
    if (!self->is_vtt)
        gst_structure_set(s, "format", G_TYPE_STRING, "pe-1", NULL);
    return gst_pad_push_event(self->srcpad, gst_event_new_caps(caps));
}

static gboolean
sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstPeMetaConvert *self = GST_PE_META_CONVERT(parent);

    if (gst_event_get_pe_result(event)) {
        gboolean ok = take_result(self, event);
        gst_event_unref(event);
        return ok;
    }
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS:
        gst_event_unref(event);
        return push_caps(self);
    case GST_EVENT_STREAM_START:
        take_stream_start(self, event);
        break;
    case GST_EVENT_SEGMENT:
        gst_event_copy_segment(event, &self->segment);
        break;
    case GST_EVENT_EOS:
        end_vtt(self);
        break;
    case GST_EVENT_FLUSH_STOP:
        gst_pe_written_forget(&self->written);
        gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
        break;
    default:
        break;
    }
    return gst_pad_event_default(pad, parent, event);
}

// Neither pools nor formats of the other side mean anything here.
static gboolean
sink_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION) {
        gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
        return TRUE;
    }
    return gst_pad_query_default(pad, parent, query);
}

// ---- Object ---------------------------------------------------------------

static GstStateChangeReturn
change_state(GstElement *element, GstStateChange transition)
{
    GstPeMetaConvert *self = GST_PE_META_CONVERT(element);
    GstStateChangeReturn ret =
        GST_ELEMENT_CLASS(gst_pe_meta_convert_parent_class)
            ->change_state(element, transition);

    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
        gst_pe_written_forget(&self->written);
        gst_pe_webvtt_clear(&self->vtt);
        g_clear_pointer(&self->stream_id, g_free);
        gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
    }
    return ret;
}

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstPeMetaConvert *self = GST_PE_META_CONVERT(object);

    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_EMBEDDING:
        self->embedding = (GstPeEmbeddingFormat)g_value_get_enum(value);
        break;
    case PROP_ADD_EMPTY_RESULTS:
        self->add_empty_results = g_value_get_boolean(value);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
        break;
    }
    GST_OBJECT_UNLOCK(self);
}

static void
get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstPeMetaConvert *self = GST_PE_META_CONVERT(object);

    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_EMBEDDING:
        g_value_set_enum(value, self->embedding);
        break;
    case PROP_ADD_EMPTY_RESULTS:
        g_value_set_boolean(value, self->add_empty_results);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
        break;
    }
    GST_OBJECT_UNLOCK(self);
}

static void
finalize(GObject *object)
{
    GstPeMetaConvert *self = GST_PE_META_CONVERT(object);

    gst_pe_written_clear(&self->written);
    gst_pe_webvtt_clear(&self->vtt);
    g_free(self->stream_id);
    G_OBJECT_CLASS(gst_pe_meta_convert_parent_class)->finalize(object);
}

static void
gst_pe_meta_convert_class_init(GstPeMetaConvertClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    const GParamFlags flags =
        G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

    GST_DEBUG_CATEGORY_INIT(pe_meta_convert_debug, "pemetaconvert", 0,
                            "Perception Encoder results to JSON");
    object_class->set_property = set_property;
    object_class->get_property = get_property;
    object_class->finalize = finalize;
    element_class->change_state = change_state;

    /**
     * GstPeMetaConvert:embedding:
     *
     * How the embedding is written: not at all, as base64 of little-endian
     * float32 values, or as a list of numbers.
     *
     * Since: 0.1
     */
    properties[PROP_EMBEDDING] = g_param_spec_enum(
        "embedding", "Embedding", "How the embedding is written",
        GST_TYPE_PE_EMBEDDING_FORMAT, DEFAULT_EMBEDDING, flags);

    /**
     * GstPeMetaConvert:add-empty-results:
     *
     * Write a line, with times only, for frames without a new result too.
     *
     * Since: 0.1
     */
    properties[PROP_ADD_EMPTY_RESULTS] =
        g_param_spec_boolean("add-empty-results", "Add empty results",
                             "Write a line for frames without a new result too",
                             DEFAULT_ADD_EMPTY_RESULTS, flags);

    g_object_class_install_properties(object_class, N_PROPERTIES, properties);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_EMBEDDING_FORMAT, 0);
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "Perception Encoder results to JSON",
        "Converter/Metadata",
        "Turns the results of peinference into JSON lines or WebVTT",
        "gst-perception-encoder contributors");
}

static void
gst_pe_meta_convert_init(GstPeMetaConvert *self)
{
    GstElement *element = GST_ELEMENT(self);

    self->embedding = DEFAULT_EMBEDDING;
    self->add_empty_results = DEFAULT_ADD_EMPTY_RESULTS;
    gst_pe_written_init(&self->written);
    g_queue_init(&self->vtt.cues);
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
    self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
    self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
    gst_pad_set_chain_function(self->sinkpad, chain);
    gst_pad_set_event_function(self->sinkpad, sink_event);
    gst_pad_set_query_function(self->sinkpad, sink_query);
    gst_pad_use_fixed_caps(self->srcpad);
    gst_element_add_pad(element, self->sinkpad);
    gst_element_add_pad(element, self->srcpad);
}
