// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemeta.h - what peinference found, for applications and other elements.
// One header: the result (immutable, shared by reference), the buffer metadata
// that carries it, and the event that carries a result without a buffer.

#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#ifdef BUILDING_GST_PE_META
#define GST_PE_META_API GST_API_EXPORT
#else
#define GST_PE_META_API GST_API_IMPORT
#endif

#define GST_TYPE_PE_REASON (gst_pe_reason_get_type())
#define GST_TYPE_PE_RESULT (gst_pe_result_get_type())
#define GST_PE_META_API_TYPE (gst_pe_meta_api_get_type())
#define GST_PE_META_INFO (gst_pe_meta_get_info())

/**
 * GstPeReason:
 * @GST_PE_REASON_NONE: the clip is complete
 * @GST_PE_REASON_EOS: the stream ended
 * @GST_PE_REASON_JUMP: the stream went on at another time: a timestamp that ran
 *     backwards, a new segment, another stream
 * @GST_PE_REASON_OVERLOAD: the device was too slow to embed every frame
 * @GST_PE_REASON_RECONFIGURED: clips were given another length or stride
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
} GstPeReason;

/**
 * GstPeResult:
 *
 * The embedding of a clip and the labels that fit it best. Immutable: a copy is
 * a reference.
 *
 * Since: 0.1
 */
typedef struct _GstPeResult GstPeResult;

/**
 * GstPeLabel:
 * @name: the label as the user wrote it
 * @probability: softmax over all labels and negative labels, 0 to 1
 * @similarity: cosine between the clip and the label, -1 to 1
 *
 * Since: 0.1
 */
typedef struct {
    const gchar *name;
    gdouble probability;
    gdouble similarity;
} GstPeLabel;

/**
 * GstPeResultFields: (skip)
 * @stream_id: id of the stream, or %NULL
 * @model: name of the model
 * @model_fingerprint: changes with any weight of the model
 * @device: the device that computed it, "cpu" or "cuda:0"
 * @precision: the precision it was computed in
 * @sequence: counts the results of one element from 0
 * @clip_start: running time of the clip's first frame
 * @clip_end: running time of the end of the clip's last frame
 * @stream_start: stream time of @clip_start
 * @stream_end: stream time of @clip_end
 * @n_frames: frames that were embedded
 * @partial: the stream ended before the clip was complete
 * @embedding: (nullable): little-endian float32 of unit length
 * @labels_version: changes whenever another label set was used
 * @labels: (array length=n_labels): best first
 * @n_labels: number of @labels
 *
 * What gst_pe_result_new() copies into a result. Fill it with zeros first.
 *
 * Since: 0.1
 */
typedef struct {
    const gchar *stream_id;
    const gchar *model;
    const gchar *model_fingerprint;
    const gchar *device;
    const gchar *precision;
    guint64 sequence;
    GstClockTime clip_start;
    GstClockTime clip_end;
    GstClockTime stream_start;
    GstClockTime stream_end;
    guint n_frames;
    gboolean partial;
    GBytes *embedding;
    guint64 labels_version;
    const GstPeLabel *labels;
    guint n_labels;

    /*< private >*/
    gpointer _gst_reserved[GST_PADDING_LARGE];
} GstPeResultFields;

/**
 * GstPeMeta:
 * @meta: parent
 * @result: the result
 * @age: how long before the buffer the clip ended, 0 when the buffer is the
 *     clip's last frame, %GST_CLOCK_TIME_NONE when not known
 *
 * Carries a #GstPeResult on a buffer. It has no tags, so that converters,
 * scalers and encoders keep it.
 *
 * Since: 0.1
 */
typedef struct {
    GstMeta meta;
    GstPeResult *result;
    GstClockTime age;
} GstPeMeta;

GST_PE_META_API
GType gst_pe_reason_get_type(void);

GST_PE_META_API
GType gst_pe_result_get_type(void);
GST_PE_META_API
GstPeResult *gst_pe_result_new(const GstPeResultFields *fields);
GST_PE_META_API
GstPeResult *gst_pe_result_ref(GstPeResult *result);
GST_PE_META_API
void gst_pe_result_unref(GstPeResult *result);

GST_PE_META_API
const gchar *gst_pe_result_get_stream_id(const GstPeResult *result);
GST_PE_META_API
const gchar *gst_pe_result_get_model(const GstPeResult *result);
GST_PE_META_API
const gchar *gst_pe_result_get_model_fingerprint(const GstPeResult *result);
GST_PE_META_API
const gchar *gst_pe_result_get_device(const GstPeResult *result);
GST_PE_META_API
const gchar *gst_pe_result_get_precision(const GstPeResult *result);
GST_PE_META_API
guint64 gst_pe_result_get_sequence(const GstPeResult *result);
GST_PE_META_API
GstClockTime gst_pe_result_get_clip_start(const GstPeResult *result);
GST_PE_META_API
GstClockTime gst_pe_result_get_clip_end(const GstPeResult *result);
GST_PE_META_API
GstClockTime gst_pe_result_get_stream_start(const GstPeResult *result);
GST_PE_META_API
GstClockTime gst_pe_result_get_stream_end(const GstPeResult *result);
GST_PE_META_API
guint gst_pe_result_get_n_frames(const GstPeResult *result);
GST_PE_META_API
gboolean gst_pe_result_is_partial(const GstPeResult *result);
GST_PE_META_API
guint gst_pe_result_get_dim(const GstPeResult *result);
GST_PE_META_API
GBytes *gst_pe_result_get_embedding(const GstPeResult *result);
GST_PE_META_API
guint64 gst_pe_result_get_labels_version(const GstPeResult *result);
GST_PE_META_API
guint gst_pe_result_get_n_labels(const GstPeResult *result);
GST_PE_META_API
const gchar *gst_pe_result_get_label(const GstPeResult *result, guint index);
GST_PE_META_API
gdouble gst_pe_result_get_probability(const GstPeResult *result, guint index);
GST_PE_META_API
gdouble gst_pe_result_get_similarity(const GstPeResult *result, guint index);

GST_PE_META_API
GBytes *gst_pe_result_to_bytes(const GstPeResult *result);
GST_PE_META_API
GstPeResult *gst_pe_result_new_from_bytes(GBytes *bytes);

GST_PE_META_API
GType gst_pe_meta_api_get_type(void);
GST_PE_META_API
const GstMetaInfo *gst_pe_meta_get_info(void);
GST_PE_META_API
GstPeMeta *gst_buffer_add_pe_meta(GstBuffer *buffer, GstPeResult *result,
                                  GstClockTime age);
GST_PE_META_API
GstPeMeta *gst_buffer_get_pe_meta(GstBuffer *buffer);
GST_PE_META_API
GstPeResult *gst_pe_meta_get_result(const GstPeMeta *meta);
GST_PE_META_API
GstClockTime gst_pe_meta_get_age(const GstPeMeta *meta);

GST_PE_META_API
GstEvent *gst_event_new_pe_result(GstPeResult *result);
GST_PE_META_API
GstPeResult *gst_event_get_pe_result(GstEvent *event);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstPeResult, gst_pe_result_unref)

G_END_DECLS
