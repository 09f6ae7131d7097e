// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesample.c - see gstpesample.h.

#include "gst/score/gstpesample.h"

#include <math.h>

#define MAX_TOLD 16 // other models

// ---- Times ----------------------------------------------------------------

static void
put_position(GstPeTimes *t, const GstSegment *segment)
{
    bool valid = segment->format == GST_FORMAT_TIME &&
                 GST_CLOCK_TIME_IS_VALID(t->running_time) &&
                 GST_CLOCK_TIME_IS_VALID(t->running_end);

    if (!valid)
        return;
    GstClockTime first = segment->rate < 0 ? t->running_end : t->running_time;
    t->pts =
        gst_segment_position_from_running_time(segment, segment->format, first);
    GstClockTime length = t->running_end - MIN(t->running_time, t->running_end);
    double speed = ABS(segment->rate);
    t->duration =
        speed == 1 ? length : (GstClockTime)((double)length * speed + 0.5);
}

GstPeTimes
gst_pe_sample_get_times(const GstPeResult *result, const GstSegment *segment)
{
    GstPeTimes t = GST_PE_TIMES_NONE;

    t.running_time = gst_pe_result_get_clip_start(result);
    t.running_end = gst_pe_result_get_clip_end(result);
    t.stream_time = gst_pe_result_get_clip_stream_start(result);
    t.stream_end = gst_pe_result_get_clip_stream_end(result);
    t.wall_clock = gst_pe_result_get_clip_wall_start(result);
    t.wall_end = gst_pe_result_get_clip_wall_end(result);
    t.backwards = (segment->rate < 0) != (segment->applied_rate < 0);
    put_position(&t, segment);
    return t;
}

// ---- Embeddings -----------------------------------------------------------

static const char *
or_unknown(const char *text)
{
    return text && *text ? text : "not known";
}

// Said once for each other model, as far as that makes sense.
static bool
is_to_be_told(GstPeScore *self, const char *fingerprint)
{
    return g_hash_table_size(self->told_models) < MAX_TOLD &&
           g_hash_table_add(self->told_models,
                            g_strdup(fingerprint ? fingerprint : ""));
}

// Are both of the same model?
static bool
fits(GstPeScore *self, const GstPeResult *result)
{
    PeModel *model = pe_engine_get_model(self->engine);
    const char *own = pe_model_get_fingerprint(model);
    const char *its = gst_pe_result_get_model_fingerprint(result);
    int dim = pe_engine_get_dim(self->engine);
    bool same =
        g_strcmp0(own, its) == 0 && gst_pe_result_get_dim(result) == (guint)dim;

    if (same || !is_to_be_told(self, its))
        return same;
    GST_ELEMENT_WARNING(
        self, STREAM, WRONG_TYPE,
        ("the embeddings of %s are of the model %s (fingerprint %s, %u "
         "numbers), and the labels here of %s (fingerprint %s, %d numbers), so "
         "they are not scored; set model to the same file in both elements",
         or_unknown(gst_pe_result_get_element(result)),
         or_unknown(gst_pe_result_get_model(result)), or_unknown(its),
         gst_pe_result_get_dim(result), pe_model_get_name(model), own, dim),
        (NULL));
    return false;
}

// Said once for a stream.
static void
tell(GstPeScore *self, bool *told, const char *what, const GstPeResult *result)
{
    if (*told)
        return;
    *told = true;
    GST_ELEMENT_WARNING(self, STREAM, FORMAT,
                        ("the results of %s %s",
                         or_unknown(gst_pe_result_get_element(result)), what),
                        (NULL));
}

static bool
is_usable(GstPeScore *self, const GstPeResult *result, const GstPeTimes *times)
{
    if (!gst_pe_result_get_embedding(result)) {
        tell(self, &self->told_empty,
             "have no embeddings; set attach-embedding=true there", result);
        return false;
    }
    if (!fits(self, result))
        return false;
    if (gst_pe_series_has_windows(self->series) &&
        gst_pe_result_get_n_frames(result) != 1) {
        tell(self, &self->told_clips,
             "are clips of several frames, which windows are not made of; set "
             "clip-length=1 there",
             result);
        return false;
    }
    if (gst_pe_series_is_timed(self->series) &&
        !GST_CLOCK_TIME_IS_VALID(times->running_time)) {
        tell(self, &self->told_untimed,
             "have no timestamps, so no window of time is made of them; set "
             "clip-length here in place of window",
             result);
        return false;
    }
    return true;
}

float *
gst_pe_sample_get_embedding(GstPeScore *self, const GstPeResult *result,
                            const GstPeTimes *times)
{
    gsize n;

    if (!is_usable(self, result, times))
        return NULL;
    float *x =
        gst_pe_vectors_to_floats(gst_pe_result_get_embedding(result), &n);
    double norm = gst_pe_result_get_norm(result);
    for (gsize i = 0; norm > 0 && isfinite(norm) && i < n; i++)
        x[i] = (float)(x[i] * norm);
    return x;
}
