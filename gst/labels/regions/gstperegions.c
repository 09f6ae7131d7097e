// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperegions.c - named regions, and where they lie; see gstperegions.h.

#include "gst/labels/regions/gstperegions.h"

#include <math.h>

void
gst_pe_named_region_clear(void *data)
{
    GstPeNamedRegion *region = data;

    g_free(region->name);
    g_free(region->text);
    g_free(region->mode);
    pe_label_spec_free(region->spec);
    g_clear_pointer(&region->labels, pe_labels_unref);
}

static void
clear_regions(void *data)
{
    GstPeRegions *regions = data;

    for (guint i = 0; i < regions->n; i++)
        gst_pe_named_region_clear(&regions->regions[i]);
    g_free(regions->regions);
}

GstPeRegions *
gst_pe_regions_ref(GstPeRegions *regions)
{
    return g_atomic_rc_box_acquire(regions);
}

void
gst_pe_regions_unref(GstPeRegions *regions)
{
    g_atomic_rc_box_release_full(regions, clear_regions);
}

GstPeRegions *
gst_pe_regions_new(GArray *read)
{
    GstPeRegions *regions = g_atomic_rc_box_new0(GstPeRegions);

    regions->n = read->len;
    g_array_set_clear_func(read, NULL);
    regions->regions = (GstPeNamedRegion *)(void *)g_array_free(read, FALSE);
    return regions;
}

bool
gst_pe_regions_have(const GstPeRegions *regions, const char *name)
{
    for (guint i = 0; regions && i < regions->n; i++) {
        if (g_str_equal(regions->regions[i].name, name))
            return true;
    }
    return false;
}

// ---- Where they lie -------------------------------------------------------

bool
gst_pe_regions_clip(const PeRect *rectangle, const PeRect *picture, PeRect *out)
{
    int64_t left = MAX(rectangle->x, picture->x);
    int64_t top = MAX(rectangle->y, picture->y);
    int64_t right = MIN((int64_t)rectangle->x + rectangle->width,
                        (int64_t)picture->x + picture->width);
    int64_t bottom = MIN((int64_t)rectangle->y + rectangle->height,
                         (int64_t)picture->y + picture->height);

    if (right <= left || bottom <= top)
        return false;
    *out =
        (PeRect){(int)left, (int)top, (int)(right - left), (int)(bottom - top)};
    return true;
}

// Pixels of a side that is so long; numbers beyond any picture stay in range.
static int
to_pixels(double value, bool percent, int side)
{
    double pixels = percent ? value * side / 100 : value;

    return (int)lrint(CLAMP(pixels, -1e6, 1e6));
}

bool
gst_pe_regions_place(const GstPeRegions *regions, guint index,
                     const PeRect *picture, PeRect *out)
{
    const GstPeNamedRegion *r = &regions->regions[index];
    const double *v = r->rectangle;
    PeRect rectangle = {
        to_pixels(v[0], r->percent[0], picture->width),
        to_pixels(v[1], r->percent[1], picture->height),
        to_pixels(v[2], r->percent[2], picture->width),
        to_pixels(v[3], r->percent[3], picture->height),
    };

    // Pixels are the frame's, per cent are the picture's.
    rectangle.x += r->percent[0] ? picture->x : 0;
    rectangle.y += r->percent[1] ? picture->y : 0;
    return gst_pe_regions_clip(&rectangle, picture, out);
}
