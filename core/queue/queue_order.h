// SPDX-License-Identifier: LGPL-2.1-or-later
//
// queue_order.h - whose job is next: the clients that have queued jobs, by the
// deadline of their first one and, where these are equal, in turn. Private to
// the queue, which locks it.

#pragma once

#include "queue.h"

// A batch in so many gives its first place to the client that has waited
// longest, if as many batches have passed it over.
#define PE_PATIENCE 4

PeClientOrder *pe_client_order_new(void);
void pe_client_order_free(PeClientOrder *o);

// `client` has got its first job or another first one, or its first job's
// deadline has changed, or it has no job left.
void pe_client_order_update(PeClientOrder *o, PeClient *client);
// A job of the client has been taken: the others come first.
void pe_client_order_served(PeClientOrder *o, PeClient *client);
// A new batch begins: the client that gives its first job, or NULL when the
// order decides.
PeClient *pe_client_order_begin_batch(PeClientOrder *o);
// The next client; NULL: no client has jobs.
PeClient *pe_client_order_peek(const PeClientOrder *o);
// All clients, the one that has waited longest first; `data` of each is a
// PeClient.
const GList *pe_client_order_list(const PeClientOrder *o);
