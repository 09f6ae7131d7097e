// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_labels.c - peinference's labels: which are reported, and how they
// change while frames flow.

#include "tests/support/gst_helpers.h"
#include "tests/support/tiny_model.h"

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
    double sum = 0, probabilities = 0, best = 1;

    g_assert_cmpuint(gst_pe_result_get_n_labels(r), ==, 4);
    for (guint i = 0; i < 4; i++) {
        double p = gst_pe_result_get_score(r, i);
        g_assert_cmpfloat(fabs(gst_pe_result_get_similarity(r, i)), <=, 1);
        g_assert_cmpfloat(p, <=, best);
        best = p;
        sum += p;
        probabilities += gst_pe_result_get_probability(r, i);
    }
    g_assert_cmpfloat_with_epsilon(probabilities, 1, 1e-5);
    // What is missing is what the default negatives have.
    g_assert_cmpfloat_with_epsilon(sum, 1 - gst_pe_result_get_negative_mass(r),
                                   1e-5);
    g_assert_cmpfloat(sum, <, 1);
    g_assert_cmpstr(gst_pe_result_get_calibration(r), ==, "none");
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

// One label alone would have the score 1 on anything; its similarity tells.
static void
obeys_the_thresholds_of_probability_and_similarity(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog "
                                   "negative-labels=none");
    g_autoptr(GstPeResult) r = classify(h, 0);
    g_assert_cmpfloat(gst_pe_result_get_score(r, 0), ==, 1);
    g_assert_cmpfloat(gst_pe_result_get_negative_mass(r), ==, 0);
    g_assert_false(gst_pe_result_is_unknown(r));

    g_object_set(h->element, "similarity-threshold", 1.0, NULL);
    g_autoptr(GstPeResult) below = classify(h, 1);
    g_assert_cmpuint(gst_pe_result_get_n_labels(below), ==, 0);
    g_assert_true(gst_pe_result_is_unknown(below));

    g_object_set(h->element, "similarity-threshold", -1.0, "labels", "dog|cat",
                 NULL);
    g_autoptr(GstPeResult) two = classify_until_changed(h, below);
    g_assert_cmpuint(gst_pe_result_get_n_labels(two), ==, 2);
    g_object_set(h->element, "probability-threshold", 0.5, NULL);
    g_autoptr(GstPeResult) likely = classify(h, 2);
    g_assert_cmpuint(gst_pe_result_get_n_labels(likely), ==, 1);
    stop(h);
}

static void
compares_independent_labels_with_negatives_only(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat "
                                   "negative-labels=house");
    g_autoptr(GstPeResult) shared = classify(h, 0);

    g_object_set(h->element, "labels-mode", 1 /* independent */, NULL);
    g_autoptr(GstPeResult) alone = classify_until_changed(h, shared);
    for (guint i = 0; i < 2; i++) {
        // exp(l_k) is the label's part of the softmax by the negative's.
        double p = gst_pe_result_get_score(alone, i);
        double c = gst_pe_result_get_similarity(alone, i);
        for (guint k = 0; k < 2; k++) {
            double other = gst_pe_result_get_score(shared, k);
            if (gst_pe_result_get_similarity(shared, k) == c)
                g_assert_cmpfloat_with_epsilon(
                    p / (1 - p),
                    other / gst_pe_result_get_negative_mass(shared), 1e-2);
        }
    }
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
    while (!error ||
           !strstr(error->message, "keeping the labels and regions in use")) {
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

// ---- A model by its name -------------------------------------------------

static void
write_text(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

// What Hugging Face's tools leave in their cache, with the vocabulary as
// transformers keeps it.
static void
labels_with_a_model_of_the_hubs_cache(void)
{
    static const char *const names[] = {
        "models--facebook--PE-Tiny/snapshots/0123abcd/tiny.safetensors",
        "models--facebook--PE-Tiny/snapshots/0123abcd/merges.txt",
        "models--facebook--PE-Tiny/snapshots/0123abcd",
        "models--facebook--PE-Tiny/snapshots",
        "models--facebook--PE-Tiny/refs/main",
        "models--facebook--PE-Tiny/refs",
        "models--facebook--PE-Tiny",
        ""};
    g_autofree char *cache = g_dir_make_tmp("check-labels-XXXXXX", NULL);
    g_autofree char *snapshot = g_build_filename(cache, names[2], NULL);
    g_autofree char *refs = g_build_filename(cache, names[5], NULL);
    g_assert_cmpint(g_mkdir_with_parents(snapshot, 0700), ==, 0);
    g_assert_cmpint(g_mkdir_with_parents(refs, 0700), ==, 0);
    write_text(refs, "main", "0123abcd");
    g_free(tiny_model_write(snapshot, 2));
    g_autofree char *vocab =
        g_build_filename(snapshot, "bpe_simple_vocab_16e6.txt", NULL);
    g_autofree char *merges = g_build_filename(cache, names[1], NULL);
    g_assert_cmpint(g_rename(vocab, merges), ==, 0);

    g_setenv("HF_HUB_CACHE", cache, TRUE);
    GstHarness *h =
        play_inference("model=facebook/PE-Tiny clip-length=1 labels=dog");
    g_unsetenv("HF_HUB_CACHE");
    g_autoptr(GstPeResult) r = classify(h, 0);
    g_assert_true(has_label(r, "dog"));
    stop(h);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(cache, names[i], NULL);
        g_assert_cmpint(g_remove(path), ==, 0);
    }
}

static void
add_tests(void)
{
    g_test_add_func("/labels/order", reports_the_best_first);
    g_test_add_func("/labels/limits", obeys_top_k_threshold_and_negatives);
    g_test_add_func("/labels/thresholds",
                    obeys_the_thresholds_of_probability_and_similarity);
    g_test_add_func("/labels/independent",
                    compares_independent_labels_with_negatives_only);
    g_test_add_func("/labels/none", gives_embeddings_only_without_labels);
    g_test_add_func("/labels/change", changes_labels_while_playing);
    g_test_add_func("/labels/changes", uses_the_last_of_many_changes);
    g_test_add_func("/labels/bad-change",
                    keeps_the_old_labels_when_the_new_ones_fail);
    g_test_add_func("/labels/file", reads_labels_from_a_file);
    g_test_add_func("/labels/hub", labels_with_a_model_of_the_hubs_cache);
    g_test_add_func("/labels/stop", stops_while_labels_are_computed);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
