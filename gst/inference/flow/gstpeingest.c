// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeingest.c - see gstpeingest.h.
//
// While the device does not keep up, most of the frames that are preprocessed
// make place for newer ones before they are embedded. So that this does not
// cost a whole core, the thread then rests three times as long as it worked.

#include "gst/inference/flow/gstpeingest.h"

#include "gst/inference/regions/gstpereuse.h"
#include "gst/video/gstpeframe.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

#define REST 3 // times the work

// A frame that waits, with references.
typedef struct {
    GstPeShot shot;
    GstVideoInfo info;
    GstPeParts *parts; // NULL: none waits
} Waiting;

struct _GstPeIngest {
    GstPeShared *shared; // borrowed
    PeEngine *engine;    // borrowed, while started
    PeClient *client;    // borrowed, while started
    GThread *thread;     // NULL: not needed so far
    GstPeReuse *reuse;   // has a lock of its own

    GMutex lock;
    GCond cond;
    Waiting waiting;
    bool working; // on a frame
    bool urgent;  // that frame, and the one that waits
    bool stopping;
};

// ---- One frame ------------------------------------------------------------

// Which way a frame went that has been submitted.
static void
count_memory(GstPeIngest *self, const PeFrame *frame, GstBuffer *buffer)
{
    GstPeStats *stats = &self->shared->stats;

    if (frame->memory == PE_MEMORY_CUDA) {
        bool ours =
            frame->context == pe_engine_get_device_context(self->engine);
        gst_pe_stats_count(stats, ours ? GST_PE_COUNT_IN_PLACE
                                       : GST_PE_COUNT_DEVICE_COPIED);
    } else if (!pe_engine_is_host(self->engine)) {
        gst_pe_stats_count(stats, GST_PE_COUNT_UPLOADED);
    } else if (gst_pe_cuda_has_memory(buffer)) {
        gst_pe_stats_count(stats, GST_PE_COUNT_DOWNLOADED);
    }
}

// What the caps promise and the kernels rely on. false after an error was
// posted.
static bool
check_memory(GstPeIngest *self, const GstPeShot *shot)
{
    if (!shot->cuda_caps || gst_pe_cuda_has_memory(shot->buffer))
        return true;
    GstMemory *memory = gst_buffer_n_memory(shot->buffer) > 0
                            ? gst_buffer_peek_memory(shot->buffer, 0)
                            : NULL;
    gst_pe_shared_post_format_error(
        self->shared,
        "The caps announce frames in " GST_PE_CUDA_FEATURE
        ", but a buffer has %u piece(s) of memory of type %s",
        gst_buffer_n_memory(shot->buffer),
        memory && memory->allocator ? memory->allocator->mem_type : "none");
    return false;
}

// What of a frame is submitted.
typedef struct {
    PeRect regions[1 + GST_PE_REGIONS_MAX + GST_PE_PARTS_MAX_OBJECTS];
    GstPeTicket *tickets[1 + GST_PE_REGIONS_MAX + GST_PE_PARTS_MAX_OBJECTS];
    int n;
} Order;

// All tickets that have no job yet.
static void
collect(Order *order, const PeFrame *frame, const GstPeParts *parts)
{
    order->n = 0;
    if (parts->whole) {
        order->regions[0] = frame->crop.width > 0
                                ? frame->crop
                                : (PeRect){0, 0, frame->width, frame->height};
        order->tickets[order->n++] = parts->whole;
    }
    for (guint i = 0; i < parts->parts->len; i++) {
        const GstPePart *part = &g_array_index(parts->parts, GstPePart, i);
        const GstPeRegion *r = &part->region;
        if (gst_pe_ticket_is_filled(part->ticket))
            continue;
        order->regions[order->n] = (PeRect){r->x, r->y, r->width, r->height};
        order->tickets[order->n++] = part->ticket;
    }
}

// The jobs of a frame that is mapped. false after an error was posted.
static bool
submit(GstPeIngest *self, const GstPeShot *shot, const PeFrame *frame,
       const GstPeParts *parts)
{
    g_autoptr(GError) error = NULL;
    Order order;
    PeJob *jobs[G_N_ELEMENTS(order.tickets)];

    collect(&order, frame, parts);
    if (order.n == 0)
        return true;
    bool whole = parts->whole && order.n == 1;
    PeSubmit submit = {.frame = frame,
                       .regions = whole ? NULL : order.regions,
                       .n_regions = whole ? 0 : order.n,
                       .deadline = shot->deadline,
                       .expire = shot->expire};
    if (!pe_client_submit(self->client, &submit, jobs, &error)) {
        gst_pe_failure_post(&self->shared->failure, error);
        return false;
    }
    for (int i = 0; i < order.n; i++)
        gst_pe_ticket_fill(order.tickets[i], jobs[i]);
    count_memory(self, frame, shot->buffer);
    return true;
}

// Embed what has changed since it was embedded last. false after an error was
// posted.
static bool
embed(GstPeIngest *self, const GstPeShot *shot, GstPeParts *parts)
{
    GstPeStats *stats = &self->shared->stats;
    g_autoptr(GError) error = NULL;
    GstVideoFrame map;
    PeFrame frame;

    if (!check_memory(self, shot))
        return false;
    if (!gst_pe_frame_map(&map, &frame, shot->info, shot->buffer,
                          !pe_engine_is_host(self->engine), &error)) {
        gst_pe_shared_post_format_error(self->shared, "%s", error->message);
        return false;
    }
    frame.orientation = shot->orientation;
    if (shot->hdr == GST_PE_INFERENCE_HDR_NONE)
        frame.transfer = PE_TRANSFER_SDR;
    if (parts->parts->len > 0) {
        guint n_reused = gst_pe_reuse_fill(
            self->reuse, parts, frame.memory == PE_MEMORY_HOST ? &map : NULL,
            &frame, shot->reclassify_interval);
        gst_pe_stats_add(stats, GST_PE_COUNT_REUSED, n_reused);
    }
    bool ok = submit(self, shot, &frame, parts);
    gst_video_frame_unmap(&map);
    if (ok && parts->parts->len > 0)
        gst_pe_reuse_keep(self->reuse, parts, shot->reclassify_interval);
    gst_pe_stats_time(stats, GST_PE_STAGE_PREPROCESS, shot->arrival);
    return ok;
}

bool
gst_pe_ingest_now(GstPeIngest *self, const GstPeShot *shot, GstPeParts *parts)
{
    if (gst_pe_parts_count(parts) == 0)
        return true;
    bool ok = embed(self, shot, parts);

    if (!ok)
        gst_pe_parts_drop(parts);
    return ok;
}

// ---- The thread -----------------------------------------------------------

// Takes what waits.
static void
release(Waiting *waiting)
{
    gst_pe_parts_unref(waiting->parts);
    gst_buffer_unref(waiting->shot.buffer);
    waiting->parts = NULL;
}

// Takes what waits. Its clip is looked at again, because it may be complete.
static void
drop(GstPeIngest *self, Waiting *waiting)
{
    if (!waiting->parts)
        return;
    gst_pe_parts_drop(waiting->parts);
    release(waiting);
    gst_pe_queue_wake(&self->shared->queue);
}

// Takes what waits.
static void
work(GstPeIngest *self, Waiting *waiting)
{
    if (gst_pe_parts_are_cancelled(waiting->parts)) {
        drop(self, waiting);
        return;
    }
    waiting->shot.info = &waiting->info;
    if (!gst_pe_ingest_now(self, &waiting->shot, waiting->parts))
        gst_pe_queue_fail(&self->shared->queue);
    release(waiting);
    // The job may have ended before its ticket had it.
    gst_pe_queue_wake(&self->shared->queue);
}

// The frame is no longer at work. Returns whether it is wanted at once.
static bool
finish_work(GstPeIngest *self)
{
    g_mutex_lock(&self->lock);
    self->working = false;
    bool urgent = self->urgent;
    if (!self->waiting.parts)
        self->urgent = false;
    g_mutex_unlock(&self->lock);
    return urgent;
}

// Wait for a frame whose turn has come. false: stop.
static bool
take(GstPeIngest *self, int64_t not_before, Waiting *waiting)
{
    g_mutex_lock(&self->lock);
    while (!self->stopping) {
        if (!self->waiting.parts)
            g_cond_wait(&self->cond, &self->lock);
        else if (!self->urgent && g_get_monotonic_time() < not_before)
            g_cond_wait_until(&self->cond, &self->lock, not_before);
        else
            break;
    }
    bool have = !self->stopping;
    if (have) {
        *waiting = self->waiting;
        self->waiting.parts = NULL;
        self->working = true;
    }
    g_mutex_unlock(&self->lock);
    return have;
}

static void *
run(void *data)
{
    GstPeIngest *self = data;
    int64_t not_before = 0;
    Waiting waiting;

    while (take(self, not_before, &waiting)) {
        int64_t start = g_get_monotonic_time();
        bool busy = pe_client_count_queued(self->client) > 0;
        work(self, &waiting);
        if (finish_work(self))
            pe_client_run_now(self->client);
        int64_t end = g_get_monotonic_time();
        not_before = busy ? end + REST * (end - start) : 0;
    }
    return NULL;
}

void
gst_pe_ingest_later(GstPeIngest *self, const GstPeShot *shot, GstPeParts *parts)
{
    if (gst_pe_parts_count(parts) == 0)
        return;
    Waiting waiting = {*shot, *shot->info, gst_pe_parts_ref(parts)};

    gst_buffer_ref(shot->buffer);
    g_mutex_lock(&self->lock);
    Waiting old = self->waiting;
    self->waiting = waiting;
    g_cond_signal(&self->cond);
    g_mutex_unlock(&self->lock);
    if (old.parts)
        gst_pe_stats_add(&self->shared->stats, GST_PE_COUNT_SKIPPED,
                         gst_pe_parts_count(old.parts));
    drop(self, &old);
    if (!self->thread)
        self->thread = g_thread_new("pe-ingest", run, self);
}

void
gst_pe_ingest_run_now(GstPeIngest *self)
{
    g_mutex_lock(&self->lock);
    self->urgent = self->working || self->waiting.parts;
    g_cond_signal(&self->cond);
    g_mutex_unlock(&self->lock);
    gst_pe_shared_run_now(self->shared);
}

void
gst_pe_ingest_forget(GstPeIngest *self)
{
    gst_pe_reuse_reset(self->reuse);
}

// ---- Life -----------------------------------------------------------------

GstPeIngest *
gst_pe_ingest_new(GstPeShared *shared)
{
    GstPeIngest *self = g_new0(GstPeIngest, 1);

    self->shared = shared;
    self->reuse = gst_pe_reuse_new();
    g_mutex_init(&self->lock);
    g_cond_init(&self->cond);
    return self;
}

void
gst_pe_ingest_free(GstPeIngest *self)
{
    gst_pe_ingest_stop(self);
    gst_pe_reuse_free(self->reuse);
    g_mutex_clear(&self->lock);
    g_cond_clear(&self->cond);
    g_free(self);
}

void
gst_pe_ingest_start(GstPeIngest *self, PeEngine *engine, PeClient *client)
{
    self->engine = engine;
    self->client = client;
    self->stopping = false;
}

void
gst_pe_ingest_stop(GstPeIngest *self)
{
    g_mutex_lock(&self->lock);
    self->stopping = true;
    g_cond_signal(&self->cond);
    g_mutex_unlock(&self->lock);
    g_clear_pointer(&self->thread, g_thread_join);
    drop(self, &self->waiting);
    gst_pe_reuse_reset(self->reuse);
    self->engine = NULL;
    self->client = NULL;
}
