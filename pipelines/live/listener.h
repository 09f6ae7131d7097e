// SPDX-License-Identifier: LGPL-2.1-or-later
//
// listener.h - whom streams tell what happens: the report, files, the search.
// Everything here is on the main thread.

#pragma once

#include "gst/meta/gstpemeta.h"
#include "pipelines/live/events/event_log.h"

typedef struct Stream Stream;

// Each function may be NULL.
typedef struct {
    void (*status)(Stream *stream, void *user_data); // is another, or a fault
    // A clip, or only events.
    void (*result)(Stream *stream, GstPeResult *result, void *user_data);
    // A result, or one of its events, as JSON, behind that.
    void (*line)(Stream *stream, const char *line, void *user_data);
    // An event began, went on or ended, behind its result.
    void (*event)(Stream *stream, const LoggedEvent *event, void *user_data);
    void (*note)(Stream *stream, const char *text, void *user_data);
    void *user_data;
} StreamListener;

// In the order in which they are told.
typedef GArray StreamListeners; // StreamListener

void listeners_status(StreamListeners *listeners, Stream *stream);
void listeners_result(StreamListeners *listeners, Stream *stream,
                      GstPeResult *result);
void listeners_line(StreamListeners *listeners, Stream *stream,
                    const char *line);
void listeners_event(StreamListeners *listeners, Stream *stream,
                     const LoggedEvent *event);
void listeners_note(StreamListeners *listeners, Stream *stream,
                    const char *text);
