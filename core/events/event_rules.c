// SPDX-License-Identifier: LGPL-2.1-or-later
//
// event_rules.c - see event_rules.h.

#include "event_rules.h"

// Would a segment that begins at `start` be part of the open event?
static bool
may_join(const PeEventMachine *m, const PeEventRules *rules, uint64_t start)
{
    return m->open && start - m->end < rules->merge_gap;
}

static bool
may_run(const PeEventMachine *m, const PeEventRules *rules, uint64_t start)
{
    return !m->had || may_join(m, rules, start) ||
           start - m->end >= rules->cooldown;
}

// Can neither the run nor anything that begins later join the open event?
static bool
is_over(const PeEventMachine *m, const PeEventRules *rules, uint64_t end)
{
    if (!m->open || (m->running && may_join(m, rules, m->run_start)))
        return false;
    return end - m->end >= rules->merge_gap;
}

// The run has lasted.
static int
begin_segment(PeEventMachine *m, uint64_t end)
{
    int done = m->open ? PE_EVENT_STEP_JOINED : PE_EVENT_STEP_BEGUN;

    m->running = false;
    m->open = m->on = m->had = true;
    m->end = end;
    return done;
}

int
pe_event_machine_step(PeEventMachine *m, const PeEventRules *rules,
                      double level, double on, uint64_t start, uint64_t end)
{
    int done = 0;

    if (m->on && level > on - rules->band) {
        m->end = end;
        return 0;
    }
    m->on = false;
    if (level < on) {
        m->running = false;
    } else if (!m->running && may_run(m, rules, start)) {
        m->running = true;
        m->run_start = start;
        done |= PE_EVENT_STEP_RUN;
    }
    if (is_over(m, rules, end)) {
        m->open = false;
        done |= PE_EVENT_STEP_OVER;
    }
    if (m->running && end - m->run_start >= rules->min_duration)
        done |= begin_segment(m, end);
    return done;
}

bool
pe_event_machine_cut(PeEventMachine *m)
{
    bool open = m->open;

    m->open = m->on = m->running = false;
    return open;
}

bool
pe_event_machine_is_idle(const PeEventMachine *m)
{
    return !m->open && !m->running;
}
