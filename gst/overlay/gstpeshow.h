// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeshow.h - from what counts at a frame to what is to be seen on it.

#pragma once

#include "gst/overlay/gstpeheld.h"
#include "gst/overlay/gstpescene.h"

// What of it the user wants to see.
typedef struct {
    bool labels, events, regions;
    guint max_labels;
    double threshold; // labels with a lower score are left out
} GstPeChoice;

// Returns, gst_pe_scene_free().
GstPeScene *gst_pe_show(const GstPeHeld *held, const GstPeChoice *choice);
