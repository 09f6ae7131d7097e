// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_identity.c - whose a result is and when, and that it is written
// once, wherever it comes from and however often.

#include "tests/support/gst_helpers.h"

#include <json-glib/json-glib.h>
#include <string.h>

static GstHarness *
play_convert(void)
{
    GstHarness *h = gst_harness_new("pemetaconvert");

    gst_harness_set_src_caps_str(h, FRAME_CAPS);
    return h;
}

static GstPeResult *
make_result(guint64 sequence)
{
    GstPeResultFields fields = example_fields;

    fields.sequence = sequence;
    return gst_pe_result_new(&fields);
}

// As from another process.
static GstPeResult *
copy_result(const GstPeResult *result)
{
    g_autoptr(GBytes) bytes = gst_pe_result_to_bytes(result);
    return gst_pe_result_new_from_bytes(bytes, NULL);
}

static GstBuffer *
make_frame_with(GstPeResult *result, int index)
{
    GstBuffer *buffer = make_frame(index);

    gst_buffer_add_pe_meta(buffer, result, 0);
    return buffer;
}

// ---- Written once ---------------------------------------------------------

// Behind unixfdsrc, or a copy, each buffer has a result of its own.
static void
writes_a_repeated_result_once_although_it_is_a_copy(void)
{
    GstHarness *h = play_convert();
    g_autoptr(GstPeResult) first = make_result(0);
    g_autoptr(GstPeResult) next = make_result(1);

    for (int i = 0; i < 6; i++) {
        g_autoptr(GstPeResult) copy = copy_result(i < 3 ? first : next);
        gst_harness_push(h, make_frame_with(copy, i));
    }
    g_assert_cmpuint(gst_harness_buffers_in_queue(h), ==, 2);
    stop(h);
}

// Whatever comes first.
static void
writes_a_result_of_a_buffer_and_an_event_once(void)
{
    GstHarness *h = play_convert();
    g_autoptr(GstPeResult) one = make_result(1);
    g_autoptr(GstPeResult) two = make_result(2);

    gst_harness_push_event(h, gst_event_new_pe_result(one));
    gst_harness_push_event(h, gst_event_new_pe_result(two));
    gst_harness_push(h, make_frame_with(one, 0));
    gst_harness_push(h, make_frame_with(two, 1));
    gst_harness_push_event(h, gst_event_new_pe_result(one));
    g_assert_cmpuint(gst_harness_buffers_in_queue(h), ==, 2);
    stop(h);
}

// Another process may have taken over under the same names.
static void
writes_again_in_another_stream(void)
{
    GstHarness *h = play_convert();
    g_autoptr(GstPeResult) r = make_result(7);
    GstEvent *start = gst_event_new_stream_start("another");
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    for (int i = 0; i < 3; i++) { // the third time it is the second's again
        gst_harness_push(h, make_frame_with(r, i));
        gst_harness_push_event(h, gst_event_ref(start));
        gst_harness_push_event(h, gst_event_new_segment(&segment));
    }
    g_assert_cmpuint(gst_harness_buffers_in_queue(h), ==, 2);
    gst_event_unref(start);
    stop(h);
}

// ---- Whose ----------------------------------------------------------------

// A harness around a bin of elements that play on the tiny model.
static GstHarness *
play_bin(const char *format)
{
    g_autofree char *model = g_strdup_printf(
        "model=%s device=cpu precision=fp32 frame-rate=0/1 clip-length=1",
        tiny_model_path());
    g_auto(GStrv) parts = g_strsplit(format, "MODEL", -1);
    g_autofree char *line = g_strjoinv(model, parts);
    g_autoptr(GError) error = NULL;
    GstElement *bin = gst_parse_bin_from_description(line, TRUE, &error);

    g_assert_no_error(error);
    GstHarness *h = gst_harness_new_with_element(bin, "sink", "src");
    gst_object_unref(bin);
    gst_harness_set_live(h, FALSE);
    gst_harness_set_src_caps_str(h, FRAME_CAPS);
    return h;
}

static JsonParser *
pull_json(GstHarness *h, JsonObject **object)
{
    GstBuffer *buffer = pull(h);
    JsonParser *parser = json_parser_new();
    g_autoptr(GError) error = NULL;
    GstMapInfo map;

    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
    json_parser_load_from_data(parser, (char *)map.data, (gssize)map.size,
                               &error);
    g_assert_no_error(error);
    *object = json_node_get_object(json_parser_get_root(parser));
    gst_buffer_unmap(buffer, &map);
    gst_buffer_unref(buffer);
    return parser;
}

static void
tells_two_elements_in_series_apart(void)
{
    static const char *const names[2] = {"scenes", "objects"};
    GstHarness *h = play_bin("peinference name=scenes MODEL ! "
                             "peinference name=objects MODEL ! pemetaconvert");

    push_frames(h, 0, 1);
    for (int i = 0; i < 2; i++) {
        JsonObject *o;
        g_autoptr(JsonParser) parser = pull_json(h, &o);
        g_assert_cmpstr(json_object_get_string_member(o, "element"), ==,
                        names[i]);
        g_assert_cmpint(json_object_get_int_member(o, "sequence"), ==, 0);
    }
    stop(h);
}

static const char *uri; // that upstream tells

static gboolean
answer_uri(GstPad *pad, GstObject *parent, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_URI || !uri)
        return gst_pad_query_default(pad, parent, query);
    gst_query_set_uri(query, uri);
    return TRUE;
}

// The source of the first result behind something that plays `uri`.
static char *
get_source_of(const char *text)
{
    GstHarness *h = play_inference("clip-length=1");

    uri = text;
    gst_pad_set_query_function(h->srcpad, answer_uri);
    push_frames(h, 0, 1);
    GstBuffer *buffer = pull(h);
    GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    g_assert_nonnull(meta);
    char *source = g_strdup(gst_pe_result_get_source(meta->result));
    g_assert_nonnull(gst_pe_result_get_stream_id(meta->result));
    if (g_strcmp0(source, gst_pe_result_get_stream_id(meta->result)) == 0)
        g_clear_pointer(&source, g_free);
    gst_buffer_unref(buffer);
    stop(h);
    return source;
}

static void
names_a_stream_by_its_uri_without_secrets(void)
{
    // NULL: by its stream id.
    static const char *const rows[][2] = {
        {"file:///videos/a%20b%3F.mp4", "file:///videos/a%20b%3F.mp4"},
        {"rtsp://admin:secret@10.0.0.7:554/ch1?token=1#x",
         "rtsp://10.0.0.7:554/ch1"},
        {"rtsp://admin:p@ss@cam/1", "rtsp://cam/1"},
        {"rtsp://admin@cam", "rtsp://cam"},
        {"http://cam?user=admin&pwd=secret", "http://cam"},
        {"http://cam/a@b", "http://cam/a@b"},
        {"srt://[fe80::1]:7001?passphrase=secret", "srt://[fe80::1]:7001"},
        {"rtsp://[fe80::1]/a", "rtsp://[fe80::1]/a"},
        // A slash in a password: where it ends cannot be known.
        {"rtsp://admin:se/cret@cam/1", NULL},
        {"data:video/mp4;base64,AAAA", NULL},
        {"no uri", NULL},
        {NULL, NULL},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *source = get_source_of(rows[i][0]);
        g_assert_cmpstr(source, ==, rows[i][1]);
    }
}

static void
names_a_stream_as_the_user_does(void)
{
    static const char *const names[2] = {"entrance", "yard"};
    GstHarness *h = play_inference("clip-length=1");

    for (int i = 0; i < 2; i++) { // also while it plays
        g_object_set(h->element, "source-id", names[i], NULL);
        push_frames(h, i, 1);
        GstBuffer *buffer = pull(h);
        g_assert_cmpstr(
            gst_pe_result_get_source(gst_buffer_get_pe_meta(buffer)->result),
            ==, names[i]);
        gst_buffer_unref(buffer);
    }
    stop(h);
}

// ---- When -----------------------------------------------------------------

static void
knows_the_wall_clock(void)
{
    GstHarness *h = play_inference("clip-length=3");
    g_autoptr(GstCaps) unix_time = gst_caps_from_string("timestamp/x-unix");
    const GstClockTime epoch = 1700000000 * GST_SECOND;

    for (int i = 0; i < 3; i++) {
        GstBuffer *buffer = make_frame(i);
        gst_buffer_add_reference_timestamp_meta(
            buffer, unix_time, epoch + (guint64)i * FRAME_DURATION,
            GST_CLOCK_TIME_NONE);
        gst_harness_push(h, buffer);
    }
    pull_frames(h, 2);
    GstBuffer *buffer = pull(h);
    GstPeResult *result = gst_buffer_get_pe_meta(buffer)->result;
    g_assert_cmpuint(gst_pe_result_get_clip_wall_start(result), ==, epoch);
    g_assert_cmpuint(gst_pe_result_get_clip_wall_end(result), ==,
                     epoch + 3 * FRAME_DURATION);
    gst_buffer_unref(buffer);
    stop(h);
}

// ---- The same words in messages and lines ---------------------------------

// Members of objects get the object's name before theirs.
static void
collect_words(JsonObject *o, const char *prefix, GHashTable *words)
{
    g_autoptr(GList) names = json_object_get_members(o);

    for (GList *name = names; name; name = name->next) {
        JsonNode *node = json_object_get_member(o, name->data);
        g_autofree char *inner = g_strconcat(name->data, "-", NULL);
        if (JSON_NODE_HOLDS_OBJECT(node))
            collect_words(json_node_get_object(node), inner, words);
        else
            g_hash_table_add(words, g_strconcat(prefix, name->data, NULL));
    }
}

static void
posts_the_words_that_are_written(void)
{
    // A message has a list of each; a line says what it is.
    static const char *const only_lines[] = {"schema", "type", "age"};
    g_autoptr(GHashTable) words =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GstHarness *h =
        play_bin("peinference MODEL labels=dog|cat ! pemetaconvert");
    g_autoptr(GstBus) bus = gst_bus_new();
    JsonObject *o;

    gst_element_set_bus(h->element, bus);
    push_frames(h, 0, 1);
    g_autoptr(JsonParser) parser = pull_json(h, &o);
    collect_words(o, "", words);
    for (gsize i = 0; i < G_N_ELEMENTS(only_lines); i++)
        g_assert_true(g_hash_table_remove(words, only_lines[i]));
    g_assert_true(g_hash_table_remove(words, "pts")); // `timestamp` on a bus
    g_hash_table_add(words, g_strdup("timestamp"));
    g_hash_table_add(words, g_strdup("scores"));
    g_hash_table_add(words, g_strdup("similarities"));
    g_hash_table_add(words, g_strdup("probabilities"));

    GstMessage *m = wait_message(bus, GST_MESSAGE_ELEMENT);
    const GstStructure *s = gst_message_get_structure(m);
    g_assert_true(gst_structure_has_name(s, "peinference"));
    for (int i = 0; i < gst_structure_n_fields(s); i++) {
        const char *name = gst_structure_nth_field_name(s, (guint)i);
        if (!g_hash_table_remove(words, name))
            g_error("no line says %s", name);
    }
    g_assert_cmpuint(g_hash_table_size(words), ==, 0);
    gst_message_unref(m);
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/identity/copies",
                    writes_a_repeated_result_once_although_it_is_a_copy);
    g_test_add_func("/identity/buffer-and-event",
                    writes_a_result_of_a_buffer_and_an_event_once);
    g_test_add_func("/identity/another-stream", writes_again_in_another_stream);
    g_test_add_func("/identity/elements", tells_two_elements_in_series_apart);
    g_test_add_func("/identity/source",
                    names_a_stream_by_its_uri_without_secrets);
    g_test_add_func("/identity/source-id", names_a_stream_as_the_user_does);
    g_test_add_func("/identity/wall-clock", knows_the_wall_clock);
    g_test_add_func("/identity/words", posts_the_words_that_are_written);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
