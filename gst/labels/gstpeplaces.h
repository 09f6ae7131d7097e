// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeplaces.h - the regions of a stream whose labels make events, each with
// events of its own: named regions while they are wanted, and objects while
// somebody tracks them. Knows no result and no pad; used by GstPeJudge.

#pragma once

#include "gst/labels/gstpehappenings.h"
#include "gst/labels/regions/gstperegions.h"

// Objects that nobody has ended by then: the least recently seen ends.
#define GST_PE_PLACES_MAX 256

typedef enum {
    GST_PE_PLACE_NONE,  // of which there are no events
    GST_PE_PLACE_WHOLE, // all of the picture
    GST_PE_PLACE_NAMED,
    GST_PE_PLACE_OBJECT,   // by the track of a GstVideoRegionOfInterestMeta
    GST_PE_PLACE_DETECTED, // by that of a GstAnalyticsODMtd
} GstPePlaceKind;

// Which region a clip is of.
typedef struct {
    GstPePlaceKind kind;
    const char *name;  // of a named region; borrowed
    guint64 track;     // of an object
    GstClockTime step; // from clip to clip; 0: not known
} GstPePlaceKey;

typedef struct {
    GstPePlaceKind kind;
    char *name;
    guint64 track;
    GstClockTime step;
    GstClockTime seen; // running time of its last clip's end
    GstPeHappenings happenings;
} GstPePlace;

// One owner.
typedef struct {
    GstElement *element; // borrowed
    guint64 *next_id;    // borrowed
    char *event_state;   // path of the whole picture's history; NULL: none
    GPtrArray *places;   // GstPePlace, the least recently seen first
} GstPePlaces;

//   next_id  of events; see gst_pe_tracker_new()
void gst_pe_places_init(GstPePlaces *places, GstElement *element,
                        guint64 *next_id);
// Nothing may be open.
void gst_pe_places_clear(GstPePlaces *places);
// The history of a named region is in a file of its own beside this one.
void gst_pe_places_start(GstPePlaces *places, const char *event_state);

// Returns it, borrowed; NULL: not known.
GstPePlace *gst_pe_places_find(const GstPePlaces *places,
                               const GstPePlaceKey *key);
// One that is not known begins; it may be told when `like` may be.
GstPePlace *gst_pe_places_add(GstPePlaces *places, const GstPePlaceKey *key,
                              const GstPeHappenings *like);
// Its last clip ended then.
void gst_pe_places_touch(GstPePlaces *places, GstPePlace *place,
                         GstClockTime seen);
// Forget one, of which nothing is open.
void gst_pe_places_remove(GstPePlaces *places, GstPePlace *place, bool wait);

// One whose time is over: a named region that is not among `regions` (NULL:
// none), an object that was not seen for three steps, or the event-merge-gap
// where the step is not known, at a sample that ends at `now`; or the least
// recently seen of too many. Borrowed; NULL: there is none.
GstPePlace *gst_pe_places_find_over(const GstPePlaces *places, GstClockTime now,
                                    GstClockTime merge_gap,
                                    const GstPeRegions *regions);
