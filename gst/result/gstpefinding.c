// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpefinding.c - see gstpefinding.h.

#include "gst/result/gstpefinding.h"

void
gst_pe_scores_init(GstPeScores *scores, const PeLabels *labels,
                   const float *embedding, const PeScoreParams *params)
{
    PeScoreParams wanted = *params;

    *scores = (GstPeScores){0};
    if (!labels)
        return;
    int n_labels = pe_labels_count(labels);
    wanted.top_k = CLAMP(wanted.top_k, 0, n_labels);
    scores->found = g_new(PeScore, (size_t)wanted.top_k);
    scores->evidence = g_new(float, (size_t)n_labels);
    scores->n_found =
        (guint)pe_labels_score(labels, embedding, &wanted, scores->found,
                               &scores->verdict, scores->evidence);
}

void
gst_pe_scores_clear(GstPeScores *scores)
{
    g_free(scores->found);
    g_free(scores->evidence);
    *scores = (GstPeScores){0};
}

// Returns [n_found], g_free(); the names are the label set's own.
static GstPeLabel *
list_labels(const GstPeScores *scores, const double *p_values)
{
    GstPeLabel *labels = g_new(GstPeLabel, scores->n_found);

    for (guint i = 0; i < scores->n_found; i++) {
        const PeScore *s = &scores->found[i];
        labels[i] = (GstPeLabel){s->name, s->score, s->similarity,
                                 s->probability, p_values ? p_values[i] : 0};
    }
    return labels;
}

// Played backwards, a clip ends with its first frame. Each of these knows
// nothing when its first argument is not known.
static GstClockTime
get_start(GstClockTime first, GstClockTime last)
{
    return GST_CLOCK_TIME_IS_VALID(first) ? MIN(first, last) : first;
}

static GstClockTime
get_end(GstClockTime last, GstClockTime first)
{
    return GST_CLOCK_TIME_IS_VALID(first) ? MAX(first, last) : last;
}

GstPeResult *
gst_pe_finding_to_result(const GstPeFinding *finding)
{
    PeEngine *engine = finding->engine;
    PeModel *model = pe_engine_get_model(engine);
    const GstPeTimes *first = &finding->first, *last = &finding->last;
    const GstPeResult *computed = finding->computed;
    g_autoptr(GstPeVectors) embedding = NULL;
    const char *set =
        finding->labels ? pe_labels_get_set_name(finding->labels) : NULL;
    static const GstPeScores none;
    const GstPeScores *scores = finding->scores ? finding->scores : &none;
    g_autofree GstPeLabel *labels = list_labels(scores, finding->p_values);

    if (finding->attach_embedding && finding->n_frames > 0)
        embedding = gst_pe_vectors_new_from_floats(
            finding->embedding, (gsize)pe_engine_get_dim(engine));
    return gst_pe_result_new(&(GstPeResultFields){
        .source = finding->source,
        .element = finding->element,
        .sequence = finding->sequence,
        .stream_id = finding->stream_id,
        .clip_start = get_start(first->running_time, last->running_time),
        .clip_end = get_end(last->running_end, first->running_end),
        .clip_stream_start = get_start(first->stream_time, last->stream_time),
        .clip_stream_end = get_end(last->stream_end, first->stream_end),
        .clip_wall_start = get_start(first->wall_clock, last->wall_clock),
        .clip_wall_end = get_end(last->wall_end, first->wall_end),
        .n_frames = finding->n_frames,
        .reason = finding->reason,
        .region = finding->region,
        .window = finding->window,
        .stretch = finding->stretch,
        .sample = finding->sample,
        .model = pe_model_get_name(model),
        .model_fingerprint = pe_model_get_fingerprint(model),
        .device = computed ? gst_pe_result_get_device(computed)
                           : pe_engine_get_device(engine),
        .precision = computed
                         ? gst_pe_result_get_precision(computed)
                         : pe_precision_nick(pe_engine_get_precision(engine)),
        .embedding = embedding,
        .norm = embedding ? finding->norm : 0,
        .label_set = set && *set ? set : NULL,
        .label_set_fingerprint =
            finding->labels ? pe_labels_get_fingerprint(finding->labels) : NULL,
        .labels = labels,
        .n_labels = scores->n_found,
        .events = finding->events,
        .n_events = finding->n_events,
        .calibration =
            finding->labels ? pe_labels_get_calibration(finding->labels) : NULL,
        .negative_mass = (double)scores->verdict.mass,
        .unknown = scores->verdict.unknown,
    });
}
