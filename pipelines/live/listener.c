// SPDX-License-Identifier: LGPL-2.1-or-later
//
// listener.c - see listener.h.

#include "listener.h"

static const StreamListener *
get(StreamListeners *listeners, guint i)
{
    return &g_array_index(listeners, StreamListener, i);
}

void
listeners_status(StreamListeners *listeners, Stream *stream)
{
    for (guint i = 0; i < listeners->len; i++) {
        const StreamListener *listener = get(listeners, i);
        if (listener->status)
            listener->status(stream, listener->user_data);
    }
}

void
listeners_result(StreamListeners *listeners, Stream *stream,
                 GstPeResult *result)
{
    for (guint i = 0; i < listeners->len; i++) {
        const StreamListener *listener = get(listeners, i);
        if (listener->result)
            listener->result(stream, result, listener->user_data);
    }
}

void
listeners_line(StreamListeners *listeners, Stream *stream, const char *line)
{
    for (guint i = 0; i < listeners->len; i++) {
        const StreamListener *listener = get(listeners, i);
        if (listener->line)
            listener->line(stream, line, listener->user_data);
    }
}

void
listeners_event(StreamListeners *listeners, Stream *stream,
                const LoggedEvent *event)
{
    for (guint i = 0; i < listeners->len; i++) {
        const StreamListener *listener = get(listeners, i);
        if (listener->event)
            listener->event(stream, event, listener->user_data);
    }
}

void
listeners_note(StreamListeners *listeners, Stream *stream, const char *text)
{
    for (guint i = 0; i < listeners->len; i++) {
        const StreamListener *listener = get(listeners, i);
        if (listener->note)
            listener->note(stream, text, listener->user_data);
    }
}
