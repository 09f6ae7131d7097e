// SPDX-License-Identifier: LGPL-2.1-or-later
//
// region_helpers.h - frames with objects, and the results that they leave with.

#pragma once

#include "tests/support/gst_helpers.h"

#include <gst/video/video.h>

// Frame `index` of make_frame() in another format of the same size.
GstBuffer *make_frame_in(GstVideoFormat format, int index);
// Caps of such frames.
char *caps_of(GstVideoFormat format);

// As a detector does it. Returns the metadata.
GstVideoRegionOfInterestMeta *add_object(GstBuffer *buffer, const char *type,
                                         int id, guint x, guint y, guint w,
                                         guint h);

// Push a frame, which is taken, and pull it.
GstBuffer *pass(GstHarness *h, GstBuffer *buffer);
// The result that a buffer carries of the region with this name, or NULL.
GstPeResult *find_result(GstBuffer *buffer, const char *name);
const GstPeRegion *get_region(GstBuffer *buffer, guint index);

// The embedding of what this rectangle cuts out of a frame, which is taken.
GBytes *embed_crop(GstVideoFormat format, GstBuffer *buffer, guint x, guint y,
                   guint w, guint h);
// The cosine of two embeddings.
double compare(GBytes *a, GBytes *b);
