// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpefinding.h - what an element knows when a clip has been embedded, and the
// result that is made of it.

#pragma once

#include "core/pe.h"
#include "gst/meta/gstpemeta.h"
#include "gst/video/gstpetimes.h"

// What the labels of a set are to a clip, which is compared with them once, for
// its result and for events. Zeros: it was not compared.
typedef struct {
    PeScore *found; // [n_found] that are reported, best first
    guint n_found;
    PeVerdict verdict;
    float *evidence; // [n_labels]
} GstPeScores;

//   labels     NULL: none, and *scores becomes zeros
//   embedding  [dim], unit, borrowed; so are the labels, until scores are
//              cleared
void gst_pe_scores_init(GstPeScores *scores, const PeLabels *labels,
                        const float *embedding, const PeScoreParams *params);
void gst_pe_scores_clear(GstPeScores *scores);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GstPeScores, gst_pe_scores_clear)

// Everything is borrowed.
typedef struct {
    // Whose.
    const char *source; // see gstpesource.h; may be NULL
    const char *stream_id;
    const char *element; // its name
    guint64 sequence;

    // The clip.
    GstPeTimes first; // frame
    GstPeTimes last;
    guint n_frames; // samples that were embedded; 0: there is no clip, only
                    // events
    GstPeReason reason;
    const GstPeRegion *region;   // NULL: the whole picture
    const char *window;          // its name, or NULL
    const float *embedding;      // [dim] of the engine, unit length
    double norm;                 // its length before; 0: not known
    guint64 stretch, sample;     // of the element; 0: no samples of its own
    const GstPeResult *computed; // that tells what computed the embedding;
                                 // NULL: the engine

    // How it is judged.
    PeEngine *engine;
    PeLabels *labels;          // NULL: not at all
    const GstPeScores *scores; // by these labels; NULL: not compared
    const double *p_values;    // [n_found] of the scores; NULL: not known
    gboolean attach_embedding;

    // What it makes known.
    const GstPeLabelEvent *events; // [n_events]
    guint n_events;
} GstPeFinding;

// Returns a reference.
GstPeResult *gst_pe_finding_to_result(const GstPeFinding *finding);
