// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeanalytics.c - see gstpeanalytics.h. Consumers of GstAnalyticsClsMtd look
// at its first entry only, so what shows nothing that was asked for is of the
// class "unknown" before all others.

#include "gst/result/gstpeanalytics.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#include <gst/video/gstvideometa.h>

#define HAVE_TENSORS GST_CHECK_VERSION(1, 26, 0)
#define HAVE_RELATED_TENSORS GST_CHECK_VERSION(1, 28, 0)

// Readers ask for one or the other of both. The call overwrites.
#define RELATED \
    (GST_ANALYTICS_REL_TYPE_RELATE_TO | GST_ANALYTICS_REL_TYPE_CONTAIN)

// ---- Labels ---------------------------------------------------------------

static bool
has_labels(const GstPeResult *result)
{
    return gst_pe_result_get_n_labels(result) > 0 ||
           gst_pe_result_is_unknown(result);
}

// Returns the id of the classification, or -1.
static int
add_labels(GstAnalyticsRelationMeta *meta, const GstPeResult *result)
{
    guint n_labels = gst_pe_result_get_n_labels(result);
    g_autofree gfloat *levels = g_new(gfloat, n_labels + 1);
    g_autofree GQuark *labels = g_new(GQuark, n_labels + 1);
    GstAnalyticsClsMtd mtd;
    gsize n = 0;

    if (gst_pe_result_is_unknown(result)) {
        levels[n] = (gfloat)gst_pe_result_get_negative_mass(result);
        labels[n++] = g_quark_from_static_string("unknown");
    }
    for (guint i = 0; i < n_labels; i++) {
        levels[n] = (gfloat)gst_pe_result_get_score(result, i);
        labels[n++] = g_quark_from_string(gst_pe_result_get_label(result, i));
    }
    if (!gst_analytics_relation_meta_add_cls_mtd(meta, n, levels, labels, &mtd))
        return -1;
    return (int)mtd.id;
}

// ---- Boxes ----------------------------------------------------------------

// objectdetectionoverlay writes a label above its box, even where that is
// outside of the picture.
#define LABEL_ROOM 32 // pixels

static void
make_room(GstPeRegion *box)
{
    int room = MIN(LABEL_ROOM, box->height / 4);

    box->y += room;
    box->height -= room;
}

// The whole picture, as caps and crop say. false: nobody knows.
static bool
find_picture(GstBuffer *buffer, GstPad *pad, GstPeRegion *box)
{
    const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);

    if (crop) {
        box->x = (int)crop->x;
        box->y = (int)crop->y;
        box->width = (int)crop->width;
        box->height = (int)crop->height;
        return true;
    }
    if (!caps)
        return false;
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    return gst_structure_get_int(s, "width", &box->width) &&
           gst_structure_get_int(s, "height", &box->height);
}

// Of the type of the best label, for readers that know boxes only. Returns its
// id, or -1.
static int
add_box(GstAnalyticsRelationMeta *meta, GstBuffer *buffer, GstPad *pad,
        const GstPeResult *result)
{
    const GstPeRegion *region = gst_pe_result_get_region(result);
    bool unknown = gst_pe_result_is_unknown(result);
    const char *label =
        unknown ? "unknown" : gst_pe_result_get_label(result, 0);
    double score = unknown ? gst_pe_result_get_negative_mass(result)
                           : gst_pe_result_get_score(result, 0);
    g_autofree char *title = gst_pe_result_title_label(result, label);
    GstPeRegion box = {0};
    GstAnalyticsODMtd mtd;

    if (region)
        box = *region;
    else if (find_picture(buffer, pad, &box))
        make_room(&box);
    else
        return -1;
    if (!gst_analytics_relation_meta_add_od_mtd(
            meta, g_quark_from_string(title), box.x, box.y, box.width,
            box.height, (gfloat)score, &mtd))
        return -1;
    return (int)mtd.id;
}

// ---- The embedding --------------------------------------------------------

#if HAVE_TENSORS
// Returns a buffer with [1, dim] floats of this machine.
static GstBuffer *
copy_embedding(const GstPeVectors *embedding)
{
    gsize n;
    gfloat *values = gst_pe_vectors_to_floats(embedding, &n);

    return gst_buffer_new_wrapped(values, n * sizeof *values);
}

// Several elements may add one each: what gst_buffer_add_tensor_meta() of early
// 1.26 returns may be that of another.
static void
add_tensor(GstBuffer *buffer, GstBuffer *data, gsize dim)
{
    GstTensorMeta *meta = (GstTensorMeta *)gst_buffer_add_meta(
        buffer, gst_tensor_meta_get_info(), NULL);
    GstTensor **tensors = g_new(GstTensor *, 1);
    gsize dims[] = {1, dim};

    tensors[0] = gst_tensor_new_simple(
        g_quark_from_static_string(GST_PE_TENSOR_ID),
        GST_TENSOR_DATA_TYPE_FLOAT32, gst_buffer_ref(data),
        GST_TENSOR_DIM_ORDER_ROW_MAJOR, G_N_ELEMENTS(dims), dims);
    gst_tensor_meta_set(meta, 1, tensors);
}
#endif

#if HAVE_RELATED_TENSORS
// Returns its id, or -1.
static int
add_related_tensor(GstAnalyticsRelationMeta *meta, GstBuffer *data, gsize dim)
{
    GstAnalyticsTensorMtd mtd;
    gsize dims[] = {1, dim};

    if (!gst_analytics_relation_meta_add_tensor_mtd_simple(
            meta, g_quark_from_static_string(GST_PE_TENSOR_ID),
            GST_TENSOR_DATA_TYPE_FLOAT32, gst_buffer_ref(data),
            GST_TENSOR_DIM_ORDER_ROW_MAJOR, G_N_ELEMENTS(dims), dims, &mtd))
        return -1;
    return (int)mtd.id;
}
#endif

// ---- Together -------------------------------------------------------------

static void
relate(GstAnalyticsRelationMeta *meta, int from, int to)
{
    if (from >= 0 && to >= 0)
        gst_analytics_relation_meta_set_relation(meta, RELATED, (guint)from,
                                                 (guint)to);
}

#if HAVE_TENSORS
// box, labels: ids, or -1.
static void
attach_embedding(GstBuffer *buffer, const GstPeResult *result, int box,
                 int labels)
{
    const GstPeVectors *embedding = gst_pe_result_get_embedding(result);

    if (!embedding)
        return;
    gsize dim = gst_pe_vectors_get_dim(embedding);
    GstBuffer *data = copy_embedding(embedding);
    // Nothing says of this one what it is of.
    if (!gst_pe_result_get_region(result))
        add_tensor(buffer, data, dim);
#if HAVE_RELATED_TENSORS
    GstAnalyticsRelationMeta *meta =
        gst_buffer_add_analytics_relation_meta(buffer);
    int tensor = add_related_tensor(meta, data, dim);
    relate(meta, box, tensor);
    relate(meta, labels, tensor);
#endif
    gst_buffer_unref(data);
}
#endif

void
gst_pe_analytics_attach(GstBuffer *buffer, const GstPeResult *result,
                        int detection, const GstPeAnalyticsWish *wish)
{
    bool labelled = has_labels(result);
    int box = detection, labels = -1;

    // Nobody could tell it from one of the whole frame.
    if (gst_pe_result_get_region(result) && detection < 0 &&
        !(wish->boxes && labelled))
        return;
    if (labelled) {
        GstAnalyticsRelationMeta *meta =
            gst_buffer_add_analytics_relation_meta(buffer);
        if (wish->boxes && detection < 0)
            box = add_box(meta, buffer, wish->pad, result);
        labels = add_labels(meta, result);
        relate(meta, box, labels);
    }
#if HAVE_TENSORS
    if (wish->tensor)
        attach_embedding(buffer, result, box, labels);
#endif
}

const char *
gst_pe_analytics_find_missing(const GstPeAnalyticsWish *wish)
{
    if (wish->tensor && !HAVE_TENSORS)
        return "attach-tensor does nothing: it needs a build with GStreamer "
               "1.26 or later";
    return NULL;
}
#else
void
gst_pe_analytics_attach(GstBuffer *buffer, const GstPeResult *result,
                        int detection, const GstPeAnalyticsWish *wish)
{
}

const char *
gst_pe_analytics_find_missing(const GstPeAnalyticsWish *wish)
{
    if (wish->boxes)
        return "attach-boxes does nothing: it needs a build with GStreamer "
               "1.24 or later and gstreamer-analytics-1.0";
    if (wish->tensor)
        return "attach-tensor does nothing: it needs a build with GStreamer "
               "1.26 or later and gstreamer-analytics-1.0";
    return NULL;
}
#endif
