// SPDX-License-Identifier: LGPL-2.1-or-later
//
// supervisor.h - when a stream is started, given up and tried again. A state
// machine that is told the time: it knows no clock, no thread and no GStreamer.
//
// Statuses and reasons have the names of the element fallbacksrc. All times are
// microseconds of one clock.

#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    STATUS_STOPPED,   // for good, or not started yet
    STATUS_BUFFERING, // started for the first time, nothing has come
    STATUS_RETRYING,  // failed, and waits or tries again
    STATUS_RUNNING,   // pictures come
} Status;

typedef enum {
    REASON_NONE,
    REASON_TIMEOUT, // no picture for too long
    REASON_ERROR,
    REASON_EOS,
    N_REASONS,
} Reason;

typedef enum {
    FAULT_USUAL, // may be gone at the next try
    FAULT_LOGIN, // wrong user or password: a camera locks out who hurries
    FAULT_AGAIN, // none: a file that is played again
    FAULT_FINAL, // trying again would not help
} FaultKind;

typedef enum {
    DO_NOTHING,
    DO_START,   // an attempt
    DO_STOP,    // the attempt; supervisor_closed() tells when it is gone
    DO_ABANDON, // the attempt, which does not stop, and go on without it
} Action;

typedef struct {
    gint64 watchdog; // between two pictures
    gint64 connect;  // from the start of an attempt to its first picture
    gint64 prepare;  // until its pipeline has started at all
    gint64 close;    // of an attempt that was stopped
} SupervisorLimits;

typedef enum { PHASE_WAITING, PHASE_OPEN, PHASE_CLOSING, PHASE_DONE } Phase;

typedef struct {
    SupervisorLimits limits;
    GRand *rand;
    Phase phase;
    Status status;
    Reason reason; // why the last attempt ended
    gint64 next_start;
    gint64 started;     // the attempt that is open
    gint64 close_limit; // of the one that is closing
    gint64 noticed;     // how long no picture had come at the last timeout
    int n_failures;     // in a row
    int n_attempts;
    int n_abandoned; // that are not gone
    int n_hung;      // that were abandoned, ever
    int n_restarts[N_REASONS];
    bool stuck; // waits for attempts that do not end
} Supervisor;

#define SUPERVISOR_LIMITS \
    { \
        .watchdog = 3 * G_USEC_PER_SEC, .connect = 10 * G_USEC_PER_SEC, \
        .prepare = 60 * G_USEC_PER_SEC, .close = 5 * G_USEC_PER_SEC \
    }

void supervisor_init(Supervisor *supervisor, const SupervisorLimits *limits,
                     guint32 seed, gint64 now);
void supervisor_clear(Supervisor *supervisor);

// Ask often what is to be done.
//   prepared    when the pipeline had started, 0: it has not
//   last_frame  when the attempt's last picture came, 0: none so far
Action supervisor_tick(Supervisor *supervisor, gint64 now, gint64 prepared,
                       gint64 last_frame);

// The open attempt ended or failed.
Action supervisor_fault(Supervisor *supervisor, gint64 now, Reason reason,
                        FaultKind kind);
// The attempt that was to stop is gone.
void supervisor_closed(Supervisor *supervisor);
// An abandoned one is gone.
void supervisor_abandoned_closed(Supervisor *supervisor);
// Stop for good.
Action supervisor_stop(Supervisor *supervisor, gint64 now);

const char *status_nick(Status status);
const char *reason_nick(Reason reason); // NULL: REASON_NONE
