// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeparts.c - see gstpeparts.h.

#include "gst/inference/regions/gstpeparts.h"

#include "gst/inference/regions/gstpeobjects.h"

static void
clear_part(void *data)
{
    gst_pe_ticket_unref(((GstPePart *)data)->ticket);
}

static void
clear_parts(void *data)
{
    GstPeParts *parts = data;

    g_clear_pointer(&parts->whole, gst_pe_ticket_unref);
    g_clear_pointer(&parts->regions, gst_pe_regions_unref);
    g_array_unref(parts->parts);
}

GstPeParts *
gst_pe_parts_ref(GstPeParts *parts)
{
    return g_atomic_rc_box_acquire(parts);
}

void
gst_pe_parts_unref(GstPeParts *parts)
{
    g_atomic_rc_box_release_full(parts, clear_parts);
}

// ---- Finding --------------------------------------------------------------

// The part of the stored frame that is the picture.
static PeRect
get_picture(GstBuffer *buffer, const GstVideoInfo *info)
{
    const GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);
    PeRect frame = {0, 0, meta ? (int)meta->width : GST_VIDEO_INFO_WIDTH(info),
                    meta ? (int)meta->height : GST_VIDEO_INFO_HEIGHT(info)};
    PeRect picture = {0, 0, GST_VIDEO_INFO_WIDTH(info),
                      GST_VIDEO_INFO_HEIGHT(info)};

    if (crop)
        picture = (PeRect){
            (int)MIN(crop->x, G_MAXINT), (int)MIN(crop->y, G_MAXINT),
            (int)MIN(crop->width, G_MAXINT), (int)MIN(crop->height, G_MAXINT)};
    if (!gst_pe_regions_clip(&picture, &frame, &picture))
        picture = (PeRect){0};
    return picture;
}

static void
add_part(GstPeParts *parts, const GstPePart *part, const PeRect *place)
{
    GstPePart copy = *part;

    copy.region.x = place->x;
    copy.region.y = place->y;
    copy.region.width = place->width;
    copy.region.height = place->height;
    copy.ticket = gst_pe_ticket_new();
    g_array_append_val(parts->parts, copy);
}

G_STATIC_ASSERT(GST_PE_REGIONS_MAX <= 32); // bits of GstPeLeftOut's `named`

static void
add_named(GstPeParts *parts, const PeRect *picture, const GstPeSought *sought,
          GstPeLeftOut *left_out)
{
    GstPeRegions *regions = parts->regions;
    PeRect place;

    for (guint i = 0; regions && i < regions->n; i++) {
        const GstPeNamedRegion *named = &regions->regions[i];
        bool owed = sought->owed & UINT32_C(1) << i;
        if (!owed && sought->sample % (uint64_t)named->interval != 0)
            continue;
        if (!gst_pe_regions_place(regions, i, picture, &place)) {
            left_out->n_outside++;
            left_out->named |= UINT32_C(1) << i;
            continue;
        }
        GstPePart part = {
            .kind = GST_PE_PART_NAMED,
            .index = i,
            .region = {.id = (int)i,
                       .name = named->name,
                       .track_id = GST_PE_REGION_NO_TRACK},
        };
        add_part(parts, &part, &place);
    }
}

static void
add_objects(GstPeParts *parts, GstBuffer *buffer, const PeRect *picture,
            const GstPeSought *sought, GstPeLeftOut *left_out)
{
    g_autoptr(GArray) objects =
        gst_pe_objects_find(buffer, sought->object_class);
    guint n = 0;

    for (guint i = 0; i < objects->len; i++) {
        const GstPeObject *o = &g_array_index(objects, GstPeObject, i);
        GstPePart part = {
            .kind = o->detected ? GST_PE_PART_DETECTED : GST_PE_PART_OBJECT,
            .region = {.id = o->id,
                       .name = g_quark_to_string(o->type),
                       .track_id = o->track_id},
        };
        PeRect place;
        if (!gst_pe_regions_clip(&o->rectangle, picture, &place)) {
            left_out->n_outside++;
        } else if (MIN(place.width, place.height) < (int)sought->min_size) {
            left_out->n_small++;
        } else if (n == GST_PE_PARTS_MAX_OBJECTS) {
            left_out->n_over++;
        } else {
            add_part(parts, &part, &place);
            n++;
        }
    }
}

GstPeParts *
gst_pe_parts_find(GstBuffer *buffer, const GstVideoInfo *info,
                  const GstPeSought *sought, GstPeLeftOut *left_out)
{
    GstPeParts *parts = g_atomic_rc_box_new0(GstPeParts);

    *left_out = (GstPeLeftOut){0};
    parts->whole = sought->whole ? gst_pe_ticket_new() : NULL;
    parts->objects = sought->objects;
    parts->parts = g_array_new(FALSE, FALSE, sizeof(GstPePart));
    g_array_set_clear_func(parts->parts, clear_part);
    if (!sought->regions && !sought->objects)
        return parts;
    PeRect picture = left_out->picture = get_picture(buffer, info);
    if (sought->regions)
        parts->regions = gst_pe_regions_ref(sought->regions);
    add_named(parts, &picture, sought, left_out);
    if (sought->objects)
        add_objects(parts, buffer, &picture, sought, left_out);
    return parts;
}

// ---- Tickets --------------------------------------------------------------

guint
gst_pe_parts_count(const GstPeParts *parts)
{
    return (parts->whole != NULL) + parts->parts->len;
}

GstPeTicket *
gst_pe_parts_get(const GstPeParts *parts, guint index)
{
    if (parts->whole && index-- == 0)
        return parts->whole;
    return g_array_index(parts->parts, GstPePart, index).ticket;
}

bool
gst_pe_parts_are_cancelled(const GstPeParts *parts)
{
    for (guint i = 0; i < gst_pe_parts_count(parts); i++) {
        if (!gst_pe_ticket_is_cancelled(gst_pe_parts_get(parts, i)))
            return false;
    }
    return true;
}

void
gst_pe_parts_drop(GstPeParts *parts)
{
    for (guint i = 0; i < gst_pe_parts_count(parts); i++) {
        GstPeTicket *ticket = gst_pe_parts_get(parts, i);
        if (!gst_pe_ticket_is_filled(ticket))
            gst_pe_ticket_fill(ticket, NULL);
    }
}

void
gst_pe_parts_cancel(GstPeParts *parts)
{
    for (guint i = 0; i < gst_pe_parts_count(parts); i++)
        gst_pe_ticket_cancel(gst_pe_parts_get(parts, i));
}
