// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpebytes.c - a result as bytes: what unixfdsink and other processes get.
// gstpebytes_private.h describes them, gstpebytesread.c reads them.

#include "gstpebytes_private.h"

#include "gstperesult_private.h"

#include <gst/base/gstbytewriter.h>
#include <string.h>

#define FIELD(name, kind, member) \
    { \
        name, kind, G_STRUCT_OFFSET(GstPeResultFields, member) \
    }

const GstPeBytesField gst_pe_bytes_fields[N_TAGS] = {
    [TAG_SOURCE] = FIELD("source", KIND_TEXT, source),
    [TAG_ELEMENT] = FIELD("element", KIND_TEXT, element),
    [TAG_SEQUENCE] = FIELD("sequence", KIND_U64, sequence),
    [TAG_STREAM_ID] = FIELD("stream-id", KIND_TEXT, stream_id),
    [TAG_CLIP] = FIELD("clip", KIND_CLIP, clip_start),
    [TAG_N_FRAMES] = FIELD("frames", KIND_U32, n_frames),
    [TAG_REASON] = FIELD("reason", KIND_U32, reason),
    [TAG_REGION] = FIELD("region", KIND_REGION, region),
    [TAG_WINDOW] = FIELD("window", KIND_TEXT, window),
    [TAG_MODEL] = FIELD("model", KIND_TEXT, model),
    [TAG_MODEL_FINGERPRINT] =
        FIELD("model-fingerprint", KIND_TEXT, model_fingerprint),
    [TAG_DEVICE] = FIELD("device", KIND_TEXT, device),
    [TAG_PRECISION] = FIELD("precision", KIND_TEXT, precision),
    [TAG_EMBEDDING] = FIELD("embedding", KIND_VECTORS, embedding),
    [TAG_TOKENS] = FIELD("tokens", KIND_VECTORS, tokens),
    [TAG_LABEL_SET] = FIELD("label-set", KIND_TEXT, label_set),
    [TAG_LABEL_SET_FINGERPRINT] =
        FIELD("label-set-fingerprint", KIND_TEXT, label_set_fingerprint),
    [TAG_LABEL] = FIELD("label", KIND_LABEL, labels),
    [TAG_CALIBRATION] = FIELD("calibration", KIND_TEXT, calibration),
    [TAG_NEGATIVE_MASS] = FIELD("negative-mass", KIND_F64, negative_mass),
    [TAG_UNKNOWN] = FIELD("unknown", KIND_U32, unknown),
    [TAG_EVENT] = FIELD("event", KIND_EVENT, events),
    [TAG_STRETCH] = FIELD("stretch", KIND_U64, stretch),
    [TAG_SAMPLE] = FIELD("sample", KIND_U64, sample),
    [TAG_NORM] = FIELD("norm", KIND_F64, norm),
};

const gsize gst_pe_bytes_event_times[GST_PE_BYTES_N_EVENT_TIMES] = {
    G_STRUCT_OFFSET(GstPeLabelEvent, start),
    G_STRUCT_OFFSET(GstPeLabelEvent, end),
    G_STRUCT_OFFSET(GstPeLabelEvent, peak),
    G_STRUCT_OFFSET(GstPeLabelEvent, stream_start),
    G_STRUCT_OFFSET(GstPeLabelEvent, stream_end),
    G_STRUCT_OFFSET(GstPeLabelEvent, stream_peak),
    G_STRUCT_OFFSET(GstPeLabelEvent, wall_start),
    G_STRUCT_OFFSET(GstPeLabelEvent, wall_end),
    G_STRUCT_OFFSET(GstPeLabelEvent, wall_peak),
};

static void
put_text(GstByteWriter *w, const gchar *text)
{
    gsize size = strlen(text);

    gst_byte_writer_put_uint32_le(w, (guint32)size);
    gst_byte_writer_put_data(w, (const guint8 *)text, (guint)size);
}

// The size follows with end_field(). Returns where the field begins.
static guint
begin_field(GstByteWriter *w, guint tag)
{
    guint start = gst_byte_writer_get_pos(w);

    gst_byte_writer_put_uint16_le(w, (guint16)tag);
    gst_byte_writer_put_uint16_le(w, 0);
    gst_byte_writer_put_uint32_le(w, 0);
    return start;
}

// Write the number of bytes behind `position` before them.
static void
put_size_at(GstByteWriter *w, guint position)
{
    guint end = gst_byte_writer_get_pos(w);

    gst_byte_writer_set_pos(w, position);
    gst_byte_writer_put_uint32_le(w, end - position - 4);
    gst_byte_writer_set_pos(w, end);
}

static void
end_field(GstByteWriter *w, guint start)
{
    put_size_at(w, start + 4);
}

static void
put_clip(GstByteWriter *w, const GstPeResultFields *f)
{
    gst_byte_writer_put_uint64_le(w, f->clip_start);
    gst_byte_writer_put_uint64_le(w, f->clip_end);
    gst_byte_writer_put_uint64_le(w, f->clip_stream_start);
    gst_byte_writer_put_uint64_le(w, f->clip_stream_end);
    gst_byte_writer_put_uint64_le(w, f->clip_wall_start);
    gst_byte_writer_put_uint64_le(w, f->clip_wall_end);
}

static void
put_region(GstByteWriter *w, const GstPeRegion *region)
{
    gst_byte_writer_put_int32_le(w, region->id);
    gst_byte_writer_put_int32_le(w, region->x);
    gst_byte_writer_put_int32_le(w, region->y);
    gst_byte_writer_put_int32_le(w, region->width);
    gst_byte_writer_put_int32_le(w, region->height);
    gst_byte_writer_put_uint64_le(w, region->track_id);
    put_text(w, region->name ? region->name : "");
}

static void
put_vectors(GstByteWriter *w, const GstPeVectors *vectors)
{
    gsize size;
    const guint8 *data =
        g_bytes_get_data(gst_pe_vectors_get_data(vectors), &size);

    gst_byte_writer_put_uint32_le(w, gst_pe_vectors_get_kind(vectors));
    gst_byte_writer_put_uint32_le(w, gst_pe_vectors_get_dtype(vectors));
    gst_byte_writer_put_uint32_le(w, gst_pe_vectors_get_n_vectors(vectors));
    gst_byte_writer_put_uint32_le(w, gst_pe_vectors_get_dim(vectors));
    if (size > 0)
        gst_byte_writer_put_data(w, data, (guint)size);
}

static void
put_labels(GstByteWriter *w, const GstPeResultFields *f)
{
    for (guint i = 0; i < f->n_labels; i++) {
        guint start = begin_field(w, TAG_LABEL);
        gst_byte_writer_put_float64_le(w, f->labels[i].score);
        gst_byte_writer_put_float64_le(w, f->labels[i].similarity);
        put_text(w, f->labels[i].name ? f->labels[i].name : "");
        gst_byte_writer_put_float64_le(w, f->labels[i].probability);
        gst_byte_writer_put_float64_le(w, f->labels[i].p_value);
        end_field(w, start);
    }
}

static void
put_event(GstByteWriter *w, const GstPeLabelEvent *e)
{
    gst_byte_writer_put_uint32_le(w, e->phase);
    gst_byte_writer_put_uint64_le(w, e->id);
    for (guint i = 0; i < GST_PE_BYTES_N_EVENT_TIMES; i++)
        gst_byte_writer_put_uint64_le(
            w, G_STRUCT_MEMBER(guint64, e, gst_pe_bytes_event_times[i]));
    gst_byte_writer_put_float64_le(w, e->peak_score);
    gst_byte_writer_put_float64_le(w, e->threshold);
    gst_byte_writer_put_float64_le(w, e->p_value);
    gst_byte_writer_put_uint32_le(w, e->n_clips);
    put_text(w, e->label ? e->label : "");
    if (e->embedding)
        put_vectors(w, e->embedding);
    else
        gst_byte_writer_fill(w, 0, 16);
}

static void
put_events(GstByteWriter *w, const GstPeResultFields *f)
{
    for (guint i = 0; i < f->n_events; i++) {
        guint start = begin_field(w, TAG_EVENT);
        put_event(w, &f->events[i]);
        end_field(w, start);
    }
}

static void
put_field(GstByteWriter *w, guint tag, const GstPeResultFields *f)
{
    const GstPeBytesField *field = &gst_pe_bytes_fields[tag];
    gconstpointer member = G_STRUCT_MEMBER_P(f, field->offset);
    gboolean pointer = field->kind == KIND_TEXT || field->kind == KIND_REGION ||
                       field->kind == KIND_VECTORS;
    gconstpointer target = pointer ? *(const gconstpointer *)member : member;

    if (!target)
        return;
    guint start = begin_field(w, tag);
    switch (field->kind) {
    case KIND_TEXT:
        gst_byte_writer_put_data(w, target, (guint)strlen(target));
        break;
    case KIND_U32:
        gst_byte_writer_put_uint32_le(w, *(const guint32 *)member);
        break;
    case KIND_U64:
        gst_byte_writer_put_uint64_le(w, *(const guint64 *)member);
        break;
    case KIND_F64:
        gst_byte_writer_put_float64_le(w, *(const gdouble *)member);
        break;
    case KIND_CLIP:
        put_clip(w, f);
        break;
    case KIND_REGION:
        put_region(w, target);
        break;
    case KIND_VECTORS:
        put_vectors(w, target);
        break;
    case KIND_NONE:
    case KIND_LABEL:
    case KIND_EVENT:
        g_assert_not_reached();
    }
    end_field(w, start);
}

/**
 * gst_pe_result_to_bytes:
 * @result: a result
 *
 * The bytes can be kept: later versions of the library read them too.
 *
 * Returns: (transfer full): a form for gst_pe_result_new_from_bytes()
 *
 * Since: 0.1
 */
GBytes *
gst_pe_result_to_bytes(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);

    GstByteWriter w;

    gst_byte_writer_init(&w);
    gst_byte_writer_put_data(&w, (const guint8 *)GST_PE_BYTES_MAGIC, 4);
    gst_byte_writer_put_uint8(&w, GST_PE_BYTES_VERSION);
    gst_byte_writer_put_uint8(&w, GST_PE_BYTES_VERSION);
    gst_byte_writer_put_uint16_le(&w, 0);
    gst_byte_writer_put_uint32_le(&w, 0);
    for (guint tag = 1; tag < N_TAGS; tag++) {
        if (tag == TAG_LABEL)
            put_labels(&w, &result->fields);
        else if (tag == TAG_EVENT)
            put_events(&w, &result->fields);
        else
            put_field(&w, tag, &result->fields);
    }
    put_size_at(&w, GST_PE_BYTES_HEAD_SIZE - 4);

    guint size = gst_byte_writer_get_size(&w);
    return g_bytes_new_take(gst_byte_writer_reset_and_get_data(&w), size);
}
