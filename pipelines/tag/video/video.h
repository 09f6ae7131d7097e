// SPDX-License-Identifier: LGPL-2.1-or-later
//
// video.h - what is in one video: decoded and embedded by a pipeline of its own
// to its end, or as far as it goes.

#pragma once

#include "pipelines/index/archive.h"

typedef struct {
    int rate_n, rate_d;  // samples per second
    bool keyframes_only; // decode key frames alone; each is a sample
    bool decode_all;     // also frames that nothing needs
    float dedup;         // see collector_new()
    float shot;          // see collector_finish()
    int patience;        // s without a frame and without a byte read
    bool with_pictures;
    int dim;
    int *is_cancelled; // not 0: give up at once; set by any thread
    int *n_decoded_ms; // of video, by all threads together; is added to
} VideoSettings;

typedef struct {
    ArchiveContent *content; // its problem says why it is not whole
    uint16_t *vectors;       // [n_frames, dim]
    gint64 created;          // ns since 1970, by the container; -1: not known
} Video;

// Read a video. The engine is that of program_options.
//   uri    may have secrets; messages do not
//   shown  what the video is called
// Never fails for what is wrong with the video. false when the device failed,
// with its error, or when it was cancelled, with PE_ERROR_CANCELLED. Any
// thread.
bool video_read(Video *video, const char *uri, const char *shown,
                const VideoSettings *settings, GError **error);
void video_clear(Video *video);

// "reason: detail", as contents have it.
void video_set_problem(ArchiveContent *content, gint64 position,
                       const char *reason, const char *detail);
