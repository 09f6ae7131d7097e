// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewindow.c - see gstpewindow.h.
//
// Windows of time lie on a grid that begins with the first sample of a stretch.
// A sample stands for the time around it, as far as to the middle between it
// and its neighbours, so that the small steps by which frames are beside the
// points of a sampling grid do not matter. A window ends with the sample after
// which the next one is expected to lie behind it, and the windows
// that end until then, with the same samples, are one clip.

#include "gst/score/gstpewindow.h"

// More numbers than this are not left out by a device that is too slow.
#define MAX_LEFT_OUT 65536

typedef struct {
    float *embedding; // NULL: it could not be embedded
    GstPeTimes times;
} Sample;

struct _GstPeWindow {
    GstPeWindowSpec spec;
    bool counted;
    GstPeCutFunc func;
    void *user_data;

    PeSampler *counter;   // of samples, by number
    GArray *samples;      // Sample, that may still be part of a clip
    guint64 stretch;      // 0: none
    guint64 number;       // of the last sample
    GstClockTime last;    // when it began
    GstClockTime gap;     // between the last two; 0: not known
    GstClockTime spacing; // of samples, without a gap between; 0: not known

    // Of windows of time.
    GstClockTime anchor;
    guint64 index;         // of the next one that ends
    bool ended;            // the last one did so with the last sample
    GstClockTime expected; // the middle of the sample behind that
};

static void
clear_sample(gpointer data)
{
    g_free(((Sample *)data)->embedding);
}

GstPeWindow *
gst_pe_window_new(const GstPeWindowSpec *spec, bool counted, GstPeCutFunc func,
                  void *user_data)
{
    GstPeWindow *self = g_new0(GstPeWindow, 1);
    PeSamplerParams params = {.rate_d = 1,
                              .interval = 1,
                              .clip_length = spec->clip_length,
                              .clip_stride = spec->clip_stride};

    self->spec = *spec;
    self->counted = counted;
    self->func = func;
    self->user_data = user_data;
    self->counter = pe_sampler_new(&params);
    self->samples = g_array_new(FALSE, FALSE, sizeof(Sample));
    g_array_set_clear_func(self->samples, clear_sample);
    gst_pe_window_reset(self);
    return self;
}

void
gst_pe_window_free(GstPeWindow *self)
{
    pe_sampler_free(self->counter);
    g_array_unref(self->samples);
    g_free(self);
}

void
gst_pe_window_reset(GstPeWindow *self)
{
    g_array_set_size(self->samples, 0);
    pe_sampler_reset(self->counter);
    self->stretch = 0;
    self->last = GST_CLOCK_TIME_NONE;
    self->gap = self->spacing = 0;
    self->anchor = GST_CLOCK_TIME_NONE;
    self->index = 0;
    self->ended = false;
}

GstClockTime
gst_pe_window_get_end(const GstPeWindow *self)
{
    guint n = self->samples->len;

    return n > 0 ? g_array_index(self->samples, Sample, n - 1).times.running_end
                 : self->last;
}

// ---- Cutting --------------------------------------------------------------

// Samples [first, end) are a clip of as many as `n_wanted` (0: of no number).
static void
cut(GstPeWindow *self, guint first, guint end, guint n_wanted,
    GstPeReason reason, bool ends_here)
{
    g_autofree const float **embeddings = g_new(const float *, end - first);
    GstPeCut c = {.embeddings = embeddings, .ends_here = ends_here};

    for (guint i = first; i < end; i++) {
        const Sample *s = &g_array_index(self->samples, Sample, i);
        if (!s->embedding)
            continue;
        if (c.n == 0)
            c.first = s->times;
        c.last = s->times;
        embeddings[c.n++] = s->embedding;
    }
    if (c.n == 0)
        return;
    if (self->spec.length > 0)
        c.step = self->spec.stride;
    else
        c.step = self->spacing * (guint64)(self->spec.clip_stride > 0
                                               ? self->spec.clip_stride
                                               : self->spec.clip_length);
    c.reason =
        end - first < n_wanted || n_wanted == 0 ? reason : GST_PE_REASON_NONE;
    if (c.reason == GST_PE_REASON_NONE && (guint)c.n < end - first)
        c.reason = GST_PE_REASON_OVERLOAD;
    self->func(&c, self->user_data);
}

// ---- Numbers of samples ---------------------------------------------------

static void
count(GstPeWindow *self, bool ends_here)
{
    guint length = (guint)self->spec.clip_length;
    PeMoment moment = {PE_TIME_NONE, PE_TIME_NONE, false};

    if (self->samples->len > length)
        g_array_remove_range(self->samples, 0, self->samples->len - length);
    PePoint point = pe_sampler_push(self->counter, &moment);
    if (point.sample == PE_SAMPLE_SKIP)
        g_array_set_size(self->samples, self->samples->len - 1);
    if (point.sample == PE_SAMPLE_CLIP)
        cut(self, 0, self->samples->len, length, GST_PE_REASON_RECONFIGURED,
            ends_here);
}

static void
finish_count(GstPeWindow *self, GstPeReason reason)
{
    guint n = self->samples->len;
    guint pending = (guint)pe_sampler_pending(self->counter);

    pending = MIN(pending, n);
    if (pending > 0)
        cut(self, n - pending, n, (guint)self->spec.clip_length, reason, false);
}

// ---- Time -----------------------------------------------------------------

static GstClockTime
get_start(const GstPeWindow *self)
{
    return self->anchor + self->index * self->spec.stride;
}

// Half of what a sample stands for; no more than a window has.
static GstClockTime
get_half(const GstPeWindow *self)
{
    return MIN(self->spacing, MIN(self->spec.length, self->spec.stride)) / 2;
}

// The middle of the time that a sample stands for.
static GstClockTime
get_middle(const GstPeWindow *self, const Sample *sample)
{
    return sample->times.running_time + get_half(self);
}

// The next window is one that ends behind `time`.
static void
skip(GstPeWindow *self, GstClockTime time)
{
    GstClockTime passed = time - self->anchor;

    if (passed >= self->spec.length) {
        guint64 next = (passed - self->spec.length) / self->spec.stride + 1;
        self->index = MAX(self->index, next);
    }
}

static void
drop_early(GstPeWindow *self)
{
    guint n = 0;

    while (n < self->samples->len &&
           get_middle(self, &g_array_index(self->samples, Sample, n)) <
               get_start(self))
        n++;
    if (n > 0)
        g_array_remove_range(self->samples, 0, n);
}

static bool
has_ended(const GstPeWindow *self, GstClockTime time)
{
    return time >= get_start(self) + self->spec.length;
}

// What the next sample, which begins then, finds over.
static void
end_before(GstPeWindow *self, GstClockTime start)
{
    if (!GST_CLOCK_TIME_IS_VALID(self->anchor))
        self->anchor = start;
    GstClockTime middle = start + get_half(self);
    // These have the same samples as the one that ended with the last sample.
    if (self->ended)
        skip(self, MIN(middle, self->expected));
    drop_early(self);
    if (!has_ended(self, middle))
        return;
    guint n = 0;
    while (n < self->samples->len &&
           !has_ended(self, get_middle(self, &g_array_index(self->samples,
                                                            Sample, n))))
        n++;
    cut(self, 0, n, 0, GST_PE_REASON_NONE, false);
    self->index++;
    skip(self, middle);
    drop_early(self);
}

static void
end_with_last(GstPeWindow *self)
{
    guint n = self->samples->len;
    GstClockTime middle =
        get_middle(self, &g_array_index(self->samples, Sample, n - 1));

    self->expected = middle + self->spacing;
    self->ended = self->spacing > 0 && has_ended(self, self->expected);
    if (!self->ended)
        return;
    drop_early(self);
    cut(self, 0, self->samples->len, 0, GST_PE_REASON_NONE, true);
    self->index++;
    drop_early(self);
}

static void
finish_time(GstPeWindow *self, GstPeReason reason)
{
    if (self->ended || !GST_CLOCK_TIME_IS_VALID(self->anchor))
        return;
    drop_early(self);
    cut(self, 0, self->samples->len, 0, reason, false);
}

// ---- Samples --------------------------------------------------------------

void
gst_pe_window_finish(GstPeWindow *self, GstPeReason reason)
{
    if (self->spec.length > 0)
        finish_time(self, reason);
    else
        finish_count(self, reason);
    gst_pe_window_reset(self);
}

// Takes the embedding.
static void
append(GstPeWindow *self, const GstPeTimes *times, float *embedding)
{
    Sample sample = {embedding, *times};

    g_array_append_val(self->samples, sample);
}

// Samples from this number on could not be embedded, up to the one that begins
// at `start`.
static void
leave_out(GstPeWindow *self, guint64 from, guint64 number, GstClockTime start)
{
    for (guint64 i = from; self->counted && i < number; i++) {
        GstPeTimes times = GST_PE_TIMES_NONE;
        times.running_time = start - MIN(start, (number - i) * self->spacing);
        append(self, &times, NULL);
        if (self->spec.length == 0)
            count(self, false);
    }
}

static void
measure(GstPeWindow *self, guint64 number, const GstPeTimes *times)
{
    GstClockTime start = times->running_time;
    guint64 n = self->counted ? number - self->number : 1;

    if (GST_CLOCK_TIME_IS_VALID(self->last) && GST_CLOCK_TIME_IS_VALID(start) &&
        start > self->last && n > 0) {
        GstClockTime gap = (start - self->last) / n;
        self->spacing = self->gap > 0 ? MIN(gap, self->gap) : gap;
        self->gap = gap;
    }
    self->last = start;
}

// Does it go on with what is there?
static bool
follows(const GstPeWindow *self, guint64 stretch, guint64 number)
{
    return stretch == self->stretch && number > self->number &&
           number - self->number <= MAX_LEFT_OUT;
}

void
gst_pe_window_add(GstPeWindow *self, guint64 stretch, guint64 number,
                  const GstPeTimes *times, float *embedding)
{
    bool timed = self->spec.length > 0;
    guint64 from = self->number + 1;

    if (!follows(self, stretch, number)) {
        if (self->stretch != 0)
            gst_pe_window_finish(self, GST_PE_REASON_JUMP);
        // What the first clip has lost; who comes later has lost nothing.
        from = number < (guint64)self->spec.clip_length ? 0 : number;
        self->stretch = stretch;
        self->number = number;
    }
    measure(self, number, times);
    leave_out(self, from, number, times->running_time);
    if (timed)
        end_before(self, times->running_time);
    append(self, times, embedding);
    self->number = number;
    if (timed)
        end_with_last(self);
    else
        count(self, true);
}
