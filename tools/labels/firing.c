// SPDX-License-Identifier: LGPL-2.1-or-later
//
// firing.c - see firing.h.

#include "firing.h"

#include "tools/clips.h"
#include "tools/progress.h"

#define OFTEN .5    // share of the clips
#define MIN_CLIPS 4 // to say that a label fires in most of them

// ---- Clips ----------------------------------------------------------------

static bool
take_clip(const Clip *clip, void *data, GError **error)
{
    Check *check = data;
    g_array_append_vals(check->clips, clip->embedding, (guint)check->dim);
    return true;
}

static bool
read_picture(Check *check, ClipReader *reader, const char *path, GError **error)
{
    g_autofree float *embedding = g_new(float, (size_t)check->dim);
    if (!clip_reader_read_picture(reader, path, embedding, error))
        return false;
    g_array_append_vals(check->clips, embedding, (guint)check->dim);
    return true;
}

bool
firing_read(Check *check, char **videos, char **pictures, GError **error)
{
    ClipReader *reader = clip_reader_new(check->engine);
    Progress progress;
    double n = 0;
    progress_start(&progress, "files",
                   (videos ? g_strv_length(videos) : 0) +
                       (pictures ? g_strv_length(pictures) : 0));
    bool ok = true;
    for (; ok && videos && *videos; videos++) {
        ok =
            clip_reader_read_video(reader, *videos, 0, take_clip, check, error);
        progress_show(&progress, ++n);
    }
    for (; ok && pictures && *pictures; pictures++) {
        ok = read_picture(check, reader, *pictures, error);
        progress_show(&progress, ++n);
    }
    progress_end(&progress);
    clip_reader_free(reader);
    return ok;
}

// ---- Counts ---------------------------------------------------------------

// The library compares with a label's own thresholds; one without any has to
// reach the threshold of the score that counts for all.
static bool
fires(const Check *check, const PeScore *score)
{
    const LabelText *label = check->texts->labels->pdata[score->index];
    return label->has_threshold || (double)score->score >= check->threshold;
}

static void
warn_about_often(Check *check, const Firing *firing, guint label)
{
    int n = firing->n_fired[label];
    if (firing->n_clips < MIN_CLIPS || n <= OFTEN * firing->n_clips)
        return;
    const LabelText *text = check->texts->labels->pdata[label];
    g_autofree char *quoted = finding_quote(text->name);
    findings_add(check->findings, FINDING_WARNING, "fires-often",
                 "the label %s fires in %d of %d clips; if it is not there so "
                 "often, add negatives that say what is, or raise its "
                 "\"threshold\"",
                 quoted, n, firing->n_clips)
        ->label = g_strdup(text->name);
}

void
firing_count(Check *check, Firing *firing)
{
    guint n_labels = check->texts->labels->len;
    PeScoreParams params = PE_SCORE_PARAMS_TOP((int)n_labels);
    g_autofree PeScore *scores = g_new(PeScore, n_labels);
    *firing = (Firing){.n_clips = check_count_clips(check),
                       .n_fired = g_new0(int, n_labels)};
    firing->fired = g_new0(bool, (size_t)firing->n_clips);
    for (int i = 0; i < firing->n_clips; i++) {
        PeVerdict verdict;
        int n = pe_labels_score(check->labels, check_get_clip(check, i),
                                &params, scores, &verdict, NULL);
        for (int k = 0; k < n; k++) {
            if (!fires(check, &scores[k]))
                continue;
            firing->n_fired[scores[k].index]++;
            firing->fired[i] = true;
        }
        firing->n_unknown += !firing->fired[i] || verdict.unknown;
    }
    for (guint i = 0; i < n_labels; i++)
        warn_about_often(check, firing, i);
}

void
firing_clear(Firing *firing)
{
    g_free(firing->n_fired);
    g_free(firing->fired);
}
