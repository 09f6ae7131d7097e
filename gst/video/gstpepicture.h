// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepicture.h - the pixels of a picture file, by gdk-pixbuf, as Pillow's
// convert("RGB") has them, with which the reference opens pictures:
// transparency and colour profiles are not applied, and of an animation the
// first picture is meant. What Pillow would see otherwise is refused. For the
// programs and, as a PePictureReader, for label sets.

#pragma once

#include "core/pe.h"

// Decode the file and call `func` once, with the orientation of its EXIF data.
// false with an error that names the file, when it is no picture, is cut or
// damaged, or when `func` failed. Any thread.
bool gst_pe_picture_read(const char *path, PePictureFunc func, void *user_data,
                         GError **error);

// Is it a GIF or an animated WebP, whatever its name is?
bool gst_pe_picture_is_animation(const char *path);

// Called with every picture of an animation in order, counted from 0; borrows
// the frame. Return false to stop (with `error` set if that is a failure).
typedef bool (*GstPeAnimationFunc)(const PeFrame *frame, int64_t index,
                                   void *user_data, GError **error);

// Read each picture of an animation once, as it is shown. (Of GStreamer 1.22,
// the demuxer of GIF never ends, and the decoder of WebP fails.) Returns how
// many `func` saw, or -1 with the error.
int64_t gst_pe_picture_read_animation(const char *path, GstPeAnimationFunc func,
                                      void *user_data, GError **error);
