// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpecolour.h - the colours of what is drawn.

#pragma once

typedef struct {
    double red, green, blue, alpha;
} GstPeColour;

// So dark that white text on it has a contrast above 4.5 on a white picture
// (WCAG 2.1, 1.4.3).
#define GST_PE_COLOUR_GROUND ((GstPeColour){.04, .05, .07, .72})
#define GST_PE_COLOUR_TEXT ((GstPeColour){1, 1, 1, 1})
#define GST_PE_COLOUR_DIM ((GstPeColour){.78, .81, .86, 1})
#define GST_PE_COLOUR_TROUGH ((GstPeColour){1, 1, 1, .22})
#define GST_PE_COLOUR_OUTLINE ((GstPeColour){0, 0, 0, .8})
#define GST_PE_COLOUR_ALARM ((GstPeColour){.66, .07, .10, .9})

// From grey blue by green to yellow, each brighter than the one before, so that
// it is told by who sees no colours. Negative: white.
GstPeColour gst_pe_colour_of_score(int percent);
