// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeclips.c - the window of sampled frames, and what is cut out of it.

#include "gst/inference/flow/gstpeclips.h"

typedef struct {
    GstPeTicket *ticket;
    GstPeTimes times;
} Sampled;

struct _GstPeClips {
    PeSampler *sampler;
    PeSamplerParams params;
    GArray *window; // Sampled, the last clip_length
    GQueue busy;    // GstPeTicket, oldest first; those that ended leave late
};

// ---- Tickets --------------------------------------------------------------

struct _GstPeTicket {
    // NULL at first, then for good a PeJob or DROPPED. Atomic.
    void *job;
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

// The job, or NULL when there is none (yet).
static PeJob *
get_job(GstPeTicket *ticket)
{
    void *job = g_atomic_pointer_get(&ticket->job);

    return job == DROPPED ? NULL : job;
}

void
gst_pe_ticket_cancel(GstPeTicket *ticket)
{
    g_atomic_int_set(&ticket->cancelled, 1);
    PeJob *job = get_job(ticket);
    if (job)
        pe_job_cancel(job);
}

bool
gst_pe_ticket_is_cancelled(GstPeTicket *ticket)
{
    return g_atomic_int_get(&ticket->cancelled);
}

static bool
is_ticket_done(GstPeTicket *ticket)
{
    void *job = g_atomic_pointer_get(&ticket->job);

    return job == DROPPED || (job && pe_job_is_done(job));
}

static void
unref_ticket(void *ticket)
{
    gst_pe_ticket_unref(ticket);
}

// ---- A clip ---------------------------------------------------------------

bool
gst_pe_clip_is_done(GstPeClip *clip)
{
    for (guint i = 0; i < clip->tickets->len; i++) {
        if (!is_ticket_done(g_ptr_array_index(clip->tickets, i)))
            return false;
    }
    return true;
}

// The embeddings of the frames that have one. false: a job failed.
static bool
collect(GstPeClip *clip, const float **embeddings, guint *n, guint *n_skipped,
        GError **error)
{
    *n = *n_skipped = 0;
    for (guint i = 0; i < clip->tickets->len; i++) {
        GstPeTicket *ticket = g_ptr_array_index(clip->tickets, i);
        PeJob *job = get_job(ticket);
        GError *local = NULL;
        const float *embedding = job ? pe_job_get_embedding(job, &local) : NULL;
        if (embedding)
            embeddings[(*n)++] = embedding;
        if (g_error_matches(local, PE_ERROR, PE_ERROR_CANCELLED)) {
            g_clear_error(&local);
            *n_skipped +=
                g_atomic_int_compare_and_exchange(&ticket->told, 0, 1);
        }
        if (local) {
            g_propagate_error(error, local);
            return false;
        }
    }
    return true;
}

bool
gst_pe_clip_embed(GstPeClip *clip, int dim, float *out, guint *n_frames,
                  guint *n_skipped, GError **error)
{
    g_autofree const float **embeddings =
        g_new(const float *, clip->tickets->len);

    if (!collect(clip, embeddings, n_frames, n_skipped, error))
        return false;
    if (*n_frames == 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_CANCELLED,
                    "no frame of the clip was embedded");
        return false;
    }
    if (*n_frames < clip->n_wanted && clip->reason == GST_PE_REASON_NONE)
        clip->reason = GST_PE_REASON_OVERLOAD;
    pe_embedding_mean(embeddings, (int)*n_frames, dim, out);
    return true;
}

void
gst_pe_clip_cancel(GstPeClip *clip)
{
    for (guint i = 0; i < clip->tickets->len; i++)
        gst_pe_ticket_cancel(g_ptr_array_index(clip->tickets, i));
}

void
gst_pe_clip_free(GstPeClip *clip)
{
    g_ptr_array_unref(clip->tickets);
    g_free(clip->source);
    g_free(clip->stream_id);
    g_free(clip);
}

// ---- The window -----------------------------------------------------------

static void
clear_sampled(gpointer data)
{
    gst_pe_ticket_unref(((Sampled *)data)->ticket);
}

GstPeClips *
gst_pe_clips_new(void)
{
    GstPeClips *clips = g_new0(GstPeClips, 1);

    clips->params = (PeSamplerParams){0, 1, 1, 1, 0};
    clips->sampler = pe_sampler_new(&clips->params);
    clips->window = g_array_new(FALSE, FALSE, sizeof(Sampled));
    g_array_set_clear_func(clips->window, clear_sampled);
    g_queue_init(&clips->busy);
    return clips;
}

void
gst_pe_clips_free(GstPeClips *clips)
{
    gst_pe_clips_reset(clips);
    pe_sampler_free(clips->sampler);
    g_array_unref(clips->window);
    g_free(clips);
}

// The last n frames of the window, which may be fewer than a clip has.
static GstPeClip *
cut_clip(GstPeClips *clips, guint n, GstPeReason reason)
{
    const Sampled *frames =
        &g_array_index(clips->window, Sampled, clips->window->len - n);
    GPtrArray *tickets = g_ptr_array_new_full(n, unref_ticket);
    guint n_wanted = (guint)clips->params.clip_length;

    for (guint i = 0; i < n; i++)
        g_ptr_array_add(tickets, gst_pe_ticket_ref(frames[i].ticket));
    GstPeClip *clip = g_new(GstPeClip, 1);
    *clip = (GstPeClip){
        .tickets = tickets,
        .reason = n < n_wanted ? reason : GST_PE_REASON_NONE,
        .n_wanted = n_wanted,
        .first = frames[0].times,
        .last = frames[n - 1].times,
    };
    return clip;
}

GstPeClip *
gst_pe_clips_configure(GstPeClips *clips, const PeSamplerParams *params)
{
    const PeSamplerParams *old = &clips->params;
    GstPeClip *clip = NULL;

    if (old->clip_length != params->clip_length ||
        old->clip_stride != params->clip_stride) {
        clip = gst_pe_clips_finish(clips, GST_PE_REASON_RECONFIGURED);
    } else if (old->rate_n == params->rate_n && old->rate_d == params->rate_d &&
               old->interval == params->interval) {
        return NULL;
    }
    clips->params = *params;
    pe_sampler_set(clips->sampler, params);
    return clip;
}

PeSample
gst_pe_clips_decide(GstPeClips *clips, GstClockTime running_time)
{
    G_STATIC_ASSERT(GST_CLOCK_TIME_NONE == PE_TIME_NONE);
    return pe_sampler_push(clips->sampler, running_time);
}

GstPeClip *
gst_pe_clips_add(GstPeClips *clips, GstPeTicket *ticket,
                 const GstPeTimes *times, PeSample sample)
{
    guint length = (guint)clips->params.clip_length;
    Sampled sampled = {ticket, *times};

    gst_pe_clips_count_busy(clips); // lets go of those that ended
    g_queue_push_tail(&clips->busy, gst_pe_ticket_ref(ticket));
    g_array_append_val(clips->window, sampled);
    if (clips->window->len > length)
        g_array_remove_range(clips->window, 0, clips->window->len - length);
    if (sample != PE_SAMPLE_CLIP)
        return NULL;
    return cut_clip(clips, clips->window->len, GST_PE_REASON_RECONFIGURED);
}

GstPeClip *
gst_pe_clips_finish(GstPeClips *clips, GstPeReason reason)
{
    guint pending = (guint)pe_sampler_pending(clips->sampler);
    GstPeClip *clip = NULL;

    pending = MIN(pending, clips->window->len);
    if (pending > 0)
        clip = cut_clip(clips, pending, reason);
    g_array_set_size(clips->window, 0);
    pe_sampler_reset(clips->sampler);
    return clip;
}

void
gst_pe_clips_reset(GstPeClips *clips)
{
    GstPeTicket *ticket;

    while ((ticket = g_queue_pop_head(&clips->busy))) {
        gst_pe_ticket_cancel(ticket);
        gst_pe_ticket_unref(ticket);
    }
    g_array_set_size(clips->window, 0);
    pe_sampler_reset(clips->sampler);
}

int
gst_pe_clips_count_busy(GstPeClips *clips)
{
    GstPeTicket *ticket;

    while ((ticket = g_queue_peek_head(&clips->busy)) && is_ticket_done(ticket))
        gst_pe_ticket_unref(g_queue_pop_head(&clips->busy));
    return (int)clips->busy.length;
}
