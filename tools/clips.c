// SPDX-License-Identifier: LGPL-2.1-or-later
//
// clips.c - see clips.h.

#include "clips.h"

#include <string.h>

#include "gst/video/gstpepicture.h"
#include "tools/decode.h"

// A sample of the clip that is being gathered.
typedef struct {
    PeJob *job;
    uint64_t start, end;
} Sample;

struct ClipReader {
    PeEngine *engine; // borrowed
    PeClient *client;
    GMutex lock;
    GCond done;
    PeSampler *sampler;
    GArray *samples; // Sample, the last of them at most CLIP_LENGTH
    float *mean;     // [dim]
    // Of the file that is read:
    ClipFunc func;
    void *user_data;
    bool stopped; // by func
};

static void
on_done(PeJob *job, void *data)
{
    ClipReader *r = data;
    g_mutex_lock(&r->lock);
    g_cond_signal(&r->done);
    g_mutex_unlock(&r->lock);
}

static void
wait_for(ClipReader *r, const PeJob *job)
{
    g_mutex_lock(&r->lock);
    while (!pe_job_is_done(job))
        g_cond_wait(&r->done, &r->lock);
    g_mutex_unlock(&r->lock);
}

static void
clear_sample(void *data)
{
    pe_job_unref(((Sample *)data)->job);
}

ClipReader *
clip_reader_new(PeEngine *engine)
{
    ClipReader *r = g_new0(ClipReader, 1);
    r->engine = engine;
    g_mutex_init(&r->lock);
    g_cond_init(&r->done);
    r->client = pe_client_new(engine, on_done, r);
    r->sampler = pe_sampler_new(&(PeSamplerParams){.rate_n = CLIP_RATE,
                                                   .rate_d = 1,
                                                   .interval = 1,
                                                   .clip_length = CLIP_LENGTH});
    r->samples = g_array_new(FALSE, FALSE, sizeof(Sample));
    g_array_set_clear_func(r->samples, clear_sample);
    r->mean = g_new(float, pe_engine_get_dim(engine));
    return r;
}

void
clip_reader_free(ClipReader *reader)
{
    if (!reader)
        return;
    pe_client_free(reader->client);
    pe_sampler_free(reader->sampler);
    g_array_unref(reader->samples);
    g_free(reader->mean);
    g_cond_clear(&reader->done);
    g_mutex_clear(&reader->lock);
    g_free(reader);
}

// ---- Clips ----------------------------------------------------------------

// The last n samples become a clip, if n is not 0. false: no more is wanted, or
// the error.
static bool
finish_clip(ClipReader *r, guint n, GError **error)
{
    const float *embeddings[CLIP_LENGTH];
    n = MIN(n, r->samples->len);
    if (n == 0)
        return true;
    const Sample *samples =
        &g_array_index(r->samples, Sample, r->samples->len - n);
    pe_client_run_now(r->client);
    for (guint i = 0; i < n; i++) {
        wait_for(r, samples[i].job);
        embeddings[i] = pe_job_get_embedding(samples[i].job, error);
        if (!embeddings[i])
            return false;
    }
    pe_embedding_mean(embeddings, (int)n, pe_engine_get_dim(r->engine),
                      r->mean);
    Clip clip = {r->mean, samples[0].start, samples[n - 1].end, (int)n};
    r->stopped = !r->func(&clip, r->user_data, error);
    return !r->stopped;
}

// Takes the job.
static bool
add_sample(ClipReader *r, PeJob *job, const PePoint *point, GError **error)
{
    Sample sample = {job, point->start, point->end};
    g_array_append_val(r->samples, sample);
    if (r->samples->len > CLIP_LENGTH)
        g_array_remove_index(r->samples, 0);
    return point->sample != PE_SAMPLE_CLIP ||
           finish_clip(r, CLIP_LENGTH, error);
}

// The last frame is shown until the next one comes, or (NULL) ends.
static bool
hold(ClipReader *r, const PeMoment *next, GError **error)
{
    PePoint point;
    while (r->samples->len > 0 && pe_sampler_hold(r->sampler, next, &point)) {
        const Sample *last =
            &g_array_index(r->samples, Sample, r->samples->len - 1);
        if (!add_sample(r, pe_job_ref(last->job), &point, error))
            return false;
    }
    return true;
}

// What is shown now ends here: the rest of it is a partial clip.
static bool
end_stretch(ClipReader *r, GError **error)
{
    bool ok = hold(r, NULL, error) &&
              finish_clip(r, (guint)pe_sampler_pending(r->sampler), error);
    g_array_set_size(r->samples, 0);
    pe_sampler_reset(r->sampler);
    return ok;
}

static bool
take_frame(const PeFrame *frame, const PeMoment *moment, void *data,
           GError **error)
{
    ClipReader *r = data;
    // A file has no clock that may be wrong for one frame: time has jumped.
    bool ok = pe_sampler_check(r->sampler, moment) == PE_ORDER_NEXT
                  ? hold(r, moment, error)
                  : end_stretch(r, error);
    if (!ok)
        return false;
    PePoint point = pe_sampler_push(r->sampler, moment);
    PeJob *job;
    if (point.sample == PE_SAMPLE_SKIP)
        return true;
    return pe_client_submit(r->client, &(PeSubmit){.frame = frame}, &job,
                            error) &&
           add_sample(r, job, &point, error);
}

// ---- Files ----------------------------------------------------------------

bool
clip_reader_read_video(ClipReader *reader, const char *path, uint64_t from,
                       ClipFunc func, void *user_data, GError **error)
{
    ClipReader *r = reader;
    if (gst_pe_picture_is_animation(path)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: an animated picture, which has no clips; expected a "
                    "video, or give it as a picture",
                    path);
        return false;
    }
    r->func = func;
    r->user_data = user_data;
    r->stopped = false;
    GError *e = NULL;
    int64_t n = decode_file_from(path, from, take_frame, r, &e);
    if (n == 0)
        g_set_error(&e, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: ends before %.3f s; expected an earlier time", path,
                    (double)from * 1e-9);
    if (!e && !r->stopped)
        (void)end_stretch(r, &e);
    g_array_set_size(r->samples, 0);
    pe_sampler_reset(r->sampler);
    if (!e)
        return true;
    // What the engine says has no file in it.
    if (!strstr(e->message, path))
        g_prefix_error(&e, "%s: ", path);
    g_propagate_error(error, e);
    return false;
}

static bool
embed_picture(const PeFrame *frame, void *data, GError **error)
{
    ClipReader *r = data;
    return pe_engine_embed_frames(r->engine, frame, 1, r->mean, error);
}

bool
clip_reader_read_picture(ClipReader *reader, const char *path, float *embedding,
                         GError **error)
{
    int dim = pe_engine_get_dim(reader->engine);
    if (!gst_pe_picture_read(path, embed_picture, reader, error))
        return false;
    pe_embedding_normalize(reader->mean, dim);
    memcpy(embedding, reader->mean, (size_t)dim * sizeof *embedding);
    return true;
}
