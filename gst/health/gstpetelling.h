// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetelling.h - what pehealth tells of an event: a message, and downstream a
// result without frames. Knows no picture.

#pragma once

#include "core/pe.h"
#include "gst/events/gstpetimeline.h"
#include "gst/meta/gstpemeta.h"
#include "gst/result/gstpesource.h"
#include "gst/video/gstpetimes.h"

#include <stdbool.h>

// Streaming thread only, or while there is none.
typedef struct {
    GstElement *element; // borrowed
    GstPeSource source;
    GstPeTimeline stream_times, wall_times;
    guint64 sequence; // of the next result
    GQueue waiting;   // GstPeResult, that cannot pass before a segment
    bool in_segment;
} GstPeTelling;

void gst_pe_telling_init(GstPeTelling *telling, GstElement *element);
// Forgets everything.
void gst_pe_telling_clear(GstPeTelling *telling);

// Where the picture is in time, of which events will speak.
void gst_pe_telling_add_times(GstPeTelling *telling, const GstPeTimes *times);

// Something has passed downstream.
void gst_pe_telling_passed(GstPeTelling *telling, GstEvent *event);

// Tell the events.
//   source_id  what the user calls the camera; NULL or "": nothing
//   since      [n] when each may have begun, running time
//   reason     why they are told, when there is no picture
void gst_pe_telling_tell(GstPeTelling *telling, const char *source_id,
                         const PeEvent *told, const guint64 *since, int n,
                         GstPeReason reason);
