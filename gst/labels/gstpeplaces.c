// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeplaces.c - see gstpeplaces.h.

#include "gst/labels/gstpeplaces.h"

#include "gst/labels/gstpeproperty.h"

// Time without a result of more than these ends events; see core/peevents.h.
#define MAX_STEPS 3

static void
free_place(void *data)
{
    GstPePlace *place = data;

    gst_pe_happenings_clear(&place->happenings);
    g_free(place->name);
    g_free(place);
}

void
gst_pe_places_init(GstPePlaces *self, GstElement *element, guint64 *next_id)
{
    *self = (GstPePlaces){.element = element, .next_id = next_id};
    self->places = g_ptr_array_new_with_free_func(free_place);
}

void
gst_pe_places_clear(GstPePlaces *self)
{
    g_ptr_array_unref(self->places);
    g_free(self->event_state);
}

void
gst_pe_places_start(GstPePlaces *self, const char *event_state)
{
    g_free(self->event_state);
    self->event_state = g_strdup(event_state);
}

// ---- One of them ----------------------------------------------------------

GstPePlace *
gst_pe_places_find(const GstPePlaces *self, const GstPePlaceKey *key)
{
    for (guint i = self->places->len; i-- > 0;) {
        GstPePlace *place = self->places->pdata[i];
        if (place->kind == key->kind && place->track == key->track &&
            g_strcmp0(place->name, key->name) == 0)
            return place;
    }
    return NULL;
}

// Beside that of the whole picture: "yard.history.gate". Any name has a file.
static char *
make_path(const GstPePlaces *self, const GstPePlaceKey *key)
{
    if (key->kind != GST_PE_PLACE_NAMED ||
        !gst_pe_property_is_set(self->event_state))
        return NULL;
    g_autofree char *name = g_uri_escape_string(key->name, " ", TRUE);
    return g_strconcat(self->event_state, ".", name, NULL);
}

GstPePlace *
gst_pe_places_add(GstPePlaces *self, const GstPePlaceKey *key,
                  const GstPeHappenings *like)
{
    GstPePlace *place = g_new0(GstPePlace, 1);
    g_autofree char *path = make_path(self, key);

    place->kind = key->kind;
    place->name = g_strdup(key->name);
    place->track = key->track;
    place->seen = GST_CLOCK_TIME_NONE;
    gst_pe_happenings_init(&place->happenings, self->element, self->next_id);
    gst_pe_happenings_start(&place->happenings, path);
    place->happenings.in_segment = like->in_segment;
    place->happenings.ended = like->ended;
    g_ptr_array_add(self->places, place);
    return place;
}

void
gst_pe_places_touch(GstPePlaces *self, GstPePlace *place, GstClockTime seen)
{
    guint index;
    bool found = g_ptr_array_find(self->places, place, &index);

    g_return_if_fail(found);
    place->seen = seen;
    g_ptr_array_steal_index(self->places, index);
    g_ptr_array_add(self->places, place);
}

void
gst_pe_places_remove(GstPePlaces *self, GstPePlace *place, bool wait)
{
    gst_pe_happenings_stop(&place->happenings, wait);
    g_ptr_array_remove(self->places, place);
}

// ---- Whose time is over ---------------------------------------------------

// Time that has run backwards is that of another segment.
static bool
is_gone(const GstPePlace *place, GstClockTime now, GstClockTime merge_gap)
{
    GstClockTime limit = place->step > 0 ? MAX_STEPS * place->step : merge_gap;

    return GST_CLOCK_TIME_IS_VALID(now) &&
           GST_CLOCK_TIME_IS_VALID(place->seen) &&
           MAX(now, place->seen) - MIN(now, place->seen) > limit;
}

GstPePlace *
gst_pe_places_find_over(const GstPePlaces *self, GstClockTime now,
                        GstClockTime merge_gap, const GstPeRegions *regions)
{
    GstPePlace *oldest = NULL;
    guint n = 0;

    for (guint i = 0; i < self->places->len; i++) {
        GstPePlace *place = self->places->pdata[i];
        bool named = place->kind == GST_PE_PLACE_NAMED;
        if (named ? !gst_pe_regions_have(regions, place->name)
                  : is_gone(place, now, merge_gap))
            return place;
        n += !named;
        if (!named && !oldest)
            oldest = place;
    }
    return n > GST_PE_PLACES_MAX ? oldest : NULL;
}
