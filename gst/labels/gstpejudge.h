// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpejudge.h - what an element says of clips that have been embedded: how
// well its labels fit, the events of these, the results that tell both, and the
// messages and GStreamer events that carry results. Used by the thread that
// sends results, or while there is none.

#pragma once

#include "gst/labels/gstpehappenings.h"
#include "gst/labels/gstpeplaces.h"
#include "gst/result/gstpeanalytics.h"

#include <stdbool.h>

// As the properties say; values only.
typedef struct {
    guint top_k;
    double threshold; // of the score
    double probability_threshold;
    double similarity_threshold;
    bool attach_embedding;
    bool attach_boxes; // these two: see GstPeAnalyticsWish
    bool attach_tensor;
    bool post_messages;
    GstPeEventSettings events;
} GstPeJudgeSettings;

typedef struct {
    GstElement *element;        // borrowed
    GstPad *srcpad;             // borrowed
    const char *name;           // of its messages, static
    PeEngine *engine;           // borrowed, while started
    guint64 sequence;           // of the next result
    guint64 next_event;         // its id
    GstPeHappenings happenings; // of whole frames
    GstPePlaces places;         // of regions
    bool told_missing;          // that a part of the wish cannot be fulfilled
} GstPeJudge;

// `name`: static, "peinference".
void gst_pe_judge_init(GstPeJudge *judge, GstElement *element, GstPad *srcpad,
                       const char *name);
void gst_pe_judge_clear(GstPeJudge *judge);

// Results are numbered from 0 again. Borrows the engine until it is stopped;
// `event_state` is the path of the history of events, or NULL.
void gst_pe_judge_start(GstPeJudge *judge, PeEngine *engine,
                        const char *event_state);
// What is still open ends, and is told by messages alone.
void gst_pe_judge_stop(GstPeJudge *judge);

// The result of the clip that *finding describes but for labels and whose it
// is. Returns a reference.
//   labels    NULL: none
//   key  whose events its scores make
GstPeResult *gst_pe_judge_clip(GstPeJudge *judge,
                               const GstPeJudgeSettings *settings,
                               PeLabels *labels, const GstPePlaceKey *key,
                               GstPeFinding *finding);
// All clips of a sample have been judged, whose last frame ended at running
// time `now`. The events of regions that are gone end; `regions` are the named
// ones that are wanted (NULL: none).
void gst_pe_judge_sampled(GstPeJudge *judge, const GstPeJudgeSettings *settings,
                          GstClockTime now, const GstPeRegions *regions);

// What GStreamer's own metadata is to tell of results on the frames of the
// source pad.
GstPeAnalyticsWish gst_pe_judge_get_wish(const GstPeJudge *judge,
                                         const GstPeJudgeSettings *settings);

// Post the message about a result whose last frame was then.
void gst_pe_judge_announce(GstPeJudge *judge, const GstPeResult *result,
                           const GstPeTimes *last);
// It as an event, which has a place in time like a frame. Returns a reference.
GstEvent *gst_pe_judge_new_event(GstPeResult *result, const GstPeTimes *last);
// Send that downstream.
void gst_pe_judge_send(GstPeJudge *judge, GstPeResult *result,
                       const GstPeTimes *last);

// The stream was flushed; an event is about to be sent; it has been sent.
void gst_pe_judge_flushed(GstPeJudge *judge);
void gst_pe_judge_before_event(GstPeJudge *judge, GstEventType type);
void gst_pe_judge_after_event(GstPeJudge *judge, GstEventType type);
