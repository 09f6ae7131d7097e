// SPDX-License-Identifier: LGPL-2.1-or-later
//
// moments.h - what streams showed in the last hour: for each clip its vector,
// its time and a small picture. Bounded in bytes over all streams; the oldest
// go first. Knows no pipeline. Any thread.

#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Moments Moments;

// limit  bytes of vectors and pictures
Moments *moments_new(guint64 limit);
void moments_free(Moments *moments);

// vector      [dim] of unit length, borrowed; `dim` is the same in every call
// start, end  UNIX time, us
// Returns the number by which the moment is found, from 1 on.
guint64 moments_add(Moments *moments, const char *stream, gint64 start,
                    gint64 end, const float *vector, int dim);
// Takes jpeg. Does nothing when the moment is gone.
void moments_set_picture(Moments *moments, guint64 number, GBytes *jpeg);
// Returns a reference, or NULL: there is none.
GBytes *moments_get_picture(Moments *moments, guint64 number);

typedef struct {
    guint64 number;
    char *stream;
    gint64 start, end; // UNIX time, us
    float similarity;
    bool has_picture;
} FoundMoment;

// The nearest moments, best first.
//   query   [dim] of unit length
//   stream  only of this one; NULL: of all
// Returns FoundMoment, g_array_unref().
GArray *moments_search(Moments *moments, const float *query, int dim,
                       const char *stream, int top);

typedef struct {
    guint64 n, bytes, limit;
    gint64 oldest; // UNIX time, us; 0: there are none
} MomentsUse;

MomentsUse moments_get_use(Moments *moments);
