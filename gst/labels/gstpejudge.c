// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpejudge.c - see gstpejudge.h.

#include "gst/labels/gstpejudge.h"

#include "gst/result/gstpemessage.h"

// ---- Results --------------------------------------------------------------

GstEvent *
gst_pe_judge_new_event(GstPeResult *result, const GstPeTimes *last)
{
    GstEvent *event = gst_event_new_pe_result(result);

    gst_pe_times_to_structure(last, gst_event_writable_structure(event));
    return event;
}

void
gst_pe_judge_send(GstPeJudge *self, GstPeResult *result, const GstPeTimes *last)
{
    gst_pad_push_event(self->srcpad, gst_pe_judge_new_event(result, last));
}

void
gst_pe_judge_announce(GstPeJudge *self, const GstPeResult *result,
                      const GstPeTimes *last)
{
    gst_element_post_message(self->element,
                             gst_pe_message_new(GST_OBJECT(self->element),
                                                self->name, result, last));
}

static void
post_events(GstPeJudge *self, const GstPeResult *result)
{
    for (guint i = 0; i < gst_pe_result_get_n_events(result); i++)
        gst_element_post_message(
            self->element, gst_pe_message_new_event(
                               GST_OBJECT(self->element), self->name, result,
                               gst_pe_result_get_event(result, i)));
}

// The finding has all but whose it is.
static GstPeResult *
complete(GstPeJudge *self, GstPeFinding *finding)
{
    g_autofree char *name = gst_element_get_name(self->element);

    finding->element = name;
    finding->sequence = self->sequence++;
    finding->engine = self->engine;
    GstPeResult *result = gst_pe_finding_to_result(finding);
    finding->element = NULL;
    post_events(self, result);
    return result;
}

// About events that ended without a clip.
static void
send_ended(GstPeJudge *self, GstPeFinding *finding)
{
    g_autoptr(GstPeResult) result = complete(self, finding);

    gst_pe_judge_send(self, result, &finding->last);
}

static void
end_events(GstPeJudge *self, GstPeHappenings *h, GstPeReason reason)
{
    GstPeFinding finding;

    if (gst_pe_happenings_end(h, reason, &finding))
        send_ended(self, &finding);
}

// Number i of all of which there are events; NULL behind the last.
static GstPeHappenings *
get_happenings(GstPeJudge *self, guint i)
{
    const GPtrArray *places = self->places.places;

    if (i == 0)
        return &self->happenings;
    return i <= places->len ? &((GstPePlace *)places->pdata[i - 1])->happenings
                            : NULL;
}

static void
end_all(GstPeJudge *self, GstPeReason reason)
{
    GstPeHappenings *h;

    for (guint i = 0; (h = get_happenings(self, i)); i++)
        end_events(self, h, reason);
}

// NULL: there are no events of it, and none are wanted.
static GstPeHappenings *
find_happenings(GstPeJudge *self, const GstPePlaceKey *key, bool wanted,
                GstClockTime end)
{
    if (key->kind == GST_PE_PLACE_NONE)
        return NULL;
    if (key->kind == GST_PE_PLACE_WHOLE)
        return &self->happenings;
    GstPePlace *place = gst_pe_places_find(&self->places, key);
    if (!place && !wanted)
        return NULL;
    if (!place)
        place = gst_pe_places_add(&self->places, key, &self->happenings);
    place->step = key->step;
    gst_pe_places_touch(&self->places, place, end);
    return &place->happenings;
}

// Its events are part of the result, unless they ended by other labels.
static void
follow(GstPeJudge *self, const GstPeJudgeSettings *settings,
       const GstPePlaceKey *key, GstPeFinding *finding)
{
    GstPeEventSettings events = settings->events;
    bool wanted = finding->labels && events.threshold > 0;
    GstPeHappenings *h =
        find_happenings(self, key, wanted, finding->last.running_end);

    if (!h)
        return;
    // What an object usually looks like is nothing that is known of a camera.
    if (key->kind >= GST_PE_PLACE_OBJECT)
        events.alarms_per_day = 0;
    if (gst_pe_happenings_differ(h, finding->labels))
        end_events(self, h, GST_PE_REASON_RECONFIGURED);
    gst_pe_happenings_follow(h, &events, key->step, finding);
}

GstPeAnalyticsWish
gst_pe_judge_get_wish(const GstPeJudge *self,
                      const GstPeJudgeSettings *settings)
{
    return (GstPeAnalyticsWish){settings->attach_boxes, settings->attach_tensor,
                                self->srcpad};
}

// Once, whatever it is that is missing.
static void
tell_missing(GstPeJudge *self, const GstPeJudgeSettings *settings)
{
    GstPeAnalyticsWish wish = gst_pe_judge_get_wish(self, settings);
    const char *missing = gst_pe_analytics_find_missing(&wish);

    if (!missing && wish.tensor && !settings->attach_embedding)
        missing = "attach-tensor does nothing without attach-embedding";
    if (!missing || self->told_missing)
        return;
    self->told_missing = true;
    GST_ELEMENT_WARNING(self->element, RESOURCE, SETTINGS, ("%s", missing),
                        (NULL));
}

GstPeResult *
gst_pe_judge_clip(GstPeJudge *self, const GstPeJudgeSettings *settings,
                  PeLabels *labels, const GstPePlaceKey *key,
                  GstPeFinding *finding)
{
    PeScoreParams params = {(int)settings->top_k, (float)settings->threshold,
                            (float)settings->probability_threshold,
                            (float)settings->similarity_threshold};
    g_auto(GstPeScores) scores;

    tell_missing(self, settings);
    gst_pe_scores_init(&scores, labels, finding->embedding, &params);
    finding->engine = self->engine;
    finding->labels = labels;
    finding->scores = &scores;
    finding->attach_embedding = settings->attach_embedding;
    follow(self, settings, key, finding);
    GstPeResult *result = complete(self, finding);
    finding->scores = NULL;
    return result;
}

void
gst_pe_judge_sampled(GstPeJudge *self, const GstPeJudgeSettings *settings,
                     GstClockTime now, const GstPeRegions *regions)
{
    GstClockTime merge_gap = settings->events.merge_gap * GST_MSECOND;
    GstPePlace *over;

    while ((over = gst_pe_places_find_over(&self->places, now, merge_gap,
                                           regions))) {
        bool named = over->kind == GST_PE_PLACE_NAMED;
        end_events(self, &over->happenings,
                   named ? GST_PE_REASON_RECONFIGURED : GST_PE_REASON_JUMP);
        gst_pe_places_remove(&self->places, over, false);
    }
}

// ---- Events of GStreamer --------------------------------------------------

void
gst_pe_judge_flushed(GstPeJudge *self)
{
    GstPeHappenings *h;

    for (guint i = 0; (h = get_happenings(self, i)); i++)
        gst_pe_happenings_flushed(h);
}

void
gst_pe_judge_before_event(GstPeJudge *self, GstEventType type)
{
    if (type == GST_EVENT_EOS || type == GST_EVENT_SEGMENT_DONE)
        end_all(self, GST_PE_REASON_EOS);
    if (type == GST_EVENT_STREAM_START)
        end_all(self, GST_PE_REASON_JUMP);
}

void
gst_pe_judge_after_event(GstPeJudge *self, GstEventType type)
{
    GstPeFinding finding;
    GstPeHappenings *h;

    for (guint i = 0; (h = get_happenings(self, i)); i++) {
        gst_pe_happenings_passed(h, type);
        if (type == GST_EVENT_SEGMENT &&
            gst_pe_happenings_tell(h, GST_PE_REASON_JUMP, &finding))
            send_ended(self, &finding);
    }
}

// ---- Life -----------------------------------------------------------------

void
gst_pe_judge_init(GstPeJudge *self, GstElement *element, GstPad *srcpad,
                  const char *name)
{
    *self = (GstPeJudge){.element = element, .srcpad = srcpad, .name = name};
    gst_pe_happenings_init(&self->happenings, element, &self->next_event);
    gst_pe_places_init(&self->places, element, &self->next_event);
}

void
gst_pe_judge_clear(GstPeJudge *self)
{
    gst_pe_happenings_clear(&self->happenings);
    gst_pe_places_clear(&self->places);
}

void
gst_pe_judge_start(GstPeJudge *self, PeEngine *engine, const char *event_state)
{
    self->engine = engine;
    self->sequence = self->next_event = 0;
    self->told_missing = false;
    gst_pe_happenings_start(&self->happenings, event_state);
    gst_pe_places_start(&self->places, event_state);
}

// Nobody takes results any more, but there is still the bus.
void
gst_pe_judge_stop(GstPeJudge *self)
{
    GstPeHappenings *h;
    GstPeFinding finding;

    if (!self->engine)
        return;
    for (guint i = 0; (h = get_happenings(self, i)); i++) {
        if (gst_pe_happenings_end(h, GST_PE_REASON_EOS, &finding))
            gst_pe_result_unref(complete(self, &finding));
    }
    gst_pe_happenings_stop(&self->happenings, true);
    while (self->places.places->len > 0)
        gst_pe_places_remove(&self->places, self->places.places->pdata[0],
                             true);
    self->engine = NULL;
}
