// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperesult.h - what was found in a clip: whose it is, where and when, the
// embedding, and the labels that fit best.

#pragma once

#include "gstpelabelevent.h"
#include "gstpemeta-prelude.h"
#include "gstpevectors.h"

G_BEGIN_DECLS

#define GST_TYPE_PE_REASON (gst_pe_reason_get_type())
#define GST_TYPE_PE_REGION (gst_pe_region_get_type())
#define GST_TYPE_PE_RESULT (gst_pe_result_get_type())

/**
 * GstPeReason:
 * @GST_PE_REASON_NONE: the clip is complete
 * @GST_PE_REASON_EOS: the stream ended
 * @GST_PE_REASON_JUMP: the stream went on at another time: behind a gap, at a
 *     timestamp that ran backwards, in a new segment or another stream
 * @GST_PE_REASON_OVERLOAD: the device was too slow to embed every frame
 * @GST_PE_REASON_RECONFIGURED: clips were given another length or stride
 * @GST_PE_REASON_UNKNOWN: a reason that a newer version wrote
 *
 * Why a clip has fewer frames than were asked for.
 *
 * Since: 0.1
 */
typedef enum {
    GST_PE_REASON_NONE,
    GST_PE_REASON_EOS,
    GST_PE_REASON_JUMP,
    GST_PE_REASON_OVERLOAD,
    GST_PE_REASON_RECONFIGURED,
    GST_PE_REASON_UNKNOWN = 255,
} GstPeReason;

/**
 * GST_PE_REGION_NO_ID:
 *
 * The id of a region that has none.
 *
 * Since: 0.1
 */
#define GST_PE_REGION_NO_ID (-1)

/**
 * GST_PE_REGION_NO_TRACK: (skip)
 *
 * The track id of a region that nobody tracks.
 *
 * Since: 0.1
 */
#define GST_PE_REGION_NO_TRACK G_MAXUINT64

/**
 * GstPeRegion:
 * @id: the number that a detector or the user gave the region, or
 *     %GST_PE_REGION_NO_ID
 * @name: (nullable): what is there, as a detector or the user calls it
 * @x: left edge in pixels of the clip's last frame
 * @y: upper edge
 * @width: width in pixels
 * @height: height in pixels
 * @track_id: the same for the same object in other frames, or #G_MAXUINT64
 *     when nobody tracks it
 *
 * The part of the picture that a result is about.
 *
 * Since: 0.1
 */
typedef struct {
    gint id;
    const gchar *name;
    gint x;
    gint y;
    gint width;
    gint height;
    guint64 track_id;

    /*< private >*/
    gpointer _gst_reserved[GST_PADDING];
} GstPeRegion;

/**
 * GstPeLabel: (skip)
 * @name: the label as the user wrote it
 * @score: how sure it is that the clip shows the label, 0 to 1
 * @similarity: cosine between the clip and the label, -1 to 1
 * @probability: softmax over the labels alone, 0 to 1; NaN: not known
 * @p_value: how unusual the score is on this camera, above 0 to 1; 0: not known
 *
 * Since: 0.1
 */
typedef struct {
    const gchar *name;
    gdouble score;
    gdouble similarity;
    gdouble probability;
    gdouble p_value;
} GstPeLabel;

/**
 * GstPeResult:
 *
 * The embedding of a clip and the labels that fit it best. Immutable: a copy is
 * a reference.
 *
 * Its identity is (source, element, sequence): results that agree in these
 * three are the same result, see gst_pe_result_is_same().
 *
 * Since: 0.1
 */
typedef struct _GstPeResult GstPeResult;

/**
 * GstPeResultFields: (skip)
 * @source: (nullable): what a person finds the stream by again: its URI without
 *     secrets, or the name of a camera
 * @element: (nullable): name of the element that made the result
 * @sequence: counts the results of that element
 * @stream_id: (nullable): id of the stream
 * @clip_start: running time of the clip's first frame
 * @clip_end: running time of the end of the clip's last frame
 * @clip_stream_start: stream time of @clip_start
 * @clip_stream_end: stream time of @clip_end
 * @clip_wall_start: UNIX time of @clip_start in ns
 * @clip_wall_end: UNIX time of @clip_end in ns
 * @n_frames: samples that were embedded; a frame that stays on screen is
 * several
 * @reason: why they are fewer than were asked for
 * @region: (nullable): the part of the picture, %NULL: all of it
 * @window: (nullable): name of the window over time, when there are several
 * @model: (nullable): name of the model
 * @model_fingerprint: (nullable): changes with any weight of the model
 * @device: (nullable): the device that computed it, "cpu" or "cuda:0"
 * @precision: (nullable): the precision it was computed in
 * @embedding: (nullable): one vector of unit length
 * @tokens: (nullable): one vector for each token
 * @label_set: (nullable): name of the label set
 * @label_set_fingerprint: (nullable): changes with anything that labels are
 *     scored by
 * @labels: (array length=n_labels): best first
 * @n_labels: number of @labels
 * @calibration: (nullable): where the scores' calibration is from, "none",
 *     "model" or "labels"; %NULL: no labels were set, and the next two mean
 *     nothing
 * @negative_mass: share of negatives and bank among all that was compared
 * @unknown: whether the clip shows nothing that was asked for
 * @events: (array length=n_events): events that this result makes known, in
 *     the order in which they are told
 * @n_events: number of @events
 * @stretch: counts the stretches of time of the element's samples, from 1 on;
 * 0: the clip is not of samples that were embedded one after the other
 * @sample: counts the samples of the stretch, of which this is the clip's last
 * @norm: length of the clip's embedding before it was made 1; 0: not known
 *
 * What gst_pe_result_new() copies into a result. Fill it with zeros first;
 * times that are not known are %GST_CLOCK_TIME_NONE.
 *
 * Since: 0.1
 */
typedef struct {
    const gchar *source;
    const gchar *element;
    guint64 sequence;
    const gchar *stream_id;
    GstClockTime clip_start;
    GstClockTime clip_end;
    GstClockTime clip_stream_start;
    GstClockTime clip_stream_end;
    GstClockTime clip_wall_start;
    GstClockTime clip_wall_end;
    guint n_frames;
    GstPeReason reason;
    const GstPeRegion *region;
    const gchar *window;
    const gchar *model;
    const gchar *model_fingerprint;
    const gchar *device;
    const gchar *precision;
    GstPeVectors *embedding;
    GstPeVectors *tokens;
    const gchar *label_set;
    const gchar *label_set_fingerprint;
    const GstPeLabel *labels;
    guint n_labels;
    const gchar *calibration;
    gdouble negative_mass;
    gboolean unknown;
    const GstPeLabelEvent *events;
    guint n_events;
    guint64 stretch;
    guint64 sample;
    gdouble norm;

    /*< private >*/
    gpointer _gst_reserved[GST_PADDING_LARGE - 3];
} GstPeResultFields;

GST_PE_META_API
GType gst_pe_reason_get_type(void);
GST_PE_META_API
const gchar *gst_pe_reason_to_string(GstPeReason reason);

GST_PE_META_API
GType gst_pe_region_get_type(void);
GST_PE_META_API
GstPeRegion *gst_pe_region_copy(const GstPeRegion *region);
GST_PE_META_API
void gst_pe_region_free(GstPeRegion *region);

GST_PE_META_API
GType gst_pe_result_get_type(void);
GST_PE_META_API
GstPeResult *gst_pe_result_new(const GstPeResultFields *fields);
GST_PE_META_API
GstPeResult *gst_pe_result_ref(GstPeResult *result);
GST_PE_META_API
void gst_pe_result_unref(GstPeResult *result);

GST_PE_META_API
const gchar *gst_pe_result_get_source(const GstPeResult *result);
GST_PE_META_API
const gchar *gst_pe_result_get_element(const GstPeResult *result);
GST_PE_META_API
guint64 gst_pe_result_get_sequence(const GstPeResult *result);
GST_PE_META_API
gboolean gst_pe_result_is_same(const GstPeResult *result,
                               const GstPeResult *other);
GST_PE_META_API
const gchar *gst_pe_result_get_stream_id(const GstPeResult *result);

GST_PE_META_API
GstClockTime gst_pe_result_get_clip_start(const GstPeResult *result);
GST_PE_META_API
GstClockTime gst_pe_result_get_clip_end(const GstPeResult *result);
GST_PE_META_API
GstClockTime gst_pe_result_get_clip_stream_start(const GstPeResult *result);
GST_PE_META_API
GstClockTime gst_pe_result_get_clip_stream_end(const GstPeResult *result);
GST_PE_META_API
GstClockTime gst_pe_result_get_clip_wall_start(const GstPeResult *result);
GST_PE_META_API
GstClockTime gst_pe_result_get_clip_wall_end(const GstPeResult *result);
GST_PE_META_API
guint gst_pe_result_get_n_frames(const GstPeResult *result);
GST_PE_META_API
gboolean gst_pe_result_is_partial(const GstPeResult *result);
GST_PE_META_API
GstPeReason gst_pe_result_get_reason(const GstPeResult *result);
GST_PE_META_API
const GstPeRegion *gst_pe_result_get_region(const GstPeResult *result);
GST_PE_META_API
gchar *gst_pe_result_title_label(const GstPeResult *result, const gchar *label);
GST_PE_META_API
const gchar *gst_pe_result_get_window(const GstPeResult *result);
GST_PE_META_API
guint64 gst_pe_result_get_stretch(const GstPeResult *result);
GST_PE_META_API
guint64 gst_pe_result_get_sample(const GstPeResult *result);

GST_PE_META_API
const gchar *gst_pe_result_get_model(const GstPeResult *result);
GST_PE_META_API
const gchar *gst_pe_result_get_model_fingerprint(const GstPeResult *result);
GST_PE_META_API
const gchar *gst_pe_result_get_device(const GstPeResult *result);
GST_PE_META_API
const gchar *gst_pe_result_get_precision(const GstPeResult *result);
GST_PE_META_API
guint gst_pe_result_get_dim(const GstPeResult *result);
GST_PE_META_API
GstPeVectors *gst_pe_result_get_embedding(const GstPeResult *result);
GST_PE_META_API
gdouble gst_pe_result_get_norm(const GstPeResult *result);
GST_PE_META_API
GstPeVectors *gst_pe_result_get_tokens(const GstPeResult *result);

GST_PE_META_API
const gchar *gst_pe_result_get_label_set(const GstPeResult *result);
GST_PE_META_API
const gchar *gst_pe_result_get_label_set_fingerprint(const GstPeResult *result);
GST_PE_META_API
guint gst_pe_result_get_n_labels(const GstPeResult *result);
GST_PE_META_API
const gchar *gst_pe_result_get_label(const GstPeResult *result, guint index);
GST_PE_META_API
gdouble gst_pe_result_get_score(const GstPeResult *result, guint index);
GST_PE_META_API
gdouble gst_pe_result_get_similarity(const GstPeResult *result, guint index);
GST_PE_META_API
gdouble gst_pe_result_get_probability(const GstPeResult *result, guint index);
GST_PE_META_API
gdouble gst_pe_result_get_p_value(const GstPeResult *result, guint index);
GST_PE_META_API
const gchar *gst_pe_result_get_calibration(const GstPeResult *result);
GST_PE_META_API
gdouble gst_pe_result_get_negative_mass(const GstPeResult *result);
GST_PE_META_API
gboolean gst_pe_result_is_unknown(const GstPeResult *result);

GST_PE_META_API
guint gst_pe_result_get_n_events(const GstPeResult *result);
GST_PE_META_API
const GstPeLabelEvent *gst_pe_result_get_event(const GstPeResult *result,
                                               guint index);

GST_PE_META_API
GBytes *gst_pe_result_to_bytes(const GstPeResult *result);
GST_PE_META_API
GstPeResult *gst_pe_result_new_from_bytes(GBytes *bytes, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstPeRegion, gst_pe_region_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstPeResult, gst_pe_result_unref)

G_END_DECLS
