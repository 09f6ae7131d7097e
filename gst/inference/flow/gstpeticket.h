// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeticket.h - one picture that is to be embedded and, once there is one,
// the job that does it. The picture is a sampled frame or a region of one. Any
// thread.

#pragma once

#include "core/pe.h"

typedef struct _GstPeTicket GstPeTicket;

// Returns a reference.
GstPeTicket *gst_pe_ticket_new(void);
GstPeTicket *gst_pe_ticket_ref(GstPeTicket *ticket);
void gst_pe_ticket_unref(GstPeTicket *ticket);
// Once: takes the job; NULL: the picture will not be embedded. A ticket that
// was cancelled before cancels the job.
void gst_pe_ticket_fill(GstPeTicket *ticket, PeJob *job);
// The same with the job of an earlier picture that looks alike: takes a
// reference. Whoever cancels this ticket leaves the job to the other one.
void gst_pe_ticket_share(GstPeTicket *ticket, PeJob *job);
bool gst_pe_ticket_is_filled(GstPeTicket *ticket);
void gst_pe_ticket_cancel(GstPeTicket *ticket);
bool gst_pe_ticket_is_cancelled(GstPeTicket *ticket);
bool gst_pe_ticket_is_done(GstPeTicket *ticket);
// The job, borrowed, or NULL when there is none (yet).
PeJob *gst_pe_ticket_get_job(GstPeTicket *ticket);
// Tell once that the engine did not embed it. Returns whether this is the time.
bool gst_pe_ticket_tell(GstPeTicket *ticket);
