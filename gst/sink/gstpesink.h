// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesink.h - a sink that sends a stream of JSON lines to a broker. Each kind
// of broker is an element, and a GType, of its own.

#pragma once

#include "gst/sink/gstpebroker.h"

// Make and register the element. `broker` lives for ever. In plugin_init().
gboolean gst_pe_sink_register(GstPlugin *plugin, const GstPeBroker *broker);
