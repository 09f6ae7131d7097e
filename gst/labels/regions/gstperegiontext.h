// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperegiontext.h - named regions written as a line; gstperegionread.h has
// the grammar. Called by gstperegionread.c, and for single values by
// gstperegionjson.c.

#pragma once

#include <glib.h>
#include <stdbool.h>

#define GST_PE_REGION_GRAMMAR \
    "name=left,top,width,height;labels;labels-mode=MODE;interval=N;on-change=" \
    "N"

// Append every region of the text to `read`, an array of GstPeNamedRegion.
bool gst_pe_region_text_read(const char *text, GArray *read, GError **error);

// "12.5" or "12.5%". false: it is neither.
bool gst_pe_region_text_length(const char *text, double *value, bool *percent);
