// SPDX-License-Identifier: LGPL-2.1-or-later
//
// feed.c - gives a sink numbered records and says which it has accepted, so
// that a test can kill it and knows what must arrive: feed [OPTION]... SINK
// [PROPERTY]
//
// Record n belongs to source n % SOURCES and has sequence n / SOURCES. Prints a
// line for each thing that happens: "accepted N" when the sink has taken
// records up to N, "connected", "lost REASON", "warning TEXT", "error TEXT",
// and at the end "stats STRUCTURE" and "done SECONDS RSS-KIB", where RSS is
// what it has grown by since the first record; "-" under a sanitizer, which
// keeps what was freed. Exit status 1: an error.

#include <gst/gst.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static gint64 from, count = 100, n_sources = 3, rate, padding, group = 1;
static gint64 wait_ms;
static gboolean quiet, keep_open, from_stdin;

static const GOptionEntry options[] = {
    {"from", 0, 0, G_OPTION_ARG_INT64, &from, "number of the first record",
     "N"},
    {"count", 0, 0, G_OPTION_ARG_INT64, &count, "how many records", "N"},
    {"sources", 0, 0, G_OPTION_ARG_INT64, &n_sources, "how many", "N"},
    {"rate", 0, 0, G_OPTION_ARG_INT64, &rate, "records a second; 0: all", "N"},
    {"padding", 0, 0, G_OPTION_ARG_INT64, &padding, "more bytes of each", "N"},
    {"group", 0, 0, G_OPTION_ARG_INT64, &group, "records in a buffer", "N"},
    {"wait", 0, 0, G_OPTION_ARG_INT64, &wait_ms,
     "before the end, until all has been acknowledged, at most", "MS"},
    {"quiet", 0, 0, G_OPTION_ARG_NONE, &quiet, "no line for each record", NULL},
    {"stdin", 0, 0, G_OPTION_ARG_NONE, &from_stdin,
     "the records are the lines of standard input", NULL},
    {"keep-open", 0, 0, G_OPTION_ARG_NONE, &keep_open,
     "no end of the stream; wait for the end of standard input", NULL},
    {NULL},
};

static int has_error; // atomic

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_RSS_OURS false
#else
#define IS_RSS_OURS true
#endif

static long
get_rss(void)
{
    long pages = 0, rss = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file && fscanf(file, "%ld %ld", &pages, &rss) != 2)
        rss = 0;
    if (file)
        fclose(file);
    return rss * (sysconf(_SC_PAGESIZE) / 1024);
}

static void
tell_connection(const GstStructure *s)
{
    const char *connection = gst_structure_get_string(s, "connection");
    const char *reason = gst_structure_get_string(s, "reason");

    if (connection)
        printf("%s %s\n", connection, reason ? reason : "");
}

static void
tell_problem(GstMessage *message, bool is_error)
{
    g_autoptr(GError) error = NULL;

    if (is_error)
        gst_message_parse_error(message, &error, NULL);
    else
        gst_message_parse_warning(message, &error, NULL);
    printf("%s %s\n", is_error ? "error" : "warning", error->message);
    if (is_error)
        g_atomic_int_set(&has_error, 1);
}

static GstBusSyncReply
tell(GstBus *bus, GstMessage *message, gpointer data)
{
    flockfile(stdout);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT)
        tell_connection(gst_message_get_structure(message));
    else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING)
        tell_problem(message, false);
    else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
        tell_problem(message, true);
    fflush(stdout);
    funlockfile(stdout);
    gst_message_unref(message);
    return GST_BUS_DROP;
}

static GstBuffer *
make_buffer(gint64 first, gint64 n)
{
    GString *text = g_string_new(NULL);

    for (gint64 i = first; i < first + n; i++) {
        g_string_append_printf(text,
                               "{\"schema\":\"pe-1\",\"type\":\"clip\","
                               "\"source\":\"cam-%" G_GINT64_FORMAT
                               "\",\"sequence\":%" G_GINT64_FORMAT
                               ",\"labels\":[{\"label\":\"a dog\",\"score\":"
                               "0.5}]",
                               i % n_sources, i / n_sources);
        if (padding > 0)
            g_string_append_printf(text, ",\"embedding\":\"%0*d\"",
                                   (int)padding, 0);
        g_string_append(text, "}\n");
    }
    gsize size = text->len;
    return gst_buffer_new_wrapped(g_string_free(text, FALSE), size);
}

static GstPad *
link_pad(GstElement *sink)
{
    g_autoptr(GstPad) sinkpad = gst_element_get_static_pad(sink, "sink");
    GstPad *pad = gst_pad_new("src", GST_PAD_SRC);
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_set_active(pad, TRUE);
    g_assert(gst_pad_link(pad, sinkpad) == GST_PAD_LINK_OK);
    gst_pad_push_event(pad, gst_event_new_stream_start("feed"));
    gst_pad_push_event(pad, gst_event_new_caps(gst_caps_new_empty_simple(
                                "application/x-json")));
    gst_pad_push_event(pad, gst_event_new_segment(&segment));
    return pad;
}

static void
push_records(GstPad *pad)
{
    gint64 start = g_get_monotonic_time();

    for (gint64 i = from; i < from + count && !g_atomic_int_get(&has_error);
         i += group) {
        gint64 due = rate > 0 ? start + (i - from) * G_USEC_PER_SEC / rate : 0;
        gint64 early = due - g_get_monotonic_time();
        if (early > 0)
            g_usleep((gulong)early);
        gint64 n = MIN(group, from + count - i);
        if (gst_pad_push(pad, make_buffer(i, n)) != GST_FLOW_OK)
            return;
        if (!quiet) {
            printf("accepted %" G_GINT64_FORMAT "\n", i + n - 1);
            fflush(stdout);
        }
    }
}

static void
push_lines(GstPad *pad)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;

    for (int i = 0; !g_atomic_int_get(&has_error) &&
                    (n = getline(&line, &size, stdin)) > 0;
         i++) {
        GstBuffer *buffer = gst_buffer_new_memdup(line, (gsize)n);
        if (gst_pad_push(pad, buffer) != GST_FLOW_OK)
            break;
        printf("accepted %d\n", i);
        fflush(stdout);
    }
    free(line);
}

static guint64
get_waiting(GstElement *sink)
{
    g_autoptr(GstStructure) stats = NULL;
    guint64 waiting = 0;

    g_object_get(sink, "stats", &stats, NULL);
    gst_structure_get_uint64(stats, "waiting", &waiting);
    return waiting;
}

static void
finish(GstElement *sink, GstPad *pad)
{
    g_autoptr(GstStructure) stats = NULL;

    for (gint64 ms = 0;
         ms < wait_ms && !g_atomic_int_get(&has_error) && get_waiting(sink);
         ms++)
        g_usleep(1000);
    if (keep_open)
        while (getchar() != EOF)
            ;
    else
        gst_pad_push_event(pad, gst_event_new_eos());
    g_object_get(sink, "stats", &stats, NULL);
    g_autofree char *text = gst_structure_to_string(stats);
    printf("stats %s\n", text);
}

// "host=…", set as on a command line.
static GstElement *
make_sink(char **words)
{
    GstElement *sink = gst_element_factory_make(words[0], NULL);

    if (!sink) {
        printf("error there is no element %s\n", words[0]);
        exit(77);
    }
    for (words++; *words; words++) {
        char *value = strchr(*words, '=');
        g_assert(value);
        *value = 0;
        gst_util_set_object_arg(G_OBJECT(sink), *words, value + 1);
        *value = '=';
    }
    return sink;
}

int
main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("SINK …");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_set_strict_posix(context, TRUE);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc < 2) {
        fprintf(stderr, "%s\n", error ? error->message : "no sink");
        return 2;
    }
    gst_init(NULL, NULL);
    GstElement *pipeline = gst_pipeline_new(NULL);
    GstElement *sink = make_sink(argv + 1);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    gst_bus_set_sync_handler(bus, tell, NULL, NULL);
    gst_bin_add(GST_BIN(pipeline), sink);
    if (gst_element_set_state(pipeline, GST_STATE_PLAYING) !=
        GST_STATE_CHANGE_FAILURE) {
        GstPad *pad = link_pad(sink);
        long rss = get_rss();
        gint64 start = g_get_monotonic_time();
        if (from_stdin)
            push_lines(pad);
        else
            push_records(pad);
        finish(sink, pad);
        printf("done %.3f ",
               (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC);
        if (IS_RSS_OURS)
            printf("%ld\n", get_rss() - rss);
        else
            printf("-\n");
        fflush(stdout);
        gst_object_unref(pad);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    return g_atomic_int_get(&has_error);
}
