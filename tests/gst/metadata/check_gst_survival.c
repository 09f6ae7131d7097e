// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_survival.c - results are still on buffers, with the same bytes,
// behind elements that make other buffers of them.

#include "tests/support/gst_helpers.h"

#include <gst/app/gstappsink.h>

#define N_FRAMES 10

typedef struct {
    const char *name;
    const char *line; // behind peinference
    const char *elements[4];
} Way;

static const Way ways[] = {
    {"videoconvert",
     "videoconvert ! video/x-raw,format=NV12",
     {"videoconvert"}},
    {"videoscale",
     "videoscale ! video/x-raw,width=50,height=70",
     {"videoscale"}},
    {"queue", "queue", {"queue"}},
    {"tee",
     "tee name=t ! queue ! fakesink async=false sync=false  t. ! queue ! "
     "videoconvert ! video/x-raw,format=I420",
     {"tee", "queue", "videoconvert"}},
    {"rtp",
     "videoconvert ! x264enc tune=zerolatency threads=1 ! rtph264pay mtu=200",
     {"videoconvert", "x264enc", "rtph264pay"}},
    {"jpeg",
     "videoconvert ! jpegenc ! jpegdec",
     {"videoconvert", "jpegenc", "jpegdec"}},
};

// The meta's content: its age, then the result.
static GBytes *
to_bytes(const GstPeMeta *meta)
{
    g_autoptr(GBytes) result = gst_pe_result_to_bytes(meta->result);
    GByteArray *bytes = g_byte_array_new();
    gsize size;
    const guint8 *data = g_bytes_get_data(result, &size);

    g_byte_array_append(bytes, (const guint8 *)&meta->age, sizeof meta->age);
    g_byte_array_append(bytes, data, (guint)size);
    return g_byte_array_free_to_bytes(bytes);
}

// Of each result, by its number, the bytes with which it left the element.
static GstPadProbeReturn
remember(GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
    GPtrArray *sent = user_data;
    GstPeMeta *meta = gst_buffer_get_pe_meta(GST_PAD_PROBE_INFO_BUFFER(info));

    g_assert_nonnull(meta);
    g_assert_cmpuint(gst_pe_result_get_sequence(meta->result), ==, sent->len);
    g_ptr_array_add(sent, to_bytes(meta));
    return GST_PAD_PROBE_OK;
}

// Returns how many buffers there were of each of the results.
static void
compare(GstBuffer *buffer, const GPtrArray *sent, guint *n_seen)
{
    g_assert_cmpuint(gst_buffer_get_n_pe_metas(buffer), ==, 1);
    GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    guint64 sequence = gst_pe_result_get_sequence(meta->result);
    g_autoptr(GBytes) bytes = to_bytes(meta);

    g_assert_cmpuint(sequence, <, sent->len);
    g_assert_true(g_bytes_equal(bytes, sent->pdata[sequence]));
    n_seen[sequence]++;
}

static void
run(GstElement *pipeline, const GPtrArray *sent, guint *n_seen)
{
    g_autoptr(GstElement) out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    GstSample *sample;

    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    while ((sample = gst_app_sink_try_pull_sample(GST_APP_SINK(out),
                                                  60 * GST_SECOND))) {
        compare(gst_sample_get_buffer(sample), sent, n_seen);
        gst_sample_unref(sample);
    }
    GstMessage *m = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    if (m) {
        g_autoptr(GError) error = NULL;
        gst_message_parse_error(m, &error, NULL);
        g_assert_no_error(error);
    }
    g_assert_true(gst_app_sink_is_eos(GST_APP_SINK(out)));
    gst_element_set_state(pipeline, GST_STATE_NULL);
}

static void
passes(gconstpointer data)
{
    const Way *way = data;
    g_autoptr(GPtrArray) sent =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    guint n_seen[N_FRAMES] = {0};
    g_autoptr(GError) error = NULL;

    if (!have_elements(way->elements))
        return;
    g_autofree char *line = g_strdup_printf(
        "videotestsrc num-buffers=%d ! " FRAME_CAPS " ! peinference name=pe "
        "model=%s device=cpu precision=fp32 frame-rate=0/1 clip-length=1 "
        "mode=exact ! %s ! appsink name=out sync=false",
        N_FRAMES, tiny_model_path(), way->line);
    GstElement *pipeline = gst_parse_launch(line, &error);
    g_assert_no_error(error);
    g_autoptr(GstElement) pe = gst_bin_get_by_name(GST_BIN(pipeline), "pe");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(pe, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, remember, sent, NULL);
    run(pipeline, sent, n_seen);
    g_assert_cmpuint(sent->len, ==, N_FRAMES);
    for (guint i = 0; i < N_FRAMES; i++)
        g_assert_cmpuint(n_seen[i], >, 0);
    g_test_message("%s: %u results, the first on %u buffers", way->name,
                   sent->len, n_seen[0]);
    gst_object_unref(pipeline);
}

static void
add_tests(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *name = g_strdup_printf("/survival/%s", ways[i].name);
        g_test_add_data_func(name, &ways[i], passes);
    }
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
