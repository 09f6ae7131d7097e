// SPDX-License-Identifier: LGPL-2.1-or-later
//
// clips.c - see clips.h. A file is read twice: to find the key frame, and to
// copy what is behind it.

#include "clips.h"

#include <gst/gst.h>
#include <string.h>

#include "pipelines/tag/sources.h"

#define PATIENCE (30 * GST_SECOND) // without another buffer

// One reading of a file. Of its streams, the first of video decides.
typedef struct {
    const Clip *clip;
    GstElement *pipeline;
    GstElement *mux; // NULL: only look for the key frame
    GstPad *video;   // not owned
    GMutex lock;     // of what is below
    gint64 key;      // ns, of the last key frame at or before the moment
    bool has_begun;  // that key frame has been copied
    bool is_found;   // nothing that is looked for is behind this
    int n_buffers;
} Cutter;

// ---- Buffers --------------------------------------------------------------

static gint64
get_stream_time(GstPad *pad, GstClockTime time)
{
    g_autoptr(GstEvent) event =
        gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
    const GstSegment *segment = NULL;
    if (event)
        gst_event_parse_segment(event, &segment);
    GstClockTime stream =
        segment ? gst_segment_to_stream_time(segment, GST_FORMAT_TIME, time)
                : time;
    return (gint64)(GST_CLOCK_TIME_IS_VALID(stream) ? stream : time);
}

// While the key frame is looked for: what is behind the moment ends it.
static void
look(Cutter *cutter, GstBuffer *buffer, gint64 time)
{
    bool is_key = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    if (is_key && time <= cutter->clip->start)
        cutter->key = MAX(cutter->key, time);
    else if (is_key || time > cutter->clip->end)
        cutter->is_found = true;
}

// Does a buffer of the moment's stretch go into the clip?
static bool
is_wanted(Cutter *cutter, GstPad *pad, GstBuffer *buffer, gint64 time)
{
    bool is_key = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    if (pad == cutter->video && is_key && time >= cutter->key)
        cutter->has_begun = true;
    return time >= cutter->key && (pad != cutter->video || cutter->has_begun);
}

static bool
is_behind(const Cutter *cutter, GstPad *pad, GstBuffer *buffer)
{
    GstClockTime order = GST_BUFFER_DTS_OR_PTS(buffer);
    return get_stream_time(pad, order) >= cutter->clip->end;
}

// The end of a stream, once, from behind the pad.
static void
end_stream(GstPad *pad)
{
    g_autoptr(GstPad) peer = gst_pad_get_peer(pad);
    if (peer && !GST_PAD_IS_EOS(peer))
        gst_pad_send_event(peer, gst_event_new_eos());
}

static GstPadProbeReturn
on_buffer(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Cutter *cutter = data;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    if (!GST_BUFFER_PTS_IS_VALID(buffer))
        return GST_PAD_PROBE_DROP;
    gint64 time = get_stream_time(pad, GST_BUFFER_PTS(buffer));
    bool passes = false, ends = false;
    g_mutex_lock(&cutter->lock);
    cutter->n_buffers++;
    if (!cutter->mux) {
        if (pad == cutter->video)
            look(cutter, buffer, time);
    } else {
        ends = is_behind(cutter, pad, buffer);
        passes = !ends && is_wanted(cutter, pad, buffer, time);
    }
    g_mutex_unlock(&cutter->lock);
    if (ends)
        end_stream(pad);
    return passes ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

// ---- Pipeline -------------------------------------------------------------

static GstElement *
add(Cutter *cutter, const char *factory)
{
    GstElement *element = gst_element_factory_make(factory, NULL);
    if (!element || !gst_bin_add(GST_BIN(cutter->pipeline), element))
        return NULL;
    return element;
}

// The streams of a file are interleaved, and a muxer waits for all of them.
static GstElement *
add_queue(Cutter *cutter, const char *kind)
{
    GstElement *queue = add(cutter, "queue");
    g_object_set(queue, "max-size-buffers", 0, "max-size-time", (guint64)0,
                 "max-size-bytes", 256 << 20, NULL);
    if (!gst_element_link_pads(queue, "src", cutter->mux, kind))
        return NULL;
    return queue;
}

static void
on_pad_added(GstElement *parse, GstPad *pad, gpointer data)
{
    Cutter *cutter = data;
    g_autoptr(GstCaps) caps = gst_pad_query_caps(pad, NULL);
    const char *name =
        gst_caps_is_any(caps) || gst_caps_is_empty(caps)
            ? ""
            : gst_structure_get_name(gst_caps_get_structure(caps, 0));
    bool is_video =
        g_str_has_prefix(name, "video/") || g_str_has_prefix(name, "image/");
    bool is_audio = g_str_has_prefix(name, "audio/");
    bool is_kept = (is_video && !cutter->video) || is_audio;
    if (is_video && !cutter->video)
        cutter->video = pad;
    GstElement *next =
        cutter->mux && is_kept
            ? add_queue(cutter, is_video ? "video_%u" : "audio_%u")
            : add(cutter, "fakesink");
    if (!next)
        return;
    if (!cutter->mux || !is_kept)
        g_object_set(next, "sync", FALSE, "async", FALSE, NULL);
    if (is_kept)
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, cutter,
                          NULL);
    gst_element_sync_state_with_parent(next);
    g_autoptr(GstPad) sinkpad = gst_element_get_static_pad(next, "sink");
    gst_pad_link(pad, sinkpad);
}

static bool
make_pipeline(Cutter *cutter, const char *uri, const char *path, GError **error)
{
    cutter->pipeline = gst_pipeline_new(NULL);
    GstElement *parse = add(cutter, "parsebin");
    GstElement *source =
        gst_element_make_from_uri(GST_URI_SRC, uri, NULL, error);
    if (!parse || !source) {
        if (source)
            gst_object_unref(source);
        return false;
    }
    gst_bin_add(GST_BIN(cutter->pipeline), source);
    g_signal_connect(parse, "pad-added", G_CALLBACK(on_pad_added), cutter);
    if (path) {
        cutter->mux = add(cutter, "matroskamux");
        GstElement *sink = add(cutter, "filesink");
        if (!cutter->mux || !sink) {
            g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                        "GStreamer's matroskamux is missing");
            return false;
        }
        g_object_set(cutter->mux, "offset-to-zero", TRUE, NULL);
        g_object_set(sink, "location", path, NULL);
        gst_element_link(cutter->mux, sink);
    }
    return gst_element_link(source, parse);
}

static bool
is_cancelled(const Cutter *cutter)
{
    const gint *flag = cutter->clip->is_cancelled;
    return flag && g_atomic_int_get(flag);
}

static bool
is_done(Cutter *cutter, int *n_seen, bool *moved)
{
    g_mutex_lock(&cutter->lock);
    *moved = cutter->n_buffers != *n_seen;
    *n_seen = cutter->n_buffers;
    bool done = cutter->is_found;
    g_mutex_unlock(&cutter->lock);
    return done;
}

static void
take_error(GstMessage *message, GError **error)
{
    g_autoptr(GError) cause = NULL;
    gst_message_parse_error(message, &cause, NULL);
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s", cause->message);
}

// Until the end, or the key frame has been found.
static bool
run(Cutter *cutter, GError **error)
{
    enum { TICK = 20 }; // ms
    g_autoptr(GstBus) bus = gst_element_get_bus(cutter->pipeline);
    int n_seen = 0, n_still = 0;
    bool moved, ok = true;
    gst_element_set_state(cutter->pipeline, GST_STATE_PLAYING);
    while (ok && !is_done(cutter, &n_seen, &moved)) {
        g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(
            bus, TICK * GST_MSECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
        n_still = moved ? 0 : n_still + 1;
        if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS)
            break;
        ok = !message && n_still * (TICK * GST_MSECOND) < PATIENCE &&
             !is_cancelled(cutter);
        if (message)
            take_error(message, error);
        else if (!ok && is_cancelled(cutter))
            g_set_error(error, PE_ERROR, PE_ERROR_FILE, "it was given up");
        else if (!ok)
            g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                        "nothing has come from it for %d s",
                        (int)(PATIENCE / GST_SECOND));
    }
    gst_element_set_state(cutter->pipeline, GST_STATE_NULL);
    return ok;
}

static bool
read_file(Cutter *cutter, const char *uri, const char *path, GError **error)
{
    bool ok = make_pipeline(cutter, uri, path, error) && run(cutter, error);
    gst_object_unref(cutter->pipeline);
    return ok;
}

// ---- Clips ----------------------------------------------------------------

bool
clips_save_one(const char *path, const Clip *clip, GError **error)
{
    Source *source = source_new(clip->name);
    Cutter look_for = {.clip = clip, .key = -1};
    Cutter copy = {.clip = clip};
    g_mutex_init(&look_for.lock);
    g_mutex_init(&copy.lock);
    bool ok = read_file(&look_for, source->uri, NULL, error);
    copy.key = MAX(look_for.key, 0);
    ok = ok && read_file(&copy, source->uri, path, error);
    if (ok && !copy.has_begun) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "there is no video at this time any more");
        ok = false;
    }
    g_mutex_clear(&copy.lock);
    g_mutex_clear(&look_for.lock);
    source_free(source);
    return ok;
}

char *
clips_make_name(const Clip *clip, guint rank)
{
    g_autofree char *base = g_path_get_basename(clip->name);
    char *dot = strrchr(base, '.');
    if (dot && dot > base)
        *dot = '\0';
    char seconds[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(seconds, sizeof seconds, "%.1f",
                    (double)clip->start / GST_SECOND);
    g_autofree char *place = rank ? g_strdup_printf("%03u-", rank) : NULL;
    return g_strdup_printf("%s%.100s-%s.mkv", place ? place : "", base,
                           seconds);
}

bool
clips_save(const char *folder, const GPtrArray *moments, GError **error)
{
    guint n_failed = 0;
    if (g_mkdir_with_parents(folder, 0777) != 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: the folder cannot be made", folder);
        return false;
    }
    for (guint i = 0; i < moments->len; i++) {
        const Moment *moment = moments->pdata[i];
        g_autoptr(GError) cause = NULL;
        const Clip clip = {moment->file->name, moment->start, moment->end,
                           NULL};
        g_autofree char *name = clips_make_name(&clip, i + 1);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (clips_save_one(path, &clip, &cause))
            continue;
        n_failed++;
        g_printerr("pe-search: %s: %s\n", moment->file->name,
                   cause ? cause->message : "cannot be read");
    }
    if (n_failed > 0)
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%u of %u clips could not be written", n_failed,
                    moments->len);
    return n_failed == 0;
}
