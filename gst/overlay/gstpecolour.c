// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpecolour.c - see gstpecolour.h.

#include "gst/overlay/gstpecolour.h"

static const GstPeColour low = {.45, .53, .68, 1};
static const GstPeColour middle = {.20, .74, .62, 1};
static const GstPeColour high = {1, .85, .20, 1};

static GstPeColour
mix(const GstPeColour *a, const GstPeColour *b, double share)
{
    return (GstPeColour){a->red + share * (b->red - a->red),
                         a->green + share * (b->green - a->green),
                         a->blue + share * (b->blue - a->blue), 1};
}

GstPeColour
gst_pe_colour_of_score(int percent)
{
    if (percent < 0)
        return GST_PE_COLOUR_TEXT;
    return percent < 50 ? mix(&low, &middle, percent / 50.0)
                        : mix(&middle, &high, (percent - 50) / 50.0);
}
