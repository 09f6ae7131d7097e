// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_unixfd.c - results that unixfdsink carries to another process. The
// other process is this program once more, with the path of the socket: it
// prints the bytes of what it gets, a line a result.

#include "tests/support/gst_helpers.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <gst/app/gstappsink.h>
#include <stdio.h>
#include <string.h>

#define N_RESULTS 5
#define PATIENCE_S 60

static const char *program;

// ---- The other process ----------------------------------------------------

// Since 1.28 GStreamer finds the type of the metadata by its name in the
// registry; before, whoever receives it has asked for it once.
static void
prepare_to_receive(void)
{
#if !GST_CHECK_VERSION(1, 28, 0)
    g_assert_nonnull(GST_PE_META_INFO);
#endif
}

static void
print_result(GstBuffer *buffer)
{
    g_assert_cmpuint(gst_buffer_get_n_pe_metas(buffer), ==, 1);
    const GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    g_autoptr(GBytes) bytes = gst_pe_result_to_bytes(meta->result);
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    g_autofree char *text = g_base64_encode(data, size);

    printf("result %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %s\n",
           gst_pe_result_get_sequence(meta->result), meta->age, text);
}

static int
receive(const char *socket)
{
    g_autoptr(GError) error = NULL;

    gst_init(NULL, NULL);
    prepare_to_receive();
    g_autofree char *line = g_strdup_printf(
        "unixfdsrc socket-path=%s ! appsink name=out sync=false "
        "max-buffers=1",
        socket);
    GstElement *pipeline = gst_parse_launch(line, &error);
    g_assert_no_error(error);
    GstElement *out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (int i = 0; i < N_RESULTS; i++) {
        GstSample *sample = gst_app_sink_try_pull_sample(
            GST_APP_SINK(out), PATIENCE_S * GST_SECOND);
        g_assert_nonnull(sample);
        print_result(gst_sample_get_buffer(sample));
        gst_sample_unref(sample);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(out);
    gst_object_unref(pipeline);
    return 0;
}

// ---- This process ---------------------------------------------------------

// Lines of results as the other process prints them, by their numbers.
typedef struct {
    GMutex lock;
    GCond changed;
    GHashTable *lines; // guint64 * -> char *
} Sent;

static GstPadProbeReturn
remember(GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
    Sent *sent = user_data;
    const GstPeMeta *meta =
        gst_buffer_get_pe_meta(GST_PAD_PROBE_INFO_BUFFER(info));
    g_assert_nonnull(meta);
    guint64 sequence = gst_pe_result_get_sequence(meta->result);
    g_autoptr(GBytes) bytes = gst_pe_result_to_bytes(meta->result);
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    g_autofree char *text = g_base64_encode(data, size);
    char *line =
        g_strdup_printf("result %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %s",
                        sequence, meta->age, text);

    g_mutex_lock(&sent->lock);
    g_hash_table_insert(sent->lines, g_memdup2(&sequence, sizeof sequence),
                        line);
    g_cond_signal(&sent->changed);
    g_mutex_unlock(&sent->lock);
    return GST_PAD_PROBE_OK;
}

// The sink knows its caps now, with which it greets whoever connects.
static void
wait_for_the_first(Sent *sent)
{
    gint64 end = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;
    bool in_time = true;

    g_mutex_lock(&sent->lock);
    while (in_time && g_hash_table_size(sent->lines) == 0)
        in_time = g_cond_wait_until(&sent->changed, &sent->lock, end);
    g_mutex_unlock(&sent->lock);
    g_assert_true(in_time);
}

// What the other process printed; it has ended.
static char *
run_receiver(const char *socket)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) process =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, program,
                         "--receive", socket, NULL);
    char *text = NULL;

    g_assert_no_error(error);
    g_subprocess_communicate_utf8(process, NULL, NULL, &text, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(g_subprocess_get_successful(process));
    return text;
}

static guint
compare(const char *text, Sent *sent)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint64 last = G_MAXUINT64;
    guint n = 0;

    for (guint i = 0; lines[i]; i++) {
        guint64 sequence;
        if (sscanf(lines[i], "result %" G_GUINT64_FORMAT, &sequence) != 1)
            continue;
        const char *want = g_hash_table_lookup(sent->lines, &sequence);
        g_assert_cmpstr(lines[i], ==, want);
        g_assert_true(n == 0 || sequence == last + 1);
        last = sequence;
        n++;
    }
    return n;
}

// A source that can wait, so that no frame leaves without its result, at the
// pace of the clock.
static GstElement *
make_sender(const char *socket, Sent *sent)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *line = g_strdup_printf(
        "videotestsrc ! " FRAME_CAPS " ! peinference model=%s "
        "device=cpu precision=fp32 frame-rate=0/1 clip-length=1 mode=exact "
        "labels=dog|cat ! unixfdsink name=out socket-path=%s sync=true",
        tiny_model_path(), socket);
    GstElement *pipeline = gst_parse_launch(line, &error);

    g_assert_no_error(error);
    g_autoptr(GstElement) out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(out, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, remember, sent, NULL);
    return pipeline;
}

static void
reaches_another_process(void)
{
    static const char *const elements[] = {"unixfdsink", "unixfdsrc", NULL};
    g_autoptr(GError) error = NULL;
    Sent sent = {0};

    if (!have_elements(elements))
        return;
    g_mutex_init(&sent.lock);
    g_cond_init(&sent.changed);
    sent.lines =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    g_autofree char *folder = g_dir_make_tmp("pe-unixfd-XXXXXX", &error);
    g_assert_no_error(error);
    g_autofree char *socket = g_build_filename(folder, "socket", NULL);
    GstElement *pipeline = make_sender(socket, &sent);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    wait_for_the_first(&sent);
    g_autofree char *text = run_receiver(socket);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    guint n = compare(text, &sent);
    g_test_message("%u results arrived, %u wanted", n, N_RESULTS);
    g_assert_cmpuint(n, ==, N_RESULTS);
    gst_object_unref(pipeline);
    g_hash_table_unref(sent.lines);
    g_cond_clear(&sent.changed);
    g_mutex_clear(&sent.lock);
    g_unlink(socket);
    g_rmdir(folder);
}

static void
add_tests(void)
{
    g_test_add_func("/unixfd/process", reaches_another_process);
}

int
main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--receive") == 0)
        return receive(argv[2]);
    program = argv[0];
    return run_gst_tests(argc, argv, add_tests);
}
