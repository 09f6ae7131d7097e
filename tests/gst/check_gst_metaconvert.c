// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_metaconvert.c - every line is JSON that means what the metadata
// says, and time goes on without lines.

#include "tests/support/gst_helpers.h"

#include <json-glib/json-glib.h>
#include <locale.h>
#include <math.h>
#include <string.h>

static const float vector[3] = {0.6f, -0.8f, 1.0f / 3};

static GstPeResult *
make_numbered_result(guint64 sequence, double similarity)
{
    const GstPeLabel labels[2] = {
        {"a \"dog\"\\ \n\x01 Ü", 1.0f / 3, similarity, NAN, 0.015625},
        {"cat", 0.25, -0.5},
    };
    g_autoptr(GBytes) data = g_bytes_new_static(vector, sizeof vector);
    g_autoptr(GstPeVectors) embedding =
        gst_pe_vectors_new(GST_PE_VECTORS_POOLED, GST_PE_DTYPE_F32, 1, 3, data);
    GstPeResultFields fields = full_fields;

    fields.sequence = sequence;
    fields.clip_stream_end = G_MAXINT64;
    fields.clip_wall_end = GST_CLOCK_TIME_NONE;
    fields.embedding = embedding;
    fields.labels = labels;
    fields.n_labels = G_N_ELEMENTS(labels);
    return gst_pe_result_new(&fields);
}

static GstPeResult *
make_result(double similarity)
{
    return make_numbered_result(7, similarity);
}

static GstHarness *
play_convert(const char *properties)
{
    g_autofree char *line = g_strdup_printf("pemetaconvert %s", properties);
    GstElement *element = gst_parse_launch(line, NULL);
    GstHarness *h = gst_harness_new_with_element(element, "sink", "src");

    gst_object_unref(element);
    gst_harness_set_src_caps_str(h, FRAME_CAPS);
    return h;
}

static GstBuffer *
make_frame_with(GstPeResult *result, int index)
{
    GstBuffer *buffer = make_frame(index);

    gst_buffer_add_pe_meta(buffer, result, 5);
    return buffer;
}

// One buffer is one object and one line. Returns the parser that holds it.
static JsonParser *
pull_json(GstHarness *h, JsonObject **object)
{
    GstBuffer *buffer = pull(h);
    g_autoptr(GError) error = NULL;
    JsonParser *parser = json_parser_new();
    GstMapInfo map;

    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
    g_assert_true(memchr(map.data, '\n', map.size) == map.data + map.size - 1);
    g_assert_true(g_utf8_validate((char *)map.data, (gssize)map.size, NULL));
    json_parser_load_from_data(parser, (char *)map.data, (gssize)map.size,
                               &error);
    g_assert_no_error(error);
    *object = json_node_get_object(json_parser_get_root(parser));
    gst_buffer_unmap(buffer, &map);
    gst_buffer_unref(buffer);
    return parser;
}

static void
assert_texts(JsonObject *o, const char *const (*rows)[2], gsize n)
{
    for (gsize i = 0; i < n; i++)
        g_assert_cmpstr(json_object_get_string_member(o, rows[i][0]), ==,
                        rows[i][1]);
}

typedef struct {
    const char *name;
    gint64 value;
} Number;

static void
assert_numbers(JsonObject *o, const Number *rows, gsize n)
{
    for (gsize i = 0; i < n; i++)
        g_assert_cmpint(json_object_get_int_member(o, rows[i].name), ==,
                        rows[i].value);
}

static void
writes_every_field(void)
{
    static const char *const texts[][2] = {
        {"schema", "pe-1"},
        {"type", "clip"},
        {"source", "file:///v.mp4"},
        {"element", "pe"},
        {"window", "long"},
        {"model", "PE-Core-T16-384"},
        {"model-fingerprint", "0123456789abcdef"},
        {"device", "cpu"},
        {"precision", "fp32"},
        {"label-set", "animals"},
        {"label-set-fingerprint", "fedcba9876543210"},
    };
    const gint64 pts = 2 * (gint64)FRAME_DURATION;
    const Number numbers[] = {
        {"pts", pts},         {"running-time", pts},
        {"stream-time", pts}, {"duration", FRAME_DURATION},
        {"age", 5},           {"sequence", 7},
    };
    GstHarness *h = play_convert("");
    g_autoptr(GstPeResult) r = make_result(0.1);
    JsonObject *o;

    gst_harness_push(h, make_frame_with(r, 2));
    g_autoptr(JsonParser) parser = pull_json(h, &o);
    assert_texts(o, texts, G_N_ELEMENTS(texts));
    assert_numbers(o, numbers, G_N_ELEMENTS(numbers));
    g_assert_true(json_object_has_member(o, "stream-id"));
    g_assert_false(json_object_has_member(o, "wall-clock"));
    g_assert_false(json_object_has_member(o, "embedding"));
    JsonArray *labels = json_object_get_array_member(o, "labels");
    JsonObject *label = json_array_get_object_element(labels, 0);
    g_assert_cmpuint(json_array_get_length(labels), ==, 2);
    g_assert_cmpstr(json_object_get_string_member(label, "label"), ==,
                    "a \"dog\"\\ \n\x01 Ü");
    g_assert_cmpfloat((float)json_object_get_double_member(label, "score"), ==,
                      1.0f / 3);
    g_assert_cmpfloat(json_object_get_double_member(label, "p-value"), ==,
                      0.015625);
    label = json_array_get_object_element(labels, 1);
    g_assert_false(json_object_has_member(label, "p-value"));
    stop(h);
}

static void
writes_clip_and_region(void)
{
    static const char *const clip_texts[][2] = {
        {"wall-start", "2023-11-14T22:13:20.000000001Z"},
        {"reason", "jump"},
    };
    static const Number clip_numbers[] = {
        {"start", 10},        {"end", 20},
        {"stream-start", 30}, {"stream-end", G_MAXINT64},
        {"frames", 8},
    };
    static const Number region_numbers[] = {
        {"id", 3},     {"x", -1},      {"y", 2},
        {"width", 30}, {"height", 40}, {"track-id", 99},
    };
    GstHarness *h = play_convert("");
    g_autoptr(GstPeResult) r = make_result(0.1);
    JsonObject *o;

    gst_harness_push(h, make_frame_with(r, 2));
    g_autoptr(JsonParser) parser = pull_json(h, &o);
    JsonObject *clip = json_object_get_object_member(o, "clip");
    assert_texts(clip, clip_texts, G_N_ELEMENTS(clip_texts));
    assert_numbers(clip, clip_numbers, G_N_ELEMENTS(clip_numbers));
    g_assert_true(json_object_get_boolean_member(clip, "partial"));
    g_assert_false(json_object_has_member(clip, "wall-end"));
    JsonObject *region = json_object_get_object_member(o, "region");
    g_assert_cmpstr(json_object_get_string_member(region, "name"), ==, "door");
    assert_numbers(region, region_numbers, G_N_ELEMENTS(region_numbers));
    stop(h);
}

// What is not known is not there.
static void
leaves_out_what_is_not_known(void)
{
    static const char *const absent[] = {
        "source",    "element",   "region",
        "window",    "label-set", "label-set-fingerprint",
        "embedding", "dim",
    };
    GstHarness *h = play_convert("embedding=array");
    g_autoptr(GstPeResult) r = gst_pe_result_new(
        &(GstPeResultFields){.clip_start = GST_CLOCK_TIME_NONE,
                             .clip_wall_start = GST_CLOCK_TIME_NONE});
    JsonObject *o;

    gst_harness_push(h, make_frame_with(r, 2));
    g_autoptr(JsonParser) parser = pull_json(h, &o);
    for (gsize i = 0; i < G_N_ELEMENTS(absent); i++)
        g_assert_false(json_object_has_member(o, absent[i]));
    JsonObject *clip = json_object_get_object_member(o, "clip");
    g_assert_false(json_object_has_member(clip, "start"));
    g_assert_false(json_object_has_member(clip, "wall-start"));
    g_assert_false(json_object_get_boolean_member(clip, "partial"));
    g_assert_false(json_object_has_member(clip, "reason"));
    stop(h);
}

static void
writes_the_embedding_exactly(void)
{
    g_autoptr(GstPeResult) r = make_result(0.1);
    JsonObject *o;

    GstHarness *h = play_convert("embedding=array");
    gst_harness_push(h, make_frame_with(r, 0));
    g_autoptr(JsonParser) list = pull_json(h, &o);
    JsonArray *numbers = json_object_get_array_member(o, "embedding");
    g_assert_cmpint(json_object_get_int_member(o, "dim"), ==, 3);
    g_assert_cmpuint(json_array_get_length(numbers), ==, 3);
    for (guint i = 0; i < 3; i++)
        g_assert_cmpfloat((float)json_array_get_double_element(numbers, i), ==,
                          vector[i]);
    stop(h);

    h = play_convert("embedding=base64");
    gst_harness_push(h, make_frame_with(r, 0));
    g_autoptr(JsonParser) text = pull_json(h, &o);
    gsize size;
    g_autofree guchar *data =
        g_base64_decode(json_object_get_string_member(o, "embedding"), &size);
    g_assert_cmpmem(data, size, vector, sizeof vector);
    stop(h);
}

static void
writes_numbers_without_the_locale(void)
{
    GstHarness *h = play_convert("");
    g_autoptr(GstPeResult) r = make_result(0.5);
    JsonObject *o;

    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        g_test_message("no locale with a decimal comma here");
    gst_harness_push(h, make_frame_with(r, 0));
    g_autoptr(JsonParser) parser = pull_json(h, &o);
    setlocale(LC_NUMERIC, "C");
    JsonObject *label = json_array_get_object_element(
        json_object_get_array_member(o, "labels"), 0);
    g_assert_cmpfloat(json_object_get_double_member(label, "similarity"), ==,
                      0.5);
    stop(h);
}

static void
writes_null_for_what_is_no_number(void)
{
    GstHarness *h = play_convert("");
    g_autoptr(GstPeResult) r = make_result(NAN);
    JsonObject *o;

    gst_harness_push(h, make_frame_with(r, 0));
    g_autoptr(JsonParser) parser = pull_json(h, &o);
    JsonObject *label = json_array_get_object_element(
        json_object_get_array_member(o, "labels"), 0);
    g_assert_true(json_object_get_null_member(label, "similarity"));
    stop(h);
}

static void
sends_gaps_for_frames_without_results(void)
{
    GstHarness *h = play_convert("");
    g_autoptr(GstPeResult) r = make_result(0.1);

    gst_harness_push(h, make_frame(0));
    gst_harness_push(h, make_frame_with(r, 1));
    gst_harness_push(h, make_frame_with(r, 2)); // the same one, older
    g_assert_cmpuint(gst_harness_buffers_in_queue(h), ==, 1);
    for (int i = 0; i < 3; i += 2) {
        GstClockTime time;
        GstEvent *gap = pull_event(h, GST_EVENT_GAP);
        g_assert_nonnull(gap);
        gst_event_parse_gap(gap, &time, NULL);
        g_assert_cmpuint(time, ==, (guint64)i * FRAME_DURATION);
        gst_event_unref(gap);
    }
    stop(h);
}

static void
writes_empty_results_when_asked(void)
{
    GstHarness *h = play_convert("add-empty-results=true");
    JsonObject *o;

    gst_harness_push(h, make_frame(1));
    g_autoptr(JsonParser) parser = pull_json(h, &o);
    g_assert_cmpint(json_object_get_int_member(o, "pts"), ==, FRAME_DURATION);
    g_assert_true(json_object_has_member(o, "stream-id"));
    g_assert_false(json_object_has_member(o, "labels"));
    stop(h);
}

static void
writes_results_from_events(void)
{
    GstHarness *h = play_convert("");
    g_autoptr(GstPeResult) r = make_result(0.1);
    JsonObject *o;

    gst_harness_push_event(h, gst_event_new_pe_result(r));
    g_autoptr(JsonParser) parser = pull_json(h, &o);
    g_assert_cmpint(json_object_get_int_member(o, "running-time"), ==, 20);
    g_assert_cmpint(json_object_get_int_member(o, "sequence"), ==, 7);
    stop(h);
}

static void
writes_the_wall_clock(void)
{
    static const struct {
        const char *caps;
        guint64 epoch; // s, of 1970
    } clocks[] = {{"timestamp/x-unix", 0},
                  {"timestamp/x-ntp", G_GUINT64_CONSTANT(2208988800)}};
    g_autoptr(GstPeResult) r = make_result(0.1);

    for (gsize i = 0; i < G_N_ELEMENTS(clocks); i++) {
        GstHarness *h = play_convert("");
        GstBuffer *buffer = make_frame_with(r, 0);
        g_autoptr(GstCaps) caps = gst_caps_from_string(clocks[i].caps);
        JsonObject *o;
        gst_buffer_add_reference_timestamp_meta(
            buffer, caps,
            (clocks[i].epoch + 1700000000) * GST_SECOND + 250 * GST_MSECOND,
            GST_CLOCK_TIME_NONE);
        gst_harness_push(h, buffer);
        g_autoptr(JsonParser) parser = pull_json(h, &o);
        g_assert_cmpstr(json_object_get_string_member(o, "wall-clock"), ==,
                        "2023-11-14T22:13:20.250000000Z");
        stop(h);
    }
}

static void
writes_one_line_for_each_of_several_results(void)
{
    GstHarness *h = play_convert("");
    g_autoptr(GstPeResult) one = make_numbered_result(1, 0.1);
    g_autoptr(GstPeResult) two = make_numbered_result(2, 0.2);
    GstBuffer *buffer = make_frame_with(one, 0);

    gst_buffer_add_pe_meta(buffer, two, 0);
    gst_harness_push(h, gst_buffer_ref(buffer));
    g_assert_cmpuint(gst_harness_buffers_in_queue(h), ==, 2);
    // Both have been written.
    gst_harness_push(h, buffer);
    g_assert_cmpuint(gst_harness_buffers_in_queue(h), ==, 2);
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/metaconvert/fields", writes_every_field);
    g_test_add_func("/metaconvert/clip", writes_clip_and_region);
    g_test_add_func("/metaconvert/unknown", leaves_out_what_is_not_known);
    g_test_add_func("/metaconvert/embedding", writes_the_embedding_exactly);
    g_test_add_func("/metaconvert/locale", writes_numbers_without_the_locale);
    g_test_add_func("/metaconvert/nan", writes_null_for_what_is_no_number);
    g_test_add_func("/metaconvert/gaps", sends_gaps_for_frames_without_results);
    g_test_add_func("/metaconvert/empty", writes_empty_results_when_asked);
    g_test_add_func("/metaconvert/event", writes_results_from_events);
    g_test_add_func("/metaconvert/wall-clock", writes_the_wall_clock);
    g_test_add_func("/metaconvert/several",
                    writes_one_line_for_each_of_several_results);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
