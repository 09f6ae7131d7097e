// SPDX-License-Identifier: LGPL-2.1-or-later
//
// window.c - see window.h.

#include "window.h"

#include <gst/app/gstappsrc.h>

#include "core/pe.h"
#include "pipelines/live/window/wall.h"

#define OPEN_TIME (10 * G_TIME_SPAN_SECOND)
#define CLOSE_TIME (2 * G_TIME_SPAN_SECOND)
#define LOOK_TIME (100 * G_TIME_SPAN_MILLISECOND) // at the bus

struct Window {
    gint n_refs; // atomic: the owner's and the thread's
    GstElement *pipeline;
    GstElement *source;
    GMutex lock;
    GCond changed;
    GPtrArray *tiles; // to be drawn, or NULL
    bool opened;      // or failed to
    bool quit;
    bool ended;  // the thread
    GError *why; // it did not open, or is over
};

static void
unref(Window *window)
{
    if (!g_atomic_int_dec_and_test(&window->n_refs))
        return;
    g_clear_pointer(&window->tiles, g_ptr_array_unref);
    g_clear_error(&window->why);
    gst_object_unref(window->source);
    gst_object_unref(window->pipeline);
    g_mutex_clear(&window->lock);
    g_cond_clear(&window->changed);
    g_free(window);
}

// ---- The thread -------------------------------------------------------------

// Where autovideosink finds no sink that opens, it takes one that shows
// nothing.
static bool
shows_nothing(GstElement *sink)
{
    bool nothing = false;
    if (!GST_IS_BIN(sink) ||
        !g_str_has_prefix(G_OBJECT_TYPE_NAME(sink), "GstAuto"))
        return false;
    GST_OBJECT_LOCK(sink);
    for (GList *l = GST_BIN_CHILDREN(sink); l; l = l->next)
        nothing |= g_str_has_prefix(G_OBJECT_TYPE_NAME(l->data), "GstFake");
    GST_OBJECT_UNLOCK(sink);
    return nothing;
}

static GstElement *
find_sink(GstElement *pipeline)
{
    GstIterator *sinks = gst_bin_iterate_sinks(GST_BIN(pipeline));
    GValue value = G_VALUE_INIT;
    GstElement *sink = NULL;
    if (gst_iterator_next(sinks, &value) == GST_ITERATOR_OK)
        sink = g_value_dup_object(&value);
    if (sink)
        g_value_unset(&value);
    gst_iterator_free(sinks);
    return sink;
}

// The next error on the bus, or NULL.
static GError *
take_error(Window *window)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(window->pipeline);
    GError *error = NULL;
    GstMessage *message;
    while (!error && (message = gst_bus_pop(bus))) {
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
            gst_message_parse_error(message, &error, NULL);
        else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS)
            error = g_error_new_literal(PE_ERROR, PE_ERROR_DEVICE, "it ended");
        gst_message_unref(message);
    }
    return error;
}

// Returns what is wrong, or NULL.
static GError *
open_sink(Window *window)
{
    bool ok = gst_element_set_state(window->pipeline, GST_STATE_READY) !=
              GST_STATE_CHANGE_FAILURE;
    g_autoptr(GstElement) sink = find_sink(window->pipeline);
    GError *error = NULL;
    if (ok && sink && shows_nothing(sink))
        return g_error_new_literal(PE_ERROR, PE_ERROR_DEVICE,
                                   "no video sink of GStreamer opens here");
    // Pictures are shown when they come: they have been through a queue.
    if (sink && g_object_class_find_property(G_OBJECT_GET_CLASS(sink), "sync"))
        g_object_set(sink, "sync", FALSE, NULL);
    if (!ok)
        error = take_error(window);
    if (!ok && !error)
        error = g_error_new_literal(PE_ERROR, PE_ERROR_DEVICE,
                                    "the video sink does not open");
    return error;
}

static void
tell_opened(Window *window, GError *error)
{
    g_mutex_lock(&window->lock);
    window->opened = true;
    window->why = error;
    g_cond_broadcast(&window->changed);
    g_mutex_unlock(&window->lock);
}

// The next tiles; NULL: the end, with *error set when that is no wish of ours.
static GPtrArray *
wait_tiles(Window *window, GError **error)
{
    GPtrArray *tiles = NULL;
    g_mutex_lock(&window->lock);
    while (!window->quit && !window->tiles && !*error) {
        g_cond_wait_until(&window->changed, &window->lock,
                          g_get_monotonic_time() + LOOK_TIME);
        g_mutex_unlock(&window->lock);
        *error = take_error(window);
        g_mutex_lock(&window->lock);
    }
    if (!window->quit && !*error)
        tiles = g_steal_pointer(&window->tiles);
    g_mutex_unlock(&window->lock);
    return tiles;
}

static void
draw(Window *window)
{
    Wall *wall = wall_new();
    GError *error = NULL;
    GPtrArray *tiles;
    gst_element_set_state(window->pipeline, GST_STATE_PLAYING);
    while ((tiles = wait_tiles(window, &error))) {
        GstBuffer *buffer = wall_draw(wall, tiles);
        g_ptr_array_unref(tiles);
        if (buffer) // never waits: the oldest is dropped
            gst_app_src_push_buffer(GST_APP_SRC(window->source), buffer);
    }
    wall_free(wall);
    g_mutex_lock(&window->lock);
    if (!window->why)
        window->why = g_steal_pointer(&error);
    g_mutex_unlock(&window->lock);
    g_clear_error(&error);
}

static gpointer
run(gpointer data)
{
    Window *window = data;
    GError *error = open_sink(window);
    tell_opened(window, error);
    if (!error)
        draw(window);
    gst_element_set_state(window->pipeline, GST_STATE_NULL);
    g_mutex_lock(&window->lock);
    window->ended = true;
    g_cond_broadcast(&window->changed);
    g_mutex_unlock(&window->lock);
    unref(window);
    return NULL;
}

// ---- For the main thread ----------------------------------------------------

static bool
check_display(GError **error)
{
    const char *x = g_getenv("DISPLAY"), *wayland = g_getenv("WAYLAND_DISPLAY");
    if ((x && *x) || (wayland && *wayland))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                "no display: neither DISPLAY nor WAYLAND_DISPLAY is set; "
                "--overlay-sink names another sink, such as kmssink");
    return false;
}

static GstElement *
make_pipeline(const char *sink, GError **error)
{
    g_autofree char *line = g_strdup_printf(
        "appsrc name=wall is-live=true format=time do-timestamp=true "
        "max-buffers=2 max-bytes=0 leaky-type=downstream "
        "caps=\"video/x-raw,format=" WALL_FORMAT
        ",width=%d,height=%d,framerate=0/1\" ! peoverlay text-size=0.025 "
        "hold-time=0 ! videoconvert ! %s",
        WALL_WIDTH, WALL_HEIGHT, sink ? sink : "autovideosink");
    return gst_parse_launch_full(line, NULL, GST_PARSE_FLAG_FATAL_ERRORS,
                                 error);
}

// Waits for the thread's flag. Returns false after the time.
static bool
wait_flag(Window *window, const bool *flag, gint64 time)
{
    gint64 limit = g_get_monotonic_time() + time;
    bool in_time = true;
    while (!*flag && in_time)
        in_time = g_cond_wait_until(&window->changed, &window->lock, limit);
    return *flag;
}

static bool
wait_opened(Window *window, GError **error)
{
    g_mutex_lock(&window->lock);
    bool opened = wait_flag(window, &window->opened, OPEN_TIME);
    bool ok = opened && !window->why;
    if (!ok)
        g_set_error(error, PE_ERROR, PE_ERROR_DEVICE, "no display: %s",
                    opened ? window->why->message
                           : "the video sink does not open in time");
    g_mutex_unlock(&window->lock);
    return ok;
}

Window *
window_new(const char *sink, GError **error)
{
    if (!sink && !check_display(error))
        return NULL;
    GstElement *pipeline = make_pipeline(sink, error);
    if (!pipeline)
        return NULL;
    Window *window = g_new0(Window, 1);
    window->n_refs = 2;
    window->pipeline = pipeline;
    window->source = gst_bin_get_by_name(GST_BIN(pipeline), "wall");
    g_mutex_init(&window->lock);
    g_cond_init(&window->changed);
    g_thread_unref(g_thread_new("pe-live-window", run, window));
    if (wait_opened(window, error))
        return window;
    window_free(window);
    return NULL;
}

bool
window_free(Window *window)
{
    g_mutex_lock(&window->lock);
    window->quit = true;
    g_cond_broadcast(&window->changed);
    bool ended = wait_flag(window, &window->ended, CLOSE_TIME);
    g_mutex_unlock(&window->lock);
    unref(window);
    return ended;
}

bool
window_is_ready(Window *window)
{
    g_mutex_lock(&window->lock);
    bool ready = !window->tiles && !window->ended;
    g_mutex_unlock(&window->lock);
    return ready;
}

void
window_show(Window *window, GPtrArray *tiles)
{
    g_mutex_lock(&window->lock);
    g_clear_pointer(&window->tiles, g_ptr_array_unref);
    window->tiles = tiles;
    g_cond_broadcast(&window->changed);
    g_mutex_unlock(&window->lock);
}

char *
window_get_end(Window *window)
{
    char *end = NULL;
    g_mutex_lock(&window->lock);
    if (window->why)
        end = g_strdup(window->why->message);
    g_mutex_unlock(&window->lock);
    return end;
}
