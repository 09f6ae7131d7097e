// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperesult.c - the immutable result: made by an element, shared by every
// buffer, message and event that carries it. Here: its life, whose it is, and
// what computed it. Its byte form is in gstpebytes.c.

#include "gstperesult_private.h"

#include <string.h>

G_DEFINE_BOXED_TYPE(GstPeResult, gst_pe_result, gst_pe_result_ref,
                    gst_pe_result_unref)

// Every text of a result, to copy and to free.
static const gsize texts[] = {
    G_STRUCT_OFFSET(GstPeResultFields, source),
    G_STRUCT_OFFSET(GstPeResultFields, element),
    G_STRUCT_OFFSET(GstPeResultFields, stream_id),
    G_STRUCT_OFFSET(GstPeResultFields, window),
    G_STRUCT_OFFSET(GstPeResultFields, model),
    G_STRUCT_OFFSET(GstPeResultFields, model_fingerprint),
    G_STRUCT_OFFSET(GstPeResultFields, device),
    G_STRUCT_OFFSET(GstPeResultFields, precision),
    G_STRUCT_OFFSET(GstPeResultFields, label_set),
    G_STRUCT_OFFSET(GstPeResultFields, label_set_fingerprint),
    G_STRUCT_OFFSET(GstPeResultFields, calibration),
};

// Whatever users and files wrote: from here on it is UTF-8.
static gchar *
copy_text(const gchar *text)
{
    return text ? g_utf8_make_valid(text, -1) : NULL;
}

static GstPeLabel *
copy_labels(const GstPeLabel *labels, guint n)
{
    GstPeLabel *copy = g_new(GstPeLabel, n);
    for (guint i = 0; i < n; i++) {
        copy[i] = labels[i];
        copy[i].name = copy_text(labels[i].name);
    }
    return copy;
}

static GstPeLabelEvent *
copy_events(const GstPeLabelEvent *events, guint n)
{
    GstPeLabelEvent *copy = g_new(GstPeLabelEvent, n);
    for (guint i = 0; i < n; i++) {
        copy[i] = events[i];
        copy[i].label = copy_text(events[i].label);
        if (copy[i].embedding)
            gst_pe_vectors_ref(copy[i].embedding);
    }
    return copy;
}

static void
free_events(GstPeLabelEvent *events, guint n)
{
    for (guint i = 0; i < n; i++) {
        g_free((gpointer)events[i].label);
        g_clear_pointer(&events[i].embedding, gst_pe_vectors_unref);
    }
    g_free(events);
}

/**
 * gst_pe_result_new: (skip)
 * @fields: what it holds
 *
 * Returns: (transfer full): a new result
 *
 * Since: 0.1
 */
GstPeResult *
gst_pe_result_new(const GstPeResultFields *fields)
{
    g_return_val_if_fail(fields != NULL, NULL);

    GstPeResult *result = g_new0(GstPeResult, 1);
    GstPeResultFields *own = &result->fields;

    result->refs = 1;
    *own = *fields;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        gchar **text = G_STRUCT_MEMBER_P(own, texts[i]);
        *text = copy_text(*text);
    }
    if (own->region)
        own->region = gst_pe_region_copy(own->region);
    if (own->embedding)
        gst_pe_vectors_ref(own->embedding);
    if (own->tokens)
        gst_pe_vectors_ref(own->tokens);
    own->labels = copy_labels(fields->labels, fields->n_labels);
    own->events = copy_events(fields->events, fields->n_events);
    return result;
}

/**
 * gst_pe_result_ref:
 * @result: a result
 *
 * Returns: (transfer full): @result with one more reference
 *
 * Since: 0.1
 */
GstPeResult *
gst_pe_result_ref(GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    g_atomic_int_inc(&result->refs);
    return result;
}

/**
 * gst_pe_result_unref:
 * @result: (transfer full): a result
 *
 * Since: 0.1
 */
void
gst_pe_result_unref(GstPeResult *result)
{
    g_return_if_fail(result != NULL);
    if (!g_atomic_int_dec_and_test(&result->refs))
        return;

    GstPeResultFields *own = &result->fields;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(G_STRUCT_MEMBER(gchar *, own, texts[i]));
    for (guint i = 0; i < own->n_labels; i++)
        g_free((gpointer)own->labels[i].name);
    g_free((gpointer)own->labels);
    free_events((gpointer)own->events, own->n_events);
    if (own->region)
        gst_pe_region_free((GstPeRegion *)own->region);
    g_clear_pointer(&own->embedding, gst_pe_vectors_unref);
    g_clear_pointer(&own->tokens, gst_pe_vectors_unref);
    g_free(result);
}

/**
 * gst_pe_result_get_source:
 * @result: a result
 *
 * What a person finds the stream by again. It is the element's `source-id`
 * when that is set, else the URI that is played, without user, password and
 * query string, else the stream's id.
 *
 * Returns: (nullable): the source
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_source(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.source;
}

/**
 * gst_pe_result_get_element:
 * @result: a result
 *
 * Tells several elements of one stream apart.
 *
 * Returns: (nullable): the name of the element that made the result
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_element(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.element;
}

/**
 * gst_pe_result_get_sequence:
 * @result: a result
 *
 * Returns: a number that grows by one from result to result of one element
 *
 * Since: 0.1
 */
guint64
gst_pe_result_get_sequence(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    return result->fields.sequence;
}

/**
 * gst_pe_result_is_same:
 * @result: a result
 * @other: another one
 *
 * The same result arrives several times when it is repeated on buffers, or sent
 * both on a buffer and in an event, also as a copy from another process.
 *
 * Returns: whether both have the same source, element and sequence
 *
 * Since: 0.1
 */
gboolean
gst_pe_result_is_same(const GstPeResult *result, const GstPeResult *other)
{
    g_return_val_if_fail(result != NULL, FALSE);
    g_return_val_if_fail(other != NULL, FALSE);

    const GstPeResultFields *a = &result->fields, *b = &other->fields;
    return result == other || (a->sequence == b->sequence &&
                               g_strcmp0(a->source, b->source) == 0 &&
                               g_strcmp0(a->element, b->element) == 0);
}

/**
 * gst_pe_result_get_stream_id:
 * @result: a result
 *
 * Returns: (nullable): the id of the stream that the clip is from
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_stream_id(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.stream_id;
}

/**
 * gst_pe_result_get_model:
 * @result: a result
 *
 * Returns: (nullable): the name of the model, such as "PE-Core-L14-336"
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_model(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.model;
}

/**
 * gst_pe_result_get_model_fingerprint:
 * @result: a result
 *
 * Embeddings can be compared only when their fingerprints are equal.
 *
 * Returns: (nullable): 16 hexadecimal digits
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_model_fingerprint(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.model_fingerprint;
}

/**
 * gst_pe_result_get_device:
 * @result: a result
 *
 * Returns: (nullable): "cpu", "cuda:0"
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_device(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.device;
}

/**
 * gst_pe_result_get_precision:
 * @result: a result
 *
 * Returns: (nullable): "fp32", "bf16", ...
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_precision(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.precision;
}
