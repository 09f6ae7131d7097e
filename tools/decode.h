// SPDX-License-Identifier: LGPL-2.1-or-later
//
// decode.h - the frames of a video file, by GStreamer.
// Shared by the programs.

#pragma once

#include "core/pe.h"

// Called with every decoded frame in order, counted from 0; borrows the frame.
// Return false to stop decoding (with `error` set if that is a failure).
typedef bool (*DecodeFunc)(const PeFrame *frame, int64_t index, void *user_data,
                           GError **error);

// The same with the time of the frame in its file, by the file's own clock: the
// timestamp is from its beginning, also after a seek.
typedef bool (*DecodeMomentFunc)(const PeFrame *frame, const PeMoment *moment,
                                 void *user_data, GError **error);

// Decode the first video stream of a file. Frames come as the decoder makes
// them; only formats that the library does not know are converted. Their
// orientation is that of the file's tags.
// Returns the number of frames that `func` saw, or -1 with the error. A file
// without a frame is an error, and so is one of which neither a frame nor
// another byte comes for 10 seconds.
int64_t decode_file(const char *path, DecodeFunc func, void *user_data,
                    GError **error);

// decode_file() from a time on, in ns, where the file can be sought; where it
// cannot, from its beginning. Frames that end before `from` are not given.
int64_t decode_file_from(const char *path, uint64_t from, DecodeMomentFunc func,
                         void *user_data, GError **error);
