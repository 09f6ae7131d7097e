// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeclips.c - the window of sampled frames, and what is cut out of it.

#include "gst/inference/flow/gstpeclips.h"

typedef struct {
    PeJob *job; // NULL: not embedded
    GstPeTimes times;
} Sampled;

struct _GstPeClips {
    PeSampler *sampler;
    PeSamplerParams params;
    GArray *window; // Sampled, the last clip_length
    GQueue busy;    // PeJob, oldest first; those that ended drop out late
};

static void
clear_sampled(gpointer data)
{
    g_clear_pointer(&((Sampled *)data)->job, pe_job_unref);
}

static void
unref_job(gpointer job)
{
    pe_job_unref(job);
}

bool
gst_pe_clip_is_done(const GstPeClip *clip)
{
    for (guint i = 0; i < clip->jobs->len; i++) {
        if (!pe_job_is_done(g_ptr_array_index(clip->jobs, i)))
            return false;
    }
    return true;
}

bool
gst_pe_clip_embed(const GstPeClip *clip, int dim, float *out, GError **error)
{
    guint n = clip->jobs->len;
    g_autofree const float **embeddings = g_new(const float *, n);

    for (guint i = 0; i < n; i++) {
        embeddings[i] =
            pe_job_get_embedding(g_ptr_array_index(clip->jobs, i), error);
        if (!embeddings[i])
            return false;
    }
    pe_embedding_mean(embeddings, (int)n, dim, out);
    return true;
}

void
gst_pe_clip_cancel(GstPeClip *clip)
{
    for (guint i = 0; i < clip->jobs->len; i++)
        pe_job_cancel(g_ptr_array_index(clip->jobs, i));
}

void
gst_pe_clip_free(GstPeClip *clip)
{
    g_ptr_array_unref(clip->jobs);
    g_free(clip);
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

// The last n frames of the window. NULL when none of them was embedded.
static GstPeClip *
cut_clip(GstPeClips *clips, guint n)
{
    const Sampled *frames =
        &g_array_index(clips->window, Sampled, clips->window->len - n);
    GPtrArray *jobs = g_ptr_array_new_full(n, unref_job);

    for (guint i = 0; i < n; i++) {
        if (frames[i].job)
            g_ptr_array_add(jobs, pe_job_ref(frames[i].job));
    }
    if (jobs->len == 0) {
        g_ptr_array_unref(jobs);
        return NULL;
    }
    GstPeClip *clip = g_new(GstPeClip, 1);
    *clip = (GstPeClip){
        .jobs = jobs,
        .reason = jobs->len < (guint)clips->params.clip_length
                      ? GST_PE_REASON_EOS
                      : GST_PE_REASON_NONE,
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
        clip = gst_pe_clips_finish(clips);
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
gst_pe_clips_add(GstPeClips *clips, PeJob *job, const GstPeTimes *times,
                 PeSample sample)
{
    guint length = (guint)clips->params.clip_length;
    Sampled sampled = {job, *times};

    gst_pe_clips_count_busy(clips); // lets go of those that ended
    if (job)
        g_queue_push_tail(&clips->busy, pe_job_ref(job));
    g_array_append_val(clips->window, sampled);
    if (clips->window->len > length)
        g_array_remove_range(clips->window, 0, clips->window->len - length);
    if (sample != PE_SAMPLE_CLIP)
        return NULL;
    return cut_clip(clips, clips->window->len);
}

GstPeClip *
gst_pe_clips_finish(GstPeClips *clips)
{
    guint pending = (guint)pe_sampler_pending(clips->sampler);
    GstPeClip *clip = NULL;

    pending = MIN(pending, clips->window->len);
    if (pending > 0)
        clip = cut_clip(clips, pending);
    g_array_set_size(clips->window, 0);
    pe_sampler_reset(clips->sampler);
    return clip;
}

void
gst_pe_clips_reset(GstPeClips *clips)
{
    PeJob *job;

    while ((job = g_queue_pop_head(&clips->busy))) {
        pe_job_cancel(job);
        pe_job_unref(job);
    }
    g_array_set_size(clips->window, 0);
    pe_sampler_reset(clips->sampler);
}

int
gst_pe_clips_count_busy(GstPeClips *clips)
{
    PeJob *job;

    while ((job = g_queue_peek_head(&clips->busy)) && pe_job_is_done(job))
        pe_job_unref(g_queue_pop_head(&clips->busy));
    return (int)clips->busy.length;
}
