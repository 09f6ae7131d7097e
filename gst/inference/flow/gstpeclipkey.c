// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeclipkey.c - see gstpeclipkey.h.

#include "gst/inference/flow/gstpeclipkey.h"

// How long it is between two clips of a part, or of whole frames: NULL.
static GstClockTime
get_step(const PeSamplerParams *p, const GstPeClip *clip, const GstPePart *part)
{
    int stride = p->clip_stride > 0 ? p->clip_stride : p->clip_length;

    if (p->rate_n <= 0)
        return 0;
    // Parts are not looked at between the clips of whole frames, either.
    if (part)
        stride = MAX(stride - p->clip_length + 1, 1);
    if (part && part->kind == GST_PE_PART_NAMED)
        stride *= clip->parts->regions->regions[part->index].interval;
    return gst_util_uint64_scale(GST_SECOND * (guint64)stride,
                                 (guint64)p->interval * (guint64)p->rate_d,
                                 (guint64)p->rate_n);
}

// Of an object, somebody has to say that it is the same one; and a named region
// may be wanted no more.
GstPePlaceKey
gst_pe_clip_get_key(const GstPeClip *clip, const PeSamplerParams *params,
                    const GstPeRegions *regions)
{
    const GstPePart *part = gst_pe_clip_get_part(clip);
    GstPePlaceKey key = {.kind = GST_PE_PLACE_WHOLE,
                         .step = get_step(params, clip, part)};

    if (!part)
        return key;
    if (part->kind == GST_PE_PART_NAMED) {
        key.name = part->region.name;
        key.kind = gst_pe_regions_have(regions, key.name) ? GST_PE_PLACE_NAMED
                                                          : GST_PE_PLACE_NONE;
        return key;
    }
    key.track = part->region.track_id;
    key.kind = key.track == GST_PE_REGION_NO_TRACK  ? GST_PE_PLACE_NONE
               : part->kind == GST_PE_PART_DETECTED ? GST_PE_PLACE_DETECTED
                                                    : GST_PE_PLACE_OBJECT;
    return key;
}
