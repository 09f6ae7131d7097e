// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeobjects.c - see gstpeobjects.h.

#include "gst/inference/regions/gstpeobjects.h"

#include "gst/meta/gstpemeta.h"

#include <string.h>

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#endif

static bool
is_wanted(GQuark type, const char *classes)
{
    const char *name = type ? g_quark_to_string(type) : "";

    if (!classes || !*classes)
        return true;
    g_auto(GStrv) list = g_strsplit(classes, "|", -1);
    for (char **l = list; *l; l++) {
        if (g_str_equal(g_strstrip(*l), name))
            return true;
    }
    return false;
}

// Detectors say what they like.
static int
to_int(guint value)
{
    return (int)MIN(value, G_MAXINT);
}

static void
find_regions_of_interest(GstBuffer *buffer, const char *classes,
                         GArray *objects)
{
    gpointer state = NULL;
    GstMeta *meta;

    while ((meta = gst_buffer_iterate_meta_filtered(
                buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
        const GstVideoRegionOfInterestMeta *roi =
            (GstVideoRegionOfInterestMeta *)meta;
        GstPeObject object = {
            .rectangle = {to_int(roi->x), to_int(roi->y), to_int(roi->w),
                          to_int(roi->h)},
            .type = roi->roi_type,
            .id = roi->id,
            .track_id = roi->id > 0 ? (guint64)roi->id : GST_PE_REGION_NO_TRACK,
        };
        if (is_wanted(object.type, classes))
            g_array_append_val(objects, object);
    }
}

#ifdef HAVE_GST_ANALYTICS
static guint64
find_track(GstAnalyticsRelationMeta *meta, guint id)
{
    gpointer state = NULL;
    GstAnalyticsTrackingMtd mtd;
    guint64 track;
    GstClockTime first, last;
    gboolean lost;

    if (gst_analytics_relation_meta_get_direct_related(
            meta, id, GST_ANALYTICS_REL_TYPE_ANY,
            gst_analytics_tracking_mtd_get_mtd_type(), &state, &mtd) &&
        gst_analytics_tracking_mtd_get_info(&mtd, &track, &first, &last, &lost))
        return track;
    return GST_PE_REGION_NO_TRACK;
}

static void
find_detections(GstBuffer *buffer, const char *classes, GArray *objects)
{
    GstAnalyticsRelationMeta *meta =
        gst_buffer_get_analytics_relation_meta(buffer);
    gpointer state = NULL;
    GstAnalyticsODMtd mtd;

    while (meta &&
           gst_analytics_relation_meta_iterate(
               meta, &state, gst_analytics_od_mtd_get_mtd_type(), &mtd)) {
        GstPeObject object = {
            .type = gst_analytics_od_mtd_get_obj_type(&mtd),
            .id = (int)mtd.id,
            .track_id = find_track(meta, mtd.id),
            .detected = true,
        };
        PeRect *r = &object.rectangle;
        gfloat confidence;
        if (gst_analytics_od_mtd_get_location(&mtd, &r->x, &r->y, &r->width,
                                              &r->height, &confidence) &&
            is_wanted(object.type, classes))
            g_array_append_val(objects, object);
    }
}
#endif

GArray *
gst_pe_objects_find(GstBuffer *buffer, const char *classes)
{
    GArray *objects = g_array_new(FALSE, FALSE, sizeof(GstPeObject));

    find_regions_of_interest(buffer, classes, objects);
#ifdef HAVE_GST_ANALYTICS
    find_detections(buffer, classes, objects);
#endif
    return objects;
}
