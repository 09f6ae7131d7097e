// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemeta.h - what peinference found, for applications and other elements:
// the buffer metadata that carries a result, the event that carries one without
// a buffer, and what it includes: the result itself, its events, its vectors,
// and texts as vectors to compare them with. The only header to include.

#pragma once

#include "gstpelabelevent.h"
#include "gstpemeta-prelude.h"
#include "gstperesult.h"
#include "gstpetextencoder.h"
#include "gstpevectors.h"

G_BEGIN_DECLS

#define GST_PE_META_API_TYPE (gst_pe_meta_api_get_type())
#define GST_PE_META_INFO (gst_pe_meta_get_info())

/**
 * GST_PE_TENSOR_ID:
 *
 * The id of embeddings as tensors of GStreamer, which the elements attach with
 * attach-tensor: [1, dimension] floats, row-major, a vector of unit length.
 * Those of one model can be compared with each other; #GstPeMeta on the same
 * buffer tells which it is.
 *
 * Since: 0.1
 */
#define GST_PE_TENSOR_ID "perception-encoder-embedding"

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
GType gst_pe_meta_api_get_type(void);
GST_PE_META_API
const GstMetaInfo *gst_pe_meta_get_info(void);
GST_PE_META_API
GstPeMeta *gst_buffer_add_pe_meta(GstBuffer *buffer, GstPeResult *result,
                                  GstClockTime age);
GST_PE_META_API
GstPeMeta *gst_buffer_get_pe_meta(GstBuffer *buffer);
GST_PE_META_API
guint gst_buffer_get_n_pe_metas(GstBuffer *buffer);
GST_PE_META_API
GstPeMeta *gst_buffer_get_nth_pe_meta(GstBuffer *buffer, guint index);
GST_PE_META_API
GstPeResult *gst_pe_meta_get_result(const GstPeMeta *meta);
GST_PE_META_API
GstClockTime gst_pe_meta_get_age(const GstPeMeta *meta);

GST_PE_META_API
GstEvent *gst_event_new_pe_result(GstPeResult *result);
GST_PE_META_API
GstPeResult *gst_event_get_pe_result(GstEvent *event);

G_END_DECLS
