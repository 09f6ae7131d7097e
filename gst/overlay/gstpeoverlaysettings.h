// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoverlaysettings.h - the properties of peoverlay that the user sets: what
// they are called, what they default to, and where they are kept. Called by
// gstpeoverlay.c, which locks.

#pragma once

#include "gst/overlay/gstpelayout.h"

#include <glib-object.h>

typedef struct {
    guint show; // GstPeShow
    int position;
    guint max_labels;
    double threshold;
    double text_size; // share of the picture's height
    int hold_time;    // ms, or GST_PE_HOLD_AUTO
} GstPeOverlaySettings;

// The ids of the properties; those of the element itself follow.
enum {
    GST_PE_OVERLAY_PROP_0,
    GST_PE_OVERLAY_PROP_SHOW,
    GST_PE_OVERLAY_PROP_POSITION,
    GST_PE_OVERLAY_PROP_MAX_LABELS,
    GST_PE_OVERLAY_PROP_THRESHOLD,
    GST_PE_OVERLAY_PROP_TEXT_SIZE,
    GST_PE_OVERLAY_PROP_HOLD_TIME,
    GST_PE_OVERLAY_N_SETTINGS,
};

extern const GstPeOverlaySettings gst_pe_overlay_default_settings;

// Makes floating references, by their ids.
void gst_pe_overlay_settings_make_specs(GParamSpec **specs);
bool gst_pe_overlay_settings_are_equal(const GstPeOverlaySettings *a,
                                       const GstPeOverlaySettings *b);

// false: there is no such id.
bool gst_pe_overlay_settings_set(GstPeOverlaySettings *settings, guint id,
                                 const GValue *value);
bool gst_pe_overlay_settings_get(const GstPeOverlaySettings *settings, guint id,
                                 GValue *value);
