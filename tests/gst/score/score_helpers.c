// SPDX-License-Identifier: LGPL-2.1-or-later
//
// score_helpers.c - see score_helpers.h.

#include "score_helpers.h"

#define MIN_COSINE 0.999999
#define MAX_SCORE_ERROR 1e-4

GstHarness *
play_score(const char *inference, const char *score)
{
    g_autofree char *line = g_strdup_printf(
        "peinference name=tower model=%s device=cpu precision=fp32 "
        "frame-rate=0/1 mode=exact clip-length=1 %s ! pescore name=score %s",
        tiny_model_path(), inference, score);
    g_autoptr(GError) error = NULL;
    GstElement *bin = gst_parse_bin_from_description(line, TRUE, &error);

    g_assert_no_error(error);
    return play_element(gst_object_ref_sink(bin), FRAME_CAPS);
}

GstHarness *
play_score_alone(const char *properties)
{
    g_autofree char *line = g_strdup_printf(
        "pescore name=score model=%s device=cpu precision=fp32 %s",
        tiny_model_path(), properties);
    g_autoptr(GError) error = NULL;
    GstElement *element = gst_parse_launch(line, &error);

    g_assert_no_error(error);
    return play_element(element, FRAME_CAPS);
}

// ---- Reading --------------------------------------------------------------

Found *
found_new(void)
{
    Found *found = g_new0(Found, 1);

    found->results =
        g_ptr_array_new_with_free_func((GDestroyNotify)gst_pe_result_unref);
    found->frames = g_string_new(NULL);
    return found;
}

void
found_free(Found *found)
{
    g_ptr_array_unref(found->results);
    g_string_free(found->frames, TRUE);
    g_free(found);
}

static bool
is_of(const GstPeResult *result, const char *element)
{
    return g_strcmp0(gst_pe_result_get_element(result), element) == 0;
}

static void
read_frames(GstHarness *h, const char *element, Found *found)
{
    GstBuffer *buffer;

    while ((buffer = gst_harness_try_pull(h))) {
        for (guint i = 0; i < gst_buffer_get_n_pe_metas(buffer); i++) {
            GstPeMeta *meta = gst_buffer_get_nth_pe_meta(buffer, i);
            if (is_of(meta->result, element))
                g_string_append_printf(
                    found->frames,
                    "%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT " ",
                    GST_BUFFER_OFFSET(buffer),
                    gst_pe_result_get_sequence(meta->result));
        }
        gst_buffer_unref(buffer);
    }
}

Found *
found_read(GstHarness *h, const char *element)
{
    Found *found = found_new();
    GstEvent *event;

    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    while ((event = gst_harness_pull_event(h)) &&
           GST_EVENT_TYPE(event) != GST_EVENT_EOS) {
        // With a reference of its own, so that the thread sanitizer sees who
        // was the last: it does not see into events.
        GstPeResult *r = gst_event_get_pe_result(event);
        g_autoptr(GstPeResult) own = r ? gst_pe_result_ref(r) : NULL;
        gst_event_unref(event);
        if (own && is_of(own, element))
            g_ptr_array_add(found->results, gst_pe_result_ref(own));
    }
    g_assert_nonnull(event);
    gst_event_unref(event);
    read_frames(h, element, found);
    return found;
}

// ---- Comparing ------------------------------------------------------------

static void
compare_labels(const GstPeResult *a, const GstPeResult *b)
{
    g_assert_cmpstr(gst_pe_result_get_label_set_fingerprint(a), ==,
                    gst_pe_result_get_label_set_fingerprint(b));
    g_assert_cmpuint(gst_pe_result_get_n_labels(a), ==,
                     gst_pe_result_get_n_labels(b));
    for (guint i = 0; i < gst_pe_result_get_n_labels(a); i++) {
        g_assert_cmpstr(gst_pe_result_get_label(a, i), ==,
                        gst_pe_result_get_label(b, i));
        g_assert_cmpfloat_with_epsilon(gst_pe_result_get_score(a, i),
                                       gst_pe_result_get_score(b, i),
                                       MAX_SCORE_ERROR);
    }
    g_assert_cmpint(gst_pe_result_is_unknown(a), ==,
                    gst_pe_result_is_unknown(b));
}

void
assert_same_result(const GstPeResult *a, const GstPeResult *b, const char *what)
{
    double cosine = gst_pe_vectors_get_similarity(
        gst_pe_result_get_embedding(a), gst_pe_result_get_embedding(b));

    if (cosine < MIN_COSINE)
        g_test_message("%s: cosine %.9f, expected %.6f or more", what, cosine,
                       MIN_COSINE);
    g_assert_cmpfloat(cosine, >=, MIN_COSINE);
    g_assert_cmpuint(gst_pe_result_get_clip_start(a), ==,
                     gst_pe_result_get_clip_start(b));
    g_assert_cmpuint(gst_pe_result_get_clip_end(a), ==,
                     gst_pe_result_get_clip_end(b));
    g_assert_cmpuint(gst_pe_result_get_clip_stream_start(a), ==,
                     gst_pe_result_get_clip_stream_start(b));
    g_assert_cmpuint(gst_pe_result_get_clip_stream_end(a), ==,
                     gst_pe_result_get_clip_stream_end(b));
    g_assert_cmpuint(gst_pe_result_get_n_frames(a), ==,
                     gst_pe_result_get_n_frames(b));
    g_assert_cmpint(gst_pe_result_get_reason(a), ==,
                    gst_pe_result_get_reason(b));
    g_assert_cmpstr(gst_pe_result_get_model_fingerprint(a), ==,
                    gst_pe_result_get_model_fingerprint(b));
    compare_labels(a, b);
}

void
assert_same(const Found *a, const Found *b, const char *what)
{
    g_autofree char *one = describe(a), *other = describe(b);

    if (g_strcmp0(one, other) != 0)
        g_test_message("%s", what);
    g_assert_cmpstr(one, ==, other);
    for (guint i = 0; i < a->results->len; i++)
        assert_same_result(g_ptr_array_index(a->results, i),
                           g_ptr_array_index(b->results, i), what);
    g_assert_cmpstr(a->frames->str, ==, b->frames->str);
}

char *
describe(const Found *found)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < found->results->len; i++) {
        const GstPeResult *r = g_ptr_array_index(found->results, i);
        GstClockTime start = gst_pe_result_get_clip_start(r);
        GstClockTime end = gst_pe_result_get_clip_end(r);
        g_string_append_printf(
            text, "%s%d+%d:%u%.1s", text->len ? " " : "",
            (int)(start / GST_MSECOND), (int)((end - start) / GST_MSECOND),
            gst_pe_result_get_n_frames(r),
            gst_pe_result_is_partial(r)
                ? gst_pe_reason_to_string(gst_pe_result_get_reason(r))
                : "");
    }
    return g_string_free(text, FALSE);
}
