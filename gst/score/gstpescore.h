// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpescore.h - the instance of pescore.

#pragma once

#include "gst/engine/gstpeloader.h"
#include "gst/labels/gstpejudge.h"
#include "gst/labels/gstpelabelsource.h"
#include "gst/score/gstpeseries.h"

G_BEGIN_DECLS

#define GST_TYPE_PE_SCORE (gst_pe_score_get_type())
G_DECLARE_FINAL_TYPE(GstPeScore, gst_pe_score, GST, PE_SCORE, GstElement)
GST_ELEMENT_REGISTER_DECLARE(pescore);

struct _GstPeScore {
    GstElement parent;
    GstPad *sinkpad;
    GstPad *srcpad;

    // Each has a lock of its own.
    GstPeLabelSource labels;
    GstPeFailure failure;

    GstPeLoader *loader; // of whoever changes the state

    GMutex lock; // of all below
    GstPeEngineSettings engine_settings;
    GstPeJudgeSettings judge_settings;
    int clip_length;
    int clip_stride;
    char *window;        // "10s"; NULL or "": by clip_length
    char *window_stride; // NULL or "": window
    char *window_name;   // NULL or "": made of the above
    char *of_element;    // whose results are scored; NULL or "": any
    char *event_state;   // file of the history of events; may be NULL
    bool started;
    int changed; // atomic: since windows were last configured

    // Of the thread that streams, or while there is none.
    PeEngine *engine; // a reference, while started
    GstPeJudge judge;
    GstPeSeries *series;
    GstSegment segment;
    GstPeJudgeSettings settings; // of what is being handled
    char *name;                  // of the windows in use; NULL: none
    char *wanted;                // copy of of_element
    bool on_frames;              // new samples come on frames, in their place
    bool in_frame;               // what is taken is on one
    bool jumped;                 // and those before a jump may still come
    guint64 stretch;             // of the last sample
    GPtrArray *before;           // GstEvent *, to be sent before the frame
    GPtrArray *behind;           // and behind it
    bool told_empty;             // that there are no embeddings
    bool told_clips;             // that these are no samples
    bool told_untimed;           // that there are no timestamps
    GHashTable *told_models;     // fingerprints of others
};

G_END_DECLS
