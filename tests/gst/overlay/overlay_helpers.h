// SPDX-License-Identifier: LGPL-2.1-or-later
//
// overlay_helpers.h - peoverlay in a harness, frames and results for it.

#pragma once

#include "tests/support/gst_helpers.h"

#include <gst/video/video.h>

#define WIDTH 320
#define HEIGHT 240

// A peoverlay with properties as on a command line, in a harness that plays,
// for frames of WIDTH x HEIGHT.
//   attaches  the element behind it draws compositions
GstHarness *play_overlay(const char *properties, GstVideoFormat format,
                         bool attaches);

// A frame of noise, always the same, with its timestamp.
GstBuffer *make_noise(const GstVideoInfo *info, int index);

// A result with n labels (an array, or NULL), about all of the frame or a
// region (or NULL). Its number grows.
GstPeResult *make_result(const GstPeLabel *labels, guint n,
                         const GstPeRegion *region);
// Put a result, which is taken, on a buffer.
void add_result(GstBuffer *buffer, GstPeResult *result);

// A table of two labels, and a box, as add_result() would.
extern const GstPeRegion gate;
void add_example(GstBuffer *buffer);

// The composition that comes of it, which says where everything goes. Returns a
// reference.
GstVideoOverlayComposition *make_example_composition(void);

// Push a frame (taken) through; returns what came out.
GstBuffer *pass(GstHarness *h, GstBuffer *buffer);
// Is a frame of noise that carries nothing drawn on?
bool draws_on_next(GstHarness *h, int index);

guint64 get_count(GstHarness *h, const char *name);

// What stands beside a frame; borrowed, NULL: nothing.
GstVideoOverlayComposition *get_composition(GstBuffer *buffer);
