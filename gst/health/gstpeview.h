// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeview.h - the usual view of a camera, and whether pictures show another
// one. Knows nothing about pixels.

#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gst/health/gstpeluma.h"

typedef struct {
    uint64_t moved_after; // ns at another place
    double moved_below;   // correlation, above -1 and below 1
    uint64_t learn;       // ns
} GstPeViewParams;

// One picture.
typedef struct {
    const float *gradients; // [GST_PE_THUMBNAIL_GRADIENTS], borrowed
    const float *embedding; // [dim], unit, borrowed, or NULL
    int dim;
    uint64_t time;    // ns
    uint64_t elapsed; // ns that it speaks for
} GstPeLook;

// How it compares with the usual view. NaN: cannot be said.
typedef struct {
    double structure; // correlation of the gradients
    double drift;     // 1 - cosine of the embeddings
} GstPeLikeness;

typedef struct GstPeView GstPeView; // one owner

GstPeView *gst_pe_view_new(void);
void gst_pe_view_free(GstPeView *view);

// Time does not go on from the last picture. What is usual stays so.
void gst_pe_view_restart(GstPeView *view);

// Has the camera been moved, as far as this picture and those before it tell?
// It has when pictures that are alike each other and unlike the usual view have
// come for moved_after. When they have for `learn` longer, theirs is the usual
// view. A picture that shows nothing changes nothing.
bool gst_pe_view_push(GstPeView *view, const GstPeViewParams *params,
                      const GstPeLook *look, GstPeLikeness *likeness);

// The time of the first of the pictures by which it has been moved.
uint64_t gst_pe_view_get_since(const GstPeView *view);
