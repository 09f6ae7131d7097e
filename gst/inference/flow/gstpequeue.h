// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpequeue.h - everything that passes through the element in exact order:
// buffers, events and serialized queries, and the task of the source pad that
// sends them on.
//
// A buffer that ends a clip stays at the head until the clip's jobs have ended
// or its deadline has passed, and everything behind it waits too. Clips that no
// frame waits for are pending beside the queue: their results leave as soon as
// they are there. Knows nothing of labels, results or settings. The lock is
// never held while something is pushed, posted or asked of the engine.

#pragma once

#include "gst/inference/flow/gstpeclips.h"

#include <gst/base/gstqueuearray.h>

typedef struct {
    GstMiniObject *object; // buffer, event or query; NULL: only a clip's result
    bool is_query;         // then `object` is borrowed
    GstPeClip *clip;       // wait for it; NULL: nothing to wait for
    bool pending;          // the clip is one that nothing waited for
    bool repeat;           // a buffer that may carry an earlier result again
    GstClockTime running_end; // of a buffer
    int64_t arrival;          // monotonic, us
    int64_t deadline;         // monotonic, us; 0: waits as long as it takes
} GstPeItem;

// Send one item on; takes the item's object and clip. A clip that has not ended
// has missed its deadline. On the task's thread, unlocked.
// GST_FLOW_CUSTOM_ERROR: failed, and the error has been posted.
typedef GstFlowReturn (*GstPeSendFunc)(GstPeItem *item, void *user_data);
// Answer a serialized query. On the task's thread, unlocked.
typedef bool (*GstPeAnswerFunc)(GstQuery *query, void *user_data);

typedef struct {
    GstElement *element; // borrowed
    GstPad *pad;         // the source pad, borrowed
    GstPeSendFunc send;
    GstPeAnswerFunc answer;
    void *user_data;

    GMutex lock;
    GCond cond; // anything below changed, or a job has ended
    GstQueueArray *items;
    GQueue pending; // GstPeClip, oldest first
    int n_buffers;
    int n_restarts; // STREAM_START and SEGMENT events in items
    int n_first;    // items that go before pending clips
    GstFlowReturn flow;
    bool ended;      // downstream takes no buffers until the next restart
    bool eos_queued; // the end is in items
    bool posted;     // the error behind `flow` is on the bus
    GstQuery *answering;
    GstQuery *answered;
    bool answer_ok;
} GstPeQueue;

void gst_pe_queue_init(GstPeQueue *q, GstElement *element, GstPad *pad,
                       GstPeSendFunc send, GstPeAnswerFunc answer,
                       void *user_data);
void gst_pe_queue_clear(GstPeQueue *q);

// From the source pad's activation.
bool gst_pe_queue_start(GstPeQueue *q);
bool gst_pe_queue_stop(GstPeQueue *q);

// A job has ended. Any thread.
void gst_pe_queue_wake(GstPeQueue *q);

// The downstream pad came back, or `flow` may have changed otherwise.
void gst_pe_queue_reconfigure(GstPeQueue *q);

// Wait until fewer than max_buffers are queued.
GstFlowReturn gst_pe_queue_wait_room(GstPeQueue *q, int max_buffers);
// Is there room now?
bool gst_pe_queue_has_room(GstPeQueue *q, int max_buffers);
// Wait until fewer than max_busy frames of the clips are still to be embedded.
GstFlowReturn gst_pe_queue_wait_busy(GstPeQueue *q, GstPeClips *clips,
                                     int max_busy);
// Takes the item's object and clip. For buffers and clips alone.
GstFlowReturn gst_pe_queue_push(GstPeQueue *q, const GstPeItem *item);
// Takes the event, which is serialized and no flush. Sticky events are kept
// whatever the flow is, because nobody sends them again.
bool gst_pe_queue_push_event(GstPeQueue *q, GstEvent *event);
// Borrows the query and waits for the answer.
bool gst_pe_queue_push_query(GstPeQueue *q, GstQuery *query);

// The stream cannot go on: an error was posted that has nothing to do with an
// item.
void gst_pe_queue_fail(GstPeQueue *q);

// Nothing waits for this clip. Takes it.
void gst_pe_queue_add_pending(GstPeQueue *q, GstPeClip *clip);
// The oldest pending one, or NULL.
GstPeClip *gst_pe_queue_take_pending(GstPeQueue *q);
// Give all of them a place behind what is queued, in their order; what comes
// after it waits until `deadline`, 0: for ever.
void gst_pe_queue_place_pending(GstPeQueue *q, int64_t deadline);
// No frame that comes from here on may carry a pending clip's result.
void gst_pe_queue_detach_pending(GstPeQueue *q);

// After FLUSH_START has been forwarded: ends everything that waits.
void gst_pe_queue_flush_start(GstPeQueue *q);
// After FLUSH_STOP has been forwarded: empties the queue.
void gst_pe_queue_flush_stop(GstPeQueue *q);
