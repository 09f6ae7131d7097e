// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reader.h - what video.c and messages.c share of a video that is being read.

#pragma once

#include <gst/gst.h>

#include "taps.h"
#include "video.h"

// Counters may be read at any time.
typedef struct {
    const char *uri, *shown;
    const VideoSettings *settings;
    ArchiveContent *content;
    GstElement *pipeline, *inference;
    Taps taps;
    guint64 furthest; // byte; of the thread that reads
    int n_reads;      // of bytes that had not been read before
    int n_videos;     // streams without a decoder: of pictures,
    int n_sounds;     // of sound,
    int n_encrypted;  // encrypted,
    int n_others;     // and of other kinds
    int n_keys;       // key frames for the decoder, when it gets no others
    gint64 created;
    GError *failure; // of the device
    GError *cause;   // of the end: the first error,
    char *detail;    // and what the element said
    bool ended;
    bool is_broken; // and has not come to its end
    bool is_silent; // nothing reads any more, and no error came
} Reader;

// The first problem explains the others, which are not kept.
void reader_set_problem(Reader *reader, const char *reason, const char *detail);

// An end, an error, a warning or tags; of the thread that runs the pipeline.
void reader_take_message(Reader *reader, GstMessage *message);

// Set the problem of a video that is broken, when all its messages are there:
// the streams that it has may become known after the error.
void reader_explain(Reader *reader);
