// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_label_sets.c - what belongs together in labels changes together,
// and what the user should know about it is on the bus.

#include "tests/support/gst_helpers.h"

#include <glib/gstdio.h>
#include <string.h>

#define LONG_LABEL \
    "one two three four five six seven eight nine ten eleven twelve thirteen " \
    "fourteen fifteen sixteen seventeen eighteen nineteen twenty"

static int n_pushed;

// Push a frame and return its result. clip-length is 1.
static GstPeResult *
classify(GstHarness *h)
{
    push_frames(h, n_pushed++, 1);
    GstBuffer *buffer = pull(h);
    GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    g_assert_nonnull(meta);
    GstPeResult *result = gst_pe_result_ref(meta->result);
    gst_buffer_unref(buffer);
    return result;
}

// The fingerprint of the label set; NULL without labels. Interned.
static const char *
get_set(const GstPeResult *result)
{
    return g_intern_string(gst_pe_result_get_label_set_fingerprint(result));
}

static const char *
get_current_set(GstHarness *h)
{
    g_autoptr(GstPeResult) result = classify(h);
    return get_set(result);
}

// Push frames until the label set is another one.
static GstPeResult *
classify_until_changed(GstHarness *h, const char *old_set)
{
    for (int i = 1; i < 20000; i++) {
        GstPeResult *result = classify(h);
        if (get_set(result) != old_set)
            return result;
        gst_pe_result_unref(result);
        g_usleep(1000);
    }
    g_assert_not_reached();
}

// No other set follows this one.
static void
assert_stays(GstHarness *h, const char *set)
{
    for (int i = 0; i < 20; i++) {
        g_assert_true(get_current_set(h) == set);
        g_usleep(2000);
    }
}

static bool
has_label(GstPeResult *result, const char *label)
{
    for (guint i = 0; i < gst_pe_result_get_n_labels(result); i++) {
        if (g_str_equal(gst_pe_result_get_label(result, i), label))
            return true;
    }
    return false;
}

// Wait for a warning that has `part` in it, after others that are dropped.
static void
expect_warning(GstHarness *h, const char *part)
{
    for (;;) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GstMessage) m =
            wait_message(GST_ELEMENT_BUS(h->element), GST_MESSAGE_WARNING);
        g_assert_nonnull(m);
        gst_message_parse_warning(m, &error, NULL);
        g_test_message("%s", error->message);
        if (strstr(error->message, part))
            return;
    }
}

static gboolean
set_labels(GstHarness *h, const char *structure)
{
    g_autoptr(GstStructure) set = gst_structure_from_string(structure, NULL);
    gboolean used = FALSE;

    g_assert_nonnull(set);
    g_signal_emit_by_name(h->element, "set-labels", set, &used);
    return used;
}

static void
assert_property(GstHarness *h, const char *name, const char *expected)
{
    g_autofree char *value = NULL;
    g_object_get(h->element, name, &value, NULL);
    g_assert_cmpstr(value, ==, expected);
}

// ---- Together -------------------------------------------------------------

static void
uses_no_half_of_a_change(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat");
    const char *set = get_current_set(h);

    g_object_freeze_notify(G_OBJECT(h->element));
    g_object_set(h->element, "labels", "a tree|a house", NULL);
    assert_stays(h, set);
    g_object_set(h->element, "prompt-template", "a drawing of {}.",
                 "negative-labels", "nothing", NULL);
    g_object_thaw_notify(G_OBJECT(h->element));

    g_autoptr(GstPeResult) after = classify_until_changed(h, set);
    g_assert_true(has_label(after, "a tree"));
    assert_stays(h, get_set(after));
    stop(h);
}

static void
makes_one_set_of_one_call(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat");
    const char *set = get_current_set(h);

    g_object_set(h->element, "labels", "a tree|a house", "prompt-template",
                 "a drawing of {}.", "negative-labels", "nothing", NULL);
    g_autoptr(GstPeResult) after = classify_until_changed(h, set);
    assert_stays(h, get_set(after));
    stop(h);
}

static void
sets_a_whole_set_by_signal(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat "
                                   "negative-labels=wall");
    const char *set = get_current_set(h);

    g_assert_true(set_labels(h, "set, labels=(string)\"a tree|a house|a car\", "
                                "prompt-template=(string)\"my {}\""));
    assert_property(h, "labels", "a tree|a house|a car");
    assert_property(h, "prompt-template", "my {}");
    assert_property(h, "negative-labels", NULL);
    g_autoptr(GstPeResult) after = classify_until_changed(h, set);
    assert_stays(h, get_set(after));
    g_assert_true(has_label(after, "a car"));

    g_assert_true(set_labels(h, "set"));
    g_autoptr(GstPeResult) without = classify_until_changed(h, get_set(after));
    g_assert_cmpuint(gst_pe_result_get_n_labels(without), ==, 0);
    assert_property(h, "prompt-template", "a video of {}.");
    stop(h);
}

static void
refuses_a_wrong_set_as_a_whole(void)
{
    static const struct {
        const char *set, *message;
    } wrong[] = {
        {"set, labels=(string)\"a|b\", prompt-template=(string)\"my\"",
         "expected a template"},
        {"set, labels=(string)\"a||a\"", "empty"},
        {"set, labels=(string)a, labels-file=(string)/nowhere",
         "labels and labels-file are both set"},
        {"set, labels-file=(string)/nowhere", "/nowhere"},
        {"set, labels=(string)a, template=(string)\"{}\"", "expected only"},
        {"set, labels=(int)3", "expected labels to be a string, found gint"},
    };
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat "
                                   "negative-labels=wall");
    const char *set = get_current_set(h);

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_assert_false(set_labels(h, wrong[i].set));
        expect_warning(h, wrong[i].message);
        assert_property(h, "labels", "dog|cat");
        assert_property(h, "negative-labels", "wall");
        g_assert_true(get_current_set(h) == set);
    }
    stop(h);
}

static void
takes_a_set_before_it_plays(void)
{
    g_autoptr(GstElement) element = make_inference("clip-length=1");
    g_autoptr(GstStructure) set =
        gst_structure_new("set", "labels", G_TYPE_STRING, "dog|cat", NULL);
    gboolean used = FALSE;

    gst_object_ref_sink(element);
    g_signal_emit_by_name(element, "set-labels", set, &used);
    g_assert_true(used);
    g_autofree char *labels = NULL;
    g_object_get(element, "labels", &labels, NULL);
    g_assert_cmpstr(labels, ==, "dog|cat");
}

static void
takes_the_json_of_a_labels_file(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat");
    const char *set = get_current_set(h);

    g_object_set(h->element, "labels",
                 "{\"name\": \"things\", \"labels\": [\"a tree\", "
                 "{\"name\": \"car\", \"prompts\": [\"a photo of a car\"]}], "
                 "\"negatives\": [\"nothing\"], \"templates\": [\"my {}\"]}",
                 NULL);
    g_autoptr(GstPeResult) after = classify_until_changed(h, set);
    g_assert_cmpuint(gst_pe_result_get_n_labels(after), ==, 2);
    g_assert_true(has_label(after, "car"));
    g_assert_cmpstr(gst_pe_result_get_label_set(after), ==, "things");
    stop(h);
}

static void
keeps_the_vocabulary_in_memory(void)
{
    g_autofree char *folder = g_path_get_dirname(tiny_model_path());
    g_autofree char *vocab =
        g_build_filename(folder, "bpe_simple_vocab_16e6.txt", NULL);
    g_autofree char *content = NULL;
    g_autofree char *copy = g_build_filename(folder, "copy.txt", NULL);
    g_assert_true(g_file_get_contents(vocab, &content, NULL, NULL));
    g_assert_true(g_file_set_contents(copy, content, -1, NULL));
    g_autofree char *properties =
        g_strdup_printf("clip-length=1 labels=dog|cat vocab=%s", copy);
    GstHarness *h = play_inference(properties);
    const char *set = get_current_set(h);

    g_assert_cmpint(g_unlink(copy), ==, 0);
    g_object_set(h->element, "labels", "a tree|a house", NULL);
    g_autoptr(GstPeResult) after = classify_until_changed(h, set);
    g_assert_true(has_label(after, "a tree"));
    stop(h);
}

// ---- On the bus -----------------------------------------------------------

static void
tells_of_cut_labels(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog");

    g_object_set(h->element, "labels", LONG_LABEL "|cat", NULL);
    expect_warning(h, "text is longer than the model's 32 tokens");
    stop(h);

    h = play_inference("clip-length=1 labels=\"" LONG_LABEL "\"");
    expect_warning(h, "text is longer than the model's 32 tokens");
    stop(h);
}

static void
tells_of_labels_that_repeat(void)
{
    GstHarness *h =
        play_inference("clip-length=1 labels=dog|cat|dog negative-labels=cat");

    expect_warning(h, "label 3 of 3: repeats the name \"dog\"");
    stop(h);
}

static void
tells_of_labels_that_look_alike(void)
{
    // The tokenizer makes lower case of both.
    GstHarness *h = play_inference("clip-length=1 labels=dog|DOG");

    expect_warning(h, "\"DOG\" becomes the same tokens as the label \"dog\"");
    stop(h);
}

static int
count_notes(GstHarness *h, const char *part)
{
    GstMessage *m;
    int n = 0;

    while ((m = gst_bus_pop_filtered(GST_ELEMENT_BUS(h->element),
                                     GST_MESSAGE_INFO))) {
        g_autoptr(GError) note = NULL;
        gst_message_parse_info(m, &note, NULL);
        n += strstr(note->message, part) != NULL;
        gst_message_unref(m);
    }
    return n;
}

// Once for a set, also when it comes back.
static void
tells_of_default_negatives(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat");
    const char *part = "(an ordinary scene seen by a camera|an object|";

    g_assert_cmpint(count_notes(h, part), ==, 1);
    const char *first = get_current_set(h);
    g_object_set(h->element, "labels", "dog|car", NULL);
    gst_pe_result_unref(classify_until_changed(h, first));
    g_autoptr(GstMessage) m =
        wait_message(GST_ELEMENT_BUS(h->element), GST_MESSAGE_INFO);
    g_assert_nonnull(m);
    const char *second = get_current_set(h);
    g_object_set(h->element, "labels", "dog|cat", NULL);
    gst_pe_result_unref(classify_until_changed(h, second));
    g_object_set(h->element, "negative-labels", "a wall", NULL);
    gst_pe_result_unref(classify_until_changed(h, first));
    g_assert_cmpint(count_notes(h, part), ==, 0);
    stop(h);
}

static void
tells_why_auto_is_the_cpu(void)
{
    // Another precision than that of the engine that all tests share.
    GstHarness *h = play_inference("clip-length=1 device=auto precision=bf16");
    g_autoptr(GstStructure) stats = NULL;
    g_object_get(h->element, "stats", &stats, NULL);
    g_autoptr(GstMessage) m =
        gst_bus_pop_filtered(GST_ELEMENT_BUS(h->element), GST_MESSAGE_INFO);

    if (g_strcmp0(gst_structure_get_string(stats, "device"), "cpu") != 0) {
        g_test_skip("there is a CUDA device");
    } else {
        g_autoptr(GError) note = NULL;
        g_assert_nonnull(m);
        gst_message_parse_info(m, &note, NULL);
        g_test_message("%s", note->message);
        g_assert_true(g_str_has_prefix(note->message, "auto: not cuda: "));
    }
    stop(h);
}

static void
tells_that_the_model_counts_from_the_next_start(void)
{
    GstHarness *h = play_inference("clip-length=1 batch-size=2");
    GstBus *bus = GST_ELEMENT_BUS(h->element);

    g_object_set(h->element, "batch-size", 2, "clip-length", 2, NULL);
    g_autoptr(GstMessage) none = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING);
    g_assert_null(none);
    g_object_set(h->element, "device", "cuda:7", NULL);
    expect_warning(h, "device=cuda:7 does not count before");
    g_object_set(h->element, "model", "/nowhere.pt", NULL);
    expect_warning(h, "model=/nowhere.pt does not count before");
    g_object_set(h->element, "vocab", "/nowhere.txt", NULL);
    expect_warning(h, "vocab=/nowhere.txt does not count before");
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/label-sets/halves", uses_no_half_of_a_change);
    g_test_add_func("/label-sets/call", makes_one_set_of_one_call);
    g_test_add_func("/label-sets/signal", sets_a_whole_set_by_signal);
    g_test_add_func("/label-sets/wrong", refuses_a_wrong_set_as_a_whole);
    g_test_add_func("/label-sets/early", takes_a_set_before_it_plays);
    g_test_add_func("/label-sets/json", takes_the_json_of_a_labels_file);
    g_test_add_func("/label-sets/vocabulary", keeps_the_vocabulary_in_memory);
    g_test_add_func("/label-sets/cut", tells_of_cut_labels);
    g_test_add_func("/label-sets/repeat", tells_of_labels_that_repeat);
    g_test_add_func("/label-sets/alike", tells_of_labels_that_look_alike);
    g_test_add_func("/label-sets/defaults", tells_of_default_negatives);
    g_test_add_func("/label-sets/auto", tells_why_auto_is_the_cpu);
    g_test_add_func("/label-sets/restart",
                    tells_that_the_model_counts_from_the_next_start);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
