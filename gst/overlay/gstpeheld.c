// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeheld.c - see gstpeheld.h.

#include "gst/overlay/gstpeheld.h"

#include "gst/overlay/gstpescene.h"
#include "gst/overlay/gstpetext.h"

#include <string.h>

// More than a frame ever has: an element embeds 64 objects and 32 named regions
// of it.
#define MAX_SLOTS 512
#define MAX_EVENTS 64
#define LEAST_HOLD (5 * GST_SECOND)
// Frames of a live source may be a little out of order.
#define DISORDER GST_SECOND

typedef GstPeHeldResult Slot;
typedef GstPeHeldEvent Event;

static void
clear_slot(void *data)
{
    gst_pe_result_unref(((Slot *)data)->result);
}

static void
clear_event(void *data)
{
    Event *event = data;

    g_free(event->element);
    g_free(event->label);
}

void
gst_pe_held_init(GstPeHeld *held)
{
    *held = (GstPeHeld){
        .slots = g_array_new(FALSE, FALSE, sizeof(Slot)),
        .events = g_array_new(FALSE, FALSE, sizeof(Event)),
        .told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
        .now = GST_CLOCK_TIME_NONE,
    };
    g_array_set_clear_func(held->slots, clear_slot);
    g_array_set_clear_func(held->events, clear_event);
}

void
gst_pe_held_clear(GstPeHeld *held)
{
    g_array_unref(held->slots);
    g_array_unref(held->events);
    g_hash_table_unref(held->told);
}

bool
gst_pe_held_forget(GstPeHeld *held)
{
    bool changed = held->slots->len + held->events->len > 0;

    g_array_set_size(held->slots, 0);
    g_array_set_size(held->events, 0);
    g_hash_table_remove_all(held->told);
    held->now = GST_CLOCK_TIME_NONE;
    return changed;
}

// ---- Events -----------------------------------------------------------------

static const char *
name_element(const GstPeResult *result)
{
    const char *element = gst_pe_result_get_element(result);

    return element ? element : "";
}

static int
find_event(const GstPeHeld *held, const char *element, guint64 id)
{
    for (guint i = 0; i < held->events->len; i++) {
        const Event *e = &g_array_index(held->events, Event, i);
        if (e->id == id && strcmp(e->element, element) == 0)
            return (int)i;
    }
    return -1;
}

static char *
make_text(const GstPeResult *result, const GstPeLabelEvent *told)
{
    g_autofree char *title = gst_pe_result_title_label(result, told->label);

    return gst_pe_text_clean(title);
}

static bool
take_event(GstPeHeld *held, const GstPeResult *result,
           const GstPeLabelEvent *told)
{
    const char *element = name_element(result);
    int i = find_event(held, element, told->id);
    int percent = gst_pe_percent(told->peak_score);

    if (told->phase == GST_PE_EVENT_END) {
        if (i >= 0)
            g_array_remove_index(held->events, (guint)i);
        return i >= 0;
    }
    if (told->phase == GST_PE_EVENT_UNKNOWN)
        return false;
    if (i >= 0) {
        Event *event = &g_array_index(held->events, Event, i);
        bool changed = event->percent != percent;
        event->percent = percent;
        return changed;
    }
    Event event = {g_strdup(element), told->id, make_text(result, told),
                   percent};
    g_array_append_val(held->events, event);
    if (held->events->len > MAX_EVENTS)
        g_array_remove_index(held->events, 0);
    return true;
}

// Of a result that frames repeat, or that comes late, the events are over when
// a later one said so.
static bool
take_events(GstPeHeld *held, const GstPeResult *result)
{
    guint n = gst_pe_result_get_n_events(result);
    const char *element = name_element(result);
    guint64 sequence = gst_pe_result_get_sequence(result);
    bool changed = false;

    if (n == 0)
        return false;
    const guint64 *last = g_hash_table_lookup(held->told, element);
    if (last && sequence <= *last)
        return false;
    g_hash_table_insert(held->told, g_strdup(element),
                        g_memdup2(&sequence, sizeof sequence));
    for (guint i = 0; i < n; i++)
        changed |= take_event(held, result, gst_pe_result_get_event(result, i));
    return changed;
}

// ---- Results ----------------------------------------------------------------

static bool
are_of_one_element(const GstPeResult *a, const GstPeResult *b)
{
    return g_strcmp0(gst_pe_result_get_element(a),
                     gst_pe_result_get_element(b)) == 0 &&
           g_strcmp0(gst_pe_result_get_source(a),
                     gst_pe_result_get_source(b)) == 0;
}

// Are they about the same, so that one takes the other's place?
static bool
are_of_one_place(const GstPeResult *a, const GstPeResult *b)
{
    const GstPeRegion *r = gst_pe_result_get_region(a);
    const GstPeRegion *s = gst_pe_result_get_region(b);

    if (!are_of_one_element(a, b) || !r != !s ||
        g_strcmp0(gst_pe_result_get_window(a), gst_pe_result_get_window(b)) !=
            0)
        return false;
    if (!r)
        return true;
    if (r->track_id != GST_PE_REGION_NO_TRACK)
        return r->track_id == s->track_id;
    return s->track_id == GST_PE_REGION_NO_TRACK && r->id == s->id &&
           g_strcmp0(r->name, s->name) == 0 && r->x == s->x && r->y == s->y &&
           r->width == s->width && r->height == s->height;
}

// Objects of one kind are those of one frame: those of an earlier one that are
// not there any more go.
static bool
is_outdated(const GstPeResult *old, const GstPeResult *new)
{
    const GstPeRegion *r = gst_pe_result_get_region(old);
    const GstPeRegion *s = gst_pe_result_get_region(new);

    return r && s && are_of_one_element(old, new) &&
           g_strcmp0(r->name, s->name) == 0 &&
           gst_pe_result_get_clip_end(old) < gst_pe_result_get_clip_end(new);
}

static void
remove_outdated(GstPeHeld *held, const GstPeResult *new)
{
    for (guint i = held->slots->len; i-- > 0;) {
        const Slot *slot = &g_array_index(held->slots, Slot, i);
        if (is_outdated(slot->result, new))
            g_array_remove_index(held->slots, i);
    }
}

static Slot *
find_slot(GstPeHeld *held, const GstPeResult *result)
{
    for (guint i = 0; i < held->slots->len; i++) {
        Slot *slot = &g_array_index(held->slots, Slot, i);
        if (slot->result == result || are_of_one_place(slot->result, result))
            return slot;
    }
    return NULL;
}

static bool
is_more_than_events(const GstPeResult *result)
{
    return gst_pe_result_get_n_frames(result) > 0 ||
           gst_pe_result_get_n_events(result) == 0;
}

static bool
take_result(GstPeHeld *held, GstPeResult *result, bool pending)
{
    bool changed = take_events(held, result);
    Slot *slot = find_slot(held, result);

    if (!is_more_than_events(result))
        return changed;
    if (slot && slot->result == result) {
        slot->repeated |= slot->frame + 1 == held->frame;
    } else {
        Slot fresh = {.result = gst_pe_result_ref(result)};
        changed = true;
        if (slot) {
            fresh.repeated = slot->repeated || slot->frame + 1 == held->frame;
            gst_pe_result_unref(slot->result);
            *slot = fresh;
        } else if (held->slots->len < MAX_SLOTS) {
            g_array_append_val(held->slots, fresh);
        } else {
            gst_pe_result_unref(fresh.result);
            return changed;
        }
        remove_outdated(held, result);
        slot = find_slot(held, result);
    }
    slot->seen = held->now;
    slot->frame = held->frame;
    slot->pending = pending;
    return changed;
}

bool
gst_pe_held_take_result(GstPeHeld *held, GstPeResult *result)
{
    return take_result(held, result, true);
}

// ---- Frames -----------------------------------------------------------------

static GstClockTime
get_hold(const GstPeResult *result, int hold)
{
    GstClockTime start = gst_pe_result_get_clip_start(result);
    GstClockTime end = gst_pe_result_get_clip_end(result);
    bool known = GST_CLOCK_TIME_IS_VALID(start) &&
                 GST_CLOCK_TIME_IS_VALID(end) && end > start;

    if (hold != GST_PE_HOLD_AUTO)
        return (GstClockTime)hold * GST_MSECOND;
    return known ? MAX(2 * (end - start), LEAST_HOLD) : LEAST_HOLD;
}

// An element that repeats what is newest says of what it leaves out that it is
// gone.
static bool
is_left_out(const GstPeHeld *held, const Slot *slot)
{
    if (!slot->repeated || slot->frame + 1 != held->frame)
        return false;
    for (guint i = 0; i < held->slots->len; i++) {
        const Slot *other = &g_array_index(held->slots, Slot, i);
        if (other->frame == held->frame &&
            are_of_one_element(other->result, slot->result))
            return true;
    }
    return false;
}

static bool
is_over(const GstPeHeld *held, const Slot *slot, int hold)
{
    if (slot->frame == held->frame)
        return false;
    if (is_left_out(held, slot))
        return true;
    return GST_CLOCK_TIME_IS_VALID(held->now) &&
           GST_CLOCK_TIME_IS_VALID(slot->seen) && held->now > slot->seen &&
           held->now - slot->seen > get_hold(slot->result, hold);
}

static void
count_pending(GstPeHeld *held)
{
    for (guint i = 0; i < held->slots->len; i++) {
        Slot *slot = &g_array_index(held->slots, Slot, i);
        if (slot->pending) {
            slot->seen = held->now;
            slot->frame = held->frame;
        }
        slot->pending = false;
    }
}

bool
gst_pe_held_take_frame(GstPeHeld *held, GstBuffer *buffer,
                       GstClockTime running_time, int hold)
{
    bool changed = false;
    gpointer state = NULL;
    GstPeMeta *meta;

    // Time that runs backwards is that of another stream.
    if (GST_CLOCK_TIME_IS_VALID(running_time) &&
        GST_CLOCK_TIME_IS_VALID(held->now) &&
        running_time + DISORDER < held->now)
        changed = gst_pe_held_forget(held);
    held->frame++;
    held->now = running_time;
    count_pending(held);
    while ((meta = (GstPeMeta *)gst_buffer_iterate_meta_filtered(
                buffer, &state, GST_PE_META_API_TYPE)))
        changed |= take_result(held, meta->result, false);
    for (guint i = held->slots->len; i-- > 0;) {
        if (!is_over(held, &g_array_index(held->slots, Slot, i), hold))
            continue;
        g_array_remove_index(held->slots, i);
        changed = true;
    }
    return changed;
}
