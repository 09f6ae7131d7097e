// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemessage.h - a result on the bus.

#pragma once

#include "gst/meta/gstpemeta.h"
#include "gst/video/gstpetimes.h"

// times: of the clip's last frame. Returns an element message of `source`.
GstMessage *gst_pe_message_new(GstObject *source, const GstPeResult *result,
                               const GstPeTimes *times);
