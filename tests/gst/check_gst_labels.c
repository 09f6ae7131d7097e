// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_labels.c - peinference's labels: which are reported, and how they
// change while frames flow.

#include "tests/support/gst_helpers.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

// Push frame `index` and return its result. clip-length is 1.
static GstPeResult *
classify(GstHarness *h, int index)
{
    push_frames(h, index, 1);
    GstBuffer *buffer = pull(h);
    GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    g_assert_nonnull(meta);
    GstPeResult *result = gst_pe_result_ref(meta->result);
    gst_buffer_unref(buffer);
    return result;
}

static bool
same_labels(GstPeResult *a, GstPeResult *b)
{
    return g_strcmp0(gst_pe_result_get_label_set_fingerprint(a),
                     gst_pe_result_get_label_set_fingerprint(b)) == 0;
}

// The same frames until the label set is another one.
static GstPeResult *
classify_until_changed(GstHarness *h, GstPeResult *old)
{
    for (int i = 1; i < 20000; i++) {
        GstPeResult *result = classify(h, i);
        if (!same_labels(result, old))
            return result;
        gst_pe_result_unref(result);
        g_usleep(1000);
    }
    g_assert_not_reached();
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

static void
reports_the_best_first(void)
{
    GstHarness *h =
        play_inference("clip-length=1 labels=\"dog|cat|a\\ bird|fish\"");
    g_autoptr(GstPeResult) r = classify(h, 0);
    double sum = 0;

    g_assert_cmpuint(gst_pe_result_get_n_labels(r), ==, 4);
    for (guint i = 0; i < 4; i++) {
        double p = gst_pe_result_get_score(r, i);
        g_assert_cmpfloat(fabs(gst_pe_result_get_similarity(r, i)), <=, 1);
        if (i > 0)
            g_assert_cmpfloat(p, <=, gst_pe_result_get_score(r, i - 1));
        sum += p;
    }
    g_assert_cmpfloat_with_epsilon(sum, 1, 1e-5);
    stop(h);
}

static void
obeys_top_k_threshold_and_negatives(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat|fish top-k=2 "
                                   "negative-labels=wall|sky");
    g_autoptr(GstPeResult) r = classify(h, 0);
    g_assert_cmpuint(gst_pe_result_get_n_labels(r), ==, 2);
    g_assert_false(has_label(r, "wall"));
    g_assert_cmpfloat(
        gst_pe_result_get_score(r, 0) + gst_pe_result_get_score(r, 1), <, 0.99);

    g_object_set(h->element, "threshold", 1.0, NULL);
    g_autoptr(GstPeResult) none = classify(h, 1);
    g_assert_cmpuint(gst_pe_result_get_n_labels(none), ==, 0);

    g_object_set(h->element, "threshold", 0.0, "top-k", 1, NULL);
    g_autoptr(GstPeResult) one = classify(h, 2);
    g_assert_cmpuint(gst_pe_result_get_n_labels(one), ==, 1);
    stop(h);
}

static void
gives_embeddings_only_without_labels(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=\"\"");
    g_autoptr(GstPeResult) r = classify(h, 0);

    g_assert_cmpuint(gst_pe_result_get_n_labels(r), ==, 0);
    g_assert_null(gst_pe_result_get_label_set_fingerprint(r));
    g_assert_nonnull(gst_pe_result_get_embedding(r));
    stop(h);
}

static void
changes_labels_while_playing(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat");
    g_autoptr(GstPeResult) before = classify(h, 0);
    g_assert_true(has_label(before, "dog"));

    g_object_set(h->element, "labels", "a tree|a house|a car", NULL);
    g_autoptr(GstPeResult) after = classify_until_changed(h, before);
    g_assert_cmpuint(gst_pe_result_get_n_labels(after), ==, 3);
    g_assert_true(has_label(after, "a house"));

    // Another template changes the vectors, so the fingerprint too.
    g_object_set(h->element, "prompt-template", "a drawing of {}.", NULL);
    g_autoptr(GstPeResult) drawing = classify_until_changed(h, after);
    g_assert_true(has_label(drawing, "a house"));

    g_object_set(h->element, "labels", NULL, NULL);
    g_autoptr(GstPeResult) without = classify_until_changed(h, drawing);
    g_assert_cmpuint(gst_pe_result_get_n_labels(without), ==, 0);
    stop(h);
}

static void
uses_the_last_of_many_changes(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=first");

    for (int i = 0; i < 50; i++) {
        g_autofree char *text = g_strdup_printf("label %d|other", i);
        g_object_set(h->element, "labels", text, NULL);
    }
    for (int i = 0; i < 20000; i++) {
        g_autoptr(GstPeResult) r = classify(h, i);
        if (has_label(r, "label 49"))
            break;
        g_assert_cmpint(i, <, 19999);
        g_usleep(1000);
    }
    stop(h);
}

static void
keeps_the_old_labels_when_the_new_ones_fail(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat");
    g_autoptr(GError) error = NULL;

    g_object_set(h->element, "labels", "|", NULL);
    // After others, about labels that look alike to the tiny model.
    while (!error || !strstr(error->message, "keeping the labels in use")) {
        g_autoptr(GstMessage) m =
            wait_message(GST_ELEMENT_BUS(h->element), GST_MESSAGE_WARNING);
        g_assert_nonnull(m);
        g_clear_error(&error);
        gst_message_parse_warning(m, &error, NULL);
        g_test_message("%s", error->message);
    }
    g_autoptr(GstPeResult) r = classify(h, 0);
    g_assert_true(has_label(r, "dog"));
    stop(h);
}

static void
reads_labels_from_a_file(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("labels-XXXXXX.txt", &path, &error);
    g_assert_no_error(error);
    g_close(fd, NULL);
    g_assert_true(g_file_set_contents(path, "# animals\ndog\ncat\n", -1, NULL));
    g_autofree char *text =
        g_strdup_printf("clip-length=1 labels-file=%s", path);
    GstHarness *h = play_inference(text);
    g_autoptr(GstPeResult) r = classify(h, 0);

    g_assert_cmpuint(gst_pe_result_get_n_labels(r), ==, 2);
    g_assert_true(has_label(r, "cat"));
    stop(h);
    g_unlink(path);
}

static void
stops_while_labels_are_computed(void)
{
    for (int i = 0; i < 20; i++) {
        GstHarness *h = play_inference("clip-length=1 labels=dog");
        g_autofree char *text = g_strdup_printf("never seen %d|other", i);
        g_object_set(h->element, "labels", text, NULL);
        if (i % 2)
            push_frames(h, 0, 2);
        stop(h);
    }
}

static void
add_tests(void)
{
    g_test_add_func("/labels/order", reports_the_best_first);
    g_test_add_func("/labels/limits", obeys_top_k_threshold_and_negatives);
    g_test_add_func("/labels/none", gives_embeddings_only_without_labels);
    g_test_add_func("/labels/change", changes_labels_while_playing);
    g_test_add_func("/labels/changes", uses_the_last_of_many_changes);
    g_test_add_func("/labels/bad-change",
                    keeps_the_old_labels_when_the_new_ones_fail);
    g_test_add_func("/labels/file", reads_labels_from_a_file);
    g_test_add_func("/labels/stop", stops_while_labels_are_computed);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
