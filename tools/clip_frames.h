// SPDX-License-Identifier: LGPL-2.1-or-later
//
// clip_frames.h - the frames of a video that stand for all of it, as the
// reference's evaluation chooses them. Shared by the programs.

#pragma once

#include "core/pe.h"

// Decode the file twice, to count its frames exactly, and call `func` for n of
// them, evenly spaced with the first and the last among them, in order; a video
// with fewer frames repeats some.
//   n_decoded  gets how many frames the file has; may be NULL
// Returns the numbers (gint64) of the n frames, g_array_unref(). NULL with an
// error that names the file, or that `func` has set.
GArray *clip_frames_read(const char *path, int n, PePictureFunc func,
                         void *user_data, int64_t *n_decoded, GError **error);
