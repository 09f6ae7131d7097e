// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetextencoder.h - texts become vectors that can be compared with the
// embeddings in results, from any language that GObject introspection reaches.

#pragma once

#include "gstpemeta-prelude.h"
#include "gstpevectors.h"

G_BEGIN_DECLS

#define GST_TYPE_PE_TEXT_ENCODER (gst_pe_text_encoder_get_type())

/**
 * GstPeTextEncoder:
 *
 * The text tower of a model on a device. It shares the engine of the elements
 * of the process that use the same model, device and precision. Every function
 * may be called from any thread.
 *
 * Since: 0.1
 */
GST_PE_META_API
G_DECLARE_FINAL_TYPE(GstPeTextEncoder, gst_pe_text_encoder, GST_PE,
                     TEXT_ENCODER, GObject)

GST_PE_META_API
GstPeTextEncoder *gst_pe_text_encoder_new(const gchar *model,
                                          const gchar *vocab,
                                          const gchar *device,
                                          const gchar *precision,
                                          GError **error);
GST_PE_META_API
GstPeVectors *gst_pe_text_encoder_encode(GstPeTextEncoder *self,
                                         const gchar *text, GError **error);
GST_PE_META_API
guint gst_pe_text_encoder_get_dim(GstPeTextEncoder *self);
GST_PE_META_API
const gchar *gst_pe_text_encoder_get_model_fingerprint(GstPeTextEncoder *self);

G_END_DECLS
