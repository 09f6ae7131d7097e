// SPDX-License-Identifier: LGPL-2.1-or-later
//
// queue_order.c - a binary heap of clients by (deadline, turn), and the same
// clients in a list by turn alone.

#include "queue_order.h"

#include "queue_private.h"

struct PeClientOrder {
    GPtrArray *heap; // PeClient, each before its two children
    GQueue waiting;  // PeClient, smallest turn first
    uint64_t last_turn, last_arrival;
    uint64_t n_batches;
    uint64_t last_gift; // the batch that last gave a place away
};

PeClientOrder *
pe_client_order_new(void)
{
    PeClientOrder *o = g_new0(PeClientOrder, 1);
    o->heap = g_ptr_array_new();
    g_queue_init(&o->waiting);
    return o;
}

void
pe_client_order_free(PeClientOrder *o)
{
    g_ptr_array_unref(o->heap);
    g_free(o);
}

static int64_t
get_due(const PeClient *client)
{
    return ((const PeJob *)client->jobs.head->data)->due;
}

static bool
is_before(const PeClient *a, const PeClient *b)
{
    int64_t due_a = get_due(a), due_b = get_due(b);
    if (due_a != due_b)
        return due_a < due_b;
    return a->turn != b->turn ? a->turn < b->turn : a->arrival < b->arrival;
}

static void
put(PeClientOrder *o, guint place, PeClient *client)
{
    o->heap->pdata[place] = client;
    client->place = (int)place;
}

static void
sift(PeClientOrder *o, PeClient *client)
{
    guint i = (guint)client->place;
    while (i > 0 && is_before(client, o->heap->pdata[(i - 1) / 2])) {
        put(o, i, o->heap->pdata[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        guint child = 2 * i + 1;
        if (child >= o->heap->len)
            break;
        if (child + 1 < o->heap->len &&
            is_before(o->heap->pdata[child + 1], o->heap->pdata[child]))
            child++;
        if (!is_before(o->heap->pdata[child], client))
            break;
        put(o, i, o->heap->pdata[child]);
        i = child;
    }
    put(o, i, client);
}

static void
go_last(PeClientOrder *o, PeClient *client)
{
    client->waits_since = o->n_batches;
    g_queue_push_tail_link(&o->waiting, &client->wait_link);
}

static void
add(PeClientOrder *o, PeClient *client)
{
    client->arrival = ++o->last_arrival;
    go_last(o, client);
    g_ptr_array_add(o->heap, client);
    client->place = (int)o->heap->len - 1;
    sift(o, client);
}

static void
take_out(PeClientOrder *o, PeClient *client)
{
    g_queue_unlink(&o->waiting, &client->wait_link);
    guint place = (guint)client->place;
    PeClient *last = g_ptr_array_steal_index(o->heap, o->heap->len - 1);
    client->place = -1;
    if (last == client)
        return;
    put(o, place, last);
    sift(o, last);
}

void
pe_client_order_update(PeClientOrder *o, PeClient *client)
{
    bool has_jobs = !g_queue_is_empty(&client->jobs);
    if (has_jobs && client->place < 0)
        add(o, client);
    else if (has_jobs)
        sift(o, client);
    else if (client->place >= 0)
        take_out(o, client);
}

void
pe_client_order_served(PeClientOrder *o, PeClient *client)
{
    client->turn = ++o->last_turn;
    if (client->place < 0)
        return;
    g_queue_unlink(&o->waiting, &client->wait_link);
    go_last(o, client);
    sift(o, client);
}

PeClient *
pe_client_order_begin_batch(PeClientOrder *o)
{
    uint64_t batch = ++o->n_batches;
    PeClient *client = g_queue_peek_head(&o->waiting);
    // The batch before the first was not passed over.
    if (!client || batch - client->waits_since <= PE_PATIENCE ||
        batch - o->last_gift < PE_PATIENCE)
        return NULL;
    o->last_gift = batch;
    return client;
}

PeClient *
pe_client_order_peek(const PeClientOrder *o)
{
    return o->heap->len > 0 ? o->heap->pdata[0] : NULL;
}

const GList *
pe_client_order_list(const PeClientOrder *o)
{
    return o->waiting.head;
}
