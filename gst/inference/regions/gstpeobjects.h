// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeobjects.h - what detectors upstream found in a frame, by either kind of
// metadata. Knows nothing of the picture's size. Called by gstpeparts.c.

#pragma once

#include "core/pe.h"

#include <gst/video/video.h>

typedef struct {
    PeRect rectangle; // pixels of the frame; may lie outside
    GQuark type;      // what it is; 0: not said
    int id;           // of the metadata
    guint64 track_id; // GST_PE_REGION_NO_TRACK: nobody tracks it
    bool detected;    // a GstAnalyticsODMtd with that id
} GstPeObject;

// In the order of the metadata. `classes` is a list of types, separated by |;
// NULL or "": all. Returns an array of GstPeObject.
GArray *gst_pe_objects_find(GstBuffer *buffer, const char *classes);
