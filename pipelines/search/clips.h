// SPDX-License-Identifier: LGPL-2.1-or-later
//
// clips.h - cuts moments out of their files.

#pragma once

#include "moments.h"

typedef struct {
    const char *name;         // of the file, as the archive has it
    gint64 start, end;        // ns
    const gint *is_cancelled; // atomic: give it up; NULL: never
} Clip;

// Write a stretch of a file into a Matroska file. Nothing is decoded: it begins
// with the key frame at or before its start. false with the error; what has
// been written is left.
bool clips_save_one(const char *path, const Clip *clip, GError **error);

// The same of each moment, into a file of its own in the folder, which is made
// if it is not there. false with an error when one of them could not be
// written; the others are.
bool clips_save(const char *folder, const GPtrArray *moments, GError **error);
// "003-gate-12.5.mkv": the place (0: without), the file's name without its
// ending, and s.
// Returns, g_free().
char *clips_make_name(const Clip *clip, guint rank);
