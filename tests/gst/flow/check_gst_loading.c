// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_loading.c - when peinference loads its model, how it tells, and
// what becomes of a load that fails or that nobody waits for any more.

#include "gst_script.h"

#include <string.h>

// Not the engine that the tests share, and with a bus of its own.
static GstElement *
make_loading(const char *properties)
{
    g_autofree char *text = g_strdup_printf("precision=bf16 %s", properties);
    GstElement *e = make_inference(text);
    g_autoptr(GstBus) bus = gst_bus_new();

    gst_element_set_bus(e, bus);
    fake_reset();
    loading.n_begun = 0;
    return e;
}

static void
end_loading(GstElement *e)
{
    g_assert_cmpint(gst_element_set_state(e, GST_STATE_NULL), ==,
                    GST_STATE_CHANGE_SUCCESS);
    gst_element_set_bus(e, NULL);
    gst_object_unref(e);
}

// The next progress message has this type.
static void
expect_progress(GstElement *e, GstProgressType wanted)
{
    GstMessage *m = wait_message(GST_ELEMENT_BUS(e), GST_MESSAGE_PROGRESS);
    GstProgressType type;

    g_assert_nonnull(m);
    gst_message_parse_progress(m, &type, NULL, NULL);
    g_assert_cmpint(type, ==, wanted);
    gst_message_unref(m);
}

static int
count_errors(GstElement *e, const char *text)
{
    int n = 0;
    GstMessage *m;

    while ((m = gst_bus_pop_filtered(GST_ELEMENT_BUS(e), GST_MESSAGE_ERROR))) {
        g_autoptr(GError) error = NULL;
        gst_message_parse_error(m, &error, NULL);
        g_assert_nonnull(strstr(error->message, text));
        gst_message_unref(m);
        n++;
    }
    return n;
}

// In READY the application goes on meanwhile; the model stays until NULL.
static void
loads_once_while_the_application_goes_on(void)
{
    GstElement *e = make_loading("");

    hold(&loading, true);
    g_assert_cmpint(gst_element_set_state(e, GST_STATE_READY), ==,
                    GST_STATE_CHANGE_SUCCESS);
    expect_progress(e, GST_PROGRESS_TYPE_START);
    wait_for(&loading, 1);
    hold(&loading, false);
    expect_progress(e, GST_PROGRESS_TYPE_COMPLETE);
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(gst_element_set_state(e, GST_STATE_PLAYING), ==,
                        GST_STATE_CHANGE_SUCCESS);
        g_assert_cmpint(gst_element_set_state(e, GST_STATE_READY), ==,
                        GST_STATE_CHANGE_SUCCESS);
    }
    g_assert_cmpint(loading.n_begun, ==, 1);
    g_object_set(e, "precision", PE_PRECISION_FP16, NULL);
    g_assert_cmpint(gst_element_set_state(e, GST_STATE_PAUSED), ==,
                    GST_STATE_CHANGE_SUCCESS);
    g_assert_cmpint(loading.n_begun, ==, 2);
    end_loading(e);
}

static void
fails_to_pause_with_the_error_of_its_load(void)
{
    GstElement *e = make_loading("");

    fake.fail_load = true;
    g_assert_cmpint(gst_element_set_state(e, GST_STATE_READY), ==,
                    GST_STATE_CHANGE_SUCCESS);
    g_assert_cmpint(gst_element_set_state(e, GST_STATE_PAUSED), ==,
                    GST_STATE_CHANGE_FAILURE);
    expect_progress(e, GST_PROGRESS_TYPE_START);
    expect_progress(e, GST_PROGRESS_TYPE_ERROR);
    g_assert_cmpint(gst_element_set_state(e, GST_STATE_READY), ==,
                    GST_STATE_CHANGE_SUCCESS);
    fake.fail_load = false;
    g_assert_cmpint(gst_element_set_state(e, GST_STATE_PAUSED), ==,
                    GST_STATE_CHANGE_SUCCESS);
    g_assert_cmpint(count_errors(e, "too little of it"), ==, 1);
    end_loading(e);
}

static void
leaves_a_load_behind(void)
{
    GstElement *e = make_loading("");

    hold(&loading, true);
    gst_element_set_state(e, GST_STATE_READY);
    expect_progress(e, GST_PROGRESS_TYPE_START);
    wait_for(&loading, 1);
    g_assert_cmpint(gst_element_set_state(e, GST_STATE_NULL), ==,
                    GST_STATE_CHANGE_SUCCESS);
    hold(&loading, false);
    expect_progress(e, GST_PROGRESS_TYPE_CANCELED);
    end_loading(e);
}

static void
names_a_model_that_is_not_there(void)
{
    GstElement *e = make_loading("model=/nonexistent.pt");

    g_assert_cmpint(gst_element_set_state(e, GST_STATE_READY), ==,
                    GST_STATE_CHANGE_FAILURE);
    g_assert_cmpint(count_errors(e, "/nonexistent.pt"), ==, 1);
    end_loading(e);
}

static void
keep_warning(PeLogLevel level, const char *message, void *kept)
{
    if (level == PE_LOG_WARNING)
        g_string_append(kept, message);
}

static void
computes_with_the_threads_of_the_first_element(void)
{
    g_autoptr(GString) warnings = g_string_new(NULL);
    // The load that was left behind may still have its engine of bf16.
    GstElement *first = make_loading("precision=fp16 threads=3");
    GstElement *second = make_inference("precision=fp16 threads=2");

    pe_log_set(keep_warning, warnings);
    g_assert_cmpint(gst_element_set_state(first, GST_STATE_PAUSED), ==,
                    GST_STATE_CHANGE_SUCCESS);
    g_assert_cmpint(fake.n_threads, ==, 3);
    g_assert_cmpstr(warnings->str, ==, "");
    g_assert_cmpint(gst_element_set_state(second, GST_STATE_PAUSED), ==,
                    GST_STATE_CHANGE_SUCCESS);
    pe_log_set(NULL, NULL);
    g_assert_cmpint(loading.n_begun, ==, 1);
    g_test_message("%s", warnings->str);
    g_assert_nonnull(strstr(warnings->str, "threads of 3, not 2"));
    end_loading(second);
    end_loading(first);
}

static void
add_tests(void)
{
    g_test_add_func("/loading/once", loads_once_while_the_application_goes_on);
    g_test_add_func("/loading/fails",
                    fails_to_pause_with_the_error_of_its_load);
    g_test_add_func("/loading/left", leaves_a_load_behind);
    g_test_add_func("/loading/nothing", names_a_model_that_is_not_there);
    g_test_add_func("/loading/threads",
                    computes_with_the_threads_of_the_first_element);
}

int
main(int argc, char **argv)
{
    return script_run(argc, argv, add_tests);
}
