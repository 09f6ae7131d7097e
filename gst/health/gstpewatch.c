// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewatch.c - see gstpewatch.h. Each picture is compared with two others:
// with the one that time without a change counts from, and with the reference
// of the view. What comes of it goes through PeEvents, as labels do.

#include "gst/health/gstpewatch.h"

#include "gst/health/gstpeluma.h"

#include <math.h>
#include <string.h>

#define SECOND G_GUINT64_CONSTANT(1000000000)

// Evidence for and against, as a logit: scores of 0.98 and 0.02.
#define SURE 4.0f

// A picture whose gradients have less than this share of the reference's energy
// does not show enough, and neither does one below this mean square a gradient.
#define LEAST_ENERGY_SHARE 0.1
#define LEAST_ENERGY 0.5

// The embedding has left the reference when it is this many times as far from
// it as usual, and at least this far.
#define DRIFT_FACTOR 3.0
#define LEAST_DRIFT 0.05

// The reference follows the view in this many times `learn`.
#define FOLLOW 10.0

typedef struct {
    float gradients[GST_PE_THUMBNAIL_GRADIENTS];
    float *embedding; // [dim], not unit; NULL: none yet
    int dim;
    double usual_drift;
    uint64_t learned; // ns that went into it
} Reference;

struct GstPeWatch {
    GstPeWatchParams params;
    PeEvents *events;
    GstPeMeasures measures;
    int width, height;                // 0: no picture yet
    uint64_t time;                    // of the last picture
    uint64_t still_since, away_since; // UINT64_MAX: is not away
    uint8_t last[GST_PE_SAMPLES], still[GST_PE_SAMPLES];
    float gradients[GST_PE_THUMBNAIL_GRADIENTS];
    Reference reference;
};

void
gst_pe_watch_params_init(GstPeWatchParams *params)
{
    *params = (GstPeWatchParams){
        .step = SECOND,
        .frozen_after = 8 * SECOND,
        .still_share = 0.04,
        .moved_after = 5 * SECOND,
        .moved_below = 0.35,
        .learn = 30 * SECOND,
    };
}

const char *
gst_pe_watch_state_to_string(GstPeWatchState state)
{
    static const char *const names[] = {
        [GST_PE_WATCH_FROZEN] = "frozen picture",
        [GST_PE_WATCH_MOVED] = "camera moved",
    };

    g_return_val_if_fail(state >= 0 && state < GST_PE_WATCH_N, NULL);
    return names[state];
}

GstPeWatch *
gst_pe_watch_new(const GstPeWatchParams *params)
{
    const char *names[GST_PE_WATCH_N];
    const PeEventParams rules = {
        .threshold_on = 0.5,
        .threshold_off = 0.5,
    };
    g_autoptr(GError) error = NULL;
    GstPeWatch *watch = g_new0(GstPeWatch, 1);

    for (int i = 0; i < GST_PE_WATCH_N; i++)
        names[i] = gst_pe_watch_state_to_string(i);
    watch->params = *params;
    watch->events = pe_events_new(&rules, names, GST_PE_WATCH_N, 0, &error);
    g_assert_no_error(error); // the rules are right whatever the parameters
    watch->measures.structure = watch->measures.drift = NAN;
    watch->away_since = UINT64_MAX;
    return watch;
}

void
gst_pe_watch_free(GstPeWatch *watch)
{
    if (!watch)
        return;
    pe_events_free(watch->events);
    g_free(watch->reference.embedding);
    g_free(watch);
}

// ---- Frozen ---------------------------------------------------------------

static bool
is_frozen(GstPeWatch *watch, uint64_t time, bool first)
{
    if (first || gst_pe_samples_change(watch->still, watch->last) >
                     watch->params.still_share) {
        memcpy(watch->still, watch->last, sizeof watch->still);
        watch->still_since = time;
    }
    return time - watch->still_since >= watch->params.frozen_after;
}

// ---- Moved ----------------------------------------------------------------

static double
dot(const float *a, const float *b, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static double
energy_of(const float *gradients)
{
    return dot(gradients, gradients, GST_PE_THUMBNAIL_GRADIENTS);
}

// NaN: one of them shows too little to say so.
static double
correlate(const float *gradients, const float *reference)
{
    const int n = GST_PE_THUMBNAIL_GRADIENTS;
    double energy = energy_of(gradients), expected = energy_of(reference);

    if (fmin(energy, expected) < LEAST_ENERGY * n ||
        energy < LEAST_ENERGY_SHARE * expected)
        return NAN;
    return dot(gradients, reference, n) / sqrt(energy * expected);
}

static double
drift_from(const Reference *reference, const float *embedding, int dim)
{
    if (!embedding || !reference->embedding || reference->dim != dim)
        return NAN;
    double length = dot(reference->embedding, reference->embedding, dim);
    if (!(length > 0))
        return NAN;
    return 1 - dot(embedding, reference->embedding, dim) / sqrt(length);
}

// share  of the new picture in the reference, 1: begin anew
static void
follow(Reference *reference, const float *gradients, const float *embedding,
       int dim, double drift, double share)
{
    for (int i = 0; i < GST_PE_THUMBNAIL_GRADIENTS; i++)
        reference->gradients[i] +=
            (float)(share * (gradients[i] - reference->gradients[i]));
    if (share >= 1)
        reference->usual_drift = 0; // of another view it says nothing
    else if (!isnan(drift))
        reference->usual_drift += share * (drift - reference->usual_drift);
    if (!embedding)
        return;
    if (!reference->embedding || reference->dim != dim) {
        g_free(reference->embedding);
        reference->embedding = g_new0(float, dim);
        reference->dim = dim;
        share = 1;
    }
    for (int i = 0; i < dim; i++)
        reference->embedding[i] +=
            (float)(share * (embedding[i] - reference->embedding[i]));
}

// Does this picture show another view than the reference?
static bool
is_away(const GstPeWatch *watch)
{
    const GstPeMeasures *m = &watch->measures;
    double usual = DRIFT_FACTOR * watch->reference.usual_drift;

    if (isnan(m->structure) || m->structure >= watch->params.moved_below)
        return false;
    return isnan(m->drift) || m->drift > fmax(LEAST_DRIFT, usual);
}

static bool
has_moved(GstPeWatch *watch, uint64_t time, uint64_t elapsed,
          const float *embedding, int dim)
{
    Reference *reference = &watch->reference;
    GstPeMeasures *m = &watch->measures;
    uint64_t learn = watch->params.learn;
    bool learning = reference->learned < learn;

    m->structure = correlate(watch->gradients, reference->gradients);
    m->drift = drift_from(reference, embedding, dim);
    if (!learning && is_away(watch)) {
        if (watch->away_since == UINT64_MAX)
            watch->away_since = time;
        if (time - watch->away_since < watch->params.moved_after + learn)
            return time - watch->away_since >= watch->params.moved_after;
        *reference = (Reference){.embedding = reference->embedding,
                                 .dim = reference->dim};
        learning = true;
    }
    watch->away_since = UINT64_MAX;
    // A picture that shows nothing is not a view to learn.
    if (energy_of(watch->gradients) <
            LEAST_ENERGY * GST_PE_THUMBNAIL_GRADIENTS ||
        (isnan(m->structure) && !learning))
        return false;
    reference->learned += elapsed;

    double share = (double)elapsed / learn;
    if (reference->learned <= elapsed)
        share = 1;
    else if (learning)
        share = (double)elapsed / reference->learned;
    else
        share /= FOLLOW;
    follow(reference, watch->gradients, embedding, dim, m->drift,
           fmin(1, share));
    return false;
}

// ---- Pictures -------------------------------------------------------------

static void
measure(GstPeWatch *watch, const GstPeLuma *luma, bool first)
{
    GstPeMeasures *m = &watch->measures;
    uint8_t samples[GST_PE_SAMPLES];

    gst_pe_luma_sample(luma, samples);
    m->change = first ? 1 : gst_pe_samples_change(samples, watch->last);
    memcpy(watch->last, samples, sizeof samples);
    gst_pe_samples_measure(samples, &m->mean, &m->deviation, &m->sharpness);
    gst_pe_luma_gradients(luma, watch->gradients);
}

int
gst_pe_watch_push(GstPeWatch *watch, uint64_t time, const uint8_t *luma,
                  int width, int height, size_t stride, const float *embedding,
                  int dim, const PeEvent **told)
{
    g_return_val_if_fail(watch && luma && told, 0);
    g_return_val_if_fail(width >= GST_PE_WATCH_LEAST_WIDTH, 0);
    g_return_val_if_fail(height >= GST_PE_WATCH_LEAST_HEIGHT, 0);
    const GstPeLuma picture = {luma, width, height, stride};
    bool first =
        watch->width != width || watch->height != height || time < watch->time;
    uint64_t elapsed = first ? watch->params.step : time - watch->time;
    float evidence[GST_PE_WATCH_N];

    if (first) {
        watch->reference.learned = 0;
        watch->away_since = UINT64_MAX;
    }
    measure(watch, &picture, first);
    evidence[GST_PE_WATCH_FROZEN] =
        is_frozen(watch, time, first) ? SURE : -SURE;
    evidence[GST_PE_WATCH_MOVED] =
        has_moved(watch, time, elapsed, embedding, dim) ? SURE : -SURE;
    // Each speaks for the time since the last one, however long that was.
    uint64_t since = first ? time : watch->time;
    watch->width = width;
    watch->height = height;
    watch->time = time;
    return pe_events_push(watch->events, since, time, evidence, NULL, told);
}

int
gst_pe_watch_end(GstPeWatch *watch, const PeEvent **told)
{
    g_return_val_if_fail(watch && told, 0);
    watch->width = watch->height = 0;
    return pe_events_end(watch->events, told);
}

void
gst_pe_watch_get_measures(const GstPeWatch *watch, GstPeMeasures *measures)
{
    g_return_if_fail(watch && measures);
    *measures = watch->measures;
}
