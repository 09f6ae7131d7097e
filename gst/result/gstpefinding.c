// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpefinding.c - see gstpefinding.h.

#include "gst/result/gstpefinding.h"

// The labels that fit, best first. Returns [*n], g_free(); the names are the
// label set's own.
static GstPeLabel *
score(const GstPeFinding *finding, guint *n)
{
    const PeLabels *labels = finding->labels;
    int top = MIN((int)finding->top_k, labels ? pe_labels_count(labels) : 0);
    g_autofree PeScore *scores = g_new(PeScore, (size_t)top);
    GstPeLabel *found = g_new(GstPeLabel, (size_t)top);

    if (top > 0)
        top = pe_labels_score(labels, finding->embedding, top,
                              (float)finding->threshold, scores);
    for (int i = 0; i < top; i++)
        found[i] =
            (GstPeLabel){scores[i].name, scores[i].score, scores[i].similarity};
    *n = (guint)top;
    return found;
}

GstPeResult *
gst_pe_finding_to_result(const GstPeFinding *finding)
{
    PeEngine *engine = finding->engine;
    PeModel *model = pe_engine_get_model(engine);
    const GstPeTimes *first = &finding->first, *last = &finding->last;
    g_autoptr(GstPeVectors) embedding = NULL;
    const char *set =
        finding->labels ? pe_labels_get_set_name(finding->labels) : NULL;
    guint n_labels;
    g_autofree GstPeLabel *labels = score(finding, &n_labels);

    if (finding->attach_embedding)
        embedding = gst_pe_vectors_new_from_floats(
            finding->embedding, (gsize)pe_engine_get_dim(engine));
    return gst_pe_result_new(&(GstPeResultFields){
        .source = finding->source,
        .element = finding->element,
        .sequence = finding->sequence,
        .stream_id = finding->stream_id,
        .clip_start = first->running_time,
        .clip_end = gst_pe_times_get_end(last->running_time, last->duration),
        .clip_stream_start = first->stream_time,
        .clip_stream_end =
            gst_pe_times_get_end(last->stream_time, last->duration),
        .clip_wall_start = first->wall_clock,
        .clip_wall_end = gst_pe_times_get_end(last->wall_clock, last->duration),
        .n_frames = finding->n_frames,
        .reason = finding->reason,
        .region = finding->region,
        .window = finding->window,
        .model = pe_model_get_name(model),
        .model_fingerprint = pe_model_get_fingerprint(model),
        .device = pe_engine_get_device(engine),
        .precision = pe_precision_nick(pe_engine_get_precision(engine)),
        .embedding = embedding,
        .label_set = set && *set ? set : NULL,
        .label_set_fingerprint =
            finding->labels ? pe_labels_get_fingerprint(finding->labels) : NULL,
        .labels = labels,
        .n_labels = n_labels,
    });
}
