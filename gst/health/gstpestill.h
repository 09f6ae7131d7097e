// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpestill.h - whether a camera's picture is frozen. Two witnesses: nothing
// changes at all; or every picture is one of shortly before, in a stream that
// always had new ones. Knows nothing about other states.

#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gst/health/gstpeluma.h"

typedef struct {
    uint64_t frozen_after; // ns
    double still_share;    // of the cells, 0 to 1; 0: only the first witness
} GstPeStillParams;

// One picture.
typedef struct {
    const uint8_t *samples; // [GST_PE_SAMPLES], borrowed
    uint64_t time;          // ns, not before the last one
    uint64_t elapsed;       // ns that it speaks for, of those since the last
    double mean;            // of the luma, levels
} GstPeStillLook;

typedef struct GstPeStill GstPeStill; // one owner

GstPeStill *gst_pe_still_new(void);
void gst_pe_still_free(GstPeStill *still);

// Time does not go on from the last picture: all begins anew.
void gst_pe_still_restart(GstPeStill *still);

// Is the picture frozen, as far as this one and those before it tell? Time
// that no picture speaks for makes none frozen, and ends nothing.
//   since  gets when it may have begun
bool gst_pe_still_push(GstPeStill *still, const GstPeStillParams *params,
                       const GstPeStillLook *look, uint64_t *since);
