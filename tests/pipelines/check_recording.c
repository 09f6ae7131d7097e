// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_recording.c - a clip has the pictures at the times at which they were
// taken, also when they came late.

#include "pipelines/live/record/recording.h"

#include <glib/gstdio.h>
#include <gst/app/gstappsink.h>
#include <math.h>

#define PATIENCE (60 * GST_SECOND) // only what hangs waits as long
#define RATE 10
#define N 30 // pictures

// What is missing here for these tests; NULL: nothing.
static const char *
find_missing(void)
{
    static const char *const names[] = {
        "x264enc", "h264parse", "mp4mux", "qtdemux", "videotestsrc", "appsink",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        GstElementFactory *factory = gst_element_factory_find(names[i]);
        if (!factory)
            return names[i];
        gst_object_unref(factory);
    }
    return NULL;
}

// The samples of a pipeline, GstSample, at least one.
static GPtrArray *
collect(const char *text)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *samples =
        g_ptr_array_new_with_free_func((GDestroyNotify)gst_sample_unref);
    GstElement *pipeline = gst_parse_launch(text, &error);
    g_assert_no_error(error);
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstSample *sample;
    while (
        (sample = gst_app_sink_try_pull_sample(GST_APP_SINK(sink), PATIENCE)))
        g_ptr_array_add(samples, sample);
    g_assert_true(gst_app_sink_is_eos(GST_APP_SINK(sink)));
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    g_assert_cmpuint(samples->len, >, 0);
    return samples;
}

typedef struct {
    char *path;
    gint is_done; // atomic
    GError *error;
} Place;

static char *
prepare(void *data, GError **error)
{
    return g_strdup(((Place *)data)->path);
}

static void
done(const char *path, const char *notes, const GError *error, void *data)
{
    Place *place = data;
    place->error = error ? g_error_copy(error) : NULL;
    g_atomic_int_set(&place->is_done, 1);
}

// Record pictures that came `late` after they were taken, or up to nine times
// the jitter later.
static void
record(GPtrArray *samples, Place *place, GstClockTime late, GstClockTime jitter)
{
    gint64 first, last;
    Recording *recording =
        recording_new(&(RecordingFuncs){prepare, done, place});
    for (guint i = 0; i < samples->len; i++) {
        GstSample *sample = samples->pdata[i];
        GstBuffer *picture = gst_buffer_copy(gst_sample_get_buffer(sample));
        GST_BUFFER_PTS(picture) = 20 * GST_SECOND + i * GST_SECOND / RATE;
        GST_BUFFER_DTS(picture) =
            GST_BUFFER_PTS(picture) + late + i * 7 % 10 * jitter;
        recording_add(gst_sample_get_caps(sample), picture,
                      (gint64)i * G_USEC_PER_SEC / RATE, recording);
        gst_buffer_unref(picture);
        if (i == 0)
            recording_start(recording);
    }
    g_assert_true(recording_get_times(recording, &first, &last));
    g_assert_cmpint(last - first, ==, (N - 1) * G_USEC_PER_SEC / RATE);
    recording_finish(recording);
    gint64 limit = g_get_monotonic_time() + (gint64)(PATIENCE / GST_USECOND);
    while (!g_atomic_int_get(&place->is_done)) {
        g_assert_cmpint(g_get_monotonic_time(), <, limit);
        g_usleep(10000);
    }
    g_assert_no_error(place->error);
    recording_unref(recording);
}

static void
keeps_times_of_pictures_that_came(GstClockTime late, GstClockTime jitter)
{
    const char *missing = find_missing();
    if (missing) {
        g_autofree char *reason = g_strdup_printf("no %s here", missing);
        g_test_skip(reason);
        return;
    }
    g_autofree char *folder = g_dir_make_tmp("pe-recording-XXXXXX", NULL);
    Place place = {.path = g_build_filename(folder, "a.mp4", NULL)};
    g_autoptr(GPtrArray) samples = collect(
        "videotestsrc num-buffers=30 ! video/x-raw,format=I420,width=64,"
        "height=64,framerate=10/1 ! x264enc tune=zerolatency key-int-max=10 ! "
        "h264parse config-interval=-1 ! appsink name=sink sync=false");
    g_assert_cmpuint(samples->len, ==, N);
    record(samples, &place, late, jitter);
    g_autofree char *text = g_strdup_printf(
        "filesrc location=%s ! qtdemux ! appsink name=sink sync=false",
        place.path);
    g_autoptr(GPtrArray) clip = collect(text);
    g_assert_cmpuint(clip->len, ==, N);
    GstClockTime first = GST_BUFFER_PTS(gst_sample_get_buffer(clip->pdata[0]));
    double worst = 0;
    for (guint i = 0; i < clip->len; i++) {
        GstClockTime time =
            GST_BUFFER_PTS(gst_sample_get_buffer(clip->pdata[i]));
        worst = MAX(
            worst,
            fabs((double)time - (double)first - (double)i * 1e9 / RATE) / 1e9);
    }
    g_test_message("at worst %.4f s off, limit 0.002", worst);
    g_assert_cmpfloat(worst, <=, 0.002);
    g_unlink(place.path);
    g_rmdir(folder);
    g_free(place.path);
}

static void
keeps_times_of_pictures_in_time(void)
{
    keeps_times_of_pictures_that_came(0, 0);
}

static void
keeps_times_of_late_pictures(void)
{
    keeps_times_of_pictures_that_came(1500 * GST_MSECOND, 0);
}

static void
keeps_times_of_pictures_that_came_unevenly(void)
{
    keeps_times_of_pictures_that_came(0, 30 * GST_MSECOND);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(&argc, &argv);
    g_test_add_func("/recording/in-time", keeps_times_of_pictures_in_time);
    g_test_add_func("/recording/late", keeps_times_of_late_pictures);
    g_test_add_func("/recording/uneven",
                    keeps_times_of_pictures_that_came_unevenly);
    return g_test_run();
}
