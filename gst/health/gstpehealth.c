// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpehealth.c - the element around a GstPeWatch: takes a picture now and
// then, of all others a few rows, and posts what it finds.

/**
 * SECTION:element-pehealth
 * @title: pehealth
 * @short_description: tells that a camera's picture is frozen or flickers,
 *     that the camera was moved, or that its focus hunts
 *
 * Looks at what no single picture tells. Needs no model. Of every
 * #GstPeHealth:interval it takes one picture, of which it only reads the luma
 * (of RGB, a mean), and of those between, up to 33 a second, 96 rows; buffers
 * pass through untouched. Of a frame with a `GstVideoCropMeta`, only its
 * rectangle is watched.
 *
 * A picture is frozen when next to nothing of it has changed for
 * #GstPeHealth:frozen-after. The noise of a sensor is change enough; a clock in
 * a corner is not (#GstPeHealth:still-share). A stream without noise in which
 * nothing moves, as of a drawn scene, is called frozen too. Between two key
 * frames, an encoder may repeat a quiet picture:
 * #GstPeHealth:frozen-after must be longer than from one to the next. At a key
 * frame it draws a frozen picture anew, a little other than before, but much as
 * at the key frame before. So the picture is also frozen when, for three
 * quarters of #GstPeHealth:frozen-after, half of each one is as in one of the
 * ten before, after half a minute and more in which that was never so for as
 * long. With a #GstPeHealth:still-share of 0 it is not.
 *
 * A camera was moved when the structure of its picture, which light and
 * exposure change little, has not been that of the usual view for
 * #GstPeHealth:moved-after. The usual view is learned in the first
 * #GstPeHealth:learn and then followed slowly; a new one is learned when it has
 * lasted. Behind a #peinference, the embedding must have left that of the usual
 * view as well. Pictures that show too little to say so, as of a covered or
 * defocused camera, are not called moved: what is wrong with a single picture
 * is asked of a #peinference, with labels such as those of `camera.json`.
 *
 * A picture flickers when, for some eight seconds, the light of most of it goes
 * up and down by #GstPeHealth:flicker-above or more, at least three times in
 * that time: all of it at once, as with an exposure control that swings or a
 * lamp that fails, or in bands that roll through it, as with lamps on the mains
 * before a sensor that reads row after row. It is told when two pictures of
 * #GstPeHealth:interval, a second to four apart, have found that. What happens
 * once or slowly is not called flicker, nor what happens in a part of the
 * picture, and neither is light in what is black or clipped.
 *
 * A focus hunts when most of the picture loses #GstPeHealth:hunting-above of
 * its sharpness, gets it back and loses it again within twelve seconds, by much
 * the same each time, while its light stays. A picture without detail has none
 * to lose. Encoders sharpen and blur from key frame to key frame; as a key
 * frame does it at once and a lens does not, that is not called hunting.
 *
 * Of frames in CUDA memory, which are copied for that, ten a second are looked
 * at; none between the pictures of #GstPeHealth:interval with
 * #GstPeHealth:flicker-above and #GstPeHealth:hunting-above of 0. Neither can
 * be told with fewer than four pictures a second. Whether there is either is
 * asked with each picture of #GstPeHealth:interval, of the last seconds: what
 * is over between two of them is missed, and the end is told up to three
 * seconds late for flicker and twelve for hunting.
 *
 * ## Time
 *
 * Behind a gap, as of a camera that stalled, what is still so goes on, with the
 * `since` that it had, and what is not has ended before the gap. Time without
 * pictures makes none frozen and no camera moved. The same is so behind a
 * segment that goes on in running time, and a buffer with DISCONT.
 *
 * What has begun ends with the stream, a flush (as of a seek), READY, and a
 * step back in running time of more than a second and #GstPeHealth:interval, as
 * of timestamps that wrap or a source that begins anew; behind it, all but the
 * usual view begins anew. Another stream, which is one of another stream-id,
 * ends it, too, and has a usual view of its own.
 *
 * A picture more than ten seconds ahead of the last one, and three times as far
 * as the one before and as #GstPeHealth:interval, or one that steps back, is
 * not looked at until the next one is nearer to it than to the last: one wrong
 * timestamp changes nothing. Pictures without a timestamp are not looked at,
 * nor those that all have the same; a warning tells either once.
 *
 * ## Messages
 *
 * A message named `pehealth` tells the measures of each picture:
 * `running-time`; `mean` and `deviation` of its luma, from 0 to 255;
 * `sharpness`, the mean square of the differences of neighbours; `change`, the
 * share of the picture that differs from the last one, where there was one; and
 * where it is known, `structure`, the correlation with the usual view, and
 * `drift`, 1 - the cosine with the usual embedding. A message named
 * `pehealth-event` tells an event: `event` (`start` or `end`), `id`, which
 * counts from READY on, `label` (`frozen picture`, `camera moved`, `flicker`
 * or `hunting`), and running times: `start`, when it was sure, `since`, which
 * is not later, when it has begun as far as can be said, and `end`, up to when
 * it has lasted: at the start, as far as was seen by then, and of flicker and
 * hunting up to the last swing.
 *
 * Each event also travels downstream as a result without frames, see
 * `gst_event_get_pe_result()`, as those of labels do: `pemetaconvert` writes it
 * as a line, which the sinks to brokers send.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -m rtspsrc location=rtsp://camera/stream ! decodebin !
 * videoconvert ! pehealth ! fakesink
 * ]|
 *
 * Since: 0.1
 */

#include "gst/health/gstpehealth.h"

#include "gst/health/gstpenewest.h"
#include "gst/health/gstpepace.h"
#include "gst/health/gstpeplane.h"
#include "gst/health/gstpetelling.h"
#include "gst/health/gstpewatch.h"
#include "gst/health/gstpewatchproperties.h"
#include "gst/meta/gstpemeta.h"
#include "gst/video/gstpecuda.h"
#include "gst/video/gstpeframe.h"

#include <math.h>
#include <string.h>

GST_DEBUG_CATEGORY_STATIC(pe_health_debug);
#define GST_CAT_DEFAULT pe_health_debug

// Least time between the pictures whose light and sharpness are followed: of a
// stream, and of one in CUDA memory, from where each is copied.
#define GLANCE_STEP (30 * GST_MSECOND)
#define GLANCE_STEP_CUDA (100 * GST_MSECOND)

// So many pictures, none of which is later than one before, are told.
#define MOST_STANDING 1000

// Behind those of the watch.
enum {
    PROP_POST_MESSAGES = GST_PE_WATCH_PROPERTIES_END,
    PROP_SOURCE_ID,
};

// Why pictures are not watched.
typedef enum {
    DOUBT_TIME,     // they have none
    DOUBT_STANDING, // they have all the same
    DOUBT_MEMORY,   // they cannot be read
    DOUBT_SIZE,     // they are too small, or their crops are
    N_DOUBTS,
} Doubt;

struct _GstPeHealth {
    GstBaseTransform parent;

    // Object lock.
    GstPeWatchParams params;
    bool post_messages;
    char *source_id; // NULL: none

    // Streaming thread.
    GstVideoInfo info;
    GstPeWatch *watch; // NULL: stopped
    GstPePlane plane;
    GstPeTelling telling;
    GstPePace pace;
    GstPeNewest newest;
    bool warned[N_DOUBTS];
};

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(GST_PE_CUDA_CAPS GST_PE_CAPS));

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(GST_PE_CUDA_CAPS GST_PE_CAPS));

G_DEFINE_TYPE(GstPeHealth, gst_pe_health, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(pehealth, "pehealth", GST_RANK_NONE,
                            GST_TYPE_PE_HEALTH)

// ---- Messages ---------------------------------------------------------------

static void
post(GstPeHealth *self, GstStructure *s)
{
    gst_element_post_message(GST_ELEMENT(self),
                             gst_message_new_element(GST_OBJECT(self), s));
}

static void
tell(GstPeHealth *self, const PeEvent *told, int n, GstPeReason reason)
{
    guint64 since[GST_PE_WATCH_N];

    for (int i = 0; i < n; i++)
        since[i] =
            gst_pe_watch_get_since(self->watch, (GstPeWatchState)told[i].label);
    GST_OBJECT_LOCK(self);
    g_autofree char *source_id = g_strdup(self->source_id);
    GST_OBJECT_UNLOCK(self);
    gst_pe_telling_tell(&self->telling, source_id, told, since, n, reason);
}

static void
set_known(GstStructure *s, const char *name, double value)
{
    if (!isnan(value))
        gst_structure_set(s, name, G_TYPE_DOUBLE, value, NULL);
}

// Once a stream: the next picture would say the same.
static void
warn(GstPeHealth *self, Doubt doubt, const char *what)
{
    if (!self->warned[doubt])
        GST_ELEMENT_WARNING(self, STREAM, FORMAT, ("%s", what), (NULL));
    self->warned[doubt] = true;
}

static void
post_measures(GstPeHealth *self, GstClockTime time)
{
    GstPeMeasures m;

    gst_pe_watch_get_measures(self->watch, &m);
    GstStructure *s = gst_structure_new(
        "pehealth", "running-time", G_TYPE_UINT64, time, "mean", G_TYPE_DOUBLE,
        m.mean, "deviation", G_TYPE_DOUBLE, m.deviation, "sharpness",
        G_TYPE_DOUBLE, m.sharpness, NULL);
    set_known(s, "change", m.change);
    set_known(s, "structure", m.likeness.structure);
    set_known(s, "drift", m.likeness.drift);
    post(self, s);
}

// ---- Pictures ---------------------------------------------------------------

static bool
is_large_enough(int width, int height)
{
    return width >= GST_PE_WATCH_LEAST_WIDTH &&
           height >= GST_PE_WATCH_LEAST_HEIGHT;
}

// Reads the picture, for a glance, for a look, or for both; without a look, a
// few rows are enough. Returns how many events it makes known; -1: it cannot be
// read.
static int
push(GstPeHealth *self, GstBuffer *buffer, bool glance, const GstPeLook *look,
     GstClockTime time, const PeEvent **told)
{
    g_autoptr(GError) error = NULL;
    GstPeLuma luma;
    int rows = look ? 0 : GST_PE_CELLS_ROWS, n = -1;

    if (!gst_pe_plane_open(&self->plane, &self->info, buffer, rows, &luma,
                           &error)) {
        warn(self, DOUBT_MEMORY, error->message);
        return -1;
    }
    if (is_large_enough(luma.width, luma.height)) {
        n = 0;
        if (glance)
            gst_pe_watch_add(self->watch, time, &luma);
        if (look)
            n = gst_pe_watch_push(self->watch, time, luma.pixels, luma.width,
                                  luma.height, luma.stride, look->embedding,
                                  look->dim, told);
    } else
        warn(self, DOUBT_SIZE,
             "The crop of a picture is too small to be watched");
    gst_pe_plane_close(&self->plane);
    return n;
}

static void
look_at(GstPeHealth *self, GstBuffer *buffer, bool glance, GstClockTime time)
{
    GstBaseTransform *base = GST_BASE_TRANSFORM(self);
    const GstPeTimes times = gst_pe_times_get(&base->segment, buffer);
    const PeEvent *told;
    gsize dim = 0;

    GST_OBJECT_LOCK(self);
    const GstPeWatchParams params = self->params;
    bool wanted = self->post_messages;
    GST_OBJECT_UNLOCK(self);
    g_autofree float *embedding =
        gst_pe_newest_get(&self->newest, time, params.step, &dim);
    const GstPeLook look = {.embedding = embedding, .dim = (int)dim};
    gst_pe_watch_set_params(self->watch, &params);
    gst_pe_telling_add_times(&self->telling, &times);
    int n = push(self, buffer, glance, &look, time, &told);
    if (n < 0)
        return;
    if (wanted)
        post_measures(self, time);
    tell(self, told, n, GST_PE_REASON_NONE);
}

static void
end(GstPeHealth *self, GstPeReason reason)
{
    const PeEvent *told;

    int n = gst_pe_watch_end(self->watch, &told);
    tell(self, told, n, reason);
}

// The stream ends, or what comes next has nothing to do with it.
static void
cut(GstPeHealth *self, GstPeReason reason)
{
    end(self, reason);
    gst_pe_pace_restart(&self->pace);
}

// The picture's running time. GST_CLOCK_TIME_NONE: it lasts for none, as it has
// no timestamp or is outside of the segment.
static GstClockTime
get_time(GstPeHealth *self, GstBuffer *buffer)
{
    const GstSegment *segment = &GST_BASE_TRANSFORM(self)->segment;
    GstClockTime time = GST_CLOCK_TIME_NONE;
    bool known =
        segment->format == GST_FORMAT_TIME && GST_BUFFER_PTS_IS_VALID(buffer);

    if (known)
        time = gst_segment_to_running_time(segment, GST_FORMAT_TIME,
                                           GST_BUFFER_PTS(buffer));
    bool beyond = GST_CLOCK_TIME_IS_VALID(time) && time >= GST_PE_PACE_END;
    if (!known || beyond)
        warn(self, DOUBT_TIME,
             "Pictures without a timestamp, or 292 years from the start, are "
             "not watched");
    return beyond ? GST_CLOCK_TIME_NONE : time;
}

static GstFlowReturn
transform_ip(GstBaseTransform *base, GstBuffer *buffer)
{
    GstPeHealth *self = GST_PE_HEALTH(base);
    GstClockTime time = get_time(self, buffer);

    if (!GST_CLOCK_TIME_IS_VALID(time))
        return GST_FLOW_OK;
    GST_OBJECT_LOCK(self);
    GstClockTime interval = self->params.step;
    bool glances = self->params.rhythm.flicker_above > 0 ||
                   self->params.rhythm.hunting_above > 0;
    GST_OBJECT_UNLOCK(self);
    GstPePaceStep step = gst_pe_pace_step(&self->pace, time, interval);
    if (step == GST_PE_PACE_STRAY)
        return GST_FLOW_OK;
    if (step == GST_PE_PACE_BACK)
        end(self, GST_PE_REASON_JUMP);
    if (self->pace.n_standing == MOST_STANDING)
        warn(self, DOUBT_STANDING,
             "Pictures that all have the same timestamp are not watched");
    gst_pe_newest_keep_all(&self->newest, buffer, time);
    if (!is_large_enough(GST_VIDEO_INFO_WIDTH(&self->info),
                         GST_VIDEO_INFO_HEIGHT(&self->info)))
        return GST_FLOW_OK;
    GstClockTime rest =
        gst_pe_cuda_has_memory(buffer) ? GLANCE_STEP_CUDA : GLANCE_STEP;
    bool glance =
        glances && gst_pe_pace_is_due(&self->pace.next_glance, time, rest);
    if (gst_pe_pace_is_due(&self->pace.next_look, time, interval))
        look_at(self, buffer, glance, time);
    else if (glance)
        push(self, buffer, true, NULL, time, NULL);
    return GST_FLOW_OK;
}

// What is usual of one camera is not so of another.
static bool
is_other_stream(const GstPeHealth *self, GstEvent *event)
{
    const char *id, *last = self->telling.source.stream_id;

    if (GST_EVENT_TYPE(event) != GST_EVENT_STREAM_START || !last)
        return false;
    gst_event_parse_stream_start(event, &id);
    return !g_str_equal(id, last);
}

static gboolean
sink_event(GstBaseTransform *base, GstEvent *event)
{
    GstPeHealth *self = GST_PE_HEALTH(base);

    if (GST_EVENT_TYPE(event) == GST_EVENT_EOS)
        cut(self, GST_PE_REASON_EOS);
    if (is_other_stream(self, event)) {
        cut(self, GST_PE_REASON_JUMP);
        gst_pe_watch_forget(self->watch);
        memset(self->warned, 0, sizeof self->warned);
    }
    if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) {
        // What ends now is told behind the next segment.
        gst_pe_telling_passed(&self->telling, event);
        cut(self, GST_PE_REASON_JUMP);
    }
    GstPeResult *result = gst_event_get_pe_result(event);
    if (result && self->pace.last != GST_CLOCK_TIME_NONE)
        gst_pe_newest_keep(&self->newest, result, self->pace.last);
    g_autoptr(GstEvent) passed = gst_event_ref(event);
    gboolean ok = GST_BASE_TRANSFORM_CLASS(gst_pe_health_parent_class)
                      ->sink_event(base, event);
    if (GST_EVENT_TYPE(passed) != GST_EVENT_FLUSH_STOP)
        gst_pe_telling_passed(&self->telling, passed);
    return ok;
}

// The parent would leave out frames that are late.
static gboolean
src_event(GstBaseTransform *base, GstEvent *event)
{
    if (GST_EVENT_TYPE(event) == GST_EVENT_QOS)
        return gst_pad_push_event(base->sinkpad, event);
    return GST_BASE_TRANSFORM_CLASS(gst_pe_health_parent_class)
        ->src_event(base, event);
}

static gboolean
set_caps(GstBaseTransform *base, GstCaps *in, GstCaps *out)
{
    GstPeHealth *self = GST_PE_HEALTH(base);

    (void)out;
    if (!gst_video_info_from_caps(&self->info, in))
        return FALSE;
    if (is_large_enough(GST_VIDEO_INFO_WIDTH(&self->info),
                        GST_VIDEO_INFO_HEIGHT(&self->info)))
        return TRUE;
    cut(self, GST_PE_REASON_JUMP);
    g_autofree char *what = g_strdup_printf(
        "Pictures of %dx%d are too small to be watched: %dx%d at least",
        GST_VIDEO_INFO_WIDTH(&self->info), GST_VIDEO_INFO_HEIGHT(&self->info),
        GST_PE_WATCH_LEAST_WIDTH, GST_PE_WATCH_LEAST_HEIGHT);
    warn(self, DOUBT_SIZE, what);
    return TRUE;
}

static gboolean
start(GstBaseTransform *base)
{
    GstPeHealth *self = GST_PE_HEALTH(base);

    GST_OBJECT_LOCK(self);
    GstPeWatchParams params = self->params;
    GST_OBJECT_UNLOCK(self);
    self->watch = gst_pe_watch_new(&params);
    gst_pe_pace_restart(&self->pace);
    memset(self->warned, 0, sizeof self->warned);
    return TRUE;
}

static gboolean
stop(GstBaseTransform *base)
{
    GstPeHealth *self = GST_PE_HEALTH(base);

    end(self, GST_PE_REASON_EOS);
    gst_pe_telling_clear(&self->telling);
    gst_pe_plane_clear(&self->plane);
    g_clear_pointer(&self->watch, gst_pe_watch_free);
    gst_pe_newest_clear(&self->newest);
    return TRUE;
}

// ---- Object -----------------------------------------------------------------

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstPeHealth *self = GST_PE_HEALTH(object);

    GST_OBJECT_LOCK(self);
    if (id == PROP_POST_MESSAGES)
        self->post_messages = g_value_get_boolean(value);
    else if (id == PROP_SOURCE_ID) {
        g_free(self->source_id);
        self->source_id = g_value_dup_string(value);
    } else if (!gst_pe_watch_properties_set(&self->params, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    GST_OBJECT_UNLOCK(self);
}

static void
get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstPeHealth *self = GST_PE_HEALTH(object);

    GST_OBJECT_LOCK(self);
    if (id == PROP_POST_MESSAGES)
        g_value_set_boolean(value, self->post_messages);
    else if (id == PROP_SOURCE_ID)
        g_value_set_string(value, self->source_id);
    else if (!gst_pe_watch_properties_get(&self->params, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    GST_OBJECT_UNLOCK(self);
}

static void
install_properties(GObjectClass *object_class)
{
    gst_pe_watch_properties_install(object_class);
    g_object_class_install_property(
        object_class, PROP_POST_MESSAGES,
        g_param_spec_boolean("post-messages", "Post messages",
                             "Post a message with the measures of each picture "
                             "that is looked at",
                             FALSE, GST_PE_WATCH_PROPERTIES_FLAGS));
    g_object_class_install_property(
        object_class, PROP_SOURCE_ID,
        g_param_spec_string(
            "source-id", "Source id",
            "Name of this camera or file in results, by which it can be found "
            "again. Example: entrance-north. Empty: upstream's URI, else the "
            "stream-id",
            NULL, GST_PE_WATCH_PROPERTIES_FLAGS));
}

static void
finalize(GObject *object)
{
    g_free(GST_PE_HEALTH(object)->source_id);
    G_OBJECT_CLASS(gst_pe_health_parent_class)->finalize(object);
}

static void
gst_pe_health_class_init(GstPeHealthClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    GstBaseTransformClass *base_class = GST_BASE_TRANSFORM_CLASS(klass);

    GST_DEBUG_CATEGORY_INIT(pe_health_debug, "pehealth", 0,
                            "health of a camera's picture");
    object_class->finalize = finalize;
    object_class->set_property = set_property;
    object_class->get_property = get_property;
    install_properties(object_class);
    base_class->start = start;
    base_class->stop = stop;
    base_class->set_caps = set_caps;
    base_class->sink_event = sink_event;
    base_class->src_event = src_event;
    base_class->transform_ip = transform_ip;
    base_class->transform_ip_on_passthrough = TRUE;
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "Camera health", "Filter/Analyzer/Video",
        "Tells that a camera's picture is frozen or flickers, that the camera "
        "was moved, or that its focus hunts",
        "gst-perception-encoder contributors");
}

static void
gst_pe_health_init(GstPeHealth *self)
{
    gst_pe_watch_params_init(&self->params);
    gst_pe_telling_init(&self->telling, GST_ELEMENT(self));
    gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(self), TRUE);
}
