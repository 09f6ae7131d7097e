// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeview.c - see gstpeview.h. There are two means of pictures: the usual
// view, and another one that may become it. A picture of noise is like nothing,
// also not like the one before it, and never becomes a view.

#include "gst/health/gstpeview.h"

#include <glib.h>
#include <math.h>

#define N GST_PE_THUMBNAIL_GRADIENTS

// A picture whose gradients have less than this share of the view's energy does
// not show enough to be compared, and neither does one below this mean square a
// gradient.
#define LEAST_ENERGY_SHARE 0.1
#define LEAST_ENERGY 0.5

// The embedding has left the usual one when it is this many times as far from
// it as usual, and at least this far.
#define DRIFT_FACTOR 3.0
#define LEAST_DRIFT 0.05

// The usual view is followed in this many times `learn`.
#define FOLLOW 10.0

typedef struct {
    float gradients[N];
    float *embedding; // [dim], not unit; NULL: none yet
    int dim;
    double usual_drift;
    uint64_t learned; // ns that went into it after the first picture
    int n;            // pictures; 0: there is none
} Mean;

struct GstPeView {
    Mean usual, other;
    uint64_t strays; // ns of pictures that were like neither, since the last
                     // that was like the other
    bool differs;    // the other view is unlike the usual, not only weaker
    uint64_t differs_since; // time of the first of it that is
    bool moved;             // has been told
};

GstPeView *
gst_pe_view_new(void)
{
    return g_new0(GstPeView, 1);
}

static void
clear(Mean *mean)
{
    g_free(mean->embedding);
    *mean = (Mean){.n = 0};
}

void
gst_pe_view_free(GstPeView *view)
{
    if (!view)
        return;
    clear(&view->usual);
    clear(&view->other);
    g_free(view);
}

// ---- Comparison -----------------------------------------------------------

static double
dot(const float *a, const float *b, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static bool
shows_something(const float *gradients)
{
    return dot(gradients, gradients, N) >= LEAST_ENERGY * N;
}

// NaN: one of them shows too little to say so.
static double
correlate(const float *gradients, const Mean *mean)
{
    double energy = dot(gradients, gradients, N);
    double expected = dot(mean->gradients, mean->gradients, N);

    if (fmin(energy, expected) < LEAST_ENERGY * N ||
        energy < LEAST_ENERGY_SHARE * expected)
        return NAN;
    return dot(gradients, mean->gradients, N) / sqrt(energy * expected);
}

static double
drift_from(const Mean *mean, const GstPeLook *look)
{
    if (!look->embedding || !mean->embedding || mean->dim != look->dim)
        return NAN;
    double length = dot(mean->embedding, mean->embedding, mean->dim);
    if (!(length > 0))
        return NAN;
    return 1 - dot(look->embedding, mean->embedding, mean->dim) / sqrt(length);
}

// ---- Means ----------------------------------------------------------------

// share  of the new picture
static void
follow(Mean *mean, const GstPeLook *look, double share)
{
    double drift = drift_from(mean, look);

    for (int i = 0; i < N; i++)
        mean->gradients[i] +=
            (float)(share * (look->gradients[i] - mean->gradients[i]));
    if (!isnan(drift))
        mean->usual_drift += share * (drift - mean->usual_drift);
    if (!look->embedding)
        return;
    if (!mean->embedding || mean->dim != look->dim) {
        g_free(mean->embedding);
        mean->embedding = g_new0(float, look->dim);
        mean->dim = look->dim;
        share = 1;
    }
    for (int i = 0; i < look->dim; i++)
        mean->embedding[i] +=
            (float)(share * (look->embedding[i] - mean->embedding[i]));
}

static void
add(Mean *mean, const GstPeLook *look)
{
    if (mean->n++ > 0)
        mean->learned += look->elapsed;
    follow(mean, look, 1.0 / mean->n);
}

// ---- The other view -------------------------------------------------------

static void
forget_other(GstPeView *view)
{
    clear(&view->other);
    view->strays = 0;
    view->differs = view->moved = false;
}

void
gst_pe_view_restart(GstPeView *view)
{
    forget_other(view);
}

// A picture that is not of the usual view. differs: it is of another one, and
// not only too weak to say.
static bool
look_elsewhere(GstPeView *view, const GstPeViewParams *params,
               const GstPeLook *look, bool differs)
{
    Mean *other = &view->other;

    if (other->n > 0 &&
        !(correlate(look->gradients, other) >= params->moved_below)) {
        view->strays += look->elapsed;
        if (view->strays < params->moved_after)
            return view->moved; // one may be of what passed by
        forget_other(view);
    }
    view->strays = 0;
    if (differs && !view->differs)
        view->differs_since = look->time;
    view->differs |= differs;
    add(other, look);
    if (other->learned < params->moved_after)
        return false;
    if (other->learned >= params->moved_after + params->learn &&
        (view->moved || !view->differs)) {
        clear(&view->usual);
        view->usual = *other;
        view->usual.learned = params->learn;
        *other = (Mean){.n = 0};
        forget_other(view);
        return false;
    }
    view->moved = view->differs;
    return view->moved;
}

// ---- Pictures -------------------------------------------------------------

// Is there a usual view? One of noise has levelled out, and is none.
static bool
is_known(GstPeView *view, const GstPeViewParams *params)
{
    Mean *usual = &view->usual;

    if (usual->n == 0 || usual->learned < params->learn)
        return false;
    if (shows_something(usual->gradients))
        return true;
    clear(usual);
    return false;
}

bool
gst_pe_view_push(GstPeView *view, const GstPeViewParams *params,
                 const GstPeLook *look, GstPeLikeness *likeness)
{
    Mean *usual = &view->usual;
    bool known = is_known(view, params);

    likeness->structure =
        usual->n > 0 ? correlate(look->gradients, usual) : NAN;
    likeness->drift = drift_from(usual, look);
    if (!shows_something(look->gradients))
        return view->moved;
    if (!known) {
        forget_other(view);
        add(usual, look);
        return false;
    }
    double far = fmax(LEAST_DRIFT, DRIFT_FACTOR * usual->usual_drift);
    bool weak = isnan(likeness->structure);
    bool unlike = likeness->structure < params->moved_below;
    bool left = isnan(likeness->drift) || likeness->drift > far;
    if (weak || (unlike && left))
        return look_elsewhere(view, params, look, !weak);
    forget_other(view);
    follow(usual, look,
           fmin(1, (double)look->elapsed / (double)params->learn) / FOLLOW);
    return false;
}

uint64_t
gst_pe_view_get_since(const GstPeView *view)
{
    return view->differs_since;
}
