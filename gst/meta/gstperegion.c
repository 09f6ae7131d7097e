// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperegion.c - the part of the picture that a result is about.

#include "gstperesult.h"

G_DEFINE_BOXED_TYPE(GstPeRegion, gst_pe_region, gst_pe_region_copy,
                    gst_pe_region_free)

/**
 * gst_pe_region_copy:
 * @region: a region
 *
 * Returns: (transfer full): a copy
 *
 * Since: 0.1
 */
GstPeRegion *
gst_pe_region_copy(const GstPeRegion *region)
{
    g_return_val_if_fail(region != NULL, NULL);

    GstPeRegion *copy = g_new(GstPeRegion, 1);
    *copy = *region;
    copy->name = region->name ? g_utf8_make_valid(region->name, -1) : NULL;
    return copy;
}

/**
 * gst_pe_region_free:
 * @region: (transfer full): a copy of a region
 *
 * Since: 0.1
 */
void
gst_pe_region_free(GstPeRegion *region)
{
    g_return_if_fail(region != NULL);
    g_free((gpointer)region->name);
    g_free(region);
}

static gchar *
name_region(const GstPeRegion *region)
{
    const gchar *name = region->name ? region->name : "region";

    if (region->track_id != GST_PE_REGION_NO_TRACK)
        return g_strdup_printf("%s %" G_GUINT64_FORMAT, name, region->track_id);
    if (!region->name && region->id != GST_PE_REGION_NO_ID)
        return g_strdup_printf("%s %d", name, region->id);
    return g_strdup(name);
}

/**
 * gst_pe_result_title_label:
 * @result: a result
 * @label: one of its labels, or of its events'
 *
 * What people are shown: the label, behind the region that the result is about,
 * as in "gate: open" or "person 5: running".
 *
 * Returns: (transfer full): a text
 *
 * Since: 0.1
 */
gchar *
gst_pe_result_title_label(const GstPeResult *result, const gchar *label)
{
    g_return_val_if_fail(result != NULL && label != NULL, NULL);

    const GstPeRegion *region = gst_pe_result_get_region(result);
    if (!region)
        return g_strdup(label);
    g_autofree gchar *name = name_region(region);
    return g_strconcat(name, ": ", label, NULL);
}
