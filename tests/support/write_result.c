// SPDX-License-Identifier: LGPL-2.1-or-later
//
// write_result.c - prints the lines that pemetaconvert writes of a result in
// which everything is known, and of a frame without one. The argument is how
// the embedding is written.

#include "gst_helpers.h"

#include <math.h>
#include <stdio.h>

static GstPeResult *
make_result(void)
{
    static const gfloat vector[3] = {0.6f, -0.8f, 0};
    const GstPeLabel labels[2] = {{"a dog", 0.75, 0.25, 0.8, 0.01},
                                  {"cat", 0.25, -0.5, NAN}};
    g_autoptr(GstPeVectors) embedding =
        gst_pe_vectors_new_from_floats(vector, G_N_ELEMENTS(vector));
    const GstPeLabelEvent event = {
        .phase = GST_PE_EVENT_END,
        .label = "a dog",
        .start = 1,
        .end = 3,
        .peak = 2,
        .stream_start = 4,
        .stream_end = 6,
        .stream_peak = 5,
        .wall_start = 1700000000 * GST_SECOND,
        .wall_end = 1700000000 * GST_SECOND,
        .wall_peak = 1700000000 * GST_SECOND,
        .peak_score = 0.9,
        .threshold = 0.5,
        .p_value = 0.01,
        .n_clips = 2,
        .embedding = embedding,
    };
    GstPeResultFields fields = full_fields;

    fields.embedding = embedding;
    fields.labels = labels;
    fields.n_labels = G_N_ELEMENTS(labels);
    fields.events = &event;
    fields.n_events = 1;
    return gst_pe_result_new(&fields);
}

static GstBuffer *
make_dated_frame(int index)
{
    g_autoptr(GstCaps) unix_time = gst_caps_from_string("timestamp/x-unix");
    GstBuffer *buffer = make_frame(index);

    gst_buffer_add_reference_timestamp_meta(
        buffer, unix_time, 1700000000 * GST_SECOND, GST_CLOCK_TIME_NONE);
    return buffer;
}

// Takes the frame.
static void
print_lines(GstHarness *h, GstBuffer *frame)
{
    GstBuffer *buffer;
    GstMapInfo map;

    g_assert_cmpint(gst_harness_push(h, frame), ==, GST_FLOW_OK);
    while ((buffer = gst_harness_try_pull(h))) {
        g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
        fwrite(map.data, 1, map.size, stdout);
        gst_buffer_unmap(buffer, &map);
        gst_buffer_unref(buffer);
    }
}

int
main(int argc, char **argv)
{
    gst_init(NULL, NULL);
    g_autofree char *line = g_strdup_printf(
        "pemetaconvert add-empty-results=true embedding=%s", argv[1]);
    GstHarness *h = gst_harness_new_parse(line);
    g_autoptr(GstPeResult) result = make_result();
    GstBuffer *frame = make_dated_frame(0);

    gst_harness_set_src_caps_str(h, FRAME_CAPS);
    gst_buffer_add_pe_meta(frame, result, 0);
    print_lines(h, frame);
    print_lines(h, make_dated_frame(1));
    gst_harness_teardown(h);
    return 0;
}
