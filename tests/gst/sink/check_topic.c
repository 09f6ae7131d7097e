// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_topic.c - records from bytes, and topics and keys from records.

#include "core/pe.h"
#include "gst/sink/gstpebackoff.h"
#include "gst/sink/gstpeintake.h"
#include "gst/sink/gstpejsonline.h"
#include "gst/sink/gstpetopic.h"

#include <string.h>

// A broker whose names may not have a slash.
static void
append_topic(GString *topic, const char *value)
{
    for (; *value; value++) {
        if (*value == '/')
            g_string_append(topic, "%2F");
        else
            g_string_append_c(topic, *value);
    }
}

static const char *
check_topic(const char *topic)
{
    return strchr(topic, '#') ? "expected no #" : NULL;
}

static const GstPeBroker broker = {
    .append_topic = append_topic, .max_topic = 60, .check_topic = check_topic};

static void
expect_topic(const char *template, const char *record, const char *topic,
             const char *key)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GstPeTopic) names = gst_pe_topic_new(template, &broker, &error);
    g_autofree char *topic_found = NULL, *key_found = NULL;

    g_assert_no_error(error);
    bool ok = gst_pe_topic_name(names, record, strlen(record), &topic_found,
                                &key_found, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpstr(topic_found, ==, topic);
    g_assert_cmpstr(key_found, ==, key);
}

static void
makes_topics_of_members(void)
{
    const char *clip = "{\"source\": \"file:///a\", \"sequence\":12,\"x\":{"
                       "\"source\":\"no\"},\"labels\":[{\"score\":0.5,"
                       "\"label\":\"a dog\"},{\"label\":\"a cat\"}],"
                       "\"unknown\":false,\"none\":null}";

    expect_topic("plain", clip, "plain", "file:///a");
    expect_topic("{source}/{label}", clip, "file:%2F%2F%2Fa/a dog",
                 "file:///a");
    expect_topic("{label}-{label}-{sequence}-{unknown}-{none}-{x}", clip,
                 "a dog-a dog-12-false-unknown-unknown", "file:///a");
    // An event's own label, wherever it is.
    expect_topic("{label}", "{\"labels\":[{\"label\":\"b\"}],\"label\":\"a\"}",
                 "a", "");
    expect_topic("{label}", "{\"labels\":[]}", "unknown", "");
    expect_topic("{label}", "{\"stream-id\":\"s\"}", "unknown", "s");
    expect_topic("{source}", "{\"source\":\"\\ud83d\\ude00\\\\u0000\"}",
                 "😀\\u0000", "😀\\u0000");
    expect_topic("{source}", "{\"source\":\"\"}", "unknown", "");
    expect_topic("{source}", " {\"source\":\"\\u00e9\\n\\\"\"} ", "é\n\"",
                 "é\n\"");
    expect_topic("{source}", "{\"source\":\"\\ud83d\\ude00\\\\u0000\"}",
                 "😀\\u0000", "😀\\u0000");
    expect_topic("{source}", "{\"sou\\u0072ce\":\"x\"}", "unknown", "");
    expect_topic("é/{source}", "{\"source\":\"😀\"}", "é/😀", "😀");
}

static void
expect_refusal(const char *record, gsize size, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GstPeTopic) names = gst_pe_topic_new("{source}", &broker, &error);
    char *topic = NULL, *key = NULL;

    g_assert_false(
        gst_pe_topic_name(names, record, size, &topic, &key, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, words));
    g_assert_true(topic == NULL && key == NULL);
}

static void
refuses_what_is_no_record(void)
{
    static const struct {
        const char *record, *words;
    } cases[] = {
        {"", "byte 0: expected an object, found the end"},
        {"[1]", "byte 0: expected an object, found 0x5b"},
        {"{", "byte 1: expected a string"},
        {"{\"a\"", "byte 4: expected a colon"},
        {"{\"a\":", "byte 5: expected a value"},
        {"{\"a\":1", "byte 6: expected a comma"},
        {"{\"a\":1}}", "byte 7: expected nothing behind"},
        {"{\"a\":1 \"b\":2}", "byte 7: expected a comma"},
        {"{\"a\":[1,2}", "byte 9: expected the other bracket"},
        {"{\"a\":[[[", "expected the end of an object or list"},
        {"{\"a\":\"b", "expected the end of a string"},
        {"{\"a\":\"b\\", "expected the end of a string"},
        {"{\"a\":\"\x01\"}", "byte 6: expected no control character"},
        {"{\"a\":\"\xff\"}", "byte 6: expected UTF-8"},
        {"{\"source\":\"\\q\"}", "byte 10: expected a string that JSON"},
        {"{\"source\":\"\\ud800\"}", "byte 10: expected a string that JSON"},
        {"{\"source\":\"\\ud800\\u0041\"}", "byte 10: expected a string"},
        {"{\"source\":\"\\udc00\"}", "byte 10: expected a string that JSON"},
        {"{\"source\":\"\\u00\"}", "byte 10: expected a string that JSON"},
        {"{\"source\":\"a\\u0000b\"}", "byte 10: expected a string that"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        expect_refusal(cases[i].record, strlen(cases[i].record),
                       cases[i].words);
    expect_refusal("{\"a\":\"\0\"}", 9, "byte 6: expected UTF-8 without NUL");
    const char *long_topic =
        "{\"source\":\"0123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789\"}";
    expect_refusal(long_topic, strlen(long_topic),
                   "at most 60 bytes, found 80");
}

static void
refuses_deep_and_long_values(void)
{
    g_autoptr(GString) text = g_string_new("{\"a\":");

    for (int i = 0; i < 100000; i++)
        g_string_append_c(text, '[');
    expect_refusal(text->str, text->len, "byte 69: expected at most 64 nested");
    g_string_assign(text, "{\"source\":\"");
    for (int i = 0; i < 10240; i++)
        g_string_append_c(text, 'x');
    g_string_append(text, "\"}");
    expect_refusal(text->str, text->len, "byte 10: expected at most 4096");
}

// Cut anywhere, nothing is read behind the end.
static void
reads_no_further_than_the_record(void)
{
    const char *record = "{\"source\":\"\\u00e9\",\"l\":[{\"a\":[true]}]}";
    const char *const names[] = {"source", "label"};
    char *values[2];

    for (gsize size = 0; size < strlen(record); size++) {
        g_autofree char *copy = g_memdup2(record, size);
        g_assert_false(
            gst_pe_json_line_read(copy, size, names, 2, values, NULL));
        g_assert_true(values[0] == NULL && values[1] == NULL);
    }
}

static void
refuses_wrong_templates(void)
{
    static const char *const cases[][2] = {
        {"", "expected a name"},           {"a#", "expected no #"},
        {"{", "byte 1: expected the"},     {"a{}b", "byte 2: expected the"},
        {"{sou rce}", "byte 4: expected"}, {"a}", "byte 1: expected no"},
        {"\xff", "expected UTF-8"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        GstPeTopic *topic = gst_pe_topic_new(cases[i][0], &broker, &error);
        g_assert_null(topic);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, cases[i][1]));
    }
}

// ---- Lines ----------------------------------------------------------------

typedef struct {
    GString *stored; // a letter for each record, a blank between groups
    int n_refused;
} Seen;

static bool
store(void *owner, const GstPeRecord *records, guint n)
{
    Seen *seen = owner;

    for (guint i = 0; i < n; i++)
        g_string_append(seen->stored, records[i].key);
    g_string_append_c(seen->stored, ' ');
    g_assert_cmpuint(n, <=, GST_PE_INTAKE_GROUP);
    return true;
}

static void
refuse(void *owner, const GError *error)
{
    ((Seen *)owner)->n_refused++;
}

static void
splits_bytes_into_records(void)
{
    const char *text = "{\"source\":\"a\"}\n{\"source\":\"b\"}\r\n\n\nno\n"
                       "{\"source\":\"c\"}";
    gsize size = strlen(text);

    for (gsize cut = 0; cut <= size; cut++) {
        Seen seen = {g_string_new(NULL), 0};
        g_autoptr(GstPeTopic) topic = gst_pe_topic_new("t", &broker, NULL);
        GstPeIntake intake = {
            .topic = topic, .max_line = 20, .events = {&seen, store, refuse}};
        gst_pe_intake_init(&intake);
        g_assert_true(gst_pe_intake_take(&intake, text, cut, false));
        g_assert_true(
            gst_pe_intake_take(&intake, text + cut, size - cut, false));
        g_assert_null(strchr(seen.stored->str, 'c'));
        g_assert_true(gst_pe_intake_end(&intake));
        g_autofree char *keys = g_strdup(seen.stored->str);
        g_strdelimit(keys, " ", '\n');
        char **parts = g_strsplit_set(keys, "\n", -1);
        g_autofree char *joined = g_strjoinv("", parts);
        g_strfreev(parts);
        g_assert_cmpstr(joined, ==, "abc");
        g_assert_cmpint(seen.n_refused, ==, 1);
        gst_pe_intake_clear(&intake);
        g_string_free(seen.stored, TRUE);
    }
}

static void
groups_records_and_skips_long_lines(void)
{
    Seen seen = {g_string_new(NULL), 0};
    g_autoptr(GstPeTopic) topic = gst_pe_topic_new("t", &broker, NULL);
    GstPeIntake intake = {
        .topic = topic, .max_line = 20, .events = {&seen, store, refuse}};
    g_autoptr(GString) text = g_string_new(NULL);

    gst_pe_intake_init(&intake);
    for (int i = 0; i < 250; i++)
        g_string_append(text, "{\"source\":\"a\"}\n");
    g_assert_true(gst_pe_intake_take(&intake, text->str, text->len, true));
    g_assert_cmpuint(seen.stored->len, ==, 252); // two groups
    g_string_truncate(seen.stored, 0);
    for (int i = 0; i < 1000; i++) // one line in many pieces
        g_assert_true(gst_pe_intake_take(&intake, "0123456789", 10, false));
    g_assert_cmpint(seen.n_refused, ==, 1);
    g_assert_true(
        gst_pe_intake_take(&intake, "x\n{\"source\":\"b\"}", 16, true));
    g_assert_cmpstr(seen.stored->str, ==, "b ");
    g_assert_cmpint(seen.n_refused, ==, 1);
    gst_pe_intake_clear(&intake);
    g_string_free(seen.stored, TRUE);
}

static void
waits_longer_each_time(void)
{
    GstPeBackoff backoff = {0};
    gint64 longest[] = {1, 2, 4, 8, 16, 30, 30, 30};
    bool differs = false;

    for (int round = 0; round < 20; round++) {
        gint64 first = 0;
        for (guint i = 0; i < G_N_ELEMENTS(longest); i++) {
            gint64 wait = gst_pe_backoff_next(&backoff);
            g_assert_cmpint(wait, <=, longest[i] * G_USEC_PER_SEC);
            g_assert_cmpint(wait, >=, longest[i] * G_USEC_PER_SEC / 2);
            differs |= i > 5 && wait != first;
            first = wait;
        }
        gst_pe_backoff_reset(&backoff);
    }
    g_assert_true(differs);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add_func("/topic/" #test, test)
    ADD(makes_topics_of_members);
    ADD(refuses_what_is_no_record);
    ADD(refuses_deep_and_long_values);
    ADD(reads_no_further_than_the_record);
    ADD(refuses_wrong_templates);
    ADD(splits_bytes_into_records);
    ADD(groups_records_and_skips_long_lines);
    ADD(waits_longer_each_time);
    return g_test_run();
}
