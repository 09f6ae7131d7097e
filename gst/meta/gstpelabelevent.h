// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelevent.h - that a label is there, from a start to an end: what
// results tell about the time beyond their own clip.

#pragma once

#include "gstpemeta-prelude.h"
#include "gstpevectors.h"

G_BEGIN_DECLS

#define GST_TYPE_PE_EVENT_PHASE (gst_pe_event_phase_get_type())
#define GST_TYPE_PE_LABEL_EVENT (gst_pe_label_event_get_type())

/**
 * GstPeEventPhase:
 * @GST_PE_EVENT_START: the event has begun
 * @GST_PE_EVENT_UPDATE: it goes on
 * @GST_PE_EVENT_END: it is over
 * @GST_PE_EVENT_UNKNOWN: a phase that a newer version wrote
 *
 * What is told about an event. Of each, the start is told first and the end
 * last.
 *
 * Since: 0.1
 */
typedef enum {
    GST_PE_EVENT_START,
    GST_PE_EVENT_UPDATE,
    GST_PE_EVENT_END,
    GST_PE_EVENT_UNKNOWN = 255,
} GstPeEventPhase;

/**
 * GstPeLabelEvent:
 * @phase: what is told
 * @id: counts the events of the element; the same in all phases
 * @label: the label as the user wrote it
 * @start: running time at which the event began
 * @end: running time at which it ended, or until which it is known to last
 * @peak: running time of the clip that fits the label best
 * @stream_start: stream time of @start
 * @stream_end: stream time of @end
 * @stream_peak: stream time of @peak
 * @wall_start: UNIX time of @start in ns
 * @wall_end: UNIX time of @end in ns
 * @wall_peak: UNIX time of @peak in ns
 * @peak_score: the score at @peak, smoothed in time, 0 to 1
 * @threshold: the score at which the event began
 * @p_value: how usual @peak_score is on this camera: the share of its history
 *     that scored as high; not a number when there is no history
 * @n_clips: clips in the event
 * @embedding: (nullable): the mean of their embeddings, of unit length
 *
 * What is known of an event by now, in the region of the result that tells it.
 * Times that are not known are %GST_CLOCK_TIME_NONE.
 *
 * Since: 0.1
 */
typedef struct {
    GstPeEventPhase phase;
    guint64 id;
    const gchar *label;
    GstClockTime start;
    GstClockTime end;
    GstClockTime peak;
    GstClockTime stream_start;
    GstClockTime stream_end;
    GstClockTime stream_peak;
    GstClockTime wall_start;
    GstClockTime wall_end;
    GstClockTime wall_peak;
    gdouble peak_score;
    gdouble threshold;
    gdouble p_value;
    guint n_clips;
    GstPeVectors *embedding;

    /*< private >*/
    gpointer _gst_reserved[GST_PADDING];
} GstPeLabelEvent;

GST_PE_META_API
GType gst_pe_event_phase_get_type(void);
GST_PE_META_API
const gchar *gst_pe_event_phase_to_string(GstPeEventPhase phase);

GST_PE_META_API
GType gst_pe_label_event_get_type(void);
GST_PE_META_API
GstPeLabelEvent *gst_pe_label_event_copy(const GstPeLabelEvent *event);
GST_PE_META_API
void gst_pe_label_event_free(GstPeLabelEvent *event);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstPeLabelEvent, gst_pe_label_event_free)

G_END_DECLS
