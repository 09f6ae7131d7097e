// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpereuse.h - regions that need not be embedded again: objects that were
// embedded a few frames ago, by their track, and named regions in which nothing
// has changed. Their embedding counts once more. Any thread; it has a lock.

#pragma once

#include "gst/inference/regions/gstpeparts.h"

#define GST_PE_REUSE_MAX_TRACKS 1024 // the least recently seen go first

typedef struct _GstPeReuse GstPeReuse;

GstPeReuse *gst_pe_reuse_new(void);
void gst_pe_reuse_free(GstPeReuse *reuse);
// Nothing counts any more, as when another stream begins.
void gst_pe_reuse_reset(GstPeReuse *reuse);

// The next frame, whose pixels are in `map` (NULL: out of reach, and then every
// named region counts as changed): fills the tickets of those parts that need
// not be embedded again. How the frame is embedded otherwise is in `frame`.
// `interval`: an object is embedded in every Nth sampled frame; 0: in each.
// Returns how many tickets were filled.
guint gst_pe_reuse_fill(GstPeReuse *reuse, GstPeParts *parts,
                        const GstVideoFrame *map, const PeFrame *frame,
                        guint interval);
// The other parts have been submitted, and their tickets filled.
void gst_pe_reuse_keep(GstPeReuse *reuse, GstPeParts *parts, guint interval);
