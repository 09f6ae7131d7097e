// SPDX-License-Identifier: LGPL-2.1-or-later
//
// streams.h - all streams of the program, by name. Lives on the main thread and
// looks after each of them twenty times a second.

#pragma once

#include "pipelines/live/stream.h"

typedef struct {
    LiveConfig *common;         // borrowed
    StreamListeners *listeners; // whom all of them tell
    GPtrArray *list;            // Stream, in the order in which they were added
    GPtrArray *leaving;         // removed ones with attempts alive
    guint timer;
    int n_alive;    // attempts, when they were counted last
    bool has_waste; // attempts have ended since trim_time
    gint64 trim_time;
} Streams;

// Borrows common, which must live as long.
Streams *streams_new(LiveConfig *common);
// One more that is told. Before the main loop runs.
void streams_listen(Streams *streams, const StreamListener *listener);
// Nothing may be alive.
void streams_free(Streams *streams);

// Takes config. Where the name was chosen by us, it gets a number when there is
// one like it. Returns NULL and sets `error` when the name is taken.
Stream *streams_add(Streams *streams, StreamConfig *config, bool named,
                    GError **error);
void streams_add_wrong(Streams *streams, const char *name, const char *problem);
Stream *streams_find(Streams *streams, const char *name, GError **error);
void streams_remove(Streams *streams, Stream *stream, bool drain);
// Stop all, with what is in flight.
void streams_stop(Streams *streams);

// Has every one of them stopped for good? Not if there are none.
bool streams_are_done(const Streams *streams);
bool streams_have_failed(const Streams *streams);
// Attempts that are not gone.
int streams_count_alive(const Streams *streams);
