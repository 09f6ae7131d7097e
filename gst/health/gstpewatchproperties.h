// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewatchproperties.h - the properties of pehealth that say when something
// is told: times in milliseconds, and shares.

#pragma once

#include "gst/health/gstpewatch.h"

#include <gst/gst.h>
#include <stdbool.h>

// Of each: may be set while the pipeline plays.
#define GST_PE_WATCH_PROPERTIES_FLAGS \
    (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)

enum {
    GST_PE_WATCH_PROPERTIES_END = 9, // id of the next property
};

// The first ones of the class.
void gst_pe_watch_properties_install(GObjectClass *klass);

// false: no property of these has that id.
bool gst_pe_watch_properties_set(GstPeWatchParams *params, guint id,
                                 const GValue *value);
bool gst_pe_watch_properties_get(GstPeWatchParams *params, guint id,
                                 GValue *value);
