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
