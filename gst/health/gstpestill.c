// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpestill.c - see gstpestill.h.
//
// An encoder draws a frozen picture anew at each key frame, a little other than
// the frames between them: something changes, again and again. But it draws
// what it has drawn at the key frame before. A picture's novelty is how much it
// differs from the most similar of the last RECENT: half of its cells differ by
// more. The noise of a sensor makes each key frame of a living picture a new
// one, even where the frames between are copies; so in each stretch of SPAN
// pictures there is one of much novelty. The picture is frozen when a stretch
// has none, while all those of the last minute had. A stream that never was so,
// as one with seldom key frames and no noise between, is not judged by this.

#include "gst/health/gstpestill.h"

#include <glib.h>
#include <math.h>
#include <string.h>

enum {
    SLOTS = 8, // of frozen_after; one picture of each is looked at
    RECENT = 10,
    SPAN = 6,
    KNOWN = 60,       // novelties that are remembered
    LEAST_KNOWN = 24, // before a stretch, to judge it
};

// Novelty of what is not new, in levels, and the least of what is.
#define OLD_BELOW 0.3
#define NEW_ABOVE 0.6

// Where the mean luma changed by more in this stretch or the two before, noise
// may have, too: a light was switched.
#define LIGHT_STEADY 12.0

typedef struct {
    uint64_t time;
    float novelty, mean;
} Glance;

struct GstPeStill {
    // Nothing changes.
    uint8_t first[GST_PE_SAMPLES]; // since which nothing has
    uint64_t first_time;
    uint64_t lasted; // ns that pictures speak for
    bool begun;
    // All of it was there before.
    uint8_t recent[RECENT][GST_PE_SAMPLES];
    int n_recent, next_recent;
    uint64_t next_slot;
    Glance known[KNOWN]; // oldest first
    int n_known;
    bool repeats; // is frozen
    uint64_t repeats_since;
};

GstPeStill *
gst_pe_still_new(void)
{
    return g_new0(GstPeStill, 1);
}

void
gst_pe_still_free(GstPeStill *still)
{
    g_free(still);
}

void
gst_pe_still_restart(GstPeStill *still)
{
    still->begun = still->repeats = false;
    still->n_recent = still->next_recent = still->n_known = 0;
    still->next_slot = 0;
}

// ---- Nothing changes --------------------------------------------------------

static bool
is_unchanged(GstPeStill *still, const GstPeStillParams *params,
             const GstPeStillLook *look)
{
    if (!still->begun || gst_pe_samples_change(still->first, look->samples) >
                             params->still_share) {
        memcpy(still->first, look->samples, sizeof still->first);
        still->first_time = look->time;
        still->lasted = 0;
    } else
        still->lasted += look->elapsed;
    return still->lasted >= params->frozen_after;
}

// ---- All of it was there before ---------------------------------------------

static float
measure_novelty(const GstPeStill *still, const uint8_t *samples)
{
    double least = INFINITY;

    for (int i = 0; i < still->n_recent; i++)
        least = fmin(least, gst_pe_samples_distance(still->recent[i], samples));
    return (float)least;
}

static void
remember(GstPeStill *still, const uint8_t *samples)
{
    memcpy(still->recent[still->next_recent], samples, GST_PE_SAMPLES);
    still->next_recent = (still->next_recent + 1) % RECENT;
    still->n_recent = MIN(still->n_recent + 1, RECENT);
}

static void
add(GstPeStill *still, Glance glance)
{
    if (still->n_known == KNOWN)
        memmove(still->known, still->known + 1,
                (KNOWN - 1) * sizeof still->known[0]);
    else
        still->n_known++;
    still->known[still->n_known - 1] = glance;
}

// The greatest novelty of a stretch.
static float
find_newest(const Glance *span)
{
    float newest = 0;

    for (int i = 0; i < SPAN; i++)
        newest = fmaxf(newest, span[i].novelty);
    return newest;
}

static bool
is_light_steady(const Glance *glances, int n)
{
    float least = INFINITY, most = -INFINITY;

    for (int i = 0; i < n; i++) {
        least = fminf(least, glances[i].mean);
        most = fmaxf(most, glances[i].mean);
    }
    return most - least <= LIGHT_STEADY;
}

// Has the last stretch nothing new, and had all before it?
static bool
begins_to_repeat(const GstPeStill *still)
{
    int n_before = still->n_known - SPAN;
    const Glance *span = still->known + n_before;

    if (n_before < LEAST_KNOWN || find_newest(span) > OLD_BELOW ||
        !is_light_steady(span - 2 * SPAN, 3 * SPAN))
        return false;
    for (int i = 0; i + SPAN <= n_before; i++)
        if (find_newest(still->known + i) < NEW_ABOVE)
            return false;
    return true;
}

static void
compare(GstPeStill *still, const GstPeStillLook *look)
{
    float novelty = measure_novelty(still, look->samples);
    bool first = still->n_recent == 0;

    remember(still, look->samples);
    if (first)
        return;
    if (still->repeats && novelty <= OLD_BELOW)
        return; // nothing of it says how this camera usually is
    still->repeats = false;
    add(still, (Glance){look->time, novelty, (float)look->mean});
    if (!begins_to_repeat(still))
        return;
    still->repeats = true;
    still->n_known -= SPAN;
    still->repeats_since = still->known[still->n_known].time;
}

// ---- Pictures ---------------------------------------------------------------

bool
gst_pe_still_push(GstPeStill *still, const GstPeStillParams *params,
                  const GstPeStillLook *look, uint64_t *since)
{
    bool unchanged = is_unchanged(still, params, look);

    still->begun = true;
    if (look->time >= still->next_slot) {
        compare(still, look);
        still->next_slot = look->time + params->frozen_after / SLOTS;
    }
    *since = still->first_time;
    if (still->repeats && (!unchanged || still->repeats_since < *since))
        *since = still->repeats_since;
    return unchanged || (still->repeats && params->still_share > 0);
}
