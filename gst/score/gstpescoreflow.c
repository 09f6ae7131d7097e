// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpescoreflow.c - see gstpescoreflow.h.

#include "gst/score/gstpescoreflow.h"

#include "gst/score/gstpesample.h"
#include "gst/score/gstpescoreconfigure.h"

// ---- Settings ------------------------------------------------------------

// What was set meanwhile counts from here on.
static void
use_settings(GstPeScore *self)
{
    g_autoptr(GError) error = NULL;

    g_mutex_lock(&self->lock);
    self->settings = self->judge_settings;
    g_mutex_unlock(&self->lock);
    if (g_atomic_int_compare_and_exchange(&self->changed, 1, 0) &&
        !gst_pe_score_configure(self, &error))
        GST_ELEMENT_WARNING(self, RESOURCE, SETTINGS,
                            ("%s; keeping the windows in use", error->message),
                            (NULL));
}

// ---- Clips ----------------------------------------------------------------

static void
queue_result(GPtrArray *queue, GstPeResult *result, const GstPeTimes *last)
{
    g_ptr_array_add(queue, gst_pe_judge_new_event(result, last));
}

// Frames may carry it from now on: the one whose sample it was made of, if it
// was on one, and those that repeat that sample.
static void
set_latest(GstPeScore *self, GstPeThing *thing, GstPeResult *result,
           const GstPeTimes *last)
{
    g_clear_pointer(&thing->latest, gst_pe_result_unref);
    thing->latest = gst_pe_result_ref(result);
    thing->last = *last;
    thing->fresh = self->in_frame;
}

// A clip of a thing has ended.
static void
judge(GstPeThing *thing, const GstPeCut *cut, void *user_data)
{
    GstPeScore *self = user_data;
    GstPeResult *of = gst_pe_thing_get_last(thing, cut);
    int dim = pe_engine_get_dim(self->engine);
    g_autofree float *embedding = g_new(float, (size_t)dim);
    // What an object or a named region is, only the tower's element knows.
    GstPePlaceKey key = {.kind = gst_pe_result_get_region(of)
                                     ? GST_PE_PLACE_NONE
                                     : GST_PE_PLACE_WHOLE,
                         .step = cut->step};
    GstPeFinding finding = {
        .source = gst_pe_result_get_source(of),
        .stream_id = gst_pe_result_get_stream_id(of),
        .first = cut->first,
        .last = cut->last,
        .n_frames = (guint)cut->n,
        .reason = cut->reason,
        .region = gst_pe_result_get_region(of),
        .window = self->name,
        .embedding = embedding,
        .computed = of,
    };

    finding.norm = pe_embedding_mean(cut->embeddings, cut->n, dim, embedding);
    // A clip upstream is scored as it is.
    if (!gst_pe_series_has_windows(self->series)) {
        finding.n_frames = gst_pe_result_get_n_frames(of);
        finding.reason = gst_pe_result_get_reason(of);
    }
    PeLabels *labels = gst_pe_label_source_get(&self->labels);
    g_autoptr(GstPeResult) result = gst_pe_judge_clip(
        &self->judge, &self->settings, labels, &key, &finding);
    g_clear_pointer(&labels, pe_labels_unref);
    if (self->settings.post_messages)
        gst_pe_judge_announce(&self->judge, result, &cut->last);
    queue_result(cut->ends_here ? self->behind : self->before, result,
                 &cut->last);
    if (cut->ends_here)
        set_latest(self, thing, result, &cut->last);
}

static void
send(GstPeScore *self, GPtrArray *queue)
{
    for (guint i = 0; i < queue->len; i++)
        gst_pad_push_event(self->srcpad,
                           g_steal_pointer(&g_ptr_array_index(queue, i)));
    g_ptr_array_set_size(queue, 0);
}

// What ends without a frame of its own.
static void
finish(GstPeScore *self, GstPeReason reason)
{
    if (self->jumped)
        reason = GST_PE_REASON_JUMP;
    self->jumped = false;
    use_settings(self);
    gst_pe_series_finish(self->series, reason);
    send(self, self->before);
    send(self, self->behind);
}

// ---- Samples --------------------------------------------------------------

// A result of the tower, if it is one that is to be scored.
static bool
is_wanted(GstPeScore *self, const GstPeResult *result)
{
    const char *element = gst_pe_result_get_element(result);
    bool is_clip = gst_pe_result_get_stretch(result) > 0 &&
                   gst_pe_result_get_n_frames(result) > 0;

    return is_clip && (!self->wanted || !*self->wanted ||
                       g_strcmp0(self->wanted, element) == 0);
}

// One that was not seen before. Returns what it is of, or NULL.
static GstPeThing *
take(GstPeScore *self, GstPeResult *result)
{
    GstPeTimes times = gst_pe_sample_get_times(result, &self->segment);
    float *embedding = gst_pe_sample_get_embedding(self, result, &times);
    guint64 stretch = gst_pe_result_get_stretch(result);

    if (self->stretch != stretch)
        self->jumped = false;
    self->stretch = stretch;
    if (!embedding)
        return NULL;
    GstPeThing *thing = gst_pe_series_get(self->series, result);
    gst_pe_series_add(self->series, thing, result, &times, embedding);
    return thing;
}

// ---- Frames ---------------------------------------------------------------

// The results that are scored, on the buffer: an array of references.
static GPtrArray *
find_results(GstPeScore *self, GstBuffer *buffer)
{
    GPtrArray *found = NULL;
    void *state = NULL;
    GstMeta *meta;

    while ((meta = gst_buffer_iterate_meta_filtered(buffer, &state,
                                                    GST_PE_META_API_TYPE))) {
        GstPeResult *result = ((GstPeMeta *)meta)->result;
        if (!is_wanted(self, result))
            continue;
        if (!found)
            found = g_ptr_array_new_with_free_func(
                (GDestroyNotify)gst_pe_result_unref);
        g_ptr_array_add(found, gst_pe_result_ref(result));
    }
    return found;
}

static GstClockTime
get_age(const GstPeThing *thing, GstClockTime running_end)
{
    GstClockTime end = thing->last.running_end;

    if (!GST_CLOCK_TIME_IS_VALID(end) || !GST_CLOCK_TIME_IS_VALID(running_end))
        return GST_CLOCK_TIME_NONE;
    return running_end > end ? running_end - end : 0;
}

// Whatever repeats a result of the tower repeats what was made of it. Takes the
// buffer and returns it, or a copy.
static GstBuffer *
attach(GstPeScore *self, GstBuffer *buffer, GstPeThing *thing, bool repeat)
{
    GstPeTimes times = gst_pe_times_get(&self->segment, buffer);

    if (!thing || !thing->latest || !(thing->fresh || repeat))
        return buffer;
    buffer = gst_buffer_make_writable(buffer);
    gst_buffer_add_pe_meta(buffer, thing->latest,
                           get_age(thing, times.running_end));
    GstPeAnalyticsWish wish =
        gst_pe_judge_get_wish(&self->judge, &self->settings);
    gst_pe_analytics_attach(buffer, thing->latest, -1, &wish);
    thing->fresh = false;
    return buffer;
}

static GstFlowReturn
chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    GstPeScore *self = GST_PE_SCORE(parent);
    use_settings(self);
    g_autoptr(GPtrArray) found = find_results(self, buffer);

    for (guint i = 0; found && i < found->len; i++) {
        GstPeResult *result = g_ptr_array_index(found, i);
        bool is_new = gst_pe_series_is_new(self->series, result);
        self->on_frames |= is_new;
        self->in_frame = true;
        GstPeThing *thing = is_new ? take(self, result)
                                   : gst_pe_series_find(self->series, result);
        self->in_frame = false;
        buffer = attach(self, buffer, thing, !is_new);
    }
    send(self, self->before);
    GstFlowReturn flow = gst_pad_push(self->srcpad, buffer);
    send(self, self->behind);
    return flow;
}

// ---- Events ---------------------------------------------------------------

static void
take_segment(GstPeScore *self, GstEvent *event)
{
    GstSegment segment;

    gst_event_copy_segment(event, &segment);
    bool jumps = !gst_pe_times_continue(&self->segment, &segment);
    if (jumps && self->on_frames)
        finish(self, GST_PE_REASON_JUMP);
    // Otherwise the next sample tells, which is of another stretch.
    self->jumped |= jumps && !self->on_frames;
    gst_pe_series_forget_latest(self->series);
    self->segment = segment;
}

static void
end_stream(GstPeScore *self)
{
    finish(self, GST_PE_REASON_EOS);
    gst_pe_series_reset(self->series, true);
    self->on_frames = false;
    self->told_empty = self->told_clips = self->told_untimed = false;
}

static gboolean
pass(GstPeScore *self, GstPad *pad, GstEvent *event)
{
    GstEventType type = GST_EVENT_TYPE(event);

    if (type == GST_EVENT_SEGMENT)
        take_segment(self, event);
    if (type == GST_EVENT_EOS || type == GST_EVENT_SEGMENT_DONE)
        finish(self, GST_PE_REASON_EOS);
    if (type == GST_EVENT_STREAM_START)
        end_stream(self);
    gst_pe_judge_before_event(&self->judge, type);
    gboolean ok = gst_pad_event_default(pad, GST_OBJECT(self), event);
    gst_pe_judge_after_event(&self->judge, type);
    return ok;
}

// A result that travels alone: what is made of it follows it. There are many,
// and gst_pad_event_default() takes several times as long.
static gboolean
pass_result(GstPeScore *self, GstEvent *event, GstPeResult *of)
{
    g_autoptr(GstPeResult) result = gst_pe_result_ref(of);

    use_settings(self);
    gboolean ok = gst_pad_push_event(self->srcpad, event);
    if (is_wanted(self, result) && gst_pe_series_is_new(self->series, result))
        take(self, result);
    send(self, self->before);
    send(self, self->behind);
    return ok;
}

static void
forget(GstPeScore *self)
{
    gst_pe_series_reset(self->series, false);
    g_ptr_array_set_size(self->before, 0);
    g_ptr_array_set_size(self->behind, 0);
    self->on_frames = self->jumped = false;
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
}

static gboolean
sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstPeScore *self = GST_PE_SCORE(parent);
    GstPeResult *result = NULL;

    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_SEGMENT:
    case GST_EVENT_EOS:
    case GST_EVENT_SEGMENT_DONE:
    case GST_EVENT_STREAM_START:
        return pass(self, pad, event);
    case GST_EVENT_CUSTOM_DOWNSTREAM:
        result = gst_event_get_pe_result(event);
        if (result)
            return pass_result(self, event, result);
        return gst_pad_event_default(pad, parent, event);
    case GST_EVENT_FLUSH_STOP:
        forget(self);
        gst_pe_judge_flushed(&self->judge);
        return gst_pad_event_default(pad, parent, event);
    default:
        return gst_pad_event_default(pad, parent, event);
    }
}

// ---- Life -----------------------------------------------------------------

static void
unref_event(void *event)
{
    if (event)
        gst_event_unref(event);
}

void
gst_pe_score_flow_init(GstPeScore *self)
{
    self->series = gst_pe_series_new(judge, self);
    self->before = g_ptr_array_new_with_free_func(unref_event);
    self->behind = g_ptr_array_new_with_free_func(unref_event);
    self->told_models =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
    gst_pe_judge_init(&self->judge, GST_ELEMENT(self), self->srcpad, "pescore");
    gst_pad_set_chain_function(self->sinkpad, chain);
    gst_pad_set_event_function(self->sinkpad, sink_event);
    GST_PAD_SET_PROXY_CAPS(self->sinkpad);
    GST_PAD_SET_PROXY_CAPS(self->srcpad);
    GST_PAD_SET_PROXY_ALLOCATION(self->sinkpad);
}

void
gst_pe_score_flow_clear(GstPeScore *self)
{
    gst_pe_series_free(self->series);
    gst_pe_judge_clear(&self->judge);
    g_ptr_array_unref(self->before);
    g_ptr_array_unref(self->behind);
    g_hash_table_unref(self->told_models);
    g_free(self->name);
    g_free(self->wanted);
}

bool
gst_pe_score_flow_start(GstPeScore *self, PeEngine *engine, GError **error)
{
    g_autofree char *event_state = NULL;

    g_atomic_int_set(&self->changed, 0);
    if (!gst_pe_score_configure(self, error)) {
        pe_engine_unref(engine);
        return false;
    }
    g_mutex_lock(&self->lock);
    event_state = g_strdup(self->event_state);
    self->started = true;
    g_mutex_unlock(&self->lock);
    self->engine = engine;
    gst_pe_judge_start(&self->judge, engine, event_state);
    return true;
}

void
gst_pe_score_flow_stop(GstPeScore *self)
{
    g_mutex_lock(&self->lock);
    self->started = false;
    g_mutex_unlock(&self->lock);
    gst_pe_judge_stop(&self->judge);
    forget(self);
    gst_pe_series_reset(self->series, true);
    g_hash_table_remove_all(self->told_models);
    self->told_empty = self->told_clips = self->told_untimed = false;
    g_clear_pointer(&self->engine, pe_engine_unref);
}
