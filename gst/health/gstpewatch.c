// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewatch.c - see gstpewatch.h. Each picture is compared with those shortly
// before, and with the usual view. What comes of it goes through PeEvents, as
// labels do.

#include "gst/health/gstpewatch.h"

#include "gst/health/gstpeluma.h"
#include "gst/health/gstperhythm.h"
#include "gst/health/gstpestill.h"

#include <math.h>
#include <string.h>

#define SECOND G_GUINT64_CONSTANT(1000000000)

// Evidence for and against, as a logit: scores of 0.98 and 0.02.
#define SURE 4.0f

struct GstPeWatch {
    GstPeWatchParams params;
    PeEvents *events;
    GstPeMeasures measures;
    int width, height;                // 0: no picture yet
    uint64_t time;                    // of the last picture
    uint64_t elapsed;                 // that the last one spoke for
    bool on[GST_PE_WATCH_N];          // states
    uint64_t since[GST_PE_WATCH_N];   // when the last one has begun
    uint64_t until[GST_PE_WATCH_N];   // up to when it was seen
    PeEvent told[2 * GST_PE_WATCH_N]; // each may end and begin again
    uint8_t last[GST_PE_SAMPLES];
    float gradients[GST_PE_THUMBNAIL_GRADIENTS];
    GstPeStill *still;
    GstPeView *view;
    GstPeRhythm *rhythm;
};

void
gst_pe_watch_params_init(GstPeWatchParams *params)
{
    *params = (GstPeWatchParams){
        .step = SECOND,
        .still = {.frozen_after = 8 * SECOND, .still_share = 0.04},
        .view = {.moved_after = 5 * SECOND,
                 .moved_below = 0.35,
                 .learn = 30 * SECOND},
        .rhythm = {.flicker_above = 0.05, .hunting_above = 0.5},
    };
}

const char *
gst_pe_watch_state_to_string(GstPeWatchState state)
{
    static const char *const names[] = {
        [GST_PE_WATCH_FROZEN] = "frozen picture",
        [GST_PE_WATCH_MOVED] = "camera moved",
        [GST_PE_WATCH_FLICKER] = "flicker",
        [GST_PE_WATCH_HUNTING] = "hunting",
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
    watch->still = gst_pe_still_new();
    watch->view = gst_pe_view_new();
    watch->rhythm = gst_pe_rhythm_new();
    return watch;
}

void
gst_pe_watch_free(GstPeWatch *watch)
{
    if (!watch)
        return;
    pe_events_free(watch->events);
    gst_pe_still_free(watch->still);
    gst_pe_view_free(watch->view);
    gst_pe_rhythm_free(watch->rhythm);
    g_free(watch);
}

// ---- States ---------------------------------------------------------------

// since  used if it begins now
// until  used if it is on
static void
set_state(GstPeWatch *watch, GstPeWatchState state, bool on, uint64_t since,
          uint64_t until)
{
    if (on && !watch->on[state])
        watch->since[state] = watch->until[state] = since;
    if (on)
        watch->until[state] = MAX(watch->until[state], until);
    watch->on[state] = on;
}

static void
find_frozen(GstPeWatch *watch, uint64_t time)
{
    const GstPeStillLook look = {watch->last, time, watch->elapsed,
                                 watch->measures.mean};
    uint64_t since;
    bool frozen =
        gst_pe_still_push(watch->still, &watch->params.still, &look, &since);

    set_state(watch, GST_PE_WATCH_FROZEN, frozen, since, time);
}

static void
find_moved(GstPeWatch *watch, uint64_t time, const float *embedding, int dim)
{
    const GstPeLook look = {watch->gradients, embedding, dim, time,
                            watch->elapsed};
    const GstPeViewParams *params = &watch->params.view;
    bool moved =
        gst_pe_view_push(watch->view, params, &look, &watch->measures.likeness);

    set_state(watch, GST_PE_WATCH_MOVED, moved,
              gst_pe_view_get_since(watch->view), time);
}

static void
find_rhythm(GstPeWatch *watch)
{
    const GstPeRhythmParams *params = &watch->params.rhythm;
    GstPeRhythmSpan span = {0};

    bool hunts = gst_pe_rhythm_hunts(watch->rhythm, params, &span);
    set_state(watch, GST_PE_WATCH_HUNTING, hunts, span.since, span.until);
    bool flickers = gst_pe_rhythm_flickers(watch->rhythm, params, &span);
    set_state(watch, GST_PE_WATCH_FLICKER, flickers, span.since, span.until);
}

// The events with times that fit together, whatever the interval: a look speaks
// for the time since the one before, in which the state has perhaps begun only
// later; and of a rhythm it sees the last seconds, not now.
static int
tell(GstPeWatch *watch, const PeEvent *events, int n, const PeEvent **told)
{
    n = MIN(n, (int)G_N_ELEMENTS(watch->told));
    for (int i = 0; i < n; i++) {
        PeEvent *event = &watch->told[i];

        *event = events[i];
        event->start = MAX(event->start, watch->since[event->label]);
        event->end =
            MAX(event->start, MIN(event->end, watch->until[event->label]));
        event->peak = CLAMP(event->peak, event->start, event->end);
    }
    *told = watch->told;
    return n;
}

// ---- Pictures -------------------------------------------------------------

static void
measure(GstPeWatch *watch, const GstPeLuma *luma, bool first)
{
    GstPeMeasures *m = &watch->measures;
    uint8_t samples[GST_PE_SAMPLES];

    gst_pe_luma_sample(luma, samples);
    m->change = first ? NAN : gst_pe_samples_change(samples, watch->last);
    memcpy(watch->last, samples, sizeof samples);
    gst_pe_samples_measure(samples, &m->mean, &m->deviation, &m->sharpness);
    gst_pe_luma_gradients(luma, watch->gradients);
}

// What a picture speaks for: the time since the last one, but after a gap not
// much more than pictures use to.
static uint64_t
get_elapsed(const GstPeWatch *watch, uint64_t time, bool first)
{
    uint64_t most = 2 * MAX(watch->params.step, watch->elapsed);

    return first ? watch->params.step : MIN(time - watch->time, most);
}

void
gst_pe_watch_set_params(GstPeWatch *watch, const GstPeWatchParams *params)
{
    g_return_if_fail(watch && params);
    watch->params = *params;
}

void
gst_pe_watch_add(GstPeWatch *watch, uint64_t time, const GstPeLuma *luma)
{
    const GstPeRhythmParams *params = &watch->params.rhythm;
    GstPeCells cells;

    if (params->flicker_above <= 0 && params->hunting_above <= 0)
        return;
    gst_pe_luma_measure_cells(luma, &cells);
    gst_pe_rhythm_add(watch->rhythm, time, &cells);
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
    float evidence[GST_PE_WATCH_N];

    if (first) {
        gst_pe_still_restart(watch->still);
        gst_pe_view_restart(watch->view);
        // Of another size, the same has another sharpness.
        gst_pe_rhythm_restart(watch->rhythm);
    }
    watch->elapsed = get_elapsed(watch, time, first);
    measure(watch, &picture, first);
    find_frozen(watch, time);
    find_moved(watch, time, embedding, dim);
    find_rhythm(watch);
    for (int i = 0; i < GST_PE_WATCH_N; i++)
        evidence[i] = watch->on[i] ? SURE : -SURE;
    // Each speaks for the time since the last one, however long that was.
    uint64_t since = first ? time : watch->time;
    watch->width = width;
    watch->height = height;
    watch->time = time;
    const PeEvent *events;
    int n = pe_events_push(watch->events, since, time, evidence, NULL, &events);
    return tell(watch, events, n, told);
}

int
gst_pe_watch_end(GstPeWatch *watch, const PeEvent **told)
{
    g_return_val_if_fail(watch && told, 0);
    watch->width = watch->height = 0;
    gst_pe_view_restart(watch->view);
    gst_pe_rhythm_restart(watch->rhythm);
    memset(watch->on, 0, sizeof watch->on);
    const PeEvent *events;
    int n = pe_events_end(watch->events, &events);
    return tell(watch, events, n, told);
}

void
gst_pe_watch_forget(GstPeWatch *watch)
{
    g_return_if_fail(watch);
    gst_pe_view_free(watch->view);
    watch->view = gst_pe_view_new();
}

uint64_t
gst_pe_watch_get_since(const GstPeWatch *watch, GstPeWatchState state)
{
    g_return_val_if_fail(watch && state >= 0 && state < GST_PE_WATCH_N, 0);
    return watch->since[state];
}

void
gst_pe_watch_get_measures(const GstPeWatch *watch, GstPeMeasures *measures)
{
    g_return_if_fail(watch && measures);
    *measures = watch->measures;
}
