// SPDX-License-Identifier: LGPL-2.1-or-later
//
// overlay_bench.c - see overlay_bench.h. Each round pushes the same frames
// through identity and through peoverlay, and counts the thread's own time, in
// which nobody else's work is; what is told are medians of the rounds.

#include "overlay_bench.h"

#include "overlay_helpers.h"

#include <stdlib.h>
#include <time.h>

#define ROUNDS 15
#define FRAMES 30 // of a round
#define N_LABELS 5
#define N_REGIONS 3

typedef enum { STILL, SCORES, NAMES } Change;

static double
get_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int
compare(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;

    return (d > 0) - (d < 0);
}

static double
get_median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}

// Five labels and three regions, of which all differ from those of the other
// numbers in what is to change.
static GPtrArray *
make_results(int number, Change change)
{
    GPtrArray *results =
        g_ptr_array_new_with_free_func((GDestroyNotify)gst_pe_result_unref);
    char names[N_LABELS][40];
    GstPeLabel labels[N_LABELS];

    for (int i = 0; i < N_LABELS; i++) {
        g_snprintf(names[i], sizeof names[i], "somebody at the door %d",
                   i + (change == NAMES ? 10 * number : 0));
        double score = .9 - .15 * i;
        if (change != STILL)
            score -= .01 * (number % 12 + 1);
        labels[i] = (GstPeLabel){names[i], MAX(score, 0), .3, .5};
    }
    g_ptr_array_add(results, make_result(labels, N_LABELS, NULL));
    for (int i = 0; i < N_REGIONS; i++) {
        const GstPeRegion region = {.id = i,
                                    .name = "gate",
                                    .x = 200 + 500 * i,
                                    .y = 400,
                                    .width = 400,
                                    .height = 300};
        g_ptr_array_add(results, make_result(&labels[i], 1, &region));
    }
    return results;
}

static gboolean
remove_meta(GstBuffer *buffer, GstMeta **meta, gpointer data)
{
    if ((*meta)->info->api != GST_VIDEO_META_API_TYPE)
        *meta = NULL;
    return TRUE;
}

// Seconds of a frame.
static double
push_round(GstHarness *h, GstBuffer **frame, Change change, int *number)
{
    double seconds = 0;
    g_autoptr(GPtrArray) still = make_results(0, STILL);

    for (int i = 0; i < FRAMES; i++) {
        GPtrArray *results = change == STILL ? g_ptr_array_ref(still)
                                             : make_results(++*number, change);
        gst_buffer_foreach_meta(*frame, remove_meta, NULL);
        GST_BUFFER_PTS(*frame) = (GstClockTime)++ * number * GST_MSECOND;
        for (guint r = 0; r < results->len; r++)
            gst_buffer_add_pe_meta(*frame, results->pdata[r], 0);
        g_ptr_array_unref(results);
        double start = get_seconds();
        gst_harness_push(h, *frame);
        seconds += get_seconds() - start;
        *frame = gst_harness_pull(h);
    }
    return seconds / FRAMES;
}

static GstHarness *
play(const char *element, const char *format, bool attaches)
{
    g_autofree char *caps =
        g_strdup_printf("video/x-raw,format=%s,width=1920,height=1080,"
                        "framerate=30/1",
                        format);
    GstHarness *h = gst_harness_new(element);

    gst_harness_set_live(h, FALSE);
    if (attaches)
        gst_harness_add_propose_allocation_meta(
            h, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
    gst_harness_set_src_caps_str(h, caps);
    return h;
}

// Milliseconds of a frame beyond identity's.
static double
measure(const char *format, bool attaches, Change change)
{
    GstHarness *identity = play("identity", format, false);
    GstHarness *overlay = play("peoverlay", format, attaches);
    double extra[ROUNDS];
    GstVideoInfo info;
    int number = 0;

    gst_video_info_set_format(&info, gst_video_format_from_string(format), 1920,
                              1080);
    GstBuffer *frame = make_noise(&info, 0);
    if (GST_VIDEO_INFO_HAS_ALPHA(&info)) // opaque, as video is
        gst_buffer_memset(frame, 0, 255, info.size);
    push_round(overlay, &frame, change, &number);
    for (int i = 0; i < ROUNDS; i++) {
        double base = push_round(identity, &frame, change, &number);
        extra[i] = push_round(overlay, &frame, change, &number) - base;
    }
    gst_buffer_unref(frame);
    gst_harness_teardown(identity);
    gst_harness_teardown(overlay);
    return 1000 * get_median(extra, ROUNDS);
}

int
bench_overlay(int argc, char **argv)
{
    static const char *const formats[] = {"I420", "NV12", "YUY2",
                                          "BGRx", "RGBA", "P010_10LE"};

    gst_init(&argc, &argv);
    g_print("1920 x 1080, %d labels, %d regions; thread time of a frame beyond "
            "identity's,\nmedian of %d interleaved rounds of %d frames\n\n"
            "| frames | nothing new, %% of a core at 30 fps | other scores, ms "
            "| other names, ms |\n|---|---|---|---|\n",
            N_LABELS, N_REGIONS, ROUNDS, FRAMES);
    for (guint i = 0; i <= G_N_ELEMENTS(formats); i++) {
        bool attaches = i == 0;
        const char *format = formats[attaches ? 0 : i - 1];
        g_print("| %s%s | %.2f | %.2f | %.2f |\n", format,
                attaches ? ", composition" : "",
                measure(format, attaches, STILL) * 30 / 10,
                measure(format, attaches, SCORES),
                measure(format, attaches, NAMES));
    }
    return 0;
}
