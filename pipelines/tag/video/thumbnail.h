// SPDX-License-Identifier: LGPL-2.1-or-later
//
// thumbnail.h - small pictures of frames.

#pragma once

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <gst/video/video.h>

#include "core/pe.h"

#define THUMBNAIL_SIDE 160 // pixels of the longer side

typedef struct Thumbnailer Thumbnailer;

Thumbnailer *thumbnailer_new(void);
void thumbnailer_free(Thumbnailer *thumbnailer);

// Make a frame small, the right way up and in its display aspect.
// Returns the picture, g_object_unref(); NULL: not of this frame.
GdkPixbuf *thumbnailer_shrink(Thumbnailer *thumbnailer, GstCaps *caps,
                              GstBuffer *buffer, PeOrientation orientation);

// As JPEG. Returns, g_bytes_unref(); NULL: there is no encoder.
GBytes *thumbnail_encode(GdkPixbuf *picture);
