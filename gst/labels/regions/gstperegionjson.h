// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperegionjson.h - named regions as JSON; gstperegionread.h has the fields.
// Called by gstperegionread.c.

#pragma once

#include <glib.h>
#include <stdbool.h>

// Append every region of the text to `read`, an array of GstPeNamedRegion. The
// text is a list of objects, or an object whose "regions" is that list.
bool gst_pe_region_json_read(const char *text, GArray *read, GError **error);
