// SPDX-License-Identifier: LGPL-2.1-or-later
//
// drawn_camera.c - see drawn_camera.h.

#include "tests/gst/health/drawn_camera.h"

#include <gst/video/video.h>
#include <math.h>

// What a scene has around its mean, drawn once, as tests want thousands of it.
static const double *
get_detail(int scene)
{
    static double detail[HEIGHT * WIDTH];
    static int drawn = -1;
    double a = 0.11 + 0.013 * scene, b = 0.17 - 0.021 * scene;

    for (int y = 0; y < HEIGHT && drawn != scene; y++)
        for (int x = 0; x < WIDTH; x++)
            detail[y * WIDTH + x] =
                40 * sin(a * x + scene) * cos(b * y + 2 * scene) +
                30 * sin(0.31 * x - 0.23 * y * (1 + scene));
    drawn = scene;
    return detail;
}

// As from a peinference upstream.
static void
embed(GstBuffer *buffer, double angle)
{
    const float values[] = {(float)cos(angle * G_PI / 180),
                            (float)sin(angle * G_PI / 180)};
    GstPeResultFields fields = example_fields;

    fields.embedding = gst_pe_vectors_new_from_floats(values, 2);
    GstPeResult *result = gst_pe_result_new(&fields);
    gst_buffer_add_pe_meta(buffer, result, 0);
    gst_pe_result_unref(result);
    gst_pe_vectors_unref(fields.embedding);
    // And one that only tells events.
    fields.embedding = NULL;
    fields.n_frames = 0;
    fields.sequence++;
    result = gst_pe_result_new(&fields);
    gst_buffer_add_pe_meta(buffer, result, 0);
    gst_pe_result_unref(result);
}

// light  levels
// noise  from -1 to 1
static guint8
level_at(const View *view, int x, int y, double light, double noise)
{
    double level = light;

    if (view->clock && x < 24 && y < 6)
        level = 255 * ((x / 3 + view->clock) % 2);
    if (view->walker && abs(x - view->walker) < 8 && y > 40)
        level = 30;
    return (guint8)CLAMP(level + view->noise * noise + 0.5, 0, 255);
}

static void
draw(const View *view, guint8 *pixels, int stride, GRand *rand)
{
    g_autoptr(GRand) same = g_rand_new_with_seed((guint32)view->seed);
    g_autoptr(GRand) other = g_rand_new_with_seed((guint32)view->redrawn);
    const double *detail = get_detail(view->scene);

    for (int y = 0; y < HEIGHT; y++) {
        double bands = sin(2 * G_PI * (2.0 * y / HEIGHT + view->turn));
        double gain = view->gain * (1 + view->band * bands);

        for (int x = 0; x < WIDTH; x++) {
            double light = 110 + (1 - view->lost) * *detail++;
            // Also where it is drawn anew, so that each has its place.
            double noise = g_rand_double_range(view->seed ? same : rand, -1, 1);

            if (view->redrawn && x < WIDTH / 3)
                noise = g_rand_double_range(other, -1, 1);
            pixels[y * stride + x] = level_at(view, x, y, gain * light, noise);
        }
    }
}

GstBuffer *
shoot(const View *view, int number, GRand *rand)
{
    int margin = view->margin, stride = WIDTH + 2 * margin;
    GstBuffer *buffer = gst_buffer_new_allocate(
        NULL, (gsize)stride * (gsize)(HEIGHT + 2 * margin), NULL);
    GstMapInfo map;

    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_WRITE));
    for (gsize i = 0; margin > 0 && i < map.size; i++)
        map.data[i] = (guint8)g_rand_int(rand);
    draw(view, map.data + margin * stride + margin, stride, rand);
    gst_buffer_unmap(buffer, &map);
    if (margin > 0 || view->cut > 0) {
        GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);
        crop->x = crop->y = (guint)margin;
        crop->width = (guint)(WIDTH - view->cut);
        crop->height = HEIGHT;
    }
    if (view->embedded)
        embed(buffer, view->angle);
    GST_BUFFER_DURATION(buffer) = GST_SECOND / (guint)MAX(1, view->rate);
    if (!view->untimed)
        GST_BUFFER_PTS(buffer) =
            (GstClockTime)(number + view->ahead) * GST_BUFFER_DURATION(buffer);
    return buffer;
}

GstHarness *
play_line(const char *line, const char *caps)
{
    g_autoptr(GError) error = NULL;
    GstElement *bin = gst_parse_bin_from_description(line, TRUE, &error);

    g_assert_no_error(error);
    return play_element(bin, caps);
}

static int
get_second(const GstStructure *s, const char *name)
{
    guint64 time;

    g_assert_true(gst_structure_get_uint64(s, name, &time));
    return (int)(time / GST_SECOND);
}

static void
append_event(GString *text, const GstStructure *s, int second, bool times)
{
    g_string_append_printf(text, "%s%s %s@%d", text->len ? ", " : "",
                           gst_structure_get_string(s, "label"),
                           gst_structure_get_string(s, "event"), second);
    if (times)
        g_string_append_printf(text, " %d %d-%d", get_second(s, "since"),
                               get_second(s, "start"), get_second(s, "end"));
}

// Pushes picture k, or behind the last one the end. Returns its second.
static int
push(GstHarness *h, const View *view, int k, int n, GRand *rand)
{
    if (k == n)
        g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    else if (!view->dropped)
        g_assert_cmpint(gst_harness_push(h, shoot(view, k, rand)), ==,
                        GST_FLOW_OK);
    return k / MAX(1, view->rate);
}

static char *
follow(const char *line, const char *caps, Script script,
       void (*before)(GstHarness *h, int number), bool times, int n)
{
    GstHarness *h = play_line(line, caps);
    GstBus *bus = gst_element_get_bus(h->element);
    GString *text = g_string_new(NULL);
    GRand *rand = g_rand_new_with_seed(3);

    for (int k = 0; k <= n; k++) {
        const View view = script(k);
        GstMessage *message;

        if (before)
            before(h, k);
        int second = push(h, &view, k, n, rand);
        while ((message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT))) {
            const GstStructure *s = gst_message_get_structure(message);
            if (gst_structure_has_name(s, "pehealth-event"))
                append_event(text, s, second, times);
            gst_message_unref(message);
        }
    }
    g_rand_free(rand);
    gst_object_unref(bus);
    stop(h);
    return g_string_free(text, FALSE);
}

char *
watch(const char *line, const char *caps, Script script, int n)
{
    return follow(line, caps, script, NULL, false, n);
}

char *
watch_times(const char *line, const char *caps, Script script,
            void (*before)(GstHarness *h, int number), int n)
{
    return follow(line, caps, script, before, true, n);
}

void
assert_watched(const char *properties, Script script, int n,
               const char *expected)
{
    g_autofree char *line = g_strdup_printf("pehealth %s", properties);
    g_autofree char *found = watch(line, CAPS, script, n);

    g_assert_cmpstr(found, ==, expected);
}

void
assert_watched_in_formats(const char *caps, Script script, int n,
                          const char *expected)
{
    static const char *const formats[] = {
        "I420", "NV12",      "YUY2",      "RGB",       "I420_10LE",
        "v210", "P010_10LE", "Y444_12LE", "GRAY16_LE", "RGB10A2_LE",
    };
    static const char *const needed[] = {"videoconvert", NULL};

    if (!have_elements(needed))
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *line = g_strdup_printf(
            "videoconvert ! video/x-raw,format=%s ! pehealth", formats[i]);
        g_autofree char *found = watch(line, caps, script, n);
        g_test_message("%s: %s", formats[i], found);
        g_assert_cmpstr(found, ==, expected);
    }
}
