// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemessage.h - a result on the bus, and each of its events.

#pragma once

#include "gst/meta/gstpemeta.h"
#include "gst/video/gstpetimes.h"

// name: of the message, that of the kind of element. times: of the clip's last
// frame. Returns an element message of `source`.
GstMessage *gst_pe_message_new(GstObject *source, const char *name,
                               const GstPeResult *result,
                               const GstPeTimes *times);

// One of the result's events; "-event" is added to the name. Returns an element
// message of `source`.
GstMessage *gst_pe_message_new_event(GstObject *source, const char *name,
                                     const GstPeResult *result,
                                     const GstPeLabelEvent *event);
