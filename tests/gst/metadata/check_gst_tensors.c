// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_tensors.c - embeddings as tensor metadata of GStreamer.

#include "gst_analytics_helpers.h"

#if defined(HAVE_GST_ANALYTICS) && GST_CHECK_VERSION(1, 26, 0)
static void
assert_is_the_embedding(const GstTensor *tensor, const GstPeResult *result)
{
    gsize size;
    gconstpointer floats = g_bytes_get_data(get_embedding(result), &size);
    GstMapInfo map;

    g_assert_cmpstr(g_quark_to_string(tensor->id), ==,
                    "perception-encoder-embedding");
    g_assert_cmpint(tensor->layout, ==, GST_TENSOR_LAYOUT_CONTIGUOUS);
    g_assert_cmpint(tensor->data_type, ==, GST_TENSOR_DATA_TYPE_FLOAT32);
    g_assert_cmpint(tensor->dims_order, ==, GST_TENSOR_DIM_ORDER_ROW_MAJOR);
    g_assert_cmpuint(tensor->num_dims, ==, 2);
    g_assert_cmpuint(tensor->dims[0], ==, 1);
    g_assert_cmpuint(tensor->dims[1], ==, gst_pe_result_get_dim(result));
    g_assert_true(gst_buffer_map(tensor->data, &map, GST_MAP_READ));
    g_assert_cmpmem(map.data, map.size, floats, size);
    gst_buffer_unmap(tensor->data, &map);
}

static void
attaches_the_embedding(void)
{
    GstHarness *h;
    GstBuffer *buffer = look_at_a_frame(&h, "clip-length=1 attach-tensor=true");
    GstTensorMeta *meta = gst_buffer_get_tensor_meta(buffer);

    g_assert_nonnull(meta);
    g_assert_cmpuint(meta->num_tensors, ==, 1);
    assert_is_the_embedding(gst_tensor_meta_get(meta, 0),
                            gst_buffer_get_pe_meta(buffer)->result);
    gst_buffer_unref(buffer);
    stop(h);
}

static void
attaches_one_of_each_element(void)
{
    GstHarness *h;
    GstBuffer *buffer = look_at_a_frame(&h, "clip-length=1 attach-tensor=true");
    GstHarness *next = play_inference("clip-length=1 attach-tensor=true");
    GstMeta *meta;
    gpointer state = NULL;
    guint n = 0;

    g_assert_cmpint(gst_harness_push(next, buffer), ==, GST_FLOW_OK);
    buffer = pull(next);
    while ((meta = gst_buffer_iterate_meta_filtered(
                buffer, &state, GST_TENSOR_META_API_TYPE))) {
        const GstTensorMeta *tensors = (GstTensorMeta *)meta;
        g_assert_cmpuint(tensors->num_tensors, ==, 1);
        assert_is_the_embedding(
            tensors->tensors[0],
            gst_buffer_get_nth_pe_meta(buffer, n++)->result);
    }
    g_assert_cmpuint(n, ==, 2);
    gst_buffer_unref(buffer);
    stop(next);
    stop(h);
}

static void
attaches_none_unasked(void)
{
    GstHarness *h;
    GstBuffer *buffer = look_at_a_frame(&h, "clip-length=1 labels=dog|cat");

    g_assert_nonnull(gst_buffer_get_pe_meta(buffer));
    g_assert_null(gst_buffer_get_tensor_meta(buffer));
    gst_buffer_unref(buffer);
    stop(h);
}

// Nobody could tell it from one of the whole picture.
static void
attaches_none_of_a_region(void)
{
    GstHarness *h;
    GstBuffer *buffer =
        look_at_a_frame(&h, "clip-length=1 labels=dog|cat attach-tensor=true "
                            "attach-boxes=true regions=a=0,0,50%,50%");

    g_assert_cmpuint(gst_buffer_get_n_pe_metas(buffer), ==, 1);
    g_assert_null(gst_buffer_get_tensor_meta(buffer));
    gst_buffer_unref(buffer);
    stop(h);
}
#endif

#if defined(HAVE_GST_ANALYTICS) && GST_CHECK_VERSION(1, 28, 0)
// To which the box and the labels lead.
static void
assert_leads_to_the_embedding(GstAnalyticsRelationMeta *meta, guint from,
                              const GstPeResult *result)
{
    GstAnalyticsTensorMtd mtd;
    gpointer state = NULL;

    g_assert_true(gst_analytics_relation_meta_get_direct_related(
        meta, from, GST_ANALYTICS_REL_TYPE_RELATE_TO,
        gst_analytics_tensor_mtd_get_mtd_type(), &state, &mtd));
    assert_is_the_embedding(gst_analytics_tensor_mtd_get_tensor(&mtd), result);
}

// Neither what is added behind it nor a copy touches it.
static void
relates_it_to_box_and_labels(void)
{
    GstHarness *h;
    GstBuffer *frame = look_at_a_frame(
        &h, "clip-length=1 labels=dog|cat attach-boxes=true attach-tensor=true "
            "inference-region=full-frame "
            "regions=\"gate=10,20,50%,50%;open|closed\"");
    GstBuffer *buffer = gst_buffer_copy(frame);
    GstAnalyticsRelationMeta *meta = get_relations(buffer);
    GstAnalyticsODMtd box;
    gpointer state = NULL;
    guint n = 0;

    gst_buffer_unref(frame);
    while (next_box(meta, &state, &box)) {
        GstPeResult *result = gst_buffer_get_nth_pe_meta(buffer, n++)->result;
        assert_leads_to_the_embedding(meta, box.id, result);
        assert_leads_to_the_embedding(meta, find_labels(meta, &box).id, result);
    }
    g_assert_cmpuint(n, ==, 2);
    gst_buffer_unref(buffer);
    stop(h);
}
#endif

static void
add_tests(void)
{
    static const VersionTest tests[] = {
        {"/tensors/whole", SINCE_1_26(attaches_the_embedding), "1.26"},
        {"/tensors/several", SINCE_1_26(attaches_one_of_each_element), "1.26"},
        {"/tensors/unasked", SINCE_1_26(attaches_none_unasked), "1.26"},
        {"/tensors/region", SINCE_1_26(attaches_none_of_a_region), "1.26"},
        {"/tensors/related", SINCE_1_28(relates_it_to_box_and_labels), "1.28"},
    };

    add_version_tests(tests, G_N_ELEMENTS(tests));
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
