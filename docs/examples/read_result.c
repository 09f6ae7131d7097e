// SPDX-License-Identifier: LGPL-2.1-or-later
//
// read_result.c - prints when a video shows which label:
//   cc read_result.c $(pkg-config --cflags --libs gst-pe-meta-1.0)
//   ./a.out VIDEO

#include <gst/pe/gstpemeta.h>

// A buffer that ends a clip carries its result; two elements give it two.
static GstPadProbeReturn
read_results(GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);

    for (guint i = 0; i < gst_buffer_get_n_pe_metas(buffer); i++) {
        GstPeMeta *meta = gst_buffer_get_nth_pe_meta(buffer, i);
        GstPeResult *result = gst_pe_meta_get_result(meta);
        GstClockTime start = gst_pe_result_get_clip_stream_start(result);
        if (gst_pe_result_get_n_labels(result) > 0)
            g_print("%4.1f s  %.2f  %s\n", (double)start / GST_SECOND,
                    gst_pe_result_get_score(result, 0),
                    gst_pe_result_get_label(result, 0));
    }
    return GST_PAD_PROBE_OK;
}

int
main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    GstElement *pipeline = gst_parse_launch(
        "filesrc name=file ! decodebin ! peinference clip-length=4 "
        "frame-rate=2/1 labels=\"colour bars|a house in a meadow|fog\" ! "
        "fakesink name=sink",
        NULL);
    GstElement *file = gst_bin_get_by_name(GST_BIN(pipeline), "file");
    GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    GstPad *pad = gst_element_get_static_pad(sink, "sink");
    GstBus *bus = gst_element_get_bus(pipeline);

    g_object_set(file, "location", argv[1], NULL);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, read_results, NULL, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstMessage *message = gst_bus_timed_pop_filtered(
        bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    gboolean ended = GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;

    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_message_unref(message);
    gst_object_unref(bus);
    gst_object_unref(pad);
    gst_object_unref(sink);
    gst_object_unref(file);
    gst_object_unref(pipeline);
    return ended ? 0 : 1;
}
