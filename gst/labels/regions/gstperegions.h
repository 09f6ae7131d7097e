// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperegions.h - the named regions that the user asks for: rectangles that
// stay where they are, each with labels of its own. Knows no frame and no
// engine.

#pragma once

#include "core/pe.h"

#include <gst/gst.h>

#define GST_PE_REGIONS_MAX 32 // named ones

typedef struct {
    char *name;
    double rectangle[4]; // left, top, width, height
    bool percent[4];     // of the picture, else pixels
    char *text;          // labels as the user wrote them; NULL: the element's
    char *mode;          // labels-mode; NULL: the element's
    int interval;        // it is looked at in every Nth sampled frame
    double on_change;    // difference from which it is embedded again; 0: off
    PeLabelSpec *spec;   // of `text`, until its labels are embedded
    PeLabels *labels;    // of `text`, then
} GstPeNamedRegion;

// Immutable once it is shared, and reference counted.
typedef struct {
    guint n;
    GstPeNamedRegion *regions; // [n]
} GstPeRegions;

// What a GstPeNamedRegion owns; for arrays of them.
void gst_pe_named_region_clear(void *region);
// Takes an array of GstPeNamedRegion. Returns a reference.
GstPeRegions *gst_pe_regions_new(GArray *read);
GstPeRegions *gst_pe_regions_ref(GstPeRegions *regions);
void gst_pe_regions_unref(GstPeRegions *regions);

// Is there one of this name? There are never two. NULL has none.
bool gst_pe_regions_have(const GstPeRegions *regions, const char *name);

// Where region `index` of a picture lies that has this place in its frame:
// pixels of the frame, clipped to the picture. false: nothing of it is inside.
bool gst_pe_regions_place(const GstPeRegions *regions, guint index,
                          const PeRect *picture, PeRect *out);
// The part of a rectangle inside a picture. false: there is none.
bool gst_pe_regions_clip(const PeRect *rectangle, const PeRect *picture,
                         PeRect *out);
