// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tagger.h - brings files into an archive: several at a time, each once.

#pragma once

#include "pipelines/index/archive.h"
#include "sources.h"
#include "video/video.h"
#include "wall.h"

typedef struct {
    Archive *archive;
    VideoSettings video;
    char *settings;             // those of the video, as contents have them
    const PeLabels *labels;     // NULL: none
    const WallPattern *pattern; // NULL: none
    int n_jobs;                 // files at a time
    bool again;                 // also what has been tagged
    int *is_stopping;           // not 0: begin no more files
} TaggerSettings;

// What became of a source.
typedef enum {
    TAGGED,  // decoded
    KNOWN,   // has been tagged before and has not changed
    LINKED,  // has the bytes of a file that has been tagged
    BROKEN,  // nothing of it could be decoded
    PARTIAL, // not all of it
} TaggerStatus;

const char *tagger_status_nick(TaggerStatus status);

typedef struct {
    guint n_sources, n_done; // files
    guint n[PARTIAL + 1];    // of each status
    gint64 bytes, bytes_done;
    gint64 n_frames; // stored
    double media;    // seconds of video that have been decoded
    double wall;     // seconds since the start
} TaggerProgress;

// Called on the thread that called tagger_run(), when a file is done (with
// both), and a few times a second (with neither).
typedef void (*TaggerFunc)(const TaggerProgress *progress, TaggerStatus status,
                           const ArchiveFile *file,
                           const ArchiveContent *content, void *user_data);

// Tag the sources (Source). false with the error when the archive cannot be
// written or the device has failed; files that are done are in it, the others
// are not. Stopped on request is no failure.
bool tagger_run(const TaggerSettings *settings, const GPtrArray *sources,
                TaggerProgress *progress, TaggerFunc func, void *user_data,
                GError **error);
