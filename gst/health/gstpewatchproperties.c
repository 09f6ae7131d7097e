// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewatchproperties.c - see gstpewatchproperties.h.

#include "gst/health/gstpewatchproperties.h"

enum {
    PROP_INTERVAL = 1,
    PROP_FROZEN_AFTER,
    PROP_STILL_SHARE,
    PROP_MOVED_AFTER,
    PROP_MOVED_BELOW,
    PROP_LEARN,
    PROP_FLICKER_ABOVE,
    PROP_HUNTING_ABOVE,
    PROP_END,
};

G_STATIC_ASSERT((int)PROP_END == (int)GST_PE_WATCH_PROPERTIES_END);

static uint64_t *
get_time(GstPeWatchParams *params, guint id)
{
    switch (id) {
    case PROP_INTERVAL:
        return &params->step;
    case PROP_FROZEN_AFTER:
        return &params->still.frozen_after;
    case PROP_MOVED_AFTER:
        return &params->view.moved_after;
    case PROP_LEARN:
        return &params->view.learn;
    default:
        return NULL;
    }
}

static double *
get_share(GstPeWatchParams *params, guint id)
{
    switch (id) {
    case PROP_STILL_SHARE:
        return &params->still.still_share;
    case PROP_MOVED_BELOW:
        return &params->view.moved_below;
    case PROP_FLICKER_ABOVE:
        return &params->rhythm.flicker_above;
    case PROP_HUNTING_ABOVE:
        return &params->rhythm.hunting_above;
    default:
        return NULL;
    }
}

bool
gst_pe_watch_properties_set(GstPeWatchParams *params, guint id,
                            const GValue *value)
{
    uint64_t *time = get_time(params, id);
    double *share = get_share(params, id);

    if (time)
        *time = g_value_get_uint(value) * GST_MSECOND;
    else if (share)
        *share = g_value_get_double(value);
    return time || share;
}

bool
gst_pe_watch_properties_get(GstPeWatchParams *params, guint id, GValue *value)
{
    const uint64_t *time = get_time(params, id);
    const double *share = get_share(params, id);

    if (time)
        g_value_set_uint(value, (guint)(*time / GST_MSECOND));
    else if (share)
        g_value_set_double(value, *share);
    return time || share;
}

// A time in milliseconds.
static void
add_time(GObjectClass *klass, guint id, const char *name, const char *nick,
         const char *blurb, guint least)
{
    GstPeWatchParams standard;

    gst_pe_watch_params_init(&standard);
    g_object_class_install_property(
        klass, id,
        g_param_spec_uint(name, nick, blurb, least, 86400000,
                          (guint)(*get_time(&standard, id) / GST_MSECOND),
                          GST_PE_WATCH_PROPERTIES_FLAGS));
}

static void
add_share(GObjectClass *klass, guint id, const char *name, const char *nick,
          const char *blurb)
{
    GstPeWatchParams standard;

    gst_pe_watch_params_init(&standard);
    g_object_class_install_property(
        klass, id,
        g_param_spec_double(name, nick, blurb, 0, 0.99,
                            *get_share(&standard, id),
                            GST_PE_WATCH_PROPERTIES_FLAGS));
}

void
gst_pe_watch_properties_install(GObjectClass *klass)
{
    add_time(klass, PROP_INTERVAL, "interval", "Interval",
             "Time from one picture that is looked at to the next, in "
             "milliseconds",
             10);
    add_time(klass, PROP_FROZEN_AFTER, "frozen-after", "Frozen after",
             "How long a picture must stay the same, in milliseconds; longer "
             "than the time between key frames of the stream",
             1);
    add_share(klass, PROP_STILL_SHARE, "still-share", "Still share",
              "Share of the picture that may change while it is frozen, as a "
              "clock does");
    add_time(klass, PROP_MOVED_AFTER, "moved-after", "Moved after",
             "How long another view must last, in milliseconds", 0);
    add_share(klass, PROP_MOVED_BELOW, "moved-below", "Moved below",
              "Correlation of the structure with the usual view below which "
              "the view is another one");
    add_time(klass, PROP_LEARN, "learn", "Learn",
             "How long the usual view is learned, and a new one lasts until it "
             "is learned, in milliseconds",
             1);
    add_share(klass, PROP_FLICKER_ABOVE, "flicker-above", "Flicker above",
              "Share of the light by which a picture that flickers goes up and "
              "down. 0: flicker is not watched");
    add_share(klass, PROP_HUNTING_ABOVE, "hunting-above", "Hunting above",
              "Share of the sharpness that a picture loses and gets back while "
              "the focus hunts. 0: hunting is not watched");
}
