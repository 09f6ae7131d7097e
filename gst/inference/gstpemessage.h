// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemessage.h - a result as an element message.

#pragma once

#include "gst/inference/flow/gstpeclips.h"
#include "gst/meta/gstpemeta.h"

// `times` are those of the clip's last frame. The fields are documented in
// gstpeinference.c. Returns a new message.
GstMessage *gst_pe_message_new(GstObject *source, const GstPeResult *result,
                               const GstPeTimes *times);
