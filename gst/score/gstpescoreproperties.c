// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpescoreproperties.c - the properties of pescore that peinference does not
// have, or has otherwise. Those of labels, results and events are in
// gstpelabelproperties.c.

#include "gst/score/gstpescoreproperties.h"

#include "gst/labels/gstpelabelenums.h"
#include "gst/labels/gstpelabelproperties.h"

#define READY (G_PARAM_READWRITE | GST_PARAM_MUTABLE_READY)
#define PLAYING (G_PARAM_READWRITE | GST_PARAM_MUTABLE_PLAYING)

#define AT(member) .offset = offsetof(GstPeScore, member)
#define STRING GST_PE_PROPERTY_STRING

static const GstPeProperty rows[] = {
    // ---- The model --------------------------------------------------------
    {"model", STRING, READY, AT(engine_settings.path),
     .blurb = "Perception Encoder checkpoint whose text tower embeds the "
              "labels; it must be that of the embeddings. Empty: that of the "
              "nearest peinference upstream, else the demo model"},
    {"vocab", STRING, READY, .elsewhere = 1 + GST_PE_LABELS_VOCAB,
     .blurb = "Vocabulary of the text tower, as in peinference. Empty: found "
              "beside the model or in the data folders"},
    {"device", STRING, READY, AT(engine_settings.device),
     .blurb = "Where to compute the labels: auto, cpu, cuda or cuda:N. Empty: "
              "as the nearest peinference upstream, else auto"},
    {"precision", GST_PE_PROPERTY_ENUM, READY, AT(engine_settings.precision),
     .enum_type = gst_pe_precision_get_type, .init = PE_PRECISION_AUTO,
     .blurb = "Number format of weights and computation. auto: as the nearest "
              "peinference upstream, with which the weights are shared then"},

    // ---- What is scored ---------------------------------------------------
    {"element", STRING, PLAYING, AT(of_element),
     .blurb = "Name of the element upstream whose results are scored. Example: "
              "peinference0. Empty: of every peinference"},
    {"clip-length", GST_PE_PROPERTY_INT, PLAYING, AT(clip_length), .min = 1,
     .max = 1024, .init = 1,
     .blurb = "Embedded frames that make a clip, of those that a peinference "
              "with clip-length=1 upstream embeds. 1: its results are scored "
              "as they are"},
    {"clip-stride", GST_PE_PROPERTY_INT, PLAYING, AT(clip_stride),
     .max = G_MAXINT,
     .blurb = "Embedded frames from the start of a clip to the start of the "
              "next. 0: clip-length, so that clips follow each other; 1: a "
              "sliding window with a result for each embedded frame"},
    {"window", STRING, PLAYING, AT(window),
     .blurb = "Instead of clip-length: the length of time whose embedded "
              "frames make a clip, from 10ms to 24h. Examples: 10s, 500ms, "
              "2min. Empty: by clip-length"},
    {"window-stride", STRING, PLAYING, AT(window_stride),
     .blurb = "Time from the start of a window to the start of the next. "
              "Example: 2s. Results do not come more often than embedded "
              "frames. Empty: window, so that windows follow each other"},
    {"window-name", STRING, PLAYING, AT(window_name),
     .blurb = "What results call this window. Empty: what window says, such as "
              "10s, or 8-frames for clip-length=8"},
    {"event-state", STRING, READY, AT(event_state),
     .blurb = "File that keeps the history for alarms-per-day across "
              "restarts, as in peinference; a file for each camera and "
              "element. Empty: the history is lost at the end"},
};

static GstPePropertyTable table;

static GstPeKept
get_kept(GObject *object)
{
    GstPeScore *self = GST_PE_SCORE(object);

    g_mutex_lock(&self->lock);
    bool started = self->started;
    g_mutex_unlock(&self->lock);
    return (GstPeKept){self, &self->lock, &self->labels, started};
}

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    gst_pe_property_table_set(&table, object, id, value);
    g_atomic_int_set(&GST_PE_SCORE(object)->changed, 1);
}

static void
get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    gst_pe_property_table_get(&table, object, id, value);
}

void
gst_pe_score_properties_init(GstPeScore *self)
{
    gst_pe_property_table_init(&table, G_OBJECT(self));
}

void
gst_pe_score_properties_install(GObjectClass *klass)
{
    klass->set_property = set_property;
    klass->get_property = get_property;
    table = (GstPePropertyTable){
        .own = rows,
        .n_own = G_N_ELEMENTS(rows),
        .judge = offsetof(GstPeScore, judge_settings),
        .get_kept = get_kept,
    };
    gst_pe_property_table_install(&table, klass);
}
