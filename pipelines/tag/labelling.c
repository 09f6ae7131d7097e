// SPDX-License-Identifier: LGPL-2.1-or-later
//
// labelling.c - see labelling.h.

#include "labelling.h"

#include "shots.h"

#define MAX_LABELS 5 // of a segment

void
labelling_apply(const PeLabels *labels, ArchiveContent *content,
                const uint16_t *vectors, int dim)
{
    static const PeScoreParams params = PE_SCORE_PARAMS_TOP(MAX_LABELS);
    size_t n = content->segments->len;
    g_autofree float *means = g_new(float, n *(size_t)dim);
    g_autofree PeScore *scores = g_new(PeScore, n * MAX_LABELS);
    g_autofree int *n_scores = g_new(int, n);
    for (size_t i = 0; i < n; i++)
        shots_mean(content, content->segments->pdata[i], vectors, dim,
                   means + i * (size_t)dim);
    pe_labels_score_many(labels, means, (int)n, &params, scores, n_scores, NULL,
                         NULL);
    for (size_t i = 0; i < n; i++) {
        ArchiveSegment *segment = content->segments->pdata[i];
        g_array_set_size(segment->labels, 0);
        for (int k = 0; k < n_scores[i]; k++) {
            const PeScore *score = &scores[i * MAX_LABELS + (size_t)k];
            archive_segment_add_label(segment, score->name,
                                      (double)score->score);
        }
    }
    g_free(content->label_set);
    content->label_set = g_strdup(pe_labels_get_fingerprint(labels));
}
