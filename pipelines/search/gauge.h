// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gauge.h - what a part of a query is measured by, so that parts, models and
// archives can be compared: by how much a frame is more like it than what is
// not in the archive usually is (see null.h), and, for a text, whether everyday
// texts say better what is in the frame.

#pragma once

#include "null.h"

// Score from which on something is there.
#define GAUGE_LIMIT NULL_LIMIT

typedef struct {
    Null null;
    float *rivals; // [n_rivals, row_dim] unit vectors of texts that mean
                   // something else than the query
    int n_rivals;  // 0: none, as for a picture
    double scale;  // of the model's softmax over texts
} Gauge;

// Of a text of a query, whose null is given.
//   texts  [NULL_N_RIVALS, row_dim] of null_embed_texts()
//   query  all its parts have vectors; what says the same as one of them is no
//          rival
//   scale  of the model
// Ends with gauge_clear().
void gauge_init_text(Gauge *gauge, const Null *null, const float *texts,
                     const Query *query, int row_dim, double scale);
// Of a picture, or of a frame. Needs no gauge_clear().
void gauge_init_picture(Gauge *gauge, const Null *null);
void gauge_clear(Gauge *gauge);

// What one frame is for a part.
typedef struct {
    float cosine;
    double sigmas; // above the null
    double odds;   // ln(p / (1 - p)), where p is the share of the part in a
                 // softmax over it and its rivals; NAN: there are none, or the
                 // sigmas are so few that they decide by themselves
    double score; // from GAUGE_LIMIT on it is there
} Measure;

//   query, frame  [row_dim] unit vectors
Measure gauge_measure(const Gauge *gauge, const float *query,
                      const float *frame, int row_dim);
