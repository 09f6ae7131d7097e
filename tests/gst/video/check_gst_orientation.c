// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_orientation.c - frames are embedded as a person sees them: by the
// tags of their stream, unless the property says otherwise.

#include "tests/support/gst_helpers.h"

// Of both embeddings; what is not turned differs by more.
#define ALIKE 0.9999

// ---- Pictures -------------------------------------------------------------

// What a file says and what it means: where the first stored line and the first
// stored column are seen, Top, Bottom, Left or Right.
static const struct {
    const char *tag;  // of GStreamer
    const char *nick; // of the property
    const char *seen;
} cases[] = {
    {"rotate-0", "none", "TL"},         {"flip-rotate-0", "horiz", "TR"},
    {"rotate-180", "180", "BR"},        {"flip-rotate-180", "vert", "BL"},
    {"flip-rotate-270", "ul-lr", "LT"}, {"rotate-90", "90r", "RT"},
    {"flip-rotate-90", "ur-ll", "RB"},  {"rotate-270", "90l", "LB"},
};

// A dark frame with a bright upper left corner and a red left side: no
// orientation looks like another.
static GstBuffer *
make_stored(void)
{
    GstBuffer *buffer = make_frame(0);
    GstMapInfo map;

    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_WRITE));
    for (int y = 0; y < FRAME_HEIGHT; y++) {
        for (int x = 0; x < FRAME_WIDTH; x++) {
            guint8 *p = map.data + 3 * (y * FRAME_WIDTH + x);
            p[0] = x < 24 ? 200 : 20;
            p[1] = p[2] = y < 20 && x < 40 ? 240 : 10;
        }
    }
    gst_buffer_unmap(buffer, &map);
    return buffer;
}

// The same pixels in their places, in lines of `width`.
static GstBuffer *
make_seen(const char *seen, int width, int height)
{
    GstBuffer *stored = make_stored(), *buffer = make_stored();
    GstMapInfo in, out;

    g_assert_true(gst_buffer_map(stored, &in, GST_MAP_READ));
    g_assert_true(gst_buffer_map(buffer, &out, GST_MAP_WRITE));
    for (int i = 0; i < FRAME_WIDTH * FRAME_HEIGHT; i++) {
        int n[2] = {i / FRAME_WIDTH, i % FRAME_WIDTH}, x = 0, y = 0;
        for (int j = 0; j < 2; j++) {
            if (seen[j] == 'T' || seen[j] == 'B')
                y = seen[j] == 'T' ? n[j] : height - 1 - n[j];
            else
                x = seen[j] == 'L' ? n[j] : width - 1 - n[j];
        }
        for (int c = 0; c < 3; c++)
            out.data[3 * (y * width + x) + c] = in.data[3 * i + c];
    }
    gst_buffer_unmap(stored, &in);
    gst_buffer_unmap(buffer, &out);
    gst_buffer_unref(stored);
    return buffer;
}

// ---- Embeddings -----------------------------------------------------------

static GstHarness *
play(const char *more)
{
    g_autofree char *properties =
        g_strconcat("clip-length=1 frame-rate=0/1 mode=exact ", more, NULL);
    return play_inference(properties);
}

static void
push_tag(GstHarness *h, const char *tag, GstTagScope scope)
{
    GstTagList *tags = gst_tag_list_new(GST_TAG_IMAGE_ORIENTATION, tag, NULL);

    gst_tag_list_set_scope(tags, scope);
    g_assert_true(gst_harness_push_event(h, gst_event_new_tag(tags)));
}

static double
cosine(GBytes *a, GBytes *b)
{
    const float *x = g_bytes_get_data(a, NULL), *y = g_bytes_get_data(b, NULL);
    double sum = 0;

    for (gsize i = 0; i < g_bytes_get_size(a) / sizeof *x; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

// The embedding of what a person sees of case `i`. Returns a reference.
static GBytes *
embed_seen(size_t i)
{
    bool swaps = cases[i].seen[0] == 'L' || cases[i].seen[0] == 'R';
    int width = swaps ? FRAME_HEIGHT : FRAME_WIDTH;
    int height = swaps ? FRAME_WIDTH : FRAME_HEIGHT;
    g_autofree char *caps = g_strdup_printf(
        "video/x-raw,format=RGB,width=%d,height=%d,framerate=25/1", width,
        height);
    GstHarness *h = play("");

    gst_harness_set_src_caps_str(h, caps);
    GBytes *embedding =
        embed_buffer(h, make_seen(cases[i].seen, width, height));
    stop(h);
    return embedding;
}

// The next stored frame is embedded as case `want`, and as no other.
static void
assert_seen(GstHarness *h, size_t want)
{
    g_autoptr(GBytes) got = embed_buffer(h, make_stored());

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) seen = embed_seen(i);
        double c = cosine(got, seen);
        if (i == want || c >= ALIKE)
            g_test_message("%s, %s expected: cosine %.6f (limit %.4f)",
                           cases[i].tag, cases[want].tag, c, ALIKE);
        g_assert_true((c >= ALIKE) == (i == want));
    }
}

// ---- Tests ----------------------------------------------------------------

static void
turns_frames_as_their_tag_says(void)
{
    GstHarness *h = play("");

    assert_seen(h, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        push_tag(h, cases[i].tag, GST_TAG_SCOPE_STREAM);
        assert_seen(h, i);
    }
    stop(h);
}

static void
turns_frames_as_the_property_says(void)
{
    GstHarness *h = play("");

    push_tag(h, "rotate-90", GST_TAG_SCOPE_STREAM);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        gst_util_set_object_arg(G_OBJECT(h->element), "orientation",
                                cases[i].nick);
        assert_seen(h, i);
    }
    gst_util_set_object_arg(G_OBJECT(h->element), "orientation", "auto");
    assert_seen(h, 5);
    stop(h);
}

static void
believes_the_stream_rather_than_its_container(void)
{
    GstHarness *h = play("");

    push_tag(h, "rotate-180", GST_TAG_SCOPE_GLOBAL);
    assert_seen(h, 2);
    push_tag(h, "rotate-0", GST_TAG_SCOPE_STREAM);
    assert_seen(h, 0);
    push_tag(h, "rotate-270", GST_TAG_SCOPE_GLOBAL);
    assert_seen(h, 0);
    stop(h);
}

// Its bit rate, for instance, which decoders send again and again.
static void
keeps_the_tag_when_others_come(void)
{
    GstHarness *h = play("");

    push_tag(h, "rotate-180", GST_TAG_SCOPE_STREAM);
    GstTagList *tags = gst_tag_list_new(GST_TAG_BITRATE, 1000, NULL);
    g_assert_true(gst_harness_push_event(h, gst_event_new_tag(tags)));
    assert_seen(h, 2);
    push_tag(h, "sideways", GST_TAG_SCOPE_STREAM);
    assert_seen(h, 2);
    stop(h);
}

static void
forgets_the_tag_of_another_stream(void)
{
    GstHarness *h = play("");

    push_tag(h, "rotate-180", GST_TAG_SCOPE_STREAM);
    push_tag(h, "rotate-90", GST_TAG_SCOPE_GLOBAL);
    assert_seen(h, 2);
    g_assert_true(
        gst_harness_push_event(h, gst_event_new_stream_start("another")));
    gst_harness_set_src_caps_str(h, FRAME_CAPS);
    assert_seen(h, 0);
    stop(h);
}

// The videoflip of GStreamer 1.22 leaves the tag as it was.
static void
does_not_turn_what_videoflip_has_turned(void)
{
    static const char *const names[] = {"videoflip", NULL};
    if (!have_elements(names))
        return;
    GstElement *bin = gst_bin_new(NULL);
    GstElement *flip = gst_element_factory_make("videoflip", NULL);
    GstElement *inference =
        make_inference("clip-length=1 frame-rate=0/1 mode=exact");

    gst_util_set_object_arg(G_OBJECT(flip), "video-direction", "auto");
    gst_bin_add_many(GST_BIN(bin), flip, inference, NULL);
    g_assert_true(gst_element_link(flip, inference));
    GstPad *pad = gst_element_get_static_pad(flip, "sink");
    gst_element_add_pad(bin, gst_ghost_pad_new("sink", pad));
    gst_object_unref(pad);
    pad = gst_element_get_static_pad(inference, "src");
    gst_element_add_pad(bin, gst_ghost_pad_new("src", pad));
    gst_object_unref(pad);

    GstHarness *h = gst_harness_new_with_element(bin, "sink", "src");
    gst_object_unref(bin);
    gst_harness_set_src_caps_str(h, FRAME_CAPS);
    push_tag(h, "rotate-180", GST_TAG_SCOPE_STREAM);
    assert_seen(h, 2);
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/orientation/tag", turns_frames_as_their_tag_says);
    g_test_add_func("/orientation/property", turns_frames_as_the_property_says);
    g_test_add_func("/orientation/scope",
                    believes_the_stream_rather_than_its_container);
    g_test_add_func("/orientation/others", keeps_the_tag_when_others_come);
    g_test_add_func("/orientation/stream", forgets_the_tag_of_another_stream);
    g_test_add_func("/orientation/videoflip",
                    does_not_turn_what_videoflip_has_turned);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
