// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoverlay.c - draws results on the frames that carry them.

/**
 * SECTION:element-peoverlay
 * @title: peoverlay
 * @short_description: draws the results of peinference on the video
 *
 * What #GstPeMeta on a frame and the events of #peinference say becomes
 * visible: a table of the labels with bars and scores, a banner for each event
 * that goes on, and a box with its label around each region. The results of
 * several elements, and of all regions, are all shown. A result stays on the
 * frames behind it until the next one comes, or for
 * #GstPeOverlay:hold-time; a flush, another segment, stream or format ends it.
 *
 * Where the element behind it takes a GstVideoOverlayComposition, as many video
 * sinks do, the drawing travels beside the pixels, which may then be in any
 * memory. Elsewhere it is blended into them. It is painted again only when
 * something that is seen changes; scores are shown in whole per cent.
 *
 * Rectangles are those of the stored frame. Put `videoflip
 * video-direction=auto` in front of #peinference when a video is to be turned,
 * and scale it behind this element.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 filesrc location=video.mp4 ! decodebin ! videoconvert !
 * peinference model=PE-Core-B16-224.pt labels="a dog|a cat" ! peoverlay !
 * videoconvert ! autovideosink
 * ]|
 *
 * Since: 0.1
 */

#include "gst/overlay/gstpeoverlay.h"

#include "gst/overlay/gstpecanvas.h"
#include "gst/overlay/gstpeheld.h"
#include "gst/overlay/gstpeoverlaycaps.h"
#include "gst/overlay/gstpeoverlayenums.h"
#include "gst/overlay/gstpeoverlaysettings.h"
#include "gst/overlay/gstpeshow.h"

GST_DEBUG_CATEGORY_STATIC(pe_overlay_debug);
#define GST_CAT_DEFAULT pe_overlay_debug

#define PROP_STATS GST_PE_OVERLAY_N_SETTINGS
#define N_PROPERTIES (PROP_STATS + 1)

static GParamSpec *properties[N_PROPERTIES];

typedef struct {
    guint64 frames;   // that came
    guint64 attached; // with a composition of ours
    guint64 blended;
    guint64 painted; // how often something was
    guint64 failed;  // frames that could not be drawn on
} Counts;

struct _GstPeOverlay {
    GstElement parent;
    GstPad *sinkpad;
    GstPad *srcpad;

    // Object lock.
    GstPeOverlaySettings settings;
    Counts counts;

    // Streaming thread.
    GstPeOverlaySettings used; // of the scene
    GstSegment segment;
    guint32 stream_seqnum; // of the event that named the stream
    GstCaps *caps;         // of the frames that come; NULL: none
    GstPeHeld held;
    GstPeCanvas *canvas; // NULL: stopped
    bool shown;          // the canvas has what is held
    bool attach;
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_PE_OVERLAY_CAPS));

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_PE_OVERLAY_CAPS));

G_DEFINE_TYPE(GstPeOverlay, gst_pe_overlay, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(peoverlay, "peoverlay", GST_RANK_NONE,
                            GST_TYPE_PE_OVERLAY)

// ---- Negotiation ------------------------------------------------------------

// Does the peer draw compositions on frames of the caps that it just got?
static bool
peer_draws(GstPeOverlay *self, GstCaps *caps)
{
    GstQuery *query = gst_query_new_allocation(caps, FALSE);
    bool draws = gst_pad_peer_query(self->srcpad, query) &&
                 gst_query_find_allocation_meta(
                     query, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);

    gst_query_unref(query);
    return draws;
}

static bool
peer_accepts(GstPeOverlay *self, GstCaps *caps)
{
    GstCaps *accepted = gst_pad_peer_query_caps(self->srcpad, caps);
    bool accepts = !gst_caps_is_empty(accepted);

    gst_caps_unref(accepted);
    return accepts;
}

// Compositions where the peer draws them, or where pixels cannot be drawn on.
static bool
negotiate_with(GstPeOverlay *self, GstCaps *caps)
{
    bool can_blend = gst_pe_overlay_caps_can_blend(caps);

    self->attach = true;
    if (gst_pe_overlay_caps_have_feature(caps))
        return gst_pad_set_caps(self->srcpad, caps);
    g_autoptr(GstCaps) with = gst_pe_overlay_caps_add_feature(caps);
    if (peer_accepts(self, with)) {
        // Some answer the query only when they have caps.
        if (!gst_pad_set_caps(self->srcpad, with))
            return false;
        if (peer_draws(self, with) || !can_blend)
            return true;
    }
    self->attach = false;
    return can_blend && gst_pad_set_caps(self->srcpad, caps);
}

static bool
negotiate(GstPeOverlay *self)
{
    const GstStructure *s = gst_caps_get_structure(self->caps, 0);
    GstVideoInfo info;
    bool known = gst_video_info_from_caps(&info, self->caps);
    int width = 0, height = 0;

    gst_pad_check_reconfigure(self->srcpad);
    if (!negotiate_with(self, self->caps)) {
        gst_pad_mark_reconfigure(self->srcpad);
        return false;
    }
    gst_structure_get_int(s, "width", &width);
    gst_structure_get_int(s, "height", &height);
    GST_DEBUG_OBJECT(self, "%s %" GST_PTR_FORMAT,
                     self->attach ? "compositions for" : "drawing on",
                     self->caps);
    gst_pe_canvas_set_frames(self->canvas, known ? &info : NULL, width, height,
                             self->attach);
    self->shown = false;
    return true;
}

static void
forget_results(GstPeOverlay *self)
{
    if (gst_pe_held_forget(&self->held))
        self->shown = false;
}

static gboolean
take_caps(GstPeOverlay *self, GstEvent *event)
{
    GstCaps *caps;

    gst_event_parse_caps(event, &caps);
    if (!self->caps || !gst_caps_is_equal(caps, self->caps)) {
        gst_caps_replace(&self->caps, caps);
        forget_results(self);
    }
    gst_event_unref(event);
    return negotiate(self);
}

// ---- Data flow --------------------------------------------------------------

static GstPeOverlaySettings
get_settings(GstPeOverlay *self)
{
    GST_OBJECT_LOCK(self);
    GstPeOverlaySettings settings = self->settings;
    GST_OBJECT_UNLOCK(self);
    return settings;
}

// Returns whether something was painted.
static bool
show(GstPeOverlay *self, const GstPeOverlaySettings *settings,
     GstBuffer *buffer)
{
    const GstPeChoice choice = {
        .labels = settings->show & GST_PE_SHOW_LABELS,
        .events = settings->show & GST_PE_SHOW_EVENTS,
        .regions = settings->show & GST_PE_SHOW_REGIONS,
        .max_labels = settings->max_labels,
        .threshold = settings->threshold,
    };
    const GstPeLook look = {settings->text_size,
                            (GstPePosition)settings->position};

    self->used = *settings;
    self->shown = true;
    return gst_pe_canvas_show(self->canvas, gst_pe_show(&self->held, &choice),
                              &look, buffer);
}

static GstClockTime
get_running_time(GstPeOverlay *self, GstBuffer *buffer)
{
    if (self->segment.format != GST_FORMAT_TIME ||
        !GST_BUFFER_PTS_IS_VALID(buffer))
        return GST_CLOCK_TIME_NONE;
    return gst_segment_to_running_time(&self->segment, GST_FORMAT_TIME,
                                       GST_BUFFER_PTS(buffer));
}

static void
count(GstPeOverlay *self, bool painted, bool drawn, bool ok)
{
    GST_OBJECT_LOCK(self);
    self->counts.frames++;
    self->counts.painted += painted;
    self->counts.failed += !ok;
    if (drawn && ok && self->attach)
        self->counts.attached++;
    else if (drawn && ok)
        self->counts.blended++;
    GST_OBJECT_UNLOCK(self);
}

static GstBuffer *
draw(GstPeOverlay *self, GstBuffer *buffer)
{
    GstPeOverlaySettings settings = get_settings(self);
    bool painted = false, ok;
    bool changed = gst_pe_held_take_frame(&self->held, buffer,
                                          get_running_time(self, buffer),
                                          settings.hold_time);

    if (changed || !self->shown ||
        !gst_pe_overlay_settings_are_equal(&settings, &self->used) ||
        gst_buffer_get_video_crop_meta(buffer))
        painted = show(self, &settings, buffer);
    bool drawn = gst_pe_canvas_has_drawings(self->canvas);
    buffer = gst_pe_canvas_put(self->canvas, buffer, &ok);
    if (!ok)
        GST_WARNING_OBJECT(
            self, "a frame of %" GST_PTR_FORMAT " could not be drawn on",
            self->caps);
    count(self, painted, drawn, ok);
    return buffer;
}

static GstFlowReturn
chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    GstPeOverlay *self = GST_PE_OVERLAY(parent);

    if (!self->caps ||
        (gst_pad_check_reconfigure(self->srcpad) && !negotiate(self))) {
        gst_buffer_unref(buffer);
        return GST_PAD_IS_FLUSHING(self->srcpad) ? GST_FLOW_FLUSHING
                                                 : GST_FLOW_NOT_NEGOTIATED;
    }
    return gst_pad_push(self->srcpad, draw(self, buffer));
}

static void
take_stream_start(GstPeOverlay *self, GstEvent *event)
{
    guint32 seqnum = gst_event_get_seqnum(event);

    // The same event comes again when pads are linked anew.
    if (seqnum != self->stream_seqnum)
        forget_results(self);
    self->stream_seqnum = seqnum;
}

// The same segment may be told again, or be continued.
static void
take_segment(GstPeOverlay *self, GstEvent *event)
{
    GstSegment segment;

    gst_event_copy_segment(event, &segment);
    if (!gst_segment_is_equal(&segment, &self->segment))
        forget_results(self);
    self->segment = segment;
}

static gboolean
sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstPeOverlay *self = GST_PE_OVERLAY(parent);
    GstPeResult *result = gst_event_get_pe_result(event);

    if (result && gst_pe_held_take_result(&self->held, result))
        self->shown = false;
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS:
        return take_caps(self, event);
    case GST_EVENT_STREAM_START:
        take_stream_start(self, event);
        break;
    case GST_EVENT_SEGMENT:
        take_segment(self, event);
        break;
    case GST_EVENT_FLUSH_STOP:
        forget_results(self);
        gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
        break;
    default:
        break;
    }
    return gst_pad_event_default(pad, parent, event);
}

static gboolean
answer_caps(GstPad *pad, GstQuery *query)
{
    GstPeOverlay *self = GST_PE_OVERLAY(GST_PAD_PARENT(pad));
    GstCaps *filter;

    gst_query_parse_caps(query, &filter);
    GstCaps *caps = pad == self->sinkpad
                        ? gst_pe_overlay_caps_for_sink(self->srcpad, filter)
                        : gst_pe_overlay_caps_for_src(self->sinkpad, filter);
    gst_query_set_caps_result(query, caps);
    gst_caps_unref(caps);
    return TRUE;
}

static gboolean
answer(GstPad *pad, GstObject *parent, GstQuery *query)
{
    return GST_QUERY_TYPE(query) == GST_QUERY_CAPS
               ? answer_caps(pad, query)
               : gst_pad_query_default(pad, parent, query);
}

// ---- Object -----------------------------------------------------------------

static void
start(GstPeOverlay *self)
{
    GST_OBJECT_LOCK(self);
    self->counts = (Counts){0};
    GST_OBJECT_UNLOCK(self);
    self->canvas = gst_pe_canvas_new();
    self->shown = false;
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
}

static void
stop(GstPeOverlay *self)
{
    forget_results(self);
    gst_clear_caps(&self->caps);
    g_clear_pointer(&self->canvas, gst_pe_canvas_free);
}

static GstStateChangeReturn
change_state(GstElement *element, GstStateChange transition)
{
    GstPeOverlay *self = GST_PE_OVERLAY(element);

    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
        start(self);
    GstStateChangeReturn ret = GST_ELEMENT_CLASS(gst_pe_overlay_parent_class)
                                   ->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
        stop(self);
    return ret;
}

static GstStructure *
get_stats(GstPeOverlay *self)
{
    GST_OBJECT_LOCK(self);
    Counts counts = self->counts;
    GST_OBJECT_UNLOCK(self);
    return gst_structure_new(
        "application/x-pe-overlay-stats", "frames", G_TYPE_UINT64,
        counts.frames, "attached", G_TYPE_UINT64, counts.attached, "blended",
        G_TYPE_UINT64, counts.blended, "painted", G_TYPE_UINT64, counts.painted,
        "failed", G_TYPE_UINT64, counts.failed, NULL);
}

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstPeOverlay *self = GST_PE_OVERLAY(object);

    GST_OBJECT_LOCK(self);
    bool known = gst_pe_overlay_settings_set(&self->settings, id, value);
    GST_OBJECT_UNLOCK(self);
    if (!known)
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void
get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstPeOverlay *self = GST_PE_OVERLAY(object);
    GstPeOverlaySettings settings = get_settings(self);

    if (id == PROP_STATS)
        g_value_take_boxed(value, get_stats(self));
    else if (!gst_pe_overlay_settings_get(&settings, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void
finalize(GObject *object)
{
    GstPeOverlay *self = GST_PE_OVERLAY(object);

    stop(self);
    gst_pe_held_clear(&self->held);
    G_OBJECT_CLASS(gst_pe_overlay_parent_class)->finalize(object);
}

static void
gst_pe_overlay_class_init(GstPeOverlayClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);

    GST_DEBUG_CATEGORY_INIT(pe_overlay_debug, "peoverlay", 0,
                            "Perception Encoder results on the video");
    object_class->set_property = set_property;
    object_class->get_property = get_property;
    object_class->finalize = finalize;
    element_class->change_state = change_state;
    gst_pe_overlay_settings_make_specs(properties);
    properties[PROP_STATS] = g_param_spec_boxed(
        "stats", NULL,
        "Counts of frames, of those with a composition or drawn on, of those "
        "that could not be drawn on, and of how often something was painted",
        GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
    g_object_class_install_properties(object_class, N_PROPERTIES, properties);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_SHOW, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_POSITION, 0);
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "Perception Encoder overlay", "Filter/Editor/Video",
        "Draws labels, events and regions of peinference on the video",
        "gst-perception-encoder contributors");
}

static void
gst_pe_overlay_init(GstPeOverlay *self)
{
    GstElement *element = GST_ELEMENT(self);

    self->settings = gst_pe_overlay_default_settings;
    gst_pe_held_init(&self->held);
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
    self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
    self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
    gst_pad_set_chain_function(self->sinkpad, chain);
    gst_pad_set_event_function(self->sinkpad, sink_event);
    gst_pad_set_query_function(self->sinkpad, answer);
    gst_pad_set_query_function(self->srcpad, answer);
    GST_PAD_SET_PROXY_ALLOCATION(self->sinkpad);
    gst_element_add_pad(element, self->sinkpad);
    gst_element_add_pad(element, self->srcpad);
}
