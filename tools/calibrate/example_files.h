// SPDX-License-Identifier: LGPL-2.1-or-later
//
// example_files.h - the files that show a label or do not, as the user names
// them, and their vectors. Knows no label.

#pragma once

#include "core/pe.h"

#include "tools/eval/dataset.h"

typedef struct {
    EvalItem item; // class_index 1: shows the label; problem: cannot be read
    uint64_t time; // ns: the clip around it; PE_TIME_NONE: all of the file
} ExampleFile;

// Pictures and videos, folders of them, and moments of videos ("a.mp4@12.5", or
// "a.mp4@1:02:03.5").
//   positives, negatives  NULL-terminated, or NULL
// Returns ExampleFile *, g_ptr_array_unref(). NULL with the error when a folder
// cannot be read, or two examples are the same or share frames: then one would
// be measured with the other.
GPtrArray *example_files_list(char **positives, char **negatives,
                              GError **error);

// Embed all: a picture, `n_frames` frames of a video, or the clip around a time
// as peinference would make it. What cannot be read gets a problem, which is
// printed.
//   vectors  [files, dim], unit; zero for a file with a problem
// false with the error when the engine failed.
bool example_files_embed(GPtrArray *files, PeEngine *engine, int n_frames,
                         float *vectors, GError **error);
