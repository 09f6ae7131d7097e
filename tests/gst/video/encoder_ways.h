// SPDX-License-Identifier: LGPL-2.1-or-later
//
// encoder_ways.h - the encoders of Debian's plugins and of its ffmpeg, each in
// a container that usually holds what it makes. For check_gst_encoders.c.

#pragma once

#include <stdbool.h>

typedef struct {
    const char *name, *ending; // of the file
    const char *line;          // between frames and file: elements, or options
    bool by_ffmpeg;
    bool endless; // its demuxer never tells the end
    // What the decoder or demuxer does to the picture. Then what it gives is
    // the reference, not what ffmpeg reads.
    const char *decoder;
    int width, height; // 0: those of others
    unsigned n_frames; // 0: that of others
} Way;

extern const Way encoder_ways[]; // up to one without a name
