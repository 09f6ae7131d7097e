// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoverlaysettings.c - see gstpeoverlaysettings.h.

#include "gst/overlay/gstpeoverlaysettings.h"

#include "gst/overlay/gstpeheld.h"
#include "gst/overlay/gstpeoverlayenums.h"

#define MAX_HOLD_TIME (24 * 60 * 60 * 1000) // ms

const GstPeOverlaySettings gst_pe_overlay_default_settings = {
    .show = GST_PE_SHOW_ALL,
    .position = GST_PE_POSITION_TOP_LEFT,
    .max_labels = 5,
    .threshold = 0,
    .text_size = 0.03,
    .hold_time = GST_PE_HOLD_AUTO,
};

void
gst_pe_overlay_settings_make_specs(GParamSpec **specs)
{
    const GstPeOverlaySettings *init = &gst_pe_overlay_default_settings;
    const GParamFlags flags =
        G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

    specs[GST_PE_OVERLAY_PROP_SHOW] = g_param_spec_flags(
        "show", NULL, "What is drawn", GST_TYPE_PE_SHOW, init->show, flags);
    specs[GST_PE_OVERLAY_PROP_POSITION] = g_param_spec_enum(
        "position", NULL,
        "Corner of the table of labels; events are at the other end",
        GST_TYPE_PE_POSITION, init->position, flags);
    specs[GST_PE_OVERLAY_PROP_MAX_LABELS] = g_param_spec_uint(
        "max-labels", NULL, "Labels of each result in the table", 0, 100,
        init->max_labels, flags);
    specs[GST_PE_OVERLAY_PROP_THRESHOLD] = g_param_spec_double(
        "threshold", NULL, "Labels with a lower score are not drawn", 0, 1,
        init->threshold, flags);
    specs[GST_PE_OVERLAY_PROP_TEXT_SIZE] = g_param_spec_double(
        "text-size", NULL, "Size of texts as a share of the picture's height",
        0.005, 0.2, init->text_size, flags);
    specs[GST_PE_OVERLAY_PROP_HOLD_TIME] = g_param_spec_int(
        "hold-time", NULL,
        "Milliseconds that a result stays on frames behind the last one that "
        "carries it. -1: as long as two clips, and at least 5000",
        -1, MAX_HOLD_TIME, init->hold_time, flags);
}

bool
gst_pe_overlay_settings_are_equal(const GstPeOverlaySettings *a,
                                  const GstPeOverlaySettings *b)
{
    return a->show == b->show && a->position == b->position &&
           a->max_labels == b->max_labels && a->threshold == b->threshold &&
           a->text_size == b->text_size && a->hold_time == b->hold_time;
}

bool
gst_pe_overlay_settings_set(GstPeOverlaySettings *settings, guint id,
                            const GValue *value)
{
    switch (id) {
    case GST_PE_OVERLAY_PROP_SHOW:
        settings->show = g_value_get_flags(value);
        return true;
    case GST_PE_OVERLAY_PROP_POSITION:
        settings->position = g_value_get_enum(value);
        return true;
    case GST_PE_OVERLAY_PROP_MAX_LABELS:
        settings->max_labels = g_value_get_uint(value);
        return true;
    case GST_PE_OVERLAY_PROP_THRESHOLD:
        settings->threshold = g_value_get_double(value);
        return true;
    case GST_PE_OVERLAY_PROP_TEXT_SIZE:
        settings->text_size = g_value_get_double(value);
        return true;
    case GST_PE_OVERLAY_PROP_HOLD_TIME:
        settings->hold_time = g_value_get_int(value);
        return true;
    default:
        return false;
    }
}

bool
gst_pe_overlay_settings_get(const GstPeOverlaySettings *settings, guint id,
                            GValue *value)
{
    switch (id) {
    case GST_PE_OVERLAY_PROP_SHOW:
        g_value_set_flags(value, settings->show);
        return true;
    case GST_PE_OVERLAY_PROP_POSITION:
        g_value_set_enum(value, settings->position);
        return true;
    case GST_PE_OVERLAY_PROP_MAX_LABELS:
        g_value_set_uint(value, settings->max_labels);
        return true;
    case GST_PE_OVERLAY_PROP_THRESHOLD:
        g_value_set_double(value, settings->threshold);
        return true;
    case GST_PE_OVERLAY_PROP_TEXT_SIZE:
        g_value_set_double(value, settings->text_size);
        return true;
    case GST_PE_OVERLAY_PROP_HOLD_TIME:
        g_value_set_int(value, settings->hold_time);
        return true;
    default:
        return false;
    }
}
