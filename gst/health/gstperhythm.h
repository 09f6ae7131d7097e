// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperhythm.h - what goes up and down in a camera's pictures, over and over:
// the light (flicker), or the sharpness (a focus that hunts). Knows nothing
// about pixels, and nothing that happens once.

#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gst/health/gstpeluma.h"

typedef struct {
    double flicker_above; // share of the light, below 1; 0: not watched
    double hunting_above; // share of the sharpness, below 1; 0: not watched
} GstPeRhythmParams;

// ns; of those pictures that are still kept.
typedef struct {
    uint64_t since; // the first move of them begins
    uint64_t until; // and the last one has come to its end
} GstPeRhythmSpan;

typedef struct GstPeRhythm GstPeRhythm; // the last seconds; one owner

GstPeRhythm *gst_pe_rhythm_new(void);
void gst_pe_rhythm_free(GstPeRhythm *rhythm);

// Time does not go on from the last picture: all begins anew.
void gst_pe_rhythm_restart(GstPeRhythm *rhythm);

// The next picture. One that is not later than the last is left out.
//   time  ns
void gst_pe_rhythm_add(GstPeRhythm *rhythm, uint64_t time,
                       const GstPeCells *cells);

// Does the focus hunt, as far as the pictures up to now tell? `span` gets from
// when to when, if so.
bool gst_pe_rhythm_hunts(GstPeRhythm *rhythm, const GstPeRhythmParams *params,
                         GstPeRhythmSpan *span);

// Likewise: does the light flicker? It does not while the focus hunts, which is
// to be asked before.
bool gst_pe_rhythm_flickers(GstPeRhythm *rhythm,
                            const GstPeRhythmParams *params,
                            GstPeRhythmSpan *span);
