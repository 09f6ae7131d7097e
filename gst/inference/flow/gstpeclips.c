// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeclips.c - the window of sampled frames, and what is cut out of it.

#include "gst/inference/flow/gstpeclips.h"

typedef struct {
    GstPeParts *parts;
    GstPeTimes times; // of the sample
    GstPeTimes frame; // all of it
    GstSegment segment;
} Sampled;

struct _GstPeClips {
    PeSampler *sampler;
    PeSamplerParams params;
    bool whole;      // frames as a whole make clips
    GArray *window;  // Sampled, the last clip_length
    guint64 stretch; // counts from 1
    guint64 n_added; // samples in it
    Sampled doubted; // no parts: none
    PeMoment doubted_moment;
    GQueue busy; // GstPeTicket, oldest first; those that ended leave late
};

static void
unref_ticket(void *ticket)
{
    gst_pe_ticket_unref(ticket);
}

// ---- A clip ---------------------------------------------------------------

bool
gst_pe_clip_is_done(GstPeClip *clip)
{
    for (; clip; clip = clip->next) {
        for (guint i = 0; i < clip->tickets->len; i++) {
            if (!gst_pe_ticket_is_done(g_ptr_array_index(clip->tickets, i)))
                return false;
        }
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
        PeJob *job = gst_pe_ticket_get_job(ticket);
        GError *local = NULL;
        const float *embedding = job ? pe_job_get_embedding(job, &local) : NULL;
        if (embedding)
            embeddings[(*n)++] = embedding;
        if (g_error_matches(local, PE_ERROR, PE_ERROR_CANCELLED)) {
            g_clear_error(&local);
            *n_skipped += gst_pe_ticket_tell(ticket);
        }
        if (local) {
            g_propagate_error(error, local);
            return false;
        }
    }
    return true;
}

bool
gst_pe_clip_embed(GstPeClip *clip, int dim, float *out, double *norm,
                  guint *n_frames, guint *n_skipped, GError **error)
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
    *norm = pe_embedding_mean(embeddings, (int)*n_frames, dim, out);
    return true;
}

int64_t
gst_pe_clip_get_end(const GstPeClip *clip)
{
    int64_t end = 0;

    for (guint i = 0; i < clip->tickets->len; i++) {
        PeJob *job = gst_pe_ticket_get_job(clip->tickets->pdata[i]);
        PeJobRun run;
        if (!job)
            continue;
        pe_job_get_run(job, &run);
        end = MAX(end, run.ended);
    }
    return end;
}

void
gst_pe_clip_cancel(GstPeClip *clip)
{
    for (; clip; clip = clip->next) {
        for (guint i = 0; i < clip->tickets->len; i++)
            gst_pe_ticket_cancel(g_ptr_array_index(clip->tickets, i));
    }
}

void
gst_pe_clip_free(GstPeClip *clip)
{
    while (clip) {
        GstPeClip *next = clip->next;
        g_ptr_array_unref(clip->tickets);
        g_clear_pointer(&clip->parts, gst_pe_parts_unref);
        g_free(clip->source);
        g_free(clip->stream_id);
        g_free(clip);
        clip = next;
    }
}

const GstPePart *
gst_pe_clip_get_part(const GstPeClip *clip)
{
    bool has = clip->parts && clip->part < clip->parts->parts->len;

    return has ? &g_array_index(clip->parts->parts, GstPePart, clip->part)
               : NULL;
}

// ---- The window -----------------------------------------------------------

static void
clear_sampled(gpointer data)
{
    gst_pe_parts_unref(((Sampled *)data)->parts);
}

GstPeClips *
gst_pe_clips_new(void)
{
    GstPeClips *clips = g_new0(GstPeClips, 1);

    clips->params =
        (PeSamplerParams){.rate_d = 1, .interval = 1, .clip_length = 1};
    clips->sampler = pe_sampler_new(&clips->params);
    clips->whole = true;
    clips->stretch = 1;
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
        g_ptr_array_add(tickets, gst_pe_ticket_ref(frames[i].parts->whole));
    GstPeClip *clip = g_new(GstPeClip, 1);
    *clip = (GstPeClip){
        .tickets = tickets,
        .reason = n < n_wanted ? reason : GST_PE_REASON_NONE,
        .n_wanted = n_wanted,
        .first = frames[0].times,
        .last = frames[n - 1].times,
        .stretch = clips->stretch,
        .sample = clips->n_added - 1,
    };
    return clip;
}

// Of one part of a frame, or of none of them: then it says that the frame has
// no objects.
static GstPeClip *
cut_part(const GstPeClips *clips, const Sampled *sampled, guint part)
{
    GstPeClip *clip = g_new(GstPeClip, 1);

    *clip = (GstPeClip){
        .tickets = g_ptr_array_new_with_free_func(unref_ticket),
        .parts = gst_pe_parts_ref(sampled->parts),
        .part = part,
        .first = sampled->times,
        .last = sampled->times,
        .stretch = clips->stretch,
        .sample = clips->n_added - 1,
    };
    const GstPePart *p = gst_pe_clip_get_part(clip);
    clip->n_wanted = p ? 1 : 0;
    if (p)
        g_ptr_array_add(clip->tickets, gst_pe_ticket_ref(p->ticket));
    return clip;
}

// The clips of the parts, in their order behind `first`, which may be NULL.
static GstPeClip *
cut_parts(const GstPeClips *clips, const Sampled *sampled, GstPeClip *first)
{
    GstPeClip **end = first ? &first->next : &first;
    guint n = sampled->parts->parts->len;
    bool objects = false;

    for (guint i = 0; i < n; i++) {
        *end = cut_part(clips, sampled, i);
        objects |= gst_pe_clip_get_part(*end)->kind != GST_PE_PART_NAMED;
        end = &(*end)->next;
    }
    if (sampled->parts->objects && !objects)
        *end = cut_part(clips, sampled, n);
    return first;
}

GstPeClip *
gst_pe_clips_configure(GstPeClips *clips, const PeSamplerParams *wanted,
                       bool whole)
{
    const PeSamplerParams *old = &clips->params;
    PeSamplerParams params = *wanted;
    GstPeClip *clip = NULL;

    // A part is a clip of one sample.
    if (!whole)
        params.clip_length = params.clip_stride = 1;
    if (clips->whole != whole || old->clip_length != params.clip_length ||
        old->clip_stride != params.clip_stride) {
        clip = gst_pe_clips_finish(clips, GST_PE_REASON_RECONFIGURED);
    } else if (old->rate_n == params.rate_n && old->rate_d == params.rate_d &&
               old->interval == params.interval &&
               old->max_gap == params.max_gap) {
        return NULL;
    }
    clips->params = params;
    clips->whole = whole;
    pe_sampler_set(clips->sampler, &params);
    return clip;
}

PeOrder
gst_pe_clips_check(GstPeClips *clips, const PeMoment *moment)
{
    return pe_sampler_check(clips->sampler, moment);
}

PePoint
gst_pe_clips_decide(GstPeClips *clips, const PeMoment *moment)
{
    G_STATIC_ASSERT(GST_CLOCK_TIME_NONE == PE_TIME_NONE);
    return pe_sampler_push(clips->sampler, moment);
}

// Another sample, which is this part of its frame's time. Takes the parts.
static GstPeClip *
append(GstPeClips *clips, Sampled *sampled, const PePoint *point)
{
    guint length = (guint)clips->params.clip_length;
    const GstPeTimes *frame = &sampled->frame;

    sampled->times = *frame;
    if (point->end != PE_TIME_NONE && (point->start != frame->running_time ||
                                       point->end < frame->running_end))
        sampled->times = gst_pe_times_cut(frame, &sampled->segment,
                                          point->start, point->end);
    g_array_append_val(clips->window, *sampled);
    clips->n_added++;
    if (clips->window->len > length)
        g_array_remove_range(clips->window, 0, clips->window->len - length);
    GstPeClip *clip = NULL;
    if (clips->whole && point->sample == PE_SAMPLE_CLIP)
        clip = cut_clip(clips, clips->window->len, GST_PE_REASON_RECONFIGURED);
    return cut_parts(clips, sampled, clip);
}

bool
gst_pe_clips_hold(GstPeClips *clips, const PeMoment *next, GstPeClip **clip)
{
    PePoint point;
    guint n = clips->window->len;

    if (n == 0 || !pe_sampler_hold(clips->sampler, next, &point))
        return false;
    Sampled sampled = g_array_index(clips->window, Sampled, n - 1);
    gst_pe_parts_ref(sampled.parts);
    *clip = append(clips, &sampled, &point);
    return true;
}

GstPeClip *
gst_pe_clips_add(GstPeClips *clips, GstPeParts *parts, const GstPeTimes *times,
                 const GstSegment *segment, const PePoint *point)
{
    Sampled sampled = {parts, *times, *times, *segment};

    gst_pe_clips_count_busy(clips); // lets go of those that ended
    for (guint i = 0; i < gst_pe_parts_count(parts); i++)
        g_queue_push_tail(&clips->busy,
                          gst_pe_ticket_ref(gst_pe_parts_get(parts, i)));
    return append(clips, &sampled, point);
}

// ---- A frame with a doubtful timestamp ------------------------------------

void
gst_pe_clips_doubt(GstPeClips *clips, GstPeParts *parts,
                   const GstPeTimes *times, const GstSegment *segment,
                   const PeMoment *moment)
{
    g_return_if_fail(!clips->doubted.parts);
    clips->doubted = (Sampled){parts, *times, *times, *segment};
    clips->doubted_moment = *moment;
}

bool
gst_pe_clips_has_doubt(const GstPeClips *clips)
{
    return clips->doubted.parts;
}

bool
gst_pe_clips_forget_doubt(GstPeClips *clips)
{
    GstPeParts *parts = g_steal_pointer(&clips->doubted.parts);

    if (!parts)
        return false;
    gst_pe_parts_cancel(parts);
    gst_pe_parts_unref(parts);
    return true;
}

bool
gst_pe_clips_end_doubt(GstPeClips *clips, GstPeClip **clip)
{
    Sampled *doubted = &clips->doubted;
    GstPeParts *parts = g_steal_pointer(&doubted->parts);

    if (!parts)
        return false;
    PePoint point = gst_pe_clips_decide(clips, &clips->doubted_moment);
    *clip = gst_pe_clips_add(clips, parts, &doubted->frame, &doubted->segment,
                             &point);
    return true;
}

// ---- Ends -----------------------------------------------------------------

static void
begin_stretch(GstPeClips *clips)
{
    g_array_set_size(clips->window, 0);
    pe_sampler_reset(clips->sampler);
    clips->stretch += clips->n_added > 0;
    clips->n_added = 0;
}

GstPeClip *
gst_pe_clips_finish(GstPeClips *clips, GstPeReason reason)
{
    guint pending = (guint)pe_sampler_pending(clips->sampler);
    GstPeClip *clip = NULL;

    pending = MIN(pending, clips->window->len);
    if (pending > 0 && clips->whole)
        clip = cut_clip(clips, pending, reason);
    begin_stretch(clips);
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
    gst_pe_clips_forget_doubt(clips);
    begin_stretch(clips);
}

int
gst_pe_clips_count_busy(GstPeClips *clips)
{
    GstPeTicket *ticket;

    while ((ticket = g_queue_peek_head(&clips->busy)) &&
           gst_pe_ticket_is_done(ticket))
        gst_pe_ticket_unref(g_queue_pop_head(&clips->busy));
    return (int)clips->busy.length;
}
