// SPDX-License-Identifier: LGPL-2.1-or-later
//
// recording.c - see recording.h.

#include "recording.h"

#include <gst/app/gstappsrc.h>

#include "core/pe.h"

#define FRAGMENT_MS 1000
// That wait for the disk, bytes.
#define MAX_WAITING (64 * 1024 * 1024)
#define FINISH_TIME (10 * G_USEC_PER_SEC)
#define LOOK_TIME (200 * GST_MSECOND)

struct Recording {
    gint n_refs; // atomic
    RecordingFuncs funcs;
    GMutex lock;        // of all below
    GstElement *source; // appsrc
    GstCaps *caps;      // NULL: no picture has come
    GstClockTime base;  // of the first picture
    GstClockTime last_decoded;
    gint64 first, last; // pictures; UNIX time, us
    gint64 end;         // the same
    char *notes;
    gint64 finish_time; // monotonic; 0: not told
    bool slow;          // the disk is
    bool over;
};

static const struct {
    const char *caps, *parser;
} parsers[] = {
    {"video/x-h264", "h264parse"},
    {"video/x-h265", "h265parse"},
    {"video/x-av1", "av1parse"},
    {"video/mpeg", "mpeg4videoparse"},
};

void
recording_unref(Recording *recording)
{
    if (!g_atomic_int_dec_and_test(&recording->n_refs))
        return;
    gst_object_unref(recording->source);
    gst_clear_caps(&recording->caps);
    g_free(recording->notes);
    g_mutex_clear(&recording->lock);
    g_free(recording);
}

// ---- Pictures --------------------------------------------------------------

static GstClockTime
shift(GstClockTime time, GstClockTime base)
{
    return GST_CLOCK_TIME_IS_VALID(time) ? time - MIN(time, base) : time;
}

// What a stream by RTP gives as the time of decoding is when the picture came,
// by which the file would have the jitter of the network instead of the times
// of showing. No picture is decoded behind when it is shown.
static GstClockTime
find_decode_time(const Recording *recording, const GstBuffer *picture)
{
    GstClockTime time = GST_BUFFER_DTS(picture);
    if (!GST_CLOCK_TIME_IS_VALID(time))
        return time;
    time = MIN(time, GST_BUFFER_PTS(picture)); // none is the largest
    return MAX(time, recording->last_decoded);
}

static void
push_locked(Recording *recording, GstBuffer *picture)
{
    GstAppSrc *source = GST_APP_SRC(recording->source);
    if (gst_app_src_get_current_level_bytes(source) > MAX_WAITING) {
        recording->slow = true;
        return;
    }
    GstBuffer *copy = gst_buffer_copy(picture); // of the times, not the bytes
    GST_BUFFER_PTS(copy) = shift(GST_BUFFER_PTS(picture), recording->base);
    GstClockTime decoded = find_decode_time(recording, picture);
    GST_BUFFER_DTS(copy) = shift(decoded, recording->base);
    if (GST_CLOCK_TIME_IS_VALID(decoded))
        recording->last_decoded = decoded;
    gst_app_src_push_buffer(source, copy);
}

void
recording_add(GstCaps *caps, GstBuffer *picture, gint64 time, void *data)
{
    Recording *recording = data;
    g_mutex_lock(&recording->lock);
    if (!recording->caps) {
        recording->caps = gst_caps_ref(caps);
        recording->first = recording->last = time;
        recording->base =
            MIN(find_decode_time(recording, picture), GST_BUFFER_PTS(picture));
        gst_app_src_set_caps(GST_APP_SRC(recording->source), caps);
    }
    if (!recording->slow && !recording->over && time <= recording->end &&
        gst_caps_is_equal(caps, recording->caps)) {
        push_locked(recording, picture);
        recording->last = time;
    }
    g_mutex_unlock(&recording->lock);
}

void
recording_set_end(Recording *recording, gint64 end)
{
    g_mutex_lock(&recording->lock);
    recording->end = end;
    g_mutex_unlock(&recording->lock);
}

bool
recording_get_times(Recording *recording, gint64 *first, gint64 *last)
{
    g_mutex_lock(&recording->lock);
    bool known = recording->caps != NULL;
    *first = recording->first;
    *last = recording->last;
    g_mutex_unlock(&recording->lock);
    return known;
}

void
recording_set_notes(Recording *recording, char *notes)
{
    g_mutex_lock(&recording->lock);
    g_free(recording->notes);
    recording->notes = notes;
    g_mutex_unlock(&recording->lock);
}

void
recording_finish(Recording *recording)
{
    g_mutex_lock(&recording->lock);
    if (recording->finish_time == 0) {
        recording->finish_time = g_get_monotonic_time();
        gst_app_src_end_of_stream(GST_APP_SRC(recording->source));
    }
    g_mutex_unlock(&recording->lock);
}

bool
recording_is_over(Recording *recording)
{
    g_mutex_lock(&recording->lock);
    bool over = recording->over;
    g_mutex_unlock(&recording->lock);
    return over;
}

// ---- The thread ------------------------------------------------------------

// The caps are known, because pictures are added before anything else.
static const char *
find_parser(Recording *recording, GError **error)
{
    g_mutex_lock(&recording->lock);
    g_autofree char *name =
        recording->caps ? g_strdup(gst_structure_get_name(
                              gst_caps_get_structure(recording->caps, 0)))
                        : NULL;
    g_mutex_unlock(&recording->lock);
    for (size_t i = 0; name && i < G_N_ELEMENTS(parsers); i++) {
        if (g_str_equal(parsers[i].caps, name))
            return parsers[i].parser;
    }
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "pictures of the kind %s cannot be recorded: expected H.264, "
                "H.265, AV1 or MPEG-4",
                name ? name : "unknown");
    return NULL;
}

// Returns a reference, or NULL and sets `error`.
static GstElement *
make_pipeline(Recording *recording, const char *path, GError **error)
{
    const char *parser = find_parser(recording, error);
    if (!parser)
        return NULL;
    g_autofree char *text = g_strdup_printf(
        "%s name=parser ! mp4mux fragment-duration=%d ! filesink name=sink",
        parser, FRAGMENT_MS);
    GstElement *pipeline = gst_parse_launch_full(
        text, NULL, GST_PARSE_FLAG_FATAL_ERRORS | GST_PARSE_FLAG_PLACE_IN_BIN,
        error);
    if (!pipeline)
        return NULL;
    GstElement *outer = gst_object_ref_sink(gst_pipeline_new(NULL));
    g_autoptr(GstElement) first =
        gst_bin_get_by_name(GST_BIN(pipeline), "parser");
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(first, "sink");
    g_object_set(sink, "location", path, "async", FALSE, NULL);
    gst_element_add_pad(pipeline, gst_ghost_pad_new("sink", pad));
    gst_bin_add_many(GST_BIN(outer), recording->source, pipeline, NULL);
    gst_element_link(recording->source, pipeline);
    return outer;
}

static bool
is_late(Recording *recording)
{
    g_mutex_lock(&recording->lock);
    bool late = recording->finish_time > 0 &&
                g_get_monotonic_time() - recording->finish_time > FINISH_TIME;
    g_mutex_unlock(&recording->lock);
    return late;
}

static void
wait_end(Recording *recording, GstElement *pipeline, GError **error)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    for (;;) {
        g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(
            bus, LOOK_TIME, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
        if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
            gst_message_parse_error(message, error, NULL);
        else if (!message && is_late(recording))
            g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                        "the disk takes longer than ten seconds");
        if (message || *error)
            return;
    }
}

static void
end(Recording *recording, GError **error)
{
    g_mutex_lock(&recording->lock);
    recording->over = true;
    if (recording->slow && !*error)
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "the disk is too slow, and the clip is cut");
    g_mutex_unlock(&recording->lock);
}

static gpointer
run(gpointer data)
{
    Recording *recording = data;
    RecordingFuncs *funcs = &recording->funcs;
    GError *error = NULL;
    g_autofree char *path = funcs->prepare(funcs->user_data, &error);
    GstElement *pipeline = path ? make_pipeline(recording, path, &error) : NULL;
    if (pipeline) {
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        wait_end(recording, pipeline, &error);
        end(recording, &error);
        gst_element_set_state(pipeline, GST_STATE_NULL);
        gst_object_unref(pipeline);
    } else {
        end(recording, &error);
    }
    g_mutex_lock(&recording->lock);
    g_autofree char *notes = g_steal_pointer(&recording->notes);
    g_mutex_unlock(&recording->lock);
    funcs->done(path, notes, error, funcs->user_data);
    g_clear_error(&error);
    recording_unref(recording);
    return NULL;
}

Recording *
recording_new(const RecordingFuncs *funcs)
{
    Recording *recording = g_new0(Recording, 1);
    recording->n_refs = 1;
    recording->funcs = *funcs;
    recording->end = G_MAXINT64;
    g_mutex_init(&recording->lock);
    recording->source =
        gst_object_ref_sink(gst_element_factory_make("appsrc", NULL));
    g_object_set(recording->source, "format", GST_FORMAT_TIME, "max-bytes",
                 (guint64)0, NULL);
    return recording;
}

void
recording_start(Recording *recording)
{
    g_atomic_int_inc(&recording->n_refs);
    g_thread_unref(g_thread_new("pe-live-record", run, recording));
}
