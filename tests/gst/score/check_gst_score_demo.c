// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_score_demo.c - three windows times four label sets over one tower,
// on the demo clip, beside twelve towers that each do one of them. With
// --bench, what they cost beside the tower alone.

#include "score_helpers.h"

#include <string.h>
#include <sys/resource.h>

static const char *const label_sets[] = {
    "labels-file=\"%s/labels/demo.json\"",
    "labels-file=\"%s/labels/scenes.json\"",
    "labels-file=\"%s/labels/places.json\"",
    "labels=\"a red circle|colour bars|a boat at sea\"",
};

// As pescore and as peinference say it. At two frames a second, three seconds
// are six frames.
static const char *const windows[][2] = {
    {"clip-length=7", "clip-length=7"},
    {"clip-length=4 clip-stride=2", "clip-length=4 clip-stride=2"},
    {"window=3s", "clip-length=6"},
};

#define N_SETS G_N_ELEMENTS(label_sets)
#define N_WINDOWS G_N_ELEMENTS(windows)
#define N_ALL (N_SETS * N_WINDOWS)

static const char *
get_folder(void)
{
    const char *folder = g_getenv("PE_DEMO_DIR");

    g_assert_nonnull(folder);
    return folder;
}

// " ! pescore name=e0 ..." or " ! peinference name=e0 ...", twelve times.
static char *
make_elements(bool scores)
{
    GString *line = g_string_new(NULL);

    for (size_t i = 0; i < N_ALL; i++) {
        g_auto(GStrv) parts = g_strsplit(label_sets[i % N_SETS], "%s", 2);
        g_autofree char *labels =
            g_strjoin(parts[1] ? get_folder() : "", parts[0], parts[1], NULL);
        g_string_append_printf(
            line, " ! %s name=e%d post-messages=false top-k=4 %s %s",
            scores ? "pescore"
                   : "peinference device=cpu precision=fp32 mode=exact",
            (int)i, windows[i / N_SETS][scores ? 0 : 1], labels);
    }
    return g_string_free(line, FALSE);
}

static GstElement *
launch(const char *source, const char *elements, const char *sink)
{
    g_autofree char *line =
        g_strdup_printf("%s%s ! %s name=sink", source, elements, sink);
    g_autoptr(GError) error = NULL;
    GstElement *pipeline = gst_parse_launch(line, &error);

    g_assert_no_error(error);
    return pipeline;
}

// Returns, g_free().
static char *
demo_source(const char *tower)
{
    return g_strdup_printf("filesrc location=\"%s/demo.mp4\" ! qtdemux ! "
                           "h264parse ! avdec_h264 ! videoconvert%s",
                           get_folder(), tower);
}

static GstPadProbeReturn
read_event(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info, void *data)
{
    Found **found = data;
    GstPeResult *r = gst_event_get_pe_result(GST_PAD_PROBE_INFO_EVENT(info));
    const char *element = r ? gst_pe_result_get_element(r) : NULL;

    if (element && element[0] == 'e' && gst_pe_result_get_n_frames(r) > 0)
        g_ptr_array_add(found[atoi(element + 1)]->results,
                        gst_pe_result_ref(r));
    return GST_PAD_PROBE_OK;
}

static void
run(const char *source, const char *elements, Found **found)
{
    g_autoptr(GstElement) pipeline = launch(source, elements, "fakesink");
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");

    for (size_t i = 0; i < N_ALL; i++)
        found[i] = found_new();
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, read_event,
                      found, NULL);
    run_to_the_end(pipeline);
}

static bool
have_decoder(void)
{
    static const char *const needed[] = {
        "qtdemux", "h264parse", "avdec_h264", "videoconvert", "fakesink", NULL};
    return have_elements(needed);
}

static void
one_tower_is_worth_twelve(void)
{
    Found *scored[N_ALL], *alone[N_ALL];

    if (!have_decoder())
        return;
    g_autofree char *tower = demo_source(
        " ! peinference name=tower device=cpu precision=fp32 mode=exact "
        "clip-length=1 post-messages=false");
    g_autofree char *plain = demo_source("");
    g_autofree char *scores = make_elements(true);
    g_autofree char *towers = make_elements(false);

    run(tower, scores, scored);
    run(plain, towers, alone);
    for (size_t i = 0; i < N_ALL; i++) {
        g_autofree char *what = g_strdup_printf(
            "%s, set %d", windows[i / N_SETS][0], (int)(i % N_SETS));
        g_assert_cmpuint(alone[i]->results->len, >=, 5);
        assert_same(alone[i], scored[i], what);
        found_free(alone[i]);
        found_free(scored[i]);
    }
}

static void
both_elements_are_in_the_json(void)
{
    if (!have_decoder())
        return;
    GString *text = g_string_new(NULL);
    g_autofree char *source = demo_source(
        " ! peinference name=tower device=cpu mode=exact clip-length=1");
    g_autoptr(GstElement) pipeline =
        launch(source,
               " ! pescore name=score window=4s labels=\"a boat at sea\" ! "
               "pemetaconvert",
               "appsink sync=false");
    g_autoptr(GstElement) out = gst_bin_get_by_name(GST_BIN(pipeline), "sink");

    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (;;) {
        GstSample *sample = NULL;
        g_signal_emit_by_name(out, "pull-sample", &sample);
        if (!sample)
            break;
        GstMapInfo map;
        GstBuffer *buffer = gst_sample_get_buffer(sample);
        g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
        g_string_append_len(text, (const char *)map.data, (gssize)map.size);
        gst_buffer_unmap(buffer, &map);
        gst_sample_unref(sample);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    g_assert_nonnull(strstr(text->str, "\"element\":\"tower\""));
    g_assert_nonnull(strstr(text->str, "\"element\":\"score\""));
    g_assert_nonnull(strstr(text->str, "\"window\":\"4s\""));
    g_string_free(text, TRUE);
}

// ---- Events ---------------------------------------------------------------

static GstPadProbeReturn
write_events(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info, void *data)
{
    GString **text = data;
    GstPeResult *r = gst_event_get_pe_result(GST_PAD_PROBE_INFO_EVENT(info));
    const char *element = r ? gst_pe_result_get_element(r) : NULL;

    if (!element || element[0] != 'e')
        return GST_PAD_PROBE_OK;
    for (guint i = 0; i < gst_pe_result_get_n_events(r); i++) {
        const GstPeLabelEvent *e = gst_pe_result_get_event(r, i);
        g_string_append_printf(
            text[atoi(element + 1)],
            "%s %" G_GUINT64_FORMAT " %s %" GST_TIME_FORMAT " %" GST_TIME_FORMAT
            " %" GST_TIME_FORMAT " %.2f\n",
            gst_pe_event_phase_to_string(e->phase), e->id, e->label,
            GST_TIME_ARGS(e->start), GST_TIME_ARGS(e->end),
            GST_TIME_ARGS(e->stream_end), e->peak_score);
    }
    return GST_PAD_PROBE_OK;
}

static void
events_are_those_of_peinference(void)
{
    static const char settings[] =
        "clip-length=2 event-threshold=0.5 event-smoothing=0 event-merge-gap=0 "
        "post-messages=false labels=\"a red circle|colour bars|a boat at sea\"";
    GString *text[2] = {g_string_new(NULL), g_string_new(NULL)};

    if (have_decoder()) {
        g_autofree char *tower = demo_source(
            " ! peinference name=tower device=cpu precision=fp32 mode=exact "
            "clip-length=1 post-messages=false");
        g_autofree char *elements = g_strdup_printf(
            " ! pescore name=e0 %s ! peinference name=e1 device=cpu "
            "precision=fp32 mode=exact %s",
            settings, settings);
        g_autoptr(GstElement) pipeline = launch(tower, elements, "fakesink");
        g_autoptr(GstElement) sink =
            gst_bin_get_by_name(GST_BIN(pipeline), "sink");
        g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
                          write_events, text, NULL);
        run_to_the_end(pipeline);
        g_assert_nonnull(strstr(text[0]->str, "start 0 "));
        g_assert_nonnull(strstr(text[0]->str, "end 0 "));
        g_assert_cmpstr(text[0]->str, ==, text[1]->str);
    }
    g_string_free(text[0], TRUE);
    g_string_free(text[1], TRUE);
}

// ---- Latest mode ----------------------------------------------------------

typedef struct {
    int n_frames; // that carry a result of each
    int n_torn;   // of pescore alone
    int n_whole;  // whose clip has all its samples
    int n_aged;
} Carried;

static GstPadProbeReturn
count_carried(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info, void *data)
{
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    Carried *carried = data;
    bool tower = false, score = false;

    for (guint i = 0; i < gst_buffer_get_n_pe_metas(buffer); i++) {
        GstPeMeta *meta = gst_buffer_get_nth_pe_meta(buffer, i);
        const char *element = gst_pe_result_get_element(meta->result);
        tower |= g_str_equal(element, "tower");
        if (!g_str_equal(element, "e0"))
            continue;
        score = true;
        // Where a busy machine has left out a sample, or behind it at the end,
        // a clip is shorter.
        guint n_samples = gst_pe_result_get_n_frames(meta->result);
        g_assert_cmpuint(n_samples, <=, 2);
        carried->n_whole += n_samples == 2;
        carried->n_aged += gst_pe_meta_get_age(meta) > 0;
    }
    carried->n_frames += tower && score;
    carried->n_torn += score && !tower;
    return GST_PAD_PROBE_OK;
}

// No frame waits; each carries what is newest.
static void
live_frames_carry_what_is_newest(void)
{
    static const char *const needed[] = {"videotestsrc", "fakesink", NULL};
    Carried carried = {0};

    if (!have_elements(needed))
        return;
    g_autoptr(GstElement) pipeline =
        launch("videotestsrc is-live=true num-buffers=90 pattern=ball ! "
               "video/x-raw,width=128,height=96,framerate=30/1 ! "
               "peinference name=tower device=cpu frame-rate=10/1 "
               "clip-length=1",
               " ! pescore name=e0 clip-length=2", "fakesink sync=false");
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");

    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, count_carried, &carried,
                      NULL);
    run_to_the_end(pipeline);
    g_test_message("%d frames carry both, %d an older one", carried.n_frames,
                   carried.n_aged);
    g_assert_cmpint(carried.n_torn, ==, 0);
    g_assert_cmpint(carried.n_frames, >, 5);
    g_assert_cmpint(carried.n_whole, >, 0);
    g_assert_cmpint(carried.n_aged, >, 0);
}

// ---- Cost -----------------------------------------------------------------

static double
get_cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// CPU seconds from the first frame to the end.
static double
measure(const char *source, const char *elements)
{
    g_autoptr(GstElement) pipeline = launch(source, elements, "fakesink");
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);

    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    g_assert_cmpint(
        gst_element_get_state(pipeline, NULL, NULL, GST_CLOCK_TIME_NONE), ==,
        GST_STATE_CHANGE_SUCCESS);
    double start = get_cpu_seconds();
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_autoptr(GstMessage) m =
        wait_message(bus, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(m);
    g_assert_cmpint(GST_MESSAGE_TYPE(m), ==, GST_MESSAGE_EOS);
    double seconds = get_cpu_seconds() - start;
    gst_element_set_state(pipeline, GST_STATE_NULL);
    return seconds;
}

// The tower with one window and one label set of its own, and the tower with
// twelve pescore, in turn, by the CPU's time. What disturbs a run makes it
// longer, so the shortest of each are compared.
static int
bench(const char *model, int n)
{
    double best_one = G_MAXDOUBLE, best_all = G_MAXDOUBLE;
    g_autofree char *tower = g_strdup_printf(
        "videotestsrc num-buffers=600 pattern=ball ! "
        "video/x-raw,format=I420,width=640,height=360,framerate=30/1 ! "
        "peinference name=tower model=\"%s\" device=cpu mode=exact "
        "frame-rate=2/1 clip-length=1 post-messages=false",
        model);
    g_autofree char *scores = make_elements(true);

    for (int i = 0; i < n; i++) {
        double one = measure(tower, " labels=\"a red circle|colour bars\"");
        double all = measure(tower, scores);
        best_one = MIN(best_one, one);
        best_all = MIN(best_all, all);
        g_print("one %.3f s, twelve pescore instead %.3f s\n", one, all);
    }
    g_print("shortest of %d: %.3f s and %.3f s, ratio %.4f\n", n, best_one,
            best_all, best_all / best_one);
    return best_all / best_one > 1.02;
}

static void
add_tests(void)
{
    g_test_add_func("/score/demo/same", one_tower_is_worth_twelve);
    g_test_add_func("/score/demo/json", both_elements_are_in_the_json);
    g_test_add_func("/score/demo/events", events_are_those_of_peinference);
    g_test_add_func("/score/demo/live", live_frames_carry_what_is_newest);
}

int
main(int argc, char **argv)
{
    if (argc > 1 && g_str_equal(argv[1], "--bench")) {
        gst_init(&argc, &argv);
        return bench(argc > 2 ? argv[2] : "", argc > 3 ? atoi(argv[3]) : 30);
    }
    return run_gst_tests(argc, argv, add_tests);
}
