// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemeta.c - a result on a buffer, and a result in an event.

#include "gstpemeta.h"

#define EVENT_NAME "GstPeResult"

/**
 * gst_pe_meta_api_get_type:
 *
 * Returns: the type of the metadata, for gst_buffer_iterate_meta_filtered()
 *
 * Since: 0.1
 */
GType
gst_pe_meta_api_get_type(void)
{
    static GType type;
    // No tags: every element that copies metadata copies this one.
    static const gchar *tags[] = {NULL};

    if (g_once_init_enter(&type)) {
        GType t = gst_meta_api_type_register("GstPeMetaAPI", tags);
        g_once_init_leave(&type, t);
    }
    return type;
}

static gboolean
meta_init(GstMeta *meta, gpointer params, GstBuffer *buffer)
{
    GstPeMeta *self = (GstPeMeta *)meta;

    self->result = NULL;
    self->age = GST_CLOCK_TIME_NONE;
    return TRUE;
}

static void
meta_free(GstMeta *meta, GstBuffer *buffer)
{
    g_clear_pointer(&((GstPeMeta *)meta)->result, gst_pe_result_unref);
}

// A copy is a reference. Anything else (scaling, cropping) comes through here
// as a copy too, because the metadata has no tags.
static gboolean
meta_transform(GstBuffer *dest, GstMeta *meta, GstBuffer *buffer, GQuark type,
               gpointer data)
{
    GstPeMeta *self = (GstPeMeta *)meta;

    if (!GST_META_TRANSFORM_IS_COPY(type))
        return FALSE;
    return gst_buffer_add_pe_meta(dest, self->result, self->age) != NULL;
}

#if GST_CHECK_VERSION(1, 24, 0)
// u64 age, then the result; `version` of GstMeta is for the layout around it.
static gboolean
meta_serialize(const GstMeta *meta, GstByteArrayInterface *data,
               guint8 *version)
{
    const GstPeMeta *self = (const GstPeMeta *)meta;
    GBytes *bytes = gst_pe_result_to_bytes(self->result);
    guint64 age = GUINT64_TO_LE(self->age);
    gsize size;
    const guint8 *result = g_bytes_get_data(bytes, &size);
    gboolean ok = gst_byte_array_interface_append_data(
                      data, (const guint8 *)&age, sizeof age) &&
                  gst_byte_array_interface_append_data(data, result, size);

    *version = 1;
    g_bytes_unref(bytes);
    return ok;
}

static GstMeta *
meta_deserialize(const GstMetaInfo *info, GstBuffer *buffer, const guint8 *data,
                 gsize size, guint8 version)
{
    if (version != 1 || size < sizeof(guint64))
        return NULL;

    GstClockTime age = GST_READ_UINT64_LE(data);
    GBytes *bytes =
        g_bytes_new_static(data + sizeof(guint64), size - sizeof(guint64));
    g_autoptr(GError) error = NULL;
    GstPeResult *result = gst_pe_result_new_from_bytes(bytes, &error);
    GstMeta *meta = NULL;

    if (!result) {
        GST_WARNING("%s", error->message);
    } else {
        meta = (GstMeta *)gst_buffer_add_pe_meta(buffer, result, age);
        gst_pe_result_unref(result);
    }
    g_bytes_unref(bytes);
    return meta;
}

static const GstMetaInfo *
register_meta(void)
{
    GstMetaInfo *info = (GstMetaInfo *)gst_meta_info_new(
        GST_PE_META_API_TYPE, "GstPeMeta", sizeof(GstPeMeta));

    info->init_func = meta_init;
    info->free_func = meta_free;
    info->transform_func = meta_transform;
    info->serialize_func = meta_serialize;
    info->deserialize_func = meta_deserialize;
    return gst_meta_info_register(info);
}
#else
static const GstMetaInfo *
register_meta(void)
{
    return gst_meta_register(GST_PE_META_API_TYPE, "GstPeMeta",
                             sizeof(GstPeMeta), meta_init, meta_free,
                             meta_transform);
}
#endif

/**
 * gst_pe_meta_get_info: (skip)
 *
 * Since: 0.1
 */
const GstMetaInfo *
gst_pe_meta_get_info(void)
{
    static const GstMetaInfo *info;

    if (g_once_init_enter((GstMetaInfo **)&info))
        g_once_init_leave((GstMetaInfo **)&info,
                          (GstMetaInfo *)register_meta());
    return info;
}

/**
 * gst_buffer_add_pe_meta:
 * @buffer: a writable buffer
 * @result: (transfer none): what to attach
 * @age: how long before @buffer the clip ended
 *
 * Returns: (transfer none): the metadata on @buffer
 *
 * Since: 0.1
 */
GstPeMeta *
gst_buffer_add_pe_meta(GstBuffer *buffer, GstPeResult *result, GstClockTime age)
{
    g_return_val_if_fail(GST_IS_BUFFER(buffer), NULL);
    g_return_val_if_fail(result != NULL, NULL);

    GstPeMeta *meta =
        (GstPeMeta *)gst_buffer_add_meta(buffer, GST_PE_META_INFO, NULL);
    if (!meta)
        return NULL;
    meta->result = gst_pe_result_ref(result);
    meta->age = age;
    return meta;
}

/**
 * gst_buffer_get_pe_meta:
 * @buffer: a buffer
 *
 * The first one. A buffer has several when it passed several elements, or when
 * several regions of it were looked at: see gst_buffer_get_nth_pe_meta().
 *
 * Returns: (transfer none) (nullable): the metadata on @buffer
 *
 * Since: 0.1
 */
GstPeMeta *
gst_buffer_get_pe_meta(GstBuffer *buffer)
{
    return gst_buffer_get_nth_pe_meta(buffer, 0);
}

/**
 * gst_buffer_get_n_pe_metas:
 * @buffer: a buffer
 *
 * Returns: how many results are on @buffer
 *
 * Since: 0.1
 */
guint
gst_buffer_get_n_pe_metas(GstBuffer *buffer)
{
    g_return_val_if_fail(GST_IS_BUFFER(buffer), 0);
    return gst_buffer_get_n_meta(buffer, GST_PE_META_API_TYPE);
}

/**
 * gst_buffer_get_nth_pe_meta:
 * @buffer: a buffer
 * @index: 0 is the result that was added first
 *
 * Returns: (transfer none) (nullable): the metadata on @buffer, %NULL when it
 *     has no more than @index of them
 *
 * Since: 0.1
 */
GstPeMeta *
gst_buffer_get_nth_pe_meta(GstBuffer *buffer, guint index)
{
    g_return_val_if_fail(GST_IS_BUFFER(buffer), NULL);

    gpointer state = NULL;
    GstMeta *meta;
    do
        meta = gst_buffer_iterate_meta_filtered(buffer, &state,
                                                GST_PE_META_API_TYPE);
    while (meta && index-- > 0);
    return (GstPeMeta *)meta;
}

/**
 * gst_pe_meta_get_result:
 * @meta: metadata
 *
 * Returns: (transfer none): its result
 *
 * Since: 0.1
 */
GstPeResult *
gst_pe_meta_get_result(const GstPeMeta *meta)
{
    g_return_val_if_fail(meta != NULL, NULL);
    return meta->result;
}

/**
 * gst_pe_meta_get_age:
 * @meta: metadata
 *
 * Returns: how long before the buffer the clip ended, 0 when the buffer is the
 *     clip's last frame, %GST_CLOCK_TIME_NONE when not known
 *
 * Since: 0.1
 */
GstClockTime
gst_pe_meta_get_age(const GstPeMeta *meta)
{
    g_return_val_if_fail(meta != NULL, GST_CLOCK_TIME_NONE);
    return meta->age;
}

/**
 * gst_event_new_pe_result:
 * @result: (transfer none): a result
 *
 * A serialized downstream event for a result whose frames have all been sent,
 * as for the clip that the end of a stream cut short.
 *
 * Returns: (transfer full): the event
 *
 * Since: 0.1
 */
GstEvent *
gst_event_new_pe_result(GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    GstStructure *s = gst_structure_new(EVENT_NAME, "result",
                                        GST_TYPE_PE_RESULT, result, NULL);
    return gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, s);
}

/**
 * gst_event_get_pe_result:
 * @event: an event
 *
 * Returns: (transfer none) (nullable): its result, %NULL when @event is another
 *     kind of event
 *
 * Since: 0.1
 */
GstPeResult *
gst_event_get_pe_result(GstEvent *event)
{
    g_return_val_if_fail(GST_IS_EVENT(event), NULL);
    if (!gst_event_has_name(event, EVENT_NAME))
        return NULL;
    const GValue *v =
        gst_structure_get_value(gst_event_get_structure(event), "result");
    return v ? g_value_get_boxed(v) : NULL;
}
