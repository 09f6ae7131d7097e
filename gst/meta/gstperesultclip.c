// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperesultclip.c - what a result says of its clip: when it was, by three
// clocks, how much of it there is, and which part of the picture.

#include "gstperesult_private.h"

/**
 * gst_pe_result_get_clip_start:
 * @result: a result
 *
 * Returns: the running time of the clip's first frame, or %GST_CLOCK_TIME_NONE
 *
 * Since: 0.1
 */
GstClockTime
gst_pe_result_get_clip_start(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, GST_CLOCK_TIME_NONE);
    return result->fields.clip_start;
}

/**
 * gst_pe_result_get_clip_end:
 * @result: a result
 *
 * Returns: the running time at which the clip's last frame ends, or
 *     %GST_CLOCK_TIME_NONE
 *
 * Since: 0.1
 */
GstClockTime
gst_pe_result_get_clip_end(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, GST_CLOCK_TIME_NONE);
    return result->fields.clip_end;
}

/**
 * gst_pe_result_get_clip_stream_start:
 * @result: a result
 *
 * Returns: the stream time (position in the media) at which the clip starts, or
 *     %GST_CLOCK_TIME_NONE
 *
 * Since: 0.1
 */
GstClockTime
gst_pe_result_get_clip_stream_start(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, GST_CLOCK_TIME_NONE);
    return result->fields.clip_stream_start;
}

/**
 * gst_pe_result_get_clip_stream_end:
 * @result: a result
 *
 * Returns: the stream time (position in the media) at which the clip ends, or
 *     %GST_CLOCK_TIME_NONE
 *
 * Since: 0.1
 */
GstClockTime
gst_pe_result_get_clip_stream_end(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, GST_CLOCK_TIME_NONE);
    return result->fields.clip_stream_end;
}

/**
 * gst_pe_result_get_clip_wall_start:
 * @result: a result
 *
 * Known when the buffers carry a #GstReferenceTimestampMeta of the Unix or NTP
 * clock, as those of rtspsrc do with `add-reference-timestamp-meta`.
 *
 * Returns: when the clip began, in nanoseconds since 1970 (UTC), or
 *     %GST_CLOCK_TIME_NONE
 *
 * Since: 0.1
 */
GstClockTime
gst_pe_result_get_clip_wall_start(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, GST_CLOCK_TIME_NONE);
    return result->fields.clip_wall_start;
}

/**
 * gst_pe_result_get_clip_wall_end:
 * @result: a result
 *
 * Known when the buffers carry a #GstReferenceTimestampMeta of the Unix or NTP
 * clock, as those of rtspsrc do with `add-reference-timestamp-meta`.
 *
 * Returns: when the clip ended, in nanoseconds since 1970 (UTC), or
 *     %GST_CLOCK_TIME_NONE
 *
 * Since: 0.1
 */
GstClockTime
gst_pe_result_get_clip_wall_end(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, GST_CLOCK_TIME_NONE);
    return result->fields.clip_wall_end;
}

/**
 * gst_pe_result_get_n_frames:
 * @result: a result
 *
 * Returns: how many of the clip's samples were embedded; a frame that stays on
 *     screen is several of them
 *
 * Since: 0.1
 */
guint
gst_pe_result_get_n_frames(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    return result->fields.n_frames;
}

/**
 * gst_pe_result_is_partial:
 * @result: a result
 *
 * Returns: whether the clip has fewer frames than were asked for
 *
 * Since: 0.1
 */
gboolean
gst_pe_result_is_partial(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, FALSE);
    return result->fields.reason != GST_PE_REASON_NONE;
}

/**
 * gst_pe_result_get_reason:
 * @result: a result
 *
 * Returns: why the clip has fewer frames than were asked for,
 *     %GST_PE_REASON_NONE when it is complete
 *
 * Since: 0.1
 */
GstPeReason
gst_pe_result_get_reason(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, GST_PE_REASON_NONE);
    return result->fields.reason;
}

/**
 * gst_pe_result_get_region:
 * @result: a result
 *
 * Returns: (transfer none) (nullable): the part of the picture that the result
 * is about, %NULL: all of it
 *
 * Since: 0.1
 */
const GstPeRegion *
gst_pe_result_get_region(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.region;
}

/**
 * gst_pe_result_get_window:
 * @result: a result
 *
 * Returns: (nullable): the name of the window over time that the clip is of,
 * when an element has several
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_window(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.window;
}

/**
 * gst_pe_result_get_stretch:
 * @result: a result
 *
 * Samples of one stretch follow each other without a jump in time, a flush or
 * an end between them, so that clips may be made of them.
 *
 * Returns: the number of the stretch in the element, from 1 on; 0 when the
 *     result is not of samples that the element took itself
 *
 * Since: 0.1
 */
guint64
gst_pe_result_get_stretch(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    return result->fields.stretch;
}

/**
 * gst_pe_result_get_sample:
 * @result: a result
 *
 * A number that no result has is a sample that could not be embedded in time.
 *
 * Returns: the number of the clip's last sample in its stretch, from 0 on
 *
 * Since: 0.1
 */
guint64
gst_pe_result_get_sample(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    return result->fields.sample;
}
