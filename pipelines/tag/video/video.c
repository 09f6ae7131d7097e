// SPDX-License-Identifier: LGPL-2.1-or-later
//
// video.c - see video.h: uridecodebin, peinference and taps. Knows no archive
// but its contents; tagger.c calls it.

#include "video.h"

#include <gst/video/video.h>
#include <math.h>
#include <string.h>

#include "gst/video/gstpestrides.h"
#include "reader.h"
#include "skips.h"
#include "tools/program.h"

#define KEY_PERIOD (60 * (gint64)GST_SECOND) // at most, between key frames
#define POLL (50 * GST_MSECOND)
#define POLLS_PER_SECOND (int)(GST_SECOND / POLL)

// ---- What streams there are -----------------------------------------------

static void
on_unknown_type(GstElement *bin, GstPad *pad, GstCaps *caps, void *data)
{
    Reader *reader = data;
    const char *name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    if (g_str_has_prefix(name, "audio/"))
        g_atomic_int_inc(&reader->n_sounds);
    else if (g_str_has_prefix(name, "application/x-cenc") ||
             g_str_has_prefix(name, "application/x-cbcs") ||
             g_str_has_prefix(name, "application/x-webm-enc"))
        g_atomic_int_inc(&reader->n_encrypted);
    else if (g_str_has_prefix(name, "video/") ||
             g_str_has_prefix(name, "image/"))
        g_atomic_int_inc(&reader->n_videos);
    else
        g_atomic_int_inc(&reader->n_others);
}

static GstPadProbeReturn
on_bytes(GstPad *pad, GstPadProbeInfo *info, void *data)
{
    Reader *reader = data;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    if (!buffer || !GST_BUFFER_OFFSET_IS_VALID(buffer))
        return GST_PAD_PROBE_OK;
    guint64 end = GST_BUFFER_OFFSET(buffer) + gst_buffer_get_size(buffer);
    if (end > reader->furthest) {
        reader->furthest = end;
        g_atomic_int_inc(&reader->n_reads);
    }
    return GST_PAD_PROBE_OK;
}

static void
on_source_setup(GstElement *bin, GstElement *source, void *data)
{
    g_autoptr(GstPad) pad = gst_element_get_static_pad(source, "src");
    if (pad)
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_bytes, data, NULL);
}

// Key frames without what is between them have numbers by which decoders would
// put them in a wrong order. So each leaves the decoder before the next comes.
static void
drain(GstPad *pad)
{
    gst_pad_send_event(pad, gst_video_event_new_still_frame(TRUE));
}

static GstPadProbeReturn
on_coded(GstPad *pad, GstPadProbeInfo *info, void *data)
{
    Reader *reader = data;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    if (!GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT)) {
        drain(pad);
        // Headers without a picture have no time.
        if (GST_CLOCK_TIME_IS_VALID(GST_BUFFER_DTS_OR_PTS(buffer)))
            g_atomic_int_inc(&reader->n_keys);
        return GST_PAD_PROBE_OK;
    }
    GstClockTime time = GST_BUFFER_DTS_OR_PTS(buffer);
    GstClockTime duration =
        GST_BUFFER_DURATION_IS_VALID(buffer) ? GST_BUFFER_DURATION(buffer) : 0;
    if (GST_BUFFER_PTS_IS_VALID(buffer))
        time = GST_BUFFER_PTS(buffer);
    if (GST_CLOCK_TIME_IS_VALID(time))
        taps_move(&reader->taps, (gint64)(time + duration));
    return GST_PAD_PROBE_DROP;
}

// Decoders get key frames alone, or what samples need.
static void
on_element_added(GstBin *pipeline, GstBin *bin, GstElement *element, void *data)
{
    GstElementFactory *factory = gst_element_get_factory(element);
    if (!factory || !gst_element_factory_list_is_type(
                        factory, GST_ELEMENT_FACTORY_TYPE_DECODER |
                                     GST_ELEMENT_FACTORY_TYPE_MEDIA_VIDEO))
        return;
    Reader *reader = data;
    const VideoSettings *settings = reader->settings;
    g_autoptr(GstPad) pad = gst_element_get_static_pad(element, "sink");
    if (!settings->keyframes_only)
        skips_watch(element, &reader->taps, settings->rate_n, settings->rate_d);
    else if (pad)
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_coded, data, NULL);
}

// ---- Pipeline -------------------------------------------------------------

static void
set_inference(const Reader *reader)
{
    const VideoSettings *settings = reader->settings;
    g_autofree char *name = g_utf8_make_valid(reader->shown, -1);
    g_object_set(reader->inference, "model", program_options.model, "device",
                 program_options.device ? program_options.device : "auto",
                 "batch-size", (guint)program_options.batch, "threads",
                 (guint)program_options.threads, "clip-length", 1,
                 "post-messages", FALSE, "source-id", name, NULL);
    gst_util_set_object_arg(G_OBJECT(reader->inference), "precision",
                            pe_precision_nick(program_options.precision));
    if (settings->keyframes_only)
        g_object_set(reader->inference, "frame-rate", 0, 1, NULL);
    else
        g_object_set(reader->inference, "frame-rate", settings->rate_n,
                     settings->rate_d, NULL);
}

static void
tap(Reader *reader, Collector *collector)
{
    const VideoSettings *settings = reader->settings;
    gint64 period = settings->keyframes_only || settings->rate_n == 0
                        ? 0
                        : (gint64)gst_util_uint64_scale(
                              GST_SECOND, (guint64)settings->rate_d,
                              (guint64)settings->rate_n);
    g_autoptr(GstElement) sink =
        gst_bin_get_by_name(GST_BIN(reader->pipeline), "sink");
    g_autoptr(GstPad) in =
        gst_element_get_static_pad(reader->inference, "sink");
    g_autoptr(GstPad) out = gst_element_get_static_pad(sink, "sink");
    taps_init(&reader->taps, collector, period, settings->with_pictures, in,
              out);
    gst_pe_strides_accept(out);
}

static bool
make_pipeline(Reader *reader, Collector *collector, GError **error)
{
    reader->pipeline = gst_parse_launch_full(
        "uridecodebin name=source caps=video/x-raw ! peinference name=pe "
        "mode=exact hold=none ! fakesink name=sink sync=false",
        NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
    if (!reader->pipeline)
        return false;
    reader->inference = gst_bin_get_by_name(GST_BIN(reader->pipeline), "pe");
    g_autoptr(GstElement) source =
        gst_bin_get_by_name(GST_BIN(reader->pipeline), "source");
    set_inference(reader);
    tap(reader, collector);
    if (reader->settings->keyframes_only ||
        (reader->settings->rate_n > 0 && !reader->settings->decode_all))
        g_signal_connect(reader->pipeline, "deep-element-added",
                         G_CALLBACK(on_element_added), reader);
    g_signal_connect(source, "source-setup", G_CALLBACK(on_source_setup),
                     reader);
    g_signal_connect(source, "unknown-type", G_CALLBACK(on_unknown_type),
                     reader);
    g_object_set(source, "uri", reader->uri, NULL);
    return true;
}

// ---- Who reads ------------------------------------------------------------

static void
look_at_task(const GValue *item, void *data)
{
    bool *reads = data;
    *reads |=
        gst_pad_get_task_state(g_value_get_object(item)) == GST_TASK_STARTED;
}

// Queues have tasks too, which wait for what never comes.
static void
look_at_tasks(const GValue *item, void *data)
{
    GstElement *element = g_value_get_object(item);
    GstElementFactory *factory = gst_element_get_factory(element);
    g_autoptr(GstIterator) pads = NULL;
    if (!factory || !(g_str_equal(GST_OBJECT_NAME(factory), "typefind") ||
                      gst_element_factory_list_is_type(
                          factory, GST_ELEMENT_FACTORY_TYPE_SRC |
                                       GST_ELEMENT_FACTORY_TYPE_DEMUXER |
                                       GST_ELEMENT_FACTORY_TYPE_PARSER)))
        return;
    pads = gst_element_iterate_pads(element);
    while (gst_iterator_foreach(pads, look_at_task, data) ==
           GST_ITERATOR_RESYNC)
        gst_iterator_resync(pads);
}

static bool
anything_reads(GstBin *pipeline)
{
    bool reads = false;
    g_autoptr(GstIterator) elements = gst_bin_iterate_recurse(pipeline);
    while (gst_iterator_foreach(elements, look_at_tasks, &reads) ==
           GST_ITERATOR_RESYNC)
        gst_iterator_resync(elements);
    return reads;
}

// ---- Run ------------------------------------------------------------------

// What has happened since, and for how many polls nothing has.
typedef struct {
    int n_reads, n_polls;
    TapsProgress progress;
} Seen;

// Counted and not timed, so that a program that was stopped goes on.
static void
look_around(Reader *reader, Seen *seen)
{
    Seen now = {.n_reads = g_atomic_int_get(&reader->n_reads),
                .progress = taps_get_progress(&reader->taps)};
    const TapsProgress *p = &now.progress, *before = &seen->progress;
    bool still = now.n_reads == seen->n_reads &&
                 p->n_frames == before->n_frames &&
                 p->n_results == before->n_results;
    now.n_polls = still ? seen->n_polls + 1 : 0;
    g_atomic_int_add(reader->settings->n_decoded_ms,
                     (int)((p->position - before->position) / GST_MSECOND));
    *seen = now;
    if (reader->content->duration < 0)
        gst_element_query_duration(reader->pipeline, GST_FORMAT_TIME,
                                   &reader->content->duration);
}

static void
stop_stalled(Reader *reader)
{
    g_autofree char *detail = g_strdup_printf(
        "neither a frame nor a byte nor an end has come for %d s",
        reader->settings->patience);
    reader_set_problem(reader, "stalled", detail);
    reader->ended = reader->is_broken = true;
}

// decodebin loses an error that comes while it looks for elements. Then who
// read has stopped, and there never was a frame.
static bool
has_stopped_silently(Reader *reader, const Seen *seen)
{
    enum { QUIET = 5 }; // s; who is only slow is not meant
    return seen->progress.n_frames == 0 &&
           seen->n_polls >= QUIET * POLLS_PER_SECOND &&
           !anything_reads(GST_BIN(reader->pipeline));
}

static bool
is_cancelled(const Reader *reader)
{
    return g_atomic_int_get(reader->settings->is_cancelled);
}

// Until the stream has ended or nothing has moved for so long. Returns whether
// it has ended.
static bool
wait_end(Reader *reader, GstBus *bus, Seen *seen, int n_polls)
{
    seen->n_polls = 0;
    while (!is_cancelled(reader) && seen->n_polls < n_polls) {
        g_autoptr(GstMessage) message =
            gst_bus_timed_pop_filtered(bus, POLL, GST_MESSAGE_EOS);
        if (message || taps_get_progress(&reader->taps).has_ended)
            return true;
        look_around(reader, seen);
    }
    return false;
}

// An error overtakes what was read before it and is still being decoded, and
// elements end the stream behind that. Where none does, the end comes from
// here, behind what peinference has in work.
static void
finish_what_was_read(Reader *reader, GstBus *bus, Seen *seen)
{
    int patience = reader->settings->patience * POLLS_PER_SECOND;
    g_autoptr(GstElement) source =
        gst_bin_get_by_name(GST_BIN(reader->pipeline), "source");
    g_autoptr(GstElement) sink =
        gst_bin_get_by_name(GST_BIN(reader->pipeline), "sink");
    g_autoptr(GstPad) pad =
        gst_element_get_static_pad(reader->inference, "sink");
    // A pipeline whose start an error has ended stays paused.
    gst_element_set_state(sink, GST_STATE_PLAYING);
    // A source that fails leaves the others at their work.
    bool goes_on =
        source->numsrcpads > 0 ||
        (reader->cause && reader->cause->domain == GST_RESOURCE_ERROR);
    if (wait_end(reader, bus, seen, goes_on ? POLLS_PER_SECOND : 4) ||
        taps_get_progress(&reader->taps).n_frames == 0)
        return;
    while (!g_rec_mutex_trylock(GST_PAD_GET_STREAM_LOCK(pad))) {
        if (seen->n_polls >= patience || is_cancelled(reader))
            return; // somebody hangs in it
        g_usleep(POLL / GST_USECOND);
        look_around(reader, seen);
    }
    gst_pad_send_event(pad, gst_event_new_eos());
    g_rec_mutex_unlock(GST_PAD_GET_STREAM_LOCK(pad));
    wait_end(reader, bus, seen, patience);
}

static void
look_for_end(Reader *reader, GstBus *bus, Seen *seen)
{
    g_autoptr(GstMessage) message =
        gst_bus_timed_pop_filtered(bus, POLL,
                                   GST_MESSAGE_EOS | GST_MESSAGE_ERROR |
                                       GST_MESSAGE_WARNING | GST_MESSAGE_TAG);
    if (message)
        reader_take_message(reader, message);
    if (!message || reader->ended)
        look_around(reader, seen);
    if (reader->ended)
        return;
    if (seen->n_polls >= reader->settings->patience * POLLS_PER_SECOND)
        stop_stalled(reader);
    else if (has_stopped_silently(reader, seen))
        reader->ended = reader->is_broken = reader->is_silent = true;
}

static void
run(Reader *reader)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(reader->pipeline);
    Seen seen = {0};
    gst_element_set_state(reader->pipeline, GST_STATE_PLAYING);
    while (!reader->ended && !is_cancelled(reader))
        look_for_end(reader, bus, &seen);
    if (reader->is_broken && !reader->failure)
        finish_what_was_read(reader, bus, &seen);
    if (reader->is_broken && is_cancelled(reader))
        reader->ended = false; // what was read is not all here
    // What was said on the way may have been a guess.
    gint64 duration;
    if (reader->ended && !reader->is_broken &&
        gst_element_query_duration(reader->pipeline, GST_FORMAT_TIME,
                                   &duration) &&
        duration > 0)
        reader->content->duration = duration;
    gst_element_set_state(reader->pipeline, GST_STATE_NULL);
}

// What only shows when all has been read.
static void
conclude(Reader *reader)
{
    enum { SLACK = 1000 }; // ms; containers round, and streams end unevenly
    ArchiveContent *content = reader->content;
    TapsProgress progress = taps_get_progress(&reader->taps);
    reader_explain(reader);
    gint64 missing = content->duration - progress.position;
    content->width = reader->taps.width;
    content->height = reader->taps.height;
    if (progress.n_frames == 0) {
        reader_set_problem(reader,
                           reader->n_encrypted ? "encrypted" : "no-video",
                           "there is no video frame in it");
    } else if (content->duration > 0 && missing > SLACK * (gint64)GST_MSECOND) {
        g_autofree char *detail = g_strdup_printf(
            "the video ends at %.1f s, and its container says %.1f s",
            (double)progress.position / GST_SECOND,
            (double)content->duration / GST_SECOND);
        reader_set_problem(reader, "truncated", detail);
    }
    if ((guint64)reader->n_keys > progress.n_frames && progress.n_frames > 0) {
        g_autofree char *detail = g_strdup_printf(
            "%d key frames gave %d pictures; tag it without --keyframes-only",
            reader->n_keys, (int)progress.n_frames);
        reader_set_problem(reader, "undecoded", detail);
    }
    if (content->duration < 0)
        content->duration = progress.position;
}

static void
finish(Reader *reader, Collector *collector, Video *video)
{
    conclude(reader);
    collector_extend(collector, taps_get_progress(&reader->taps).position,
                     reader->taps.period ? reader->taps.period : KEY_PERIOD);
    video->vectors =
        collector_finish(collector, reader->content, reader->settings->shot);
    video->content = g_steal_pointer(&reader->content);
    video->created = reader->created;
}

bool
video_read(Video *video, const char *uri, const char *shown,
           const VideoSettings *settings, GError **error)
{
    Reader reader = {.uri = uri,
                     .shown = shown,
                     .settings = settings,
                     .created = -1,
                     .content = archive_content_new()};
    Collector *collector = collector_new(settings->dim, settings->dedup);
    GError *failure = NULL;
    *video = (Video){.created = -1};
    if (make_pipeline(&reader, collector, &failure)) {
        run(&reader);
        failure = reader.failure;
        if (!failure && !reader.ended)
            g_set_error(&failure, PE_ERROR, PE_ERROR_CANCELLED,
                        "%s: given up on request", shown);
        else if (!failure)
            finish(&reader, collector, video);
        taps_clear(&reader.taps);
        gst_object_unref(reader.inference);
        gst_object_unref(reader.pipeline);
    }
    collector_free(collector);
    g_clear_pointer(&reader.content, archive_content_free);
    g_clear_error(&reader.cause);
    g_free(reader.detail);
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

void
video_clear(Video *video)
{
    g_clear_pointer(&video->content, archive_content_free);
    g_clear_pointer(&video->vectors, g_free);
}
