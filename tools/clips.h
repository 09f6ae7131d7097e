// SPDX-License-Identifier: LGPL-2.1-or-later
//
// clips.h - the clips of a video with their embeddings, as peinference makes
// them with its default properties, and pictures as clips of one frame. Knows
// no label. Shared by the programs.

#pragma once

#include "core/pe.h"

// The defaults of peinference: eight samples, two for each second.
#define CLIP_LENGTH 8
#define CLIP_RATE 2
#define CLIP_SECONDS (CLIP_LENGTH / CLIP_RATE)

// One user of the engine that reads one file at a time.
typedef struct ClipReader ClipReader;
ClipReader *clip_reader_new(PeEngine *engine);
void clip_reader_free(ClipReader *reader);

typedef struct {
    const float *embedding; // [dim], unit; borrowed
    uint64_t start, end;    // ns, by the file's clock
    int n_samples;          // fewer than CLIP_LENGTH where the video ended
} Clip;

// Return false to stop (with `error` set if that is a failure).
typedef bool (*ClipFunc)(const Clip *clip, void *user_data, GError **error);

// Decode a video and call `func` for each of its clips, in order. The last one
// may be partial.
//   from  ns by the file's clock: the first clip begins here
// false with an error that names the file, also when there is no frame from
// `from` on, or that `func` has set.
bool clip_reader_read_video(ClipReader *reader, const char *path, uint64_t from,
                            ClipFunc func, void *user_data, GError **error);

// Decode a picture.
//   embedding  [dim], unit
// false with an error that names the file.
bool clip_reader_read_picture(ClipReader *reader, const char *path,
                              float *embedding, GError **error);
