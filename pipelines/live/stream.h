// SPDX-License-Identifier: LGPL-2.1-or-later
//
// stream.h - one supervised stream: what it is to be, its attempts, and what is
// known about it. Lives on the main thread.

#pragma once

#include "pipelines/live/attempt.h"
#include "pipelines/live/listener.h"

// Of times in seconds, as Prometheus counts them: each in the first bound that
// it does not exceed, or in the last place.
#define HISTOGRAM_BOUNDS 9
extern const double histogram_bounds[HISTOGRAM_BOUNDS];
typedef struct {
    guint64 counts[HISTOGRAM_BOUNDS + 1];
    double sum;
} Histogram;

struct Stream {
    char *name;
    StreamConfig *config; // NULL: it was wrong, and the stream never runs
    Supervisor supervisor;
    const LiveConfig *common;   // borrowed
    StreamListeners *listeners; // borrowed
    Attempt *attempt;           // open or closing
    int n_alive;                // attempts, also abandoned ones
    bool removed;               // goes when no attempt is alive
    Status told;                // last status that the listener got
    char *detail;               // of the last fault; NULL: none
    gint64 added;               // monotonic, us, like all times here
    gint64 fault_time;
    gint64 last_result; // 0: none
    guint64 n_results;
    Histogram intervals;     // from a result to the next
    guint64 n_frames_before; // of attempts that ended
    // Pictures a second, over the last two seconds or so.
    gint64 rate_time;
    guint64 rate_frames;
    double fps;
    GstPeResult *newest; // clip; NULL: none
    EventLog events;
};

// Takes config.
Stream *stream_new(const LiveConfig *common, StreamConfig *config,
                   StreamListeners *listeners, guint32 seed);
// One that cannot run, and why.
Stream *stream_new_wrong(const char *name, const char *problem,
                         StreamListeners *listeners);
// No attempt may be alive.
void stream_free(Stream *stream);

void stream_tick(Stream *stream, gint64 now);
// For good. With drain, what is in flight gets a second to come out.
void stream_stop(Stream *stream, bool drain);
void stream_set_labels(Stream *stream, const char *labels);

bool stream_is_done(const Stream *stream);
// Did it stop for good although it should not have?
bool stream_has_failed(const Stream *stream);
guint64 stream_get_n_frames(const Stream *stream);
// Where it comes from, without secrets. NULL: not known.
const char *stream_get_shown(const Stream *stream);
