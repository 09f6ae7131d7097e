// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeparts.h - what of one sampled frame is embedded: all of it, named
// regions, and objects that a detector found. Made by the streaming thread of
// the sink pad; who embeds them and who makes results of them have references.

#pragma once

#include "gst/inference/flow/gstpeticket.h"
#include "gst/labels/regions/gstperegions.h"
#include "gst/meta/gstpemeta.h"

#include <gst/video/video.h>

#define GST_PE_PARTS_MAX_OBJECTS 64 // of a frame

typedef enum {
    GST_PE_PART_NAMED,    // `index` is that of the named region
    GST_PE_PART_OBJECT,   // of a GstVideoRegionOfInterestMeta
    GST_PE_PART_DETECTED, // of a GstAnalyticsODMtd, whose id is the region's
} GstPePartKind;

typedef struct {
    GstPePartKind kind;
    guint index;
    GstPeRegion region; // its rectangle is inside the frame; name: borrowed
                        // from `names` or from the named regions
    GstPeTicket *ticket;
} GstPePart;

// Immutable, but for its tickets, once it is shared.
typedef struct {
    GstPeTicket *whole;    // of all of the frame; NULL: not wanted
    GArray *parts;         // GstPePart
    GstPeRegions *regions; // that the named ones are of; NULL: none
    bool objects;          // whether objects were looked for
} GstPeParts;

// What is looked for.
typedef struct {
    bool whole;
    bool objects;
    const char *object_class; // "person|car"; NULL or "": any
    guint min_size;           // of an object's shorter side, pixels
    GstPeRegions *regions;    // borrowed; NULL: none
    uint64_t sample;          // counts since `regions` are in use
    uint32_t owed;            // bit n: named region n missed its turn
} GstPeSought;

// What was found and is not in the parts.
typedef struct {
    guint n_outside; // nothing of it lies inside the picture
    uint32_t named;  // bit n: named region n is one of these
    PeRect picture;  // pixels of the frame; empty when nothing was sought
    guint n_small;   // objects below the least size
    guint n_over;    // objects behind the first GST_PE_PARTS_MAX_OBJECTS
} GstPeLeftOut;

// Look at the metadata of a frame; `info` is of its caps. Returns a reference.
GstPeParts *gst_pe_parts_find(GstBuffer *buffer, const GstVideoInfo *info,
                              const GstPeSought *sought,
                              GstPeLeftOut *left_out);
GstPeParts *gst_pe_parts_ref(GstPeParts *parts);
void gst_pe_parts_unref(GstPeParts *parts);

// Tickets: of the whole frame and of each part.
guint gst_pe_parts_count(const GstPeParts *parts);
// Borrowed.
GstPeTicket *gst_pe_parts_get(const GstPeParts *parts, guint index);
// All of them are cancelled.
bool gst_pe_parts_are_cancelled(const GstPeParts *parts);
// None of them will be embedded; those that have a job keep it.
void gst_pe_parts_drop(GstPeParts *parts);
void gst_pe_parts_cancel(GstPeParts *parts);
