// SPDX-License-Identifier: LGPL-2.1-or-later
//
// packets.c - see packets.h.

#include "packets.h"

#include <string.h>

#include "pipelines/live/wall_clock.h"

typedef struct {
    GstBuffer *buffer;
    gint64 time; // UNIX time, us
} Packet;

struct Packets {
    gint n_refs; // atomic
    gint64 span; // us
    guint64 limit;
    WallClock clock; // streaming thread
    GMutex lock;     // of all below
    GQueue ring;     // Packet, oldest first
    guint64 bytes;
    GstCaps *caps; // NULL: not known yet
    GstPad *pad;   // the one that is watched, borrowed
    PacketFunc func;
    void *user_data;
};

static bool
is_key_frame(const Packet *packet)
{
    return !GST_BUFFER_FLAG_IS_SET(packet->buffer, GST_BUFFER_FLAG_DELTA_UNIT);
}

static void
drop_first(Packets *packets)
{
    Packet *packet = g_queue_pop_head(&packets->ring);
    packets->bytes -= gst_buffer_get_size(packet->buffer);
    gst_buffer_unref(packet->buffer);
    g_free(packet);
}

// The key frame behind the first one, or NULL.
static const Packet *
find_next_key(const Packets *packets)
{
    const GList *l = packets->ring.head ? packets->ring.head->next : NULL;
    for (; l; l = l->next) {
        if (is_key_frame(l->data))
            return l->data;
    }
    return NULL;
}

static void
drop_group(Packets *packets)
{
    do
        drop_first(packets);
    while (!g_queue_is_empty(&packets->ring) &&
           !is_key_frame(g_queue_peek_head(&packets->ring)));
}

// Whole groups of pictures go, while the next one is old enough to begin with.
static void
keep_bounds(Packets *packets, gint64 now)
{
    const Packet *next;
    while ((next = find_next_key(packets)) && next->time <= now - packets->span)
        drop_group(packets);
    while (packets->bytes > packets->limit)
        drop_group(packets);
}

static void
add_locked(Packets *packets, GstBuffer *buffer, gint64 time)
{
    Packet *packet = g_new(Packet, 1);
    *packet = (Packet){gst_buffer_ref(buffer), time};
    if (g_queue_is_empty(&packets->ring) && !is_key_frame(packet)) {
        gst_buffer_unref(buffer);
        g_free(packet);
        return;
    }
    g_queue_push_tail(&packets->ring, packet);
    packets->bytes += gst_buffer_get_size(buffer);
    keep_bounds(packets, time);
}

// ---- The pipeline ----------------------------------------------------------

static void
take_caps_locked(Packets *packets, GstPad *pad)
{
    GstCaps *caps = gst_pad_get_current_caps(pad);
    if (caps && packets->caps && !gst_caps_is_equal(caps, packets->caps)) {
        while (!g_queue_is_empty(&packets->ring)) // it cannot be one file
            drop_first(packets);
    }
    gst_caps_replace(&packets->caps, caps);
    gst_clear_caps(&caps);
}

static GstPadProbeReturn
on_packet(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Packets *packets = data;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    GstClockTime wall = wall_clock_get(&packets->clock, pad, buffer);
    if (!GST_CLOCK_TIME_IS_VALID(wall))
        return GST_PAD_PROBE_OK;
    gint64 time = (gint64)(wall / GST_USECOND);
    g_mutex_lock(&packets->lock);
    if (!packets->pad)
        packets->pad = pad;
    if (packets->pad == pad) {
        take_caps_locked(packets, pad);
        add_locked(packets, buffer, time);
        if (packets->func)
            packets->func(packets->caps, buffer, time, packets->user_data);
    }
    g_mutex_unlock(&packets->lock);
    return GST_PAD_PROBE_OK;
}

// Every key frame gets what a decoder needs to begin with it.
static void
on_element(GstBin *bin, GstBin *sub, GstElement *element, gpointer data)
{
    const char *klass = gst_element_get_metadata(element, "klass");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(element, "src");
    if (!klass || !strstr(klass, "Parser") || !strstr(klass, "Video") || !pad)
        return;
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(element),
                                     "config-interval"))
        g_object_set(element, "config-interval", -1, NULL);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_packet, data, NULL);
}

static void
forget(gpointer packets, GClosure *closure)
{
    packets_unref(packets);
}

void
packets_watch(Packets *packets, GstElement *pipeline)
{
    g_signal_connect_data(pipeline, "deep-element-added",
                          G_CALLBACK(on_element), packets_ref(packets),
                          (GClosureNotify)forget, 0);
}

// ---- Who wants them --------------------------------------------------------

static GList *
find_begin(Packets *packets, gint64 time)
{
    GList *begin = packets->ring.head;
    for (GList *l = begin; l; l = l->next) {
        const Packet *packet = l->data;
        if (packet->time > time)
            break;
        if (is_key_frame(packet))
            begin = l;
    }
    return begin;
}

bool
packets_begin(Packets *packets, gint64 time, PacketFunc func, void *user_data)
{
    g_mutex_lock(&packets->lock);
    bool ok =
        packets->caps && !packets->func && !g_queue_is_empty(&packets->ring);
    for (GList *l = ok ? find_begin(packets, time) : NULL; l; l = l->next) {
        const Packet *packet = l->data;
        func(packets->caps, packet->buffer, packet->time, user_data);
    }
    if (ok) {
        packets->func = func;
        packets->user_data = user_data;
    }
    g_mutex_unlock(&packets->lock);
    return ok;
}

void
packets_end(Packets *packets)
{
    g_mutex_lock(&packets->lock);
    packets->func = NULL;
    g_mutex_unlock(&packets->lock);
}

Packets *
packets_new(double seconds, guint64 limit)
{
    Packets *packets = g_new0(Packets, 1);
    packets->n_refs = 1;
    packets->span = (gint64)(seconds * G_USEC_PER_SEC);
    packets->limit = limit;
    g_mutex_init(&packets->lock);
    g_queue_init(&packets->ring);
    return packets;
}

Packets *
packets_ref(Packets *packets)
{
    g_atomic_int_inc(&packets->n_refs);
    return packets;
}

void
packets_unref(Packets *packets)
{
    if (!g_atomic_int_dec_and_test(&packets->n_refs))
        return;
    while (!g_queue_is_empty(&packets->ring))
        drop_first(packets);
    gst_clear_caps(&packets->caps);
    g_mutex_clear(&packets->lock);
    g_free(packets);
}
