// SPDX-License-Identifier: LGPL-2.1-or-later
//
// queue.c - the queue itself: its life, its free slots, and how it ends. Who
// puts jobs in is in queue_clients.c, who takes them out in queue_worker.c.

#include "queue.h"

#include "queue_order.h"
#include "queue_private.h"

PeQueue *
pe_queue_new(int dim, int batch_size, int64_t timeout_us)
{
    PeQueue *q = g_new0(PeQueue, 1);
    q->ref_count = 1;
    q->dim = dim;
    q->batch_size = batch_size;
    q->timeout_us = timeout_us;
    q->first_expire = INT64_MAX;
    g_mutex_init(&q->lock);
    g_cond_init(&q->work);
    g_cond_init(&q->changed);
    g_queue_init(&q->ended);
    q->order = pe_client_order_new();
    q->times = pe_batch_times_new(batch_size);
    q->slots = g_ptr_array_new();
    return q;
}

PeQueue *
pe_queue_ref(PeQueue *q)
{
    g_atomic_int_inc(&q->ref_count);
    return q;
}

void
pe_queue_unref(PeQueue *q)
{
    if (!g_atomic_int_dec_and_test(&q->ref_count))
        return;
    g_mutex_clear(&q->lock);
    g_cond_clear(&q->work);
    g_cond_clear(&q->changed);
    g_clear_error(&q->failure);
    pe_client_order_free(q->order);
    pe_batch_times_free(q->times);
    g_ptr_array_unref(q->slots);
    g_free(q);
}

// ---- Free slots -----------------------------------------------------------

PeSlot *
pe_queue_get_slot(PeQueue *q)
{
    g_mutex_lock(&q->lock);
    PeSlot *slot = q->slots->len > 0
                       ? g_ptr_array_steal_index(q->slots, q->slots->len - 1)
                       : NULL;
    g_mutex_unlock(&q->lock);
    return slot;
}

void
pe_queue_put_slot(PeQueue *q, PeSlot *slot)
{
    g_mutex_lock(&q->lock);
    g_ptr_array_add(q->slots, slot);
    g_mutex_unlock(&q->lock);
}

// ---- The end --------------------------------------------------------------

void
pe_queue_fail(PeQueue *q, const GError *error)
{
    g_mutex_lock(&q->lock);
    if (!q->failure)
        q->failure = g_error_copy(error);
    g_mutex_unlock(&q->lock);
}

const GError *
pe_queue_get_failure(const PeQueue *q)
{
    return q->failure;
}

void
pe_queue_poke(PeQueue *q)
{
    g_mutex_lock(&q->lock);
    q->poked = true;
    g_cond_signal(&q->work);
    g_mutex_unlock(&q->lock);
}

void
pe_queue_stop(PeQueue *q)
{
    g_mutex_lock(&q->lock);
    q->stopped = true;
    g_cond_signal(&q->work);
    g_mutex_unlock(&q->lock);
}
