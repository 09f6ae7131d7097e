// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeticket.c - see gstpeticket.h.

#include "gst/inference/flow/gstpeticket.h"

struct _GstPeTicket {
    // NULL at first, then for good a PeJob or DROPPED. Atomic.
    void *job;
    bool shared;   // the job is another ticket's; written before `job`
    int cancelled; // atomic
    int told;      // atomic: that the engine did not embed it
};

static char dropped;
#define DROPPED ((void *)&dropped)

GstPeTicket *
gst_pe_ticket_new(void)
{
    return g_atomic_rc_box_new0(GstPeTicket);
}

GstPeTicket *
gst_pe_ticket_ref(GstPeTicket *ticket)
{
    return g_atomic_rc_box_acquire(ticket);
}

static void
clear_ticket(void *data)
{
    void *job = g_atomic_pointer_get(&((GstPeTicket *)data)->job);

    if (job && job != DROPPED)
        pe_job_unref(job);
}

void
gst_pe_ticket_unref(GstPeTicket *ticket)
{
    g_atomic_rc_box_release_full(ticket, clear_ticket);
}

void
gst_pe_ticket_fill(GstPeTicket *ticket, PeJob *job)
{
    g_atomic_pointer_set(&ticket->job, job ? (void *)job : DROPPED);
    if (job && gst_pe_ticket_is_cancelled(ticket))
        pe_job_cancel(job);
}

bool
gst_pe_ticket_is_filled(GstPeTicket *ticket)
{
    return g_atomic_pointer_get(&ticket->job) != NULL;
}

void
gst_pe_ticket_share(GstPeTicket *ticket, PeJob *job)
{
    ticket->shared = true;
    g_atomic_pointer_set(&ticket->job, (void *)job);
}

PeJob *
gst_pe_ticket_get_job(GstPeTicket *ticket)
{
    void *job = g_atomic_pointer_get(&ticket->job);

    return job == DROPPED ? NULL : job;
}

void
gst_pe_ticket_cancel(GstPeTicket *ticket)
{
    g_atomic_int_set(&ticket->cancelled, 1);
    PeJob *job = gst_pe_ticket_get_job(ticket);
    if (job && !ticket->shared)
        pe_job_cancel(job);
}

bool
gst_pe_ticket_is_cancelled(GstPeTicket *ticket)
{
    return g_atomic_int_get(&ticket->cancelled);
}

bool
gst_pe_ticket_is_done(GstPeTicket *ticket)
{
    void *job = g_atomic_pointer_get(&ticket->job);

    return job == DROPPED || (job && pe_job_is_done(job));
}

bool
gst_pe_ticket_tell(GstPeTicket *ticket)
{
    return g_atomic_int_compare_and_exchange(&ticket->told, 0, 1);
}
