// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelatest.c - see gstpelatest.h.

#include "gst/inference/flow/gstpelatest.h"

static void
clear_found(void *data)
{
    GstPeFound *found = data;

    g_clear_pointer(&found->result, gst_pe_result_unref);
    g_clear_pointer(&found->regions, gst_pe_regions_unref);
}

GArray *
gst_pe_found_new(void)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(GstPeFound));

    g_array_set_clear_func(found, clear_found);
    return found;
}

void
gst_pe_latest_init(GstPeLatest *latest)
{
    latest->found = gst_pe_found_new();
}

void
gst_pe_latest_clear(GstPeLatest *latest)
{
    g_array_unref(latest->found);
}

// ---- What is latest -------------------------------------------------------

static bool
supersedes(const GstPeFound *new, const GstPeFound *old)
{
    if (new->kind != old->kind)
        return false;
    return new->kind != GST_PE_FOUND_NAMED || new->regions != old->regions ||
           new->index == old->index;
}

static bool
is_superseded(const GArray *found, const GstPeFound *old)
{
    for (guint i = 0; i < found->len; i++) {
        if (supersedes(&g_array_index(found, GstPeFound, i), old))
            return true;
    }
    return false;
}

guint
gst_pe_latest_take(GstPeLatest *latest, const GArray *found)
{
    guint n = 0;

    for (guint i = latest->found->len; i-- > 0;) {
        const GstPeFound *old = &g_array_index(latest->found, GstPeFound, i);
        if (!is_superseded(found, old))
            continue;
        n += !old->carried;
        g_array_remove_index(latest->found, i);
    }
    for (guint i = 0; i < found->len; i++) {
        GstPeFound copy = g_array_index(found, GstPeFound, i);
        if (!copy.result)
            continue;
        gst_pe_result_ref(copy.result);
        if (copy.regions)
            gst_pe_regions_ref(copy.regions);
        g_array_append_val(latest->found, copy);
    }
    return n;
}

guint
gst_pe_latest_forget(GstPeLatest *latest)
{
    guint n = 0;

    for (guint i = 0; i < latest->found->len; i++)
        n += !g_array_index(latest->found, GstPeFound, i).carried;
    g_array_set_size(latest->found, 0);
    return n;
}

void
gst_pe_latest_keep(GstPeLatest *latest, bool whole, bool objects,
                   const GstPeRegions *regions)
{
    for (guint i = latest->found->len; i-- > 0;) {
        const GstPeFound *f = &g_array_index(latest->found, GstPeFound, i);
        bool keep = f->kind == GST_PE_FOUND_WHOLE    ? whole
                    : f->kind == GST_PE_FOUND_OBJECT ? objects
                                                     : f->regions == regions;
        if (!keep)
            g_array_remove_index(latest->found, i);
    }
}

// ---- On frames ------------------------------------------------------------

static GstClockTime
get_age(const GstPeResult *result, GstClockTime running_end)
{
    GstClockTime end = gst_pe_result_get_clip_end(result);

    if (!GST_CLOCK_TIME_IS_VALID(end) || !GST_CLOCK_TIME_IS_VALID(running_end))
        return GST_CLOCK_TIME_NONE;
    return running_end > end ? running_end - end : 0;
}

GstBuffer *
gst_pe_latest_attach(GstPeLatest *latest, GstBuffer *buffer, bool repeat,
                     GstClockTime running_end, const GstPeAnalyticsWish *wish)
{
    for (guint i = 0; i < latest->found->len; i++) {
        GstPeFound *f = &g_array_index(latest->found, GstPeFound, i);
        if (f->carried && !repeat)
            continue;
        buffer = gst_buffer_make_writable(buffer);
        gst_buffer_add_pe_meta(buffer, f->result,
                               get_age(f->result, running_end));
        gst_pe_analytics_attach(buffer, f->result, f->detection, wish);
        f->carried = true;
        f->detection = -1;
    }
    return buffer;
}
