// SPDX-License-Identifier: LGPL-2.1-or-later
//
// recording.h - encoded pictures of one stream into one MP4 file, as they are.
// The file is in fragments, so that it plays although the program was killed. A
// thread of its own waits for the disk.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

typedef struct Recording Recording;

typedef struct {
    // Where to write: a path, g_free(), or NULL and `error`.
    char *(*prepare)(void *user_data, GError **error);
    // path is NULL when there is none; notes are those of
    // recording_set_notes(), or NULL; error is NULL when the file is complete.
    // The last call; takes user_data.
    void (*done)(const char *path, const char *notes, const GError *error,
                 void *user_data);
    void *user_data;
} RecordingFuncs;

// Both functions are called from the recording's thread. Returns a reference.
Recording *recording_new(const RecordingFuncs *funcs);
void recording_unref(Recording *recording);
// Write what has been added, and what will be.
void recording_start(Recording *recording);

// A PacketFunc: borrows the caps and the picture, of which the first is a key
// frame. Those after the end, and of other caps, are left out.
void recording_add(GstCaps *caps, GstBuffer *picture, gint64 time,
                   void *recording);
// UNIX time, us; until then, G_MAXINT64.
void recording_set_end(Recording *recording, gint64 end);
// UNIX time of the first and of the last picture so far, us. false: there is
// none.
bool recording_get_times(Recording *recording, gint64 *first, gint64 *last);
// What is to be written beside it, once it is over. Takes the text.
void recording_set_notes(Recording *recording, char *notes);
// No more will come. The file is complete within ten seconds, or is given up.
void recording_finish(Recording *recording);
// Nothing is written any more.
bool recording_is_over(Recording *recording);
