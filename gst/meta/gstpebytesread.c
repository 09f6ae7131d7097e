// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpebytesread.c - the reader of a result's bytes. They may come from another
// process, from an older or newer version, or be damaged: whatever they are,
// the answer is a result or an error, and memory stays within their size.

#include "gstpebytes_private.h"

#include <gst/base/gstbytereader.h>
#include <math.h>
#include <string.h>

// A result that is being read; owns what its fields point to.
typedef struct {
    GstPeResultFields fields;
    GArray *labels; // GstPeLabel
    GArray *events; // GstPeLabelEvent
} Draft;

static gboolean fail(GError **error, const gchar *format, ...)
    G_GNUC_PRINTF(2, 3);

static gboolean
fail(GError **error, const gchar *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree gchar *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE,
                "not a result of this version: %s", text);
    return FALSE;
}

// ---- Fields ---------------------------------------------------------------
// Each takes what it knows from the reader of one field. FALSE: there is less,
// or it makes no sense.

// Returns the next n bytes as text, g_free(), or NULL.
static gchar *
take_text(GstByteReader *r, guint n)
{
    const guint8 *data;

    if (!gst_byte_reader_get_data(r, n, &data) ||
        !g_utf8_validate((const gchar *)data, n, NULL))
        return NULL;
    return g_strndup((const gchar *)data, n);
}

static gboolean
take_sized_text(GstByteReader *r, const gchar **text)
{
    guint32 n;

    return gst_byte_reader_get_uint32_le(r, &n) && (*text = take_text(r, n));
}

static gboolean
take_clip(GstByteReader *r, GstPeResultFields *f)
{
    return gst_byte_reader_get_uint64_le(r, &f->clip_start) &&
           gst_byte_reader_get_uint64_le(r, &f->clip_end) &&
           gst_byte_reader_get_uint64_le(r, &f->clip_stream_start) &&
           gst_byte_reader_get_uint64_le(r, &f->clip_stream_end) &&
           gst_byte_reader_get_uint64_le(r, &f->clip_wall_start) &&
           gst_byte_reader_get_uint64_le(r, &f->clip_wall_end);
}

static gboolean
take_region(GstByteReader *r, const GstPeRegion **region)
{
    GstPeRegion *own = g_new0(GstPeRegion, 1);

    *region = own; // freed with the draft
    return gst_byte_reader_get_int32_le(r, &own->id) &&
           gst_byte_reader_get_int32_le(r, &own->x) &&
           gst_byte_reader_get_int32_le(r, &own->y) &&
           gst_byte_reader_get_int32_le(r, &own->width) && own->width >= 0 &&
           gst_byte_reader_get_int32_le(r, &own->height) && own->height >= 0 &&
           gst_byte_reader_get_uint64_le(r, &own->track_id) &&
           take_sized_text(r, &own->name);
}

// Vectors of a kind or type that only newer versions know are left out.
static gboolean
take_vectors(GstByteReader *r, GstPeVectors **vectors)
{
    guint32 kind, dtype, n, dim;
    const guint8 *data;

    if (!gst_byte_reader_get_uint32_le(r, &kind) ||
        !gst_byte_reader_get_uint32_le(r, &dtype) ||
        !gst_byte_reader_get_uint32_le(r, &n) ||
        !gst_byte_reader_get_uint32_le(r, &dim))
        return FALSE;
    gsize size = gst_pe_dtype_get_size((GstPeDtype)dtype);
    if (size == 0 || kind > GST_PE_VECTORS_TOKENS)
        return TRUE;
    if (kind == GST_PE_VECTORS_POOLED && n != 1)
        return FALSE;
    if (dim == 0 || n == 0 || n > G_MAXUINT32 / size / dim ||
        !gst_byte_reader_get_data(r, (guint)(n * dim * size), &data))
        return FALSE;
    g_autoptr(GBytes) bytes = g_bytes_new(data, n * dim * size);
    *vectors = gst_pe_vectors_new((GstPeVectorsKind)kind, (GstPeDtype)dtype, n,
                                  dim, bytes);
    return TRUE;
}

static gboolean
take_label(GstByteReader *r, GArray *labels)
{
    GstPeLabel label = {NULL, 0, 0, NAN, 0};
    gboolean ok = gst_byte_reader_get_float64_le(r, &label.score) &&
                  gst_byte_reader_get_float64_le(r, &label.similarity) &&
                  take_sized_text(r, &label.name);

    if (ok && gst_byte_reader_get_remaining(r) >= sizeof(gdouble))
        ok = gst_byte_reader_get_float64_le(r, &label.probability);
    if (ok && gst_byte_reader_get_remaining(r) >= sizeof(gdouble))
        ok = gst_byte_reader_get_float64_le(r, &label.p_value);
    g_array_append_val(labels, label);
    return ok;
}

static gboolean
take_event_numbers(GstByteReader *r, GstPeLabelEvent *e)
{
    guint32 phase;

    if (!gst_byte_reader_get_uint32_le(r, &phase) ||
        !gst_byte_reader_get_uint64_le(r, &e->id))
        return FALSE;
    e->phase = phase <= GST_PE_EVENT_END ? (GstPeEventPhase)phase
                                         : GST_PE_EVENT_UNKNOWN;
    for (guint i = 0; i < GST_PE_BYTES_N_EVENT_TIMES; i++) {
        guint64 *time = G_STRUCT_MEMBER_P(e, gst_pe_bytes_event_times[i]);
        if (!gst_byte_reader_get_uint64_le(r, time))
            return FALSE;
    }
    return gst_byte_reader_get_float64_le(r, &e->peak_score) &&
           gst_byte_reader_get_float64_le(r, &e->threshold) &&
           gst_byte_reader_get_float64_le(r, &e->p_value) &&
           gst_byte_reader_get_uint32_le(r, &e->n_clips);
}

static gboolean
take_event(GstByteReader *r, GArray *events)
{
    static const guint8 none[16];
    const guint8 *head;
    GstPeLabelEvent event = {.id = 0};
    gboolean ok = take_event_numbers(r, &event) &&
                  take_sized_text(r, &event.label) &&
                  gst_byte_reader_peek_data(r, sizeof none, &head);

    if (ok && memcmp(head, none, sizeof none) != 0)
        ok = take_vectors(r, &event.embedding);
    g_array_append_val(events, event);
    return ok;
}

static gboolean
take_u32(GstByteReader *r, guint tag, GstPeResultFields *f)
{
    guint32 value;

    if (!gst_byte_reader_get_uint32_le(r, &value))
        return FALSE;
    if (tag == TAG_N_FRAMES)
        f->n_frames = value;
    else if (tag == TAG_UNKNOWN)
        f->unknown = value != 0;
    else
        f->reason = value <= GST_PE_REASON_RECONFIGURED ? (GstPeReason)value
                                                        : GST_PE_REASON_UNKNOWN;
    return TRUE;
}

static gboolean
take_field(GstByteReader *r, guint tag, Draft *draft)
{
    const GstPeBytesField *field = &gst_pe_bytes_fields[tag];
    gpointer member = G_STRUCT_MEMBER_P(&draft->fields, field->offset);

    switch (field->kind) {
    case KIND_TEXT:
        return (*(gchar **)member =
                    take_text(r, gst_byte_reader_get_remaining(r))) != NULL;
    case KIND_U32:
        return take_u32(r, tag, &draft->fields);
    case KIND_U64:
        return gst_byte_reader_get_uint64_le(r, member);
    case KIND_F64:
        return gst_byte_reader_get_float64_le(r, member);
    case KIND_CLIP:
        return take_clip(r, &draft->fields);
    case KIND_REGION:
        return take_region(r, member);
    case KIND_VECTORS:
        return take_vectors(r, member);
    case KIND_LABEL:
        return take_label(r, draft->labels);
    case KIND_EVENT:
        return take_event(r, draft->events);
    case KIND_NONE:
        break;
    }
    return TRUE;
}

// ---- All of it ------------------------------------------------------------

static gboolean
read_head(GstByteReader *r, GError **error)
{
    const guint8 *magic;
    guint8 version, oldest;
    guint16 zero;
    guint32 size;

    if (!gst_byte_reader_get_data(r, 4, &magic) ||
        memcmp(magic, GST_PE_BYTES_MAGIC, 4) != 0)
        return fail(error, "does not begin with " GST_PE_BYTES_MAGIC);
    if (!gst_byte_reader_get_uint8(r, &version) ||
        !gst_byte_reader_get_uint8(r, &oldest) ||
        !gst_byte_reader_get_uint16_le(r, &zero) ||
        !gst_byte_reader_get_uint32_le(r, &size))
        return fail(error, "ends inside of its head");
    if (oldest > GST_PE_BYTES_VERSION)
        return fail(error,
                    "written by version %u for readers of version %u and "
                    "later, this is version %d",
                    version, oldest, GST_PE_BYTES_VERSION);
    if (size != gst_byte_reader_get_remaining(r))
        return fail(error, "%u bytes of fields announced, %u found", size,
                    gst_byte_reader_get_remaining(r));
    return TRUE;
}

// One field, known or not. `seen`: a bit for each tag.
static gboolean
read_field(GstByteReader *r, Draft *draft, guint64 *seen, GError **error)
{
    guint16 tag, zero;
    guint32 size;
    GstByteReader part;

    if (!gst_byte_reader_get_uint16_le(r, &tag) ||
        !gst_byte_reader_get_uint16_le(r, &zero) ||
        !gst_byte_reader_get_uint32_le(r, &size))
        return fail(error, "ends inside of a field's head");
    const gchar *name = tag < N_TAGS ? gst_pe_bytes_fields[tag].name : NULL;
    if (!gst_byte_reader_get_sub_reader(r, &part, size))
        return fail(error, "field %u (%s) has %u bytes, %u are there", tag,
                    name ? name : "not known", size,
                    gst_byte_reader_get_remaining(r));
    if (!name)
        return TRUE;
    if (tag != TAG_LABEL && tag != TAG_EVENT && *seen >> tag & 1)
        return fail(error, "%s is there twice", name);
    *seen |= G_GUINT64_CONSTANT(1) << tag;
    if (!take_field(&part, tag, draft))
        return fail(error, "%s has %u bytes that are not one", name, size);
    return TRUE;
}

static void
clear_label(gpointer data)
{
    g_free((gpointer)((GstPeLabel *)data)->name);
}

static void
clear_event(gpointer data)
{
    GstPeLabelEvent *event = data;

    g_free((gpointer)event->label);
    g_clear_pointer(&event->embedding, gst_pe_vectors_unref);
}

static void
init_draft(Draft *draft)
{
    draft->fields = (GstPeResultFields){
        .clip_start = GST_CLOCK_TIME_NONE,
        .clip_end = GST_CLOCK_TIME_NONE,
        .clip_stream_start = GST_CLOCK_TIME_NONE,
        .clip_stream_end = GST_CLOCK_TIME_NONE,
        .clip_wall_start = GST_CLOCK_TIME_NONE,
        .clip_wall_end = GST_CLOCK_TIME_NONE,
    };
    draft->labels = g_array_new(FALSE, FALSE, sizeof(GstPeLabel));
    g_array_set_clear_func(draft->labels, clear_label);
    draft->events = g_array_new(FALSE, FALSE, sizeof(GstPeLabelEvent));
    g_array_set_clear_func(draft->events, clear_event);
}

static void
clear_draft(Draft *draft)
{
    for (guint tag = 1; tag < N_TAGS; tag++) {
        const GstPeBytesField *field = &gst_pe_bytes_fields[tag];
        if (field->kind == KIND_TEXT)
            g_free(G_STRUCT_MEMBER(gchar *, &draft->fields, field->offset));
    }
    if (draft->fields.region)
        gst_pe_region_free((GstPeRegion *)draft->fields.region);
    g_clear_pointer(&draft->fields.embedding, gst_pe_vectors_unref);
    g_clear_pointer(&draft->fields.tokens, gst_pe_vectors_unref);
    g_array_unref(draft->labels);
    g_array_unref(draft->events);
}

/**
 * gst_pe_result_new_from_bytes:
 * @bytes: from gst_pe_result_to_bytes() of this or another version
 *
 * What only a newer version knows is left out.
 *
 * Returns: (transfer full): the result, or %NULL with an error of
 *     #GST_STREAM_ERROR when @bytes are not one
 *
 * Since: 0.1
 */
GstPeResult *
gst_pe_result_new_from_bytes(GBytes *bytes, GError **error)
{
    g_return_val_if_fail(bytes != NULL, NULL);
    g_return_val_if_fail(error == NULL || *error == NULL, NULL);

    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    GstByteReader r;
    Draft draft;
    guint64 seen = 0;

    gst_byte_reader_init(&r, data, (guint)MIN(size, G_MAXUINT32));
    if (!read_head(&r, error))
        return NULL;
    init_draft(&draft);
    gboolean ok = TRUE;
    while (ok && gst_byte_reader_get_remaining(&r) > 0)
        ok = read_field(&r, &draft, &seen, error);
    GstPeResult *result = NULL;
    if (ok) {
        draft.fields.labels = (const GstPeLabel *)draft.labels->data;
        draft.fields.n_labels = draft.labels->len;
        draft.fields.events = (const GstPeLabelEvent *)draft.events->data;
        draft.fields.n_events = draft.events->len;
        result = gst_pe_result_new(&draft.fields);
    }
    clear_draft(&draft);
    return result;
}
