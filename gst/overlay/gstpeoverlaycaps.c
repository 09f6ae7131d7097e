// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoverlaycaps.c - see gstpeoverlaycaps.h.

#include "gst/overlay/gstpeoverlaycaps.h"

#include <gst/video/video.h>

#define FEATURE GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION

static GstStaticCaps blendable = GST_STATIC_CAPS(
    GST_VIDEO_CAPS_MAKE(GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS));
static GstStaticCaps all = GST_STATIC_CAPS(GST_PE_OVERLAY_CAPS);

bool
gst_pe_overlay_caps_have_feature(const GstCaps *caps)
{
    for (guint i = 0; i < gst_caps_get_size(caps); i++) {
        GstCapsFeatures *features = gst_caps_get_features(caps, i);
        if (gst_caps_features_is_any(features) ||
            !gst_caps_features_contains(features, FEATURE))
            return false;
    }
    return true;
}

bool
gst_pe_overlay_caps_can_blend(const GstCaps *caps)
{
    g_autoptr(GstCaps) soft = gst_static_caps_get(&blendable);

    return gst_caps_is_subset(caps, soft);
}

static gboolean
add_feature(GstCapsFeatures *features, GstStructure *structure, gpointer data)
{
    if (!gst_caps_features_is_any(features) &&
        !gst_caps_features_contains(features, FEATURE))
        gst_caps_features_add(features, FEATURE);
    return TRUE;
}

GstCaps *
gst_pe_overlay_caps_add_feature(const GstCaps *caps)
{
    GstCaps *with = gst_caps_copy(caps);

    gst_caps_map_in_place(with, add_feature, NULL);
    return with;
}

static gboolean
remove_feature(GstCapsFeatures *features, GstStructure *structure,
               gpointer data)
{
    if (!gst_caps_features_is_any(features))
        gst_caps_features_remove(features, FEATURE);
    return TRUE;
}

static gboolean
takes_feature(GstCapsFeatures *features, GstStructure *structure, gpointer data)
{
    return gst_caps_features_is_any(features) ||
           gst_caps_features_contains(features, FEATURE);
}

// Of caps, those that can be drawn on. Returns a reference.
static GstCaps *
keep_blendable(const GstCaps *caps)
{
    g_autoptr(GstCaps) soft = gst_static_caps_get(&blendable);

    return gst_caps_intersect_full((GstCaps *)caps, soft,
                                   GST_CAPS_INTERSECT_FIRST);
}

// Takes the caps.
static GstCaps *
apply_filter(GstCaps *caps, const GstCaps *filter)
{
    if (!filter)
        return caps;
    GstCaps *kept = gst_caps_intersect_full((GstCaps *)filter, caps,
                                            GST_CAPS_INTERSECT_FIRST);

    gst_caps_unref(caps);
    return kept;
}

// Of the peer, with the feature and without: it may lack one of them. Returns
// a reference, or NULL when there is no peer.
static GstCaps *
ask_peer(GstPad *pad, const GstCaps *filter)
{
    if (!filter)
        return gst_pad_peer_query_caps(pad, NULL);
    g_autoptr(GstCaps) wide = gst_caps_merge(
        gst_pe_overlay_caps_add_feature(filter), gst_caps_copy(filter));

    return gst_pad_peer_query_caps(pad, wide);
}

GstCaps *
gst_pe_overlay_caps_for_sink(GstPad *other, const GstCaps *filter)
{
    g_autoptr(GstCaps) peer = ask_peer(other, filter);

    if (gst_caps_is_any(peer))
        return apply_filter(gst_static_caps_get(&all), filter);
    // Where the feature is taken, frames may come with it and without.
    GstCaps *with = gst_caps_copy(peer);
    gst_caps_filter_and_map_in_place(with, takes_feature, NULL);
    GstCaps *without = gst_caps_copy(with);
    gst_caps_map_in_place(without, remove_feature, NULL);
    GstCaps *caps = gst_caps_merge(without, with);

    caps = gst_caps_merge(caps, keep_blendable(peer));
    return apply_filter(caps, filter);
}

GstCaps *
gst_pe_overlay_caps_for_src(GstPad *other, const GstCaps *filter)
{
    GstCaps *wide = NULL;

    if (filter) {
        GstCaps *without = gst_caps_copy(filter);
        gst_caps_map_in_place(without, remove_feature, NULL);
        wide = gst_caps_merge(without, gst_caps_copy(filter));
    }
    g_autoptr(GstCaps) peer = gst_pad_peer_query_caps(other, wide);
    gst_clear_caps(&wide);
    if (gst_caps_is_any(peer))
        return apply_filter(gst_static_caps_get(&all), filter);
    GstCaps *caps = gst_pe_overlay_caps_add_feature(peer);

    return apply_filter(gst_caps_merge(caps, keep_blendable(peer)), filter);
}
