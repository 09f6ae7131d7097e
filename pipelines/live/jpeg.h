// SPDX-License-Identifier: LGPL-2.1-or-later
//
// jpeg.h - a frame as a small picture for people.

#pragma once

#include <gst/gst.h>

// width  pixels; the height follows
// Waits for the encoder. Returns a reference, or NULL for what cannot be made a
// JPEG, such as a frame on a card. Any thread.
GBytes *jpeg_from_sample(GstSample *sample, int width);
