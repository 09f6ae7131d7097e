// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetextencoder.c - see gstpetextencoder.h. The only file of the library
// that needs the engine.

#include "gstpetextencoder.h"

#include "core/pe.h"

struct _GstPeTextEncoder {
    GObject parent;
    PeEngine *engine;
    PeTokenizer *tokenizer;
};

G_DEFINE_TYPE(GstPeTextEncoder, gst_pe_text_encoder, G_TYPE_OBJECT)

static void
gst_pe_text_encoder_finalize(GObject *object)
{
    GstPeTextEncoder *self = GST_PE_TEXT_ENCODER(object);

    g_clear_pointer(&self->engine, pe_engine_unref);
    g_clear_pointer(&self->tokenizer, pe_tokenizer_unref);
    G_OBJECT_CLASS(gst_pe_text_encoder_parent_class)->finalize(object);
}

static void
gst_pe_text_encoder_class_init(GstPeTextEncoderClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = gst_pe_text_encoder_finalize;
}

static void
gst_pe_text_encoder_init(GstPeTextEncoder *self)
{
}

// Of the domains that other languages know. Takes `inner`.
static void
translate_error(GError *inner, GError **error)
{
    GQuark domain = GST_LIBRARY_ERROR;
    gint code = GST_LIBRARY_ERROR_FAILED;

    if (g_error_matches(inner, PE_ERROR, PE_ERROR_FILE) ||
        g_error_matches(inner, PE_ERROR, PE_ERROR_DEVICE)) {
        domain = GST_RESOURCE_ERROR;
        code = GST_RESOURCE_ERROR_NOT_FOUND;
    } else if (g_error_matches(inner, PE_ERROR, PE_ERROR_FORMAT) ||
               g_error_matches(inner, PE_ERROR, PE_ERROR_SHAPE)) {
        domain = GST_STREAM_ERROR;
        code = GST_STREAM_ERROR_FORMAT;
    } else if (g_error_matches(inner, PE_ERROR, PE_ERROR_NOMEM)) {
        domain = GST_RESOURCE_ERROR;
        code = GST_RESOURCE_ERROR_NO_SPACE_LEFT;
    }
    g_set_error_literal(error, domain, code, inner->message);
    g_error_free(inner);
}

static gboolean
open_all(GstPeTextEncoder *self, PeModel *model, const gchar *vocab,
         const gchar *device, PePrecision precision, GError **error)
{
    PeEngineParams params = {
        .model = model,
        .device = device && *device ? device : NULL,
        .precision = precision,
    };

    self->tokenizer = pe_tokenizer_open_for_model(
        vocab && *vocab ? vocab : NULL, model, error);
    if (self->tokenizer)
        self->engine = pe_engine_get(&params, error);
    return self->engine != NULL;
}

/**
 * gst_pe_text_encoder_new:
 * @model: (nullable): checkpoint, or a folder with one; %NULL: the demo model
 * @vocab: (nullable): the vocabulary; %NULL: found beside the model or in the
 *     data folders
 * @device: (nullable): "auto", "cpu", "cuda" or "cuda:N"; %NULL: "auto"
 * @precision: (nullable): "auto", "fp32", "bf16", "fp16", "int8" or "fp8";
 * %NULL: "auto"
 * @error: what went wrong: of #GST_RESOURCE_ERROR when a file or the device is
 *     not there, of #GST_STREAM_ERROR when a file is not what it should be
 *
 * Opens the model and loads it, which takes up to seconds.
 *
 * Returns: (transfer full) (nullable): the encoder, or %NULL with @error
 *
 * Since: 0.1
 */
GstPeTextEncoder *
gst_pe_text_encoder_new(const gchar *model, const gchar *vocab,
                        const gchar *device, const gchar *precision,
                        GError **error)
{
    g_return_val_if_fail(error == NULL || *error == NULL, NULL);

    GError *inner = NULL;
    PePrecision wanted = PE_PRECISION_AUTO;
    if (precision && *precision && !pe_precision_parse(precision, &wanted)) {
        g_set_error(error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
                    "there is no precision \"%s\": auto, fp32, bf16, fp16, "
                    "int8 or fp8",
                    precision);
        return NULL;
    }
    GstPeTextEncoder *self = g_object_new(GST_TYPE_PE_TEXT_ENCODER, NULL);
    PeModel *opened = model && *model ? pe_model_open(model, &inner)
                                      : pe_model_open_default(&inner);
    if (!opened || !open_all(self, opened, vocab, device, wanted, &inner)) {
        translate_error(inner, error);
        g_clear_object(&self);
    }
    g_clear_pointer(&opened, pe_model_unref);
    return self;
}

/**
 * gst_pe_text_encoder_encode:
 * @self: an encoder
 * @text: what to look for, in UTF-8, such as "a video of a red truck"
 * @error: what went wrong: of #GST_LIBRARY_ERROR when the device failed
 *
 * Embeds @text as it is, without a template. The similarity to a result is
 * gst_pe_vectors_get_similarity() with gst_pe_result_get_embedding().
 *
 * Returns: (transfer full) (nullable): one vector of unit length, or %NULL with
 *     @error
 *
 * Since: 0.1
 */
GstPeVectors *
gst_pe_text_encoder_encode(GstPeTextEncoder *self, const gchar *text,
                           GError **error)
{
    g_return_val_if_fail(GST_PE_IS_TEXT_ENCODER(self), NULL);
    g_return_val_if_fail(text != NULL, NULL);
    g_return_val_if_fail(error == NULL || *error == NULL, NULL);

    int dim = pe_engine_get_dim(self->engine);
    g_autofree gfloat *vector = g_new(gfloat, (gsize)dim);
    GError *inner = NULL;

    if (!pe_engine_embed_texts(self->engine, self->tokenizer, &text, 1, vector,
                               &inner)) {
        translate_error(inner, error);
        return NULL;
    }
    pe_embedding_normalize(vector, dim);
    return gst_pe_vectors_new_from_floats(vector, (gsize)dim);
}

/**
 * gst_pe_text_encoder_get_dim:
 * @self: an encoder
 *
 * Returns: how many numbers a vector has
 *
 * Since: 0.1
 */
guint
gst_pe_text_encoder_get_dim(GstPeTextEncoder *self)
{
    g_return_val_if_fail(GST_PE_IS_TEXT_ENCODER(self), 0);
    return (guint)pe_engine_get_dim(self->engine);
}

/**
 * gst_pe_text_encoder_get_model_fingerprint:
 * @self: an encoder
 *
 * Its vectors can be compared with those of results that have the same.
 *
 * Returns: 16 hexadecimal digits
 *
 * Since: 0.1
 */
const gchar *
gst_pe_text_encoder_get_model_fingerprint(GstPeTextEncoder *self)
{
    g_return_val_if_fail(GST_PE_IS_TEXT_ENCODER(self), NULL);
    return pe_model_get_fingerprint(pe_engine_get_model(self->engine));
}
