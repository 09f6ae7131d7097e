// SPDX-License-Identifier: LGPL-2.1-or-later
//
// attempt.h - one try to play a stream: a pipeline with a thread of its own,
// which starts it, reads its bus and ends it. Whatever hangs in a change of
// state hangs that thread only, never the program or another stream.
//
// Functions are called from the main thread, unless they say otherwise.

#pragma once

#include "gst/meta/gstpemeta.h"
#include "pipelines/live/config.h"
#include "pipelines/live/pipeline.h"
#include "pipelines/live/record/packets.h"

typedef struct Attempt Attempt;

typedef enum {
    ATTEMPT_RESULT, // result
    ATTEMPT_LINE,   // text: that result, or an event of it, as JSON
    ATTEMPT_FAULT,  // text: what happened, without secrets
    ATTEMPT_NOTE,   // text: a warning, without secrets
    ATTEMPT_CLOSED, // everything of it is gone; the last event
} AttemptEventType;

typedef struct {
    AttemptEventType type;
    Reason reason;  // of ATTEMPT_FAULT
    FaultKind kind; // of ATTEMPT_FAULT
    char *text;
    GstPeResult *result; // borrowed
    gint64 time;         // monotonic, us
} AttemptEvent;

// Called in the main context.
typedef void (*AttemptFunc)(Attempt *attempt, const AttemptEvent *event,
                            void *user_data);

// Starts. Borrows both; user_data must live until ATTEMPT_CLOSED.
Attempt *attempt_new(const LiveConfig *common, const StreamConfig *config,
                     AttemptFunc func, void *user_data);
void attempt_unref(Attempt *attempt);

// End; ATTEMPT_CLOSED tells when. With drain, what is in flight gets a second
// to come out.
void attempt_stop(Attempt *attempt, bool drain);

// When the pipeline had changed its state, or 0. Monotonic, us.
gint64 attempt_get_prepared(Attempt *attempt);
// When the decoder's last picture came, or 0.
gint64 attempt_get_last_frame(Attempt *attempt);
guint64 attempt_get_n_frames(Attempt *attempt);

// Have the decoder's next picture kept, and take what was kept. Take soon: it
// is one of the decoder's own. Returns, gst_sample_unref(), or NULL.
void attempt_want_picture(Attempt *attempt, PictureUse use);
GstSample *attempt_take_picture(Attempt *attempt, PictureUse use);

// Of what is drawn on pictures, as a share of their height.
void attempt_set_text_size(Attempt *attempt, double share);

// Its last encoded pictures, borrowed; NULL: none are kept.
Packets *attempt_get_packets(Attempt *attempt);

void attempt_set_labels(Attempt *attempt, const char *labels);
// The property `stats` of its peinference. Returns, gst_structure_free().
GstStructure *attempt_get_stats(Attempt *attempt);
