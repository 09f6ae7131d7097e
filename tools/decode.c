// SPDX-License-Identifier: LGPL-2.1-or-later
//
// decode.c - uridecodebin into an appsink that takes the library's own formats.

#include "decode.h"

#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <inttypes.h>
#include <string.h>

#include "gst/video/gstpeframe.h"
#include "gst/video/gstpeorientation.h"
#include "gst/video/gstpestrides.h"

#define POLL (50 * GST_MSECOND)
// Without a frame and without another byte of the file, 10 s. Counted and not
// timed, so that a program that was stopped does not give up when it goes on.
#define MAX_POLLS 200

// A file that is being decoded; counters may be read and written at any time.
typedef struct {
    const char *path;
    GstElement *pipeline;
    GstAppSink *sink;
    guint64 furthest; // byte of the file; of the thread that reads it
    int n_reads;      // of bytes that had not been read before
    int n_sounds;     // streams without a decoder: of sound
    int n_others;     // and of other kinds
    // Who gets the frames: one of the two.
    DecodeFunc func;
    DecodeMomentFunc moment_func;
    void *user_data;
    uint64_t from; // frames that end before this are left out
    bool sought;   // there is a frame somewhere
    int64_t n;     // frames that were given
} Decoder;

// ---- Pipeline -------------------------------------------------------------

static GstPadProbeReturn
on_bytes(GstPad *pad, GstPadProbeInfo *info, void *data)
{
    Decoder *d = data;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    if (!buffer || !GST_BUFFER_OFFSET_IS_VALID(buffer))
        return GST_PAD_PROBE_OK;
    guint64 end = GST_BUFFER_OFFSET(buffer) + gst_buffer_get_size(buffer);
    if (end > d->furthest) {
        d->furthest = end;
        g_atomic_int_inc(&d->n_reads);
    }
    return GST_PAD_PROBE_OK;
}

static void
on_source_setup(GstElement *bin, GstElement *source, void *data)
{
    GstPad *pad = gst_element_get_static_pad(source, "src");
    if (!pad)
        return;
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_bytes, data, NULL);
    gst_object_unref(pad);
}

// Sound has no decoder because uridecodebin is asked for video alone.
static void
on_unknown_type(GstElement *bin, GstPad *pad, GstCaps *caps, void *data)
{
    Decoder *d = data;
    const char *name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    g_atomic_int_inc(g_str_has_prefix(name, "audio/") ? &d->n_sounds
                                                      : &d->n_others);
}

// videoconvert passes everything that appsink takes through untouched.
static bool
make_pipeline(Decoder *d, GError **error)
{
    g_autofree char *uri = gst_filename_to_uri(d->path, error);
    if (!uri)
        return false;
    d->pipeline = gst_parse_launch_full(
        "uridecodebin name=source caps=video/x-raw ! videoconvert ! appsink "
        "name=sink sync=false max-buffers=4",
        NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
    if (!d->pipeline)
        return false;
    GstElement *source = gst_bin_get_by_name(GST_BIN(d->pipeline), "source");
    g_object_set(source, "uri", uri, NULL);
    g_signal_connect(source, "source-setup", G_CALLBACK(on_source_setup), d);
    g_signal_connect(source, "unknown-type", G_CALLBACK(on_unknown_type), d);
    gst_object_unref(source);
    d->sink = GST_APP_SINK(gst_bin_get_by_name(GST_BIN(d->pipeline), "sink"));
    GstCaps *caps = gst_caps_from_string(GST_VIDEO_CAPS_MAKE(GST_PE_FORMATS));
    gst_app_sink_set_caps(d->sink, caps);
    gst_caps_unref(caps);
    g_autoptr(GstPad) pad =
        gst_element_get_static_pad(GST_ELEMENT(d->sink), "sink");
    gst_pe_strides_accept(pad);
    return true;
}

// ---- Frames ---------------------------------------------------------------

// Of the stream, whose tags come before its first frame.
static PeOrientation
get_orientation(GstAppSink *sink)
{
    g_autoptr(GstPad) pad =
        gst_element_get_static_pad(GST_ELEMENT(sink), "sink");
    GstPeOrientation orientation = {0};
    GstEvent *event;
    for (guint i = 0; (event = gst_pad_get_sticky_event(pad, GST_EVENT_TAG, i));
         i++) {
        gst_pe_orientation_take_event(&orientation, pad, event);
        gst_event_unref(event);
    }
    return gst_pe_orientation_get(&orientation, -1);
}

// By the file's clock. A frame without a timestamp has a moment without one.
static PeMoment
get_moment(GstSample *sample)
{
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    const GstSegment *segment = gst_sample_get_segment(sample);
    PeMoment moment = {GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer),
                       false};
    if (moment.timestamp != PE_TIME_NONE && segment->format == GST_FORMAT_TIME)
        moment.timestamp = gst_segment_to_stream_time(segment, GST_FORMAT_TIME,
                                                      moment.timestamp);
    return moment;
}

static bool
ends_before(const PeMoment *moment, uint64_t time)
{
    uint64_t duration = moment->duration == PE_TIME_NONE ? 0 : moment->duration;
    return moment->timestamp != PE_TIME_NONE &&
           moment->timestamp + duration < time;
}

static bool
give_sample(Decoder *d, GstSample *sample, PeOrientation orientation,
            GError **error)
{
    GstVideoInfo info;
    GstVideoFrame mapped;
    PeFrame frame;
    PeMoment moment = get_moment(sample);
    if (ends_before(&moment, d->from))
        return true;
    if (!gst_pe_video_info_from_caps(&info, gst_sample_get_caps(sample))) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "a decoded frame has no usable caps");
        return false;
    }
    if (!gst_pe_frame_map(&mapped, &frame, &info, gst_sample_get_buffer(sample),
                          false, error))
        return false;
    frame.orientation = orientation;
    bool more = d->func ? d->func(&frame, d->n, d->user_data, error)
                        : d->moment_func(&frame, &moment, d->user_data, error);
    d->n++;
    gst_video_frame_unmap(&mapped);
    return more;
}

// The first error on the bus, if there is one.
static bool
find_bus_error(Decoder *d, GError **error)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(d->pipeline);
    g_autoptr(GstMessage) message =
        gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    if (!message)
        return false;
    if (g_atomic_int_get(&d->n_sounds) > 0 &&
        g_atomic_int_get(&d->n_others) == 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: there is sound, but no video in it", d->path);
        return true;
    }
    g_autoptr(GError) cause = NULL;
    g_autofree char *debug = NULL;
    gst_message_parse_error(message, &cause, &debug);
    // The last line says what it was; the others where in GStreamer.
    const char *line = debug ? strrchr(g_strchomp(debug), '\n') : NULL;
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s%s%.200s%s", d->path,
                cause->message, line ? " (" : "", line ? line + 1 : "",
                line ? ")" : "");
    return true;
}

// false with the error when nothing has happened for too long.
static bool
check_progress(Decoder *d, int *seen, int *n_polls, GError **error)
{
    int n_reads = g_atomic_int_get(&d->n_reads);
    *n_polls = n_reads == *seen ? *n_polls + 1 : 0;
    *seen = n_reads;
    if (*n_polls < MAX_POLLS)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: neither another frame nor an end comes after %" PRId64
                " frame(s); given up after %d s",
                d->path, d->n, (int)(MAX_POLLS * POLL / GST_SECOND));
    return false;
}

// Feed `func` until it has enough, the stream ends or something fails.
static int64_t
pull_frames(Decoder *d, GError **error)
{
    GError *e = NULL;
    bool more = true, first = true;
    int seen = 0, n_polls = 0;
    PeOrientation orientation = PE_ORIENTATION_NORMAL;
    while (more && !e) {
        GstSample *sample = gst_app_sink_try_pull_sample(d->sink, POLL);
        if (sample) {
            if (first)
                orientation = get_orientation(d->sink);
            first = false;
            more = give_sample(d, sample, orientation, &e);
            gst_sample_unref(sample);
            n_polls = 0;
        } else if (find_bus_error(d, &e) || gst_app_sink_is_eos(d->sink) ||
                   !check_progress(d, &seen, &n_polls, &e)) {
            break;
        }
    }
    if (!e && first && !d->sought)
        g_set_error(&e, PE_ERROR, PE_ERROR_FORMAT, "%s: has no video frame",
                    d->path);
    if (!e)
        return d->n;
    g_propagate_error(error, e);
    return -1;
}

// ---- Files ----------------------------------------------------------------

// A file that cannot be sought, or not before something else fails, is read
// from its beginning.
static void
seek(Decoder *d)
{
    gst_element_set_state(d->pipeline, GST_STATE_PAUSED);
    GstSample *sample =
        gst_app_sink_try_pull_preroll(d->sink, MAX_POLLS * POLL);
    if (!sample)
        return;
    gst_sample_unref(sample);
    d->sought = gst_element_seek_simple(
        d->pipeline, GST_FORMAT_TIME,
        GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, (gint64)d->from);
}

static int64_t
decode(Decoder *d, GError **error)
{
    if (!g_file_test(d->path, G_FILE_TEST_IS_REGULAR)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s", d->path,
                    g_file_test(d->path, G_FILE_TEST_EXISTS)
                        ? "is not a regular file"
                        : "there is no such file");
        return -1;
    }
    if (!make_pipeline(d, error))
        return -1;
    if (d->from > 0)
        seek(d);
    gst_element_set_state(d->pipeline, GST_STATE_PLAYING);
    int64_t n = pull_frames(d, error);
    gst_element_set_state(d->pipeline, GST_STATE_NULL);
    gst_object_unref(d->sink);
    gst_object_unref(d->pipeline);
    return n;
}

int64_t
decode_file(const char *path, DecodeFunc func, void *user_data, GError **error)
{
    Decoder d = {.path = path, .func = func, .user_data = user_data};
    return decode(&d, error);
}

int64_t
decode_file_from(const char *path, uint64_t from, DecodeMomentFunc func,
                 void *user_data, GError **error)
{
    Decoder d = {.path = path,
                 .moment_func = func,
                 .user_data = user_data,
                 .from = from};
    return decode(&d, error);
}
