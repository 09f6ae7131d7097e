// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperegionread.h - what the user writes becomes named regions. Called by
// whoever keeps the settings.
//
//     gate=0,180,220,400;open|closed;;door=50%,10%,20%,60%;interval=4
//
// Regions are separated by ;; or a new line. A region is a name, a rectangle
// (left, top, width, height; pixels, or per cent of the picture) and fields
// behind semicolons: its labels, labels-mode=, interval= and on-change=. `\;`
// is a semicolon in a label. Or JSON: a list of objects with "name",
// "rectangle" and the same fields.

#pragma once

#include "gst/labels/regions/gstperegions.h"

// Returns a reference; NULL with an error that shows the place in the text.
GstPeRegions *gst_pe_regions_parse(const char *text, GError **error);
GstPeRegions *gst_pe_regions_load(const char *path, GError **error);
