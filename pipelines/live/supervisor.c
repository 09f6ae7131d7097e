// SPDX-License-Identifier: LGPL-2.1-or-later
//
// supervisor.c - see supervisor.h.

#include "supervisor.h"

#define SECOND G_USEC_PER_SEC
#define FIRST_DELAY (1 * SECOND)
#define LONGEST_DELAY (30 * SECOND)
// With the shortest jitter, ten attempts a minute.
#define LOGIN_DELAY (8 * SECOND)
// Pictures for so long count as success.
#define STEADY (1 * SECOND)
// Attempts of one stream that may hang at a time; each costs a thread.
#define MAX_ABANDONED 3

void
supervisor_init(Supervisor *supervisor, const SupervisorLimits *limits,
                guint32 seed, gint64 now)
{
    *supervisor = (Supervisor){
        .limits = *limits,
        .rand = g_rand_new_with_seed(seed),
        .status = STATUS_BUFFERING,
        .next_start = now,
    };
}

void
supervisor_clear(Supervisor *supervisor)
{
    g_rand_free(supervisor->rand);
}

// 1, 2, 4 ... 30 s, each times 0.75 to 1.25, so that streams which failed
// together do not all come back at once.
static gint64
choose_delay(Supervisor *supervisor, FaultKind kind)
{
    int n = supervisor->n_failures++;
    gint64 delay = n < 5 ? FIRST_DELAY << n : LONGEST_DELAY;
    if (kind == FAULT_LOGIN)
        delay = MAX(delay, LOGIN_DELAY);
    double jitter = g_rand_double_range(supervisor->rand, 0.75, 1.25);
    return MIN((gint64)((double)delay * jitter), LONGEST_DELAY);
}

static Action
close_attempt(Supervisor *supervisor, gint64 now)
{
    supervisor->phase = PHASE_CLOSING;
    supervisor->close_limit = now + supervisor->limits.close;
    return DO_STOP;
}

Action
supervisor_fault(Supervisor *supervisor, gint64 now, Reason reason,
                 FaultKind kind)
{
    if (supervisor->phase != PHASE_OPEN)
        return DO_NOTHING;
    supervisor->reason = reason;
    if (kind == FAULT_FINAL) {
        supervisor->status = STATUS_STOPPED;
        return close_attempt(supervisor, now);
    }
    supervisor->n_restarts[reason]++;
    supervisor->status = STATUS_RETRYING;
    supervisor->next_start = now;
    if (kind != FAULT_AGAIN)
        supervisor->next_start += choose_delay(supervisor, kind);
    return close_attempt(supervisor, now);
}

static Action
tick_open(Supervisor *supervisor, gint64 now, gint64 prepared,
          gint64 last_frame)
{
    gint64 since = supervisor->started, limit = supervisor->limits.prepare;
    if (last_frame) {
        supervisor->status = STATUS_RUNNING;
        if (last_frame - supervisor->started > STEADY)
            supervisor->n_failures = 0;
        since = last_frame;
        limit = supervisor->limits.watchdog;
    } else if (prepared) {
        since = prepared;
        limit = supervisor->limits.connect;
    }
    if (now - since < limit)
        return DO_NOTHING;
    supervisor->noticed = now - since;
    return supervisor_fault(supervisor, now, REASON_TIMEOUT, FAULT_USUAL);
}

static Action
tick_closing(Supervisor *supervisor, gint64 now)
{
    if (now < supervisor->close_limit || supervisor->stuck)
        return DO_NOTHING;
    if (supervisor->n_abandoned >= MAX_ABANDONED &&
        supervisor->status != STATUS_STOPPED) {
        supervisor->stuck = true;
        return DO_NOTHING;
    }
    supervisor->n_abandoned++;
    supervisor->n_hung++;
    supervisor_closed(supervisor);
    return DO_ABANDON;
}

Action
supervisor_tick(Supervisor *supervisor, gint64 now, gint64 prepared,
                gint64 last_frame)
{
    switch (supervisor->phase) {
    case PHASE_WAITING:
        if (now < supervisor->next_start)
            return DO_NOTHING;
        supervisor->phase = PHASE_OPEN;
        supervisor->started = now;
        supervisor->n_attempts++;
        return DO_START;
    case PHASE_OPEN:
        return tick_open(supervisor, now, prepared, last_frame);
    case PHASE_CLOSING:
        return tick_closing(supervisor, now);
    case PHASE_DONE:
        break;
    }
    return DO_NOTHING;
}

void
supervisor_closed(Supervisor *supervisor)
{
    supervisor->stuck = false;
    supervisor->phase =
        supervisor->status == STATUS_STOPPED ? PHASE_DONE : PHASE_WAITING;
}

void
supervisor_abandoned_closed(Supervisor *supervisor)
{
    supervisor->n_abandoned--;
    supervisor->stuck = false; // the one that is closing may be abandoned now
}

Action
supervisor_stop(Supervisor *supervisor, gint64 now)
{
    if (supervisor->status == STATUS_STOPPED)
        return DO_NOTHING; // and keep the reason
    supervisor->status = STATUS_STOPPED;
    supervisor->reason = REASON_NONE;
    if (supervisor->phase == PHASE_OPEN)
        return close_attempt(supervisor, now);
    if (supervisor->phase == PHASE_WAITING)
        supervisor->phase = PHASE_DONE;
    return DO_NOTHING;
}

const char *
status_nick(Status status)
{
    static const char *const nicks[] = {
        [STATUS_STOPPED] = "stopped",
        [STATUS_BUFFERING] = "buffering",
        [STATUS_RETRYING] = "retrying",
        [STATUS_RUNNING] = "running",
    };
    return nicks[status];
}

const char *
reason_nick(Reason reason)
{
    static const char *const nicks[] = {
        [REASON_TIMEOUT] = "timeout",
        [REASON_ERROR] = "error",
        [REASON_EOS] = "eos",
    };
    return nicks[reason];
}
