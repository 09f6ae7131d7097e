// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpequeue.c - the order of things; see gstpequeue.h.
//
// DESIGN
//
// One lock, one condition. The sink pad's streaming thread adds items, the
// source pad's task takes them from the head, so nothing can overtake: no drain
// code exists for caps, segments, tags or the end.
//
// `flow` is what the last push returned. Anything but OK and EOS pauses the
// task; upstream sees it with its next buffer. EOS from downstream does not:
// buffers are dropped and refused until a STREAM_START or SEGMENT event comes,
// so that events behind the end still arrive.
//
// The task pauses itself under the lock, after it has looked at `flow` again,
// and whoever restores `flow` starts the task under the lock. So a RECONFIGURE
// that comes while the task ends is not lost. The task holds its pad's stream
// lock, which is recursive; nobody else may pause it with the lock held.
//
// Pending clips come first, because a result is worth most when it is new; but
// not past a STREAM_START or SEGMENT that is queued, so that nothing precedes
// the start of the first stream.

#include "gst/inference/flow/gstpequeue.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

// A query is not looked at: the thread that waits for its answer may be gone.
static bool
is_buffer(const GstPeItem *item)
{
    return !item->is_query && item->object && GST_IS_BUFFER(item->object);
}

static bool
is_event(const GstPeItem *item)
{
    return !item->is_query && item->object && GST_IS_EVENT(item->object);
}

// After one of these downstream takes buffers again.
static bool
is_restart(const GstPeItem *item)
{
    return is_event(item) &&
           (GST_EVENT_TYPE(item->object) == GST_EVENT_STREAM_START ||
            GST_EVENT_TYPE(item->object) == GST_EVENT_SEGMENT);
}

// Do pending clips, which came behind it, wait for it? Those are clips in their
// place, and where streams begin and end.
static bool
is_first(const GstPeItem *item)
{
    if (!item->object)
        return !item->pending;
    return is_restart(item) ||
           (is_event(item) &&
            (GST_EVENT_TYPE(item->object) == GST_EVENT_SEGMENT_DONE ||
             GST_EVENT_TYPE(item->object) == GST_EVENT_EOS));
}

void
gst_pe_queue_init(GstPeQueue *q, GstElement *element, GstPad *pad,
                  GstPeSendFunc send, GstPeAnswerFunc answer, void *user_data)
{
    *q = (GstPeQueue){
        .element = element,
        .pad = pad,
        .send = send,
        .answer = answer,
        .user_data = user_data,
        .items = gst_queue_array_new_for_struct(sizeof(GstPeItem), 32),
        .pending = G_QUEUE_INIT,
        .flow = GST_FLOW_FLUSHING,
    };
    g_mutex_init(&q->lock);
    g_cond_init(&q->cond);
}

void
gst_pe_queue_wake(GstPeQueue *q)
{
    g_mutex_lock(&q->lock);
    g_cond_broadcast(&q->cond);
    g_mutex_unlock(&q->lock);
}

// ---- Discarding -----------------------------------------------------------

static GstQueueArray *
steal_locked(GstPeQueue *q)
{
    GstQueueArray *items = q->items;

    q->items = gst_queue_array_new_for_struct(sizeof(GstPeItem), 32);
    q->n_buffers = 0;
    q->n_restarts = 0;
    q->n_first = 0;
    q->eos_queued = false;
    return items;
}

static void
drop_item(GstPeItem *item)
{
    if (item->clip) {
        gst_pe_clip_cancel(item->clip);
        gst_pe_clip_free(item->clip);
    }
    if (item->object && !item->is_query)
        gst_mini_object_unref(item->object);
}

// Takes the array. Sticky events that will not be sent again stay on the pad,
// which sends them with the next buffer.
static void
discard(GstPeQueue *q, GstQueueArray *items, bool keep_sticky)
{
    GstPeItem *item;

    while ((item = gst_queue_array_pop_head_struct(items))) {
        if (keep_sticky && is_event(item)) {
            GstEvent *event = GST_EVENT_CAST(item->object);
            if (GST_EVENT_IS_STICKY(event) &&
                GST_EVENT_TYPE(event) != GST_EVENT_SEGMENT &&
                GST_EVENT_TYPE(event) != GST_EVENT_EOS)
                gst_pad_store_sticky_event(q->pad, event);
        }
        drop_item(item);
    }
    gst_queue_array_free(items);
}

void
gst_pe_queue_clear(GstPeQueue *q)
{
    // Sticky events come in even after the pad was deactivated.
    discard(q, q->items, false);
    g_mutex_clear(&q->lock);
    g_cond_clear(&q->cond);
}

// ---- The task -------------------------------------------------------------

// Is there an item that may go now? If not, *deadline is when the first must
// go; 0: it has none.
static bool
take_item_locked(GstPeQueue *q, GstPeItem *out, int64_t *deadline)
{
    GstPeClip *clip = g_queue_peek_head(&q->pending);
    GstPeItem *head = gst_queue_array_peek_head_struct(q->items);
    bool no_buffers = q->ended && q->n_restarts == 0;

    *deadline = 0;
    if (clip && q->n_first == 0 && gst_pe_clip_is_done(clip)) {
        g_queue_pop_head(&q->pending);
        *out = (GstPeItem){.clip = clip, .pending = true};
        return true;
    }
    if (!head)
        return false;
    if (head->clip && !no_buffers && !gst_pe_clip_is_done(head->clip)) {
        *deadline = head->deadline;
        if (!head->deadline || g_get_monotonic_time() < head->deadline)
            return false;
    }
    *out = *(GstPeItem *)gst_queue_array_pop_head_struct(q->items);
    return true;
}

// Wait for an item that may go. false: `flow` says why there is none.
static bool
wait_item_locked(GstPeQueue *q, GstPeItem *out)
{
    int64_t deadline;

    while (q->flow == GST_FLOW_OK) {
        if (take_item_locked(q, out, &deadline))
            return true;
        if (deadline)
            g_cond_wait_until(&q->cond, &q->lock, deadline);
        else
            g_cond_wait(&q->cond, &q->lock);
    }
    return false;
}

// Returns whether the item is to be dropped instead of being sent.
static bool
account_locked(GstPeQueue *q, const GstPeItem *item)
{
    if (is_buffer(item))
        q->n_buffers--;
    if (is_first(item))
        q->n_first--;
    if (is_restart(item)) {
        q->n_restarts--;
        q->ended = false;
    }
    if (item->is_query)
        q->answering = GST_QUERY_CAST(item->object);
    g_cond_broadcast(&q->cond);
    // A result that has a place follows the rule for buffers.
    return q->ended && (is_buffer(item) || (!item->object && !item->pending));
}

static void
answer_query(GstPeQueue *q, GstQuery *query)
{
    bool ok = q->answer(query, q->user_data);

    g_mutex_lock(&q->lock);
    q->answering = NULL;
    q->answered = query;
    q->answer_ok = ok;
    g_cond_broadcast(&q->cond);
    g_mutex_unlock(&q->lock);
}

static void
set_flow_locked(GstPeQueue *q, GstFlowReturn flow)
{
    if (flow == GST_FLOW_EOS) {
        q->ended = true;
    } else if (q->flow == GST_FLOW_OK) {
        q->posted = flow == GST_FLOW_CUSTOM_ERROR;
        q->flow = q->posted ? GST_FLOW_ERROR : flow;
    }
    g_cond_broadcast(&q->cond);
}

// The stream cannot go on, unless `flow` has been restored meanwhile. An end
// that can no longer arrive in its place is sent at once, so that downstream
// does not wait for it.
static void
end_task(GstPeQueue *q)
{
    g_mutex_lock(&q->lock);
    GstFlowReturn flow = q->flow;
    if (flow == GST_FLOW_OK) {
        g_mutex_unlock(&q->lock);
        return;
    }
    bool fatal = flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS;
    bool eos = fatal && q->eos_queued;
    bool post = eos && !q->posted;
    q->posted |= post;
    GstQueueArray *items =
        flow == GST_FLOW_NOT_LINKED && !eos ? NULL : steal_locked(q);
    gst_pad_pause_task(q->pad);
    g_cond_broadcast(&q->cond);
    g_mutex_unlock(&q->lock);

    GST_DEBUG_OBJECT(q->pad, "the task is paused: %s", gst_flow_get_name(flow));
    if (items)
        discard(q, items, true);
    if (post)
        GST_ELEMENT_FLOW_ERROR(q->element, flow);
    if (eos)
        gst_pad_push_event(q->pad, gst_event_new_eos());
}

static void
task(void *data)
{
    GstPeQueue *q = data;
    GstPeItem item;

    g_mutex_lock(&q->lock);
    bool have_item = wait_item_locked(q, &item);
    bool drop = have_item && account_locked(q, &item);
    g_mutex_unlock(&q->lock);

    if (!have_item) {
        end_task(q);
    } else if (drop) {
        drop_item(&item);
    } else if (item.is_query) {
        answer_query(q, GST_QUERY_CAST(item.object));
    } else {
        GstFlowReturn flow = q->send(&item, q->user_data);
        if (flow != GST_FLOW_OK) {
            g_mutex_lock(&q->lock);
            set_flow_locked(q, flow);
            g_mutex_unlock(&q->lock);
        }
    }
}

// ---- Starting and stopping ------------------------------------------------

static void
reset_locked(GstPeQueue *q)
{
    q->flow = GST_FLOW_OK;
    q->ended = false;
    q->posted = false;
    q->answered = NULL;
}

static void
set_flushing(GstPeQueue *q)
{
    g_mutex_lock(&q->lock);
    q->flow = GST_FLOW_FLUSHING;
    g_cond_broadcast(&q->cond);
    g_mutex_unlock(&q->lock);
}

static void
empty(GstPeQueue *q, bool keep_sticky)
{
    g_mutex_lock(&q->lock);
    GstQueueArray *items = steal_locked(q);
    g_mutex_unlock(&q->lock);
    discard(q, items, keep_sticky);
}

bool
gst_pe_queue_start(GstPeQueue *q)
{
    // What came in after the pad was deactivated.
    empty(q, false);
    g_mutex_lock(&q->lock);
    reset_locked(q);
    g_mutex_unlock(&q->lock);
    return gst_pad_start_task(q->pad, task, q, NULL);
}

bool
gst_pe_queue_stop(GstPeQueue *q)
{
    set_flushing(q);
    bool ok = gst_pad_stop_task(q->pad);
    empty(q, false);
    return ok;
}

void
gst_pe_queue_flush_start(GstPeQueue *q)
{
    set_flushing(q);
    gst_pad_pause_task(q->pad);
}

void
gst_pe_queue_flush_stop(GstPeQueue *q)
{
    empty(q, true);
    if (gst_pad_is_active(q->pad))
        gst_pe_queue_start(q);
}

void
gst_pe_queue_reconfigure(GstPeQueue *q)
{
    g_mutex_lock(&q->lock);
    if (q->flow == GST_FLOW_NOT_LINKED && gst_pad_is_active(q->pad)) {
        q->flow = GST_FLOW_OK;
        gst_pad_start_task(q->pad, task, q, NULL);
        g_cond_broadcast(&q->cond);
    }
    g_mutex_unlock(&q->lock);
}

void
gst_pe_queue_fail(GstPeQueue *q)
{
    g_mutex_lock(&q->lock);
    set_flow_locked(q, GST_FLOW_CUSTOM_ERROR);
    g_mutex_unlock(&q->lock);
}

// ---- Adding ---------------------------------------------------------------

static GstFlowReturn
get_flow_locked(GstPeQueue *q)
{
    if (q->flow == GST_FLOW_OK && q->ended && q->n_restarts == 0)
        return GST_FLOW_EOS;
    return q->flow;
}

bool
gst_pe_queue_has_room(GstPeQueue *q, int max_buffers)
{
    g_mutex_lock(&q->lock);
    bool room = q->n_buffers < max_buffers;
    g_mutex_unlock(&q->lock);
    return room;
}

GstFlowReturn
gst_pe_queue_wait_room(GstPeQueue *q, int max_buffers)
{
    g_mutex_lock(&q->lock);
    while (get_flow_locked(q) == GST_FLOW_OK && q->n_buffers >= max_buffers)
        g_cond_wait(&q->cond, &q->lock);
    GstFlowReturn flow = get_flow_locked(q);
    g_mutex_unlock(&q->lock);
    return flow;
}

GstFlowReturn
gst_pe_queue_wait_busy(GstPeQueue *q, GstPeClips *clips, int max_busy)
{
    g_mutex_lock(&q->lock);
    while (get_flow_locked(q) == GST_FLOW_OK &&
           gst_pe_clips_count_busy(clips) >= max_busy)
        g_cond_wait(&q->cond, &q->lock);
    GstFlowReturn flow = get_flow_locked(q);
    g_mutex_unlock(&q->lock);
    return flow;
}

GstFlowReturn
gst_pe_queue_push(GstPeQueue *q, const GstPeItem *item)
{
    g_mutex_lock(&q->lock);
    GstFlowReturn flow = get_flow_locked(q);
    if (flow == GST_FLOW_OK) {
        gst_queue_array_push_tail_struct(q->items, (GstPeItem *)item);
        q->n_buffers += is_buffer(item);
        q->n_first += is_first(item);
        g_cond_broadcast(&q->cond);
    }
    g_mutex_unlock(&q->lock);
    if (flow != GST_FLOW_OK)
        drop_item((GstPeItem *)item);
    return flow;
}

// An end that cannot be sent is an error, as no buffer will follow that could
// report it.
static bool
refuse_event(GstPeQueue *q, GstEvent *event, GstFlowReturn flow, bool post)
{
    GST_DEBUG_OBJECT(q->pad, "refusing %" GST_PTR_FORMAT ": %s", event,
                     gst_flow_get_name(flow));
    if (post)
        GST_ELEMENT_FLOW_ERROR(q->element, flow);
    gst_event_unref(event);
    return false;
}

bool
gst_pe_queue_push_event(GstPeQueue *q, GstEvent *event)
{
    GstPeItem item = {.object = GST_MINI_OBJECT_CAST(event)};
    bool eos = GST_EVENT_TYPE(event) == GST_EVENT_EOS;

    g_mutex_lock(&q->lock);
    GstFlowReturn flow = q->flow;
    bool keep = flow == GST_FLOW_OK || (GST_EVENT_IS_STICKY(event) && !eos);
    bool fatal = flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS;
    bool post = !keep && eos && fatal && !q->posted;
    q->posted |= post;
    if (keep) {
        gst_queue_array_push_tail_struct(q->items, &item);
        q->n_restarts += is_restart(&item);
        q->n_first += is_first(&item);
        q->eos_queued = eos || (q->eos_queued && !is_restart(&item));
        g_cond_broadcast(&q->cond);
    }
    g_mutex_unlock(&q->lock);
    return keep || refuse_event(q, event, flow, post);
}

bool
gst_pe_queue_push_query(GstPeQueue *q, GstQuery *query)
{
    GstPeItem item = {.object = GST_MINI_OBJECT_CAST(query), .is_query = true};

    g_mutex_lock(&q->lock);
    q->answered = NULL;
    if (q->flow == GST_FLOW_OK) {
        gst_queue_array_push_tail_struct(q->items, &item);
        g_cond_broadcast(&q->cond);
    }
    while (q->answering == query ||
           (q->flow == GST_FLOW_OK && q->answered != query))
        g_cond_wait(&q->cond, &q->lock);
    bool ok = q->answered == query && q->answer_ok;
    // Unanswered it may still be the last item; nothing else can have come in.
    GstPeItem *tail = gst_queue_array_peek_tail_struct(q->items);
    if (q->answered != query && tail && tail->object == item.object)
        gst_queue_array_pop_tail_struct(q->items);
    q->answered = NULL;
    g_mutex_unlock(&q->lock);
    return ok;
}

// ---- Pending clips --------------------------------------------------------

void
gst_pe_queue_add_pending(GstPeQueue *q, GstPeClip *clip)
{
    g_mutex_lock(&q->lock);
    g_queue_push_tail(&q->pending, clip);
    g_cond_broadcast(&q->cond);
    g_mutex_unlock(&q->lock);
}

GstPeClip *
gst_pe_queue_take_pending(GstPeQueue *q)
{
    g_mutex_lock(&q->lock);
    GstPeClip *clip = g_queue_pop_head(&q->pending);
    g_mutex_unlock(&q->lock);
    return clip;
}

void
gst_pe_queue_detach_pending(GstPeQueue *q)
{
    g_mutex_lock(&q->lock);
    for (GList *l = q->pending.head; l; l = l->next)
        ((GstPeClip *)l->data)->for_frames = false;
    g_mutex_unlock(&q->lock);
}

// At once, or the task would send a younger one that is done while an older
// one is in nobody's hands.
void
gst_pe_queue_place_pending(GstPeQueue *q, int64_t deadline)
{
    GQueue refused = G_QUEUE_INIT;
    GstPeItem item = {.deadline = deadline};

    g_mutex_lock(&q->lock);
    while (q->flow == GST_FLOW_OK &&
           (item.clip = g_queue_pop_head(&q->pending))) {
        item.clip->for_frames = false;
        gst_queue_array_push_tail_struct(q->items, &item);
        q->n_first++;
    }
    if (q->flow != GST_FLOW_OK) {
        refused = q->pending;
        g_queue_init(&q->pending);
    }
    g_cond_broadcast(&q->cond);
    g_mutex_unlock(&q->lock);
    while ((item.clip = g_queue_pop_head(&refused)))
        drop_item(&item);
}
