// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeorientation.c - see gstpeorientation.h.

#include "gst/video/gstpeorientation.h"

#include <gst/video/video.h>

#include "gst/video/gstpelinks.h"

static PeOrientation
from_method(GstVideoOrientationMethod method)
{
    switch (method) {
    case GST_VIDEO_ORIENTATION_90R:
        return PE_ORIENTATION_ROTATE_90;
    case GST_VIDEO_ORIENTATION_180:
        return PE_ORIENTATION_ROTATE_180;
    case GST_VIDEO_ORIENTATION_90L:
        return PE_ORIENTATION_ROTATE_270;
    case GST_VIDEO_ORIENTATION_HORIZ:
        return PE_ORIENTATION_FLIP_X;
    case GST_VIDEO_ORIENTATION_VERT:
        return PE_ORIENTATION_FLIP_Y;
    case GST_VIDEO_ORIENTATION_UL_LR:
        return PE_ORIENTATION_TRANSPOSE;
    case GST_VIDEO_ORIENTATION_UR_LL:
        return PE_ORIENTATION_TRANSVERSE;
    default:
        return PE_ORIENTATION_NORMAL;
    }
}

// ---- What upstream does -----------------------------------------------------

// Of videoflip and its like.
static bool
turns_by_tags(GstPad *pad)
{
    GstVideoOrientationMethod method = GST_VIDEO_ORIENTATION_IDENTITY;
    GstElement *element = gst_pad_get_parent_element(pad);

    if (!element)
        return false; // the inside of a ghost pad
    if (GST_IS_VIDEO_DIRECTION(element))
        g_object_get(element, "video-direction", &method, NULL);
    gst_object_unref(element);
    return method == GST_VIDEO_ORIENTATION_AUTO;
}

// ---- Tags -------------------------------------------------------------------

static void
take_tags(GstPeOrientation *self, GstPad *sinkpad, GstTagList *tags)
{
    GstVideoOrientationMethod method;

    if (!gst_video_orientation_from_tag(tags, &method))
        return;
    PeOrientation orientation = from_method(method);
    // The videoflip of GStreamer 1.22 turns frames and leaves their tag as it
    // was.
    if (orientation != PE_ORIENTATION_NORMAL &&
        gst_pe_links_find(sinkpad, turns_by_tags))
        orientation = PE_ORIENTATION_NORMAL;
    if (gst_tag_list_get_scope(tags) == GST_TAG_SCOPE_GLOBAL) {
        self->global = orientation;
    } else {
        self->stream = orientation;
        self->has_stream = true;
    }
}

void
gst_pe_orientation_take_event(GstPeOrientation *self, GstPad *sinkpad,
                              GstEvent *event)
{
    GstTagList *tags;

    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
        *self = (GstPeOrientation){0};
        break;
    case GST_EVENT_TAG:
        gst_event_parse_tag(event, &tags);
        take_tags(self, sinkpad, tags);
        break;
    default:
        break;
    }
}

PeOrientation
gst_pe_orientation_get(const GstPeOrientation *self, int wanted)
{
    if (wanted >= 0)
        return (PeOrientation)wanted;
    return self->has_stream ? self->stream : self->global;
}
