// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpebackoff.h - how long to wait before the next attempt: about 1, 2, 4, 8,
// 16 and then 30 seconds, each shortened at random by up to a half, so that
// many clients do not come back at once.

#pragma once

#include <glib.h>

#define GST_PE_BACKOFF_FIRST 1000000 // us
#define GST_PE_BACKOFF_LAST 30000000

typedef struct {
    guint n; // attempts since it was last well; 0 at first
} GstPeBackoff;

// Returns us.
gint64 gst_pe_backoff_next(GstPeBackoff *backoff);
void gst_pe_backoff_reset(GstPeBackoff *backoff);
