// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpefailure.h - the errors of an element. Any thread.

#pragma once

#include "core/pe.h"

#include <gst/gst.h>

typedef struct {
    GstElement *element; // borrowed
    int failed;          // atomic: an error is on the bus, and those that
                         // follow from it are not
} GstPeFailure;

// Post an error on the bus with the code that fits a PeError, or a description
// of frames that are not what they should be. After the first error others are
// only logged, because most follow from it.
void gst_pe_failure_post(GstPeFailure *failure, const GError *error);
void gst_pe_failure_post_format(GstPeFailure *failure, const char *message);
// A new start: the next error is posted again.
void gst_pe_failure_forget(GstPeFailure *failure);
