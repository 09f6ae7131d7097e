// SPDX-License-Identifier: LGPL-2.1-or-later
//
// decode.h - the frames of a picture or video file, by GStreamer.
// Shared by the programs.

#pragma once

#include "core/pe.h"

// Called with every decoded frame in order, counted from 0; borrows the frame.
// Return false to stop decoding (with `error` set if that is a failure).
typedef bool (*DecodeFunc)(const PeFrame *frame, int64_t index, void *user_data,
                           GError **error);

// Decode the first video stream of a file. Frames come as the decoder makes
// them; only formats that the library does not know are converted. Rotation
// tags are ignored, as the reference evaluation does.
// Returns the number of frames that `func` saw, or -1 with the error. A file
// without a frame is an error.
int64_t decode_file(const char *path, DecodeFunc func, void *user_data,
                    GError **error);
