// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeseries.c - see gstpeseries.h.
//
// A tracked object is the same thing while its track is. A region without a
// track is the same while it stays where it is, as named regions do.

#include "gst/score/gstpeseries.h"

// What has not been seen for so long, beside three times its window, is gone.
#define GONE (10 * GST_SECOND)
// Elements whose results come here at the same time.
#define MAX_ORIGINS 1024

struct _GstPeSeries {
    GstPeThingFunc func;
    void *user_data;
    GstPeWindowSpec spec;
    GHashTable *things;  // key -> GstPeThing
    GHashTable *origins; // element and source -> guint64, owned: last sequence
    guint64 n_seen;
    GstPeThing *current; // whose window cuts
};

static void
on_cut(const GstPeCut *cut, void *user_data)
{
    GstPeSeries *self = user_data;

    self->func(self->current, cut, self->user_data);
}

static void
free_thing(void *data)
{
    GstPeThing *thing = data;

    gst_pe_window_free(thing->window);
    g_clear_pointer(&thing->sample, gst_pe_result_unref);
    g_clear_pointer(&thing->latest, gst_pe_result_unref);
    g_free(thing->key);
    g_free(thing);
}

GstPeSeries *
gst_pe_series_new(GstPeThingFunc func, void *user_data)
{
    GstPeSeries *self = g_new0(GstPeSeries, 1);

    self->func = func;
    self->user_data = user_data;
    self->spec = (GstPeWindowSpec){.clip_length = 1};
    self->things =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_thing);
    self->origins =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return self;
}

void
gst_pe_series_free(GstPeSeries *self)
{
    g_hash_table_unref(self->things);
    g_hash_table_unref(self->origins);
    g_free(self);
}

// ---- Whose ----------------------------------------------------------------

// Returns, g_free().
static char *
make_origin(const GstPeResult *result)
{
    const char *element = gst_pe_result_get_element(result);
    const char *source = gst_pe_result_get_source(result);

    return g_strdup_printf("%s\n%s", element ? element : "",
                           source ? source : "");
}

bool
gst_pe_series_is_new(GstPeSeries *self, const GstPeResult *result)
{
    char *origin = make_origin(result);
    guint64 sequence = gst_pe_result_get_sequence(result);
    guint64 *last = g_hash_table_lookup(self->origins, origin);

    if (last && sequence <= *last) {
        g_free(origin);
        return false;
    }
    if (g_hash_table_size(self->origins) >= MAX_ORIGINS)
        g_hash_table_remove_all(self->origins);
    g_hash_table_replace(self->origins, origin,
                         g_memdup2(&sequence, sizeof sequence));
    return true;
}

// Returns, g_free().
static char *
make_key(const GstPeResult *result)
{
    const GstPeRegion *r = gst_pe_result_get_region(result);
    g_autofree char *origin = make_origin(result);

    if (!r)
        return g_strdup(origin);
    if (r->track_id != GST_PE_REGION_NO_TRACK)
        return g_strdup_printf("%s\ntrack %" G_GUINT64_FORMAT, origin,
                               r->track_id);
    return g_strdup_printf("%s\n%d %d %d %d %d %s", origin, r->id, r->x, r->y,
                           r->width, r->height, r->name ? r->name : "");
}

// ---- Things ---------------------------------------------------------------

static void
finish_thing(GstPeSeries *self, GstPeThing *thing, GstPeReason reason)
{
    self->current = thing;
    gst_pe_window_finish(thing->window, reason);
}

static void
end_thing(GstPeSeries *self, GstPeThing *thing)
{
    finish_thing(self, thing, GST_PE_REASON_JUMP);
    g_hash_table_remove(self->things, thing->key);
}

// A clip that ended before the sample that is added is of the one before it.
GstPeResult *
gst_pe_thing_get_last(const GstPeThing *thing, const GstPeCut *cut)
{
    return thing->sample && !(cut->ends_here && thing->adding) ? thing->sample
                                                               : thing->adding;
}

static GstPeThing *
find_oldest(GstPeSeries *self)
{
    GHashTableIter iter;
    void *value;
    GstPeThing *oldest = NULL;

    g_hash_table_iter_init(&iter, self->things);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        GstPeThing *thing = value;
        if (!oldest || thing->seen < oldest->seen)
            oldest = thing;
    }
    return oldest;
}

static bool
is_gone(GstPeSeries *self, GstPeThing *thing, GstClockTime now)
{
    GstClockTime end = gst_pe_window_get_end(thing->window);

    return GST_CLOCK_TIME_IS_VALID(now) && GST_CLOCK_TIME_IS_VALID(end) &&
           now > end && now - end > GONE + 3 * self->spec.length;
}

// All but the one that is seen now, which is the newest.
static void
end_gone(GstPeSeries *self, const GstPeThing *seen, GstClockTime now)
{
    GstPeThing *oldest;

    while ((oldest = find_oldest(self)) != seen && is_gone(self, oldest, now))
        end_thing(self, oldest);
}

GstPeThing *
gst_pe_series_find(GstPeSeries *self, const GstPeResult *result)
{
    g_autofree char *key = make_key(result);

    return g_hash_table_lookup(self->things, key);
}

GstPeThing *
gst_pe_series_get(GstPeSeries *self, const GstPeResult *result)
{
    char *key = make_key(result);
    GstPeThing *thing = g_hash_table_lookup(self->things, key);

    if (thing) {
        g_free(key);
        return thing;
    }
    if (g_hash_table_size(self->things) >= GST_PE_SERIES_MAX)
        end_thing(self, find_oldest(self));
    thing = g_new0(GstPeThing, 1);
    thing->key = key;
    thing->window = gst_pe_window_new(
        &self->spec, !gst_pe_result_get_region(result), on_cut, self);
    g_hash_table_insert(self->things, key, thing);
    return thing;
}

void
gst_pe_series_add(GstPeSeries *self, GstPeThing *thing, GstPeResult *result,
                  const GstPeTimes *times, float *embedding)
{
    thing->seen = ++self->n_seen;
    end_gone(self, thing, times->running_time);
    self->current = thing;
    thing->adding = result;
    gst_pe_window_add(thing->window, gst_pe_result_get_stretch(result),
                      gst_pe_result_get_sample(result), times, embedding);
    thing->adding = NULL;
    g_clear_pointer(&thing->sample, gst_pe_result_unref);
    thing->sample = gst_pe_result_ref(result);
}

// ---- All ------------------------------------------------------------------

bool
gst_pe_series_is_timed(const GstPeSeries *self)
{
    return self->spec.length > 0;
}

bool
gst_pe_series_has_windows(const GstPeSeries *self)
{
    return gst_pe_series_is_timed(self) || self->spec.clip_length > 1;
}

bool
gst_pe_series_configure(GstPeSeries *self, const GstPeWindowSpec *spec)
{
    const GstPeWindowSpec *old = &self->spec;

    if (old->length == spec->length && old->stride == spec->stride &&
        old->clip_length == spec->clip_length &&
        old->clip_stride == spec->clip_stride)
        return false;
    gst_pe_series_finish(self, GST_PE_REASON_RECONFIGURED);
    gst_pe_series_reset(self, false);
    self->spec = *spec;
    return true;
}

void
gst_pe_series_finish(GstPeSeries *self, GstPeReason reason)
{
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, self->things);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        finish_thing(self, value, reason);
}

void
gst_pe_series_forget_latest(GstPeSeries *self)
{
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, self->things);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_clear_pointer(&((GstPeThing *)value)->latest, gst_pe_result_unref);
}

void
gst_pe_series_reset(GstPeSeries *self, bool origins)
{
    g_hash_table_remove_all(self->things);
    if (origins)
        g_hash_table_remove_all(self->origins);
}
