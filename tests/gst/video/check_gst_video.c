// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_video.c - which pixels of a buffer are embedded, in which colours,
// and what is said of buffers that hold other frames than their caps announce.

#include "gst/video/gstpeframe.h"

#include "core/pe.h"
#include "tests/support/gst_helpers.h"

#include <string.h>

// ---- Embeddings -----------------------------------------------------------

// The embedding of one buffer, which is taken. `more` are properties. Returns a
// reference.
static GBytes *
embed_with(const char *more, const char *caps, GstBuffer *buffer)
{
    g_autofree char *properties =
        g_strdup_printf("clip-length=1 frame-rate=0/1 mode=exact %s", more);
    GstHarness *h = play_inference(properties);

    gst_harness_set_src_caps_str(h, caps);
    GBytes *embedding = embed_buffer(h, buffer);
    stop(h);
    return embedding;
}

static GBytes *
embed(const char *caps, GstBuffer *buffer)
{
    return embed_with("", caps, buffer);
}

// A frame of RGB with the pattern of make_frame() at (x, y) of w x h pixels of
// noise, with a GstVideoMeta.
static GstBuffer *
make_padded(int x, int y, int w, int h)
{
    GstBuffer *inner = make_frame(0);
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, (gsize)(3 * w * h), NULL);
    gsize offsets[GST_VIDEO_MAX_PLANES] = {0};
    gint strides[GST_VIDEO_MAX_PLANES] = {3 * w};
    GstMapInfo from, to;

    g_assert_true(gst_buffer_map(inner, &from, GST_MAP_READ));
    g_assert_true(gst_buffer_map(buffer, &to, GST_MAP_WRITE));
    for (gsize i = 0; i < to.size; i++)
        to.data[i] = (guint8)(i * 7919 >> 5);
    for (int row = 0; row < FRAME_HEIGHT; row++)
        memcpy(to.data + 3 * ((y + row) * w + x),
               from.data + 3 * row * FRAME_WIDTH, 3 * FRAME_WIDTH);
    gst_buffer_unmap(buffer, &to);
    gst_buffer_unmap(inner, &from);
    gst_buffer_unref(inner);
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE,
                                   GST_VIDEO_FORMAT_RGB, (guint)w, (guint)h, 1,
                                   offsets, strides);
    GST_BUFFER_PTS(buffer) = 0;
    return buffer;
}

static void
add_crop(GstBuffer *buffer, guint x, guint y, guint w, guint h)
{
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);

    crop->x = x;
    crop->y = y;
    crop->width = w;
    crop->height = h;
}

static void
assert_is_the_pattern(const char *caps, GstBuffer *buffer)
{
    g_autoptr(GBytes) want = embed(FRAME_CAPS, make_frame(0));
    g_autoptr(GBytes) got = embed(caps, buffer);

    g_assert_true(g_bytes_equal(got, want));
}

static void
embeds_the_cropped_picture(void)
{
    GstBuffer *buffer = make_padded(13, 7, 131, 79);

    // As videocrop and decoders have it: the caps are of the crop.
    add_crop(buffer, 13, 7, FRAME_WIDTH, FRAME_HEIGHT);
    assert_is_the_pattern(FRAME_CAPS, buffer);
    // The caps are of the frame.
    buffer = make_padded(5, 1, 112, 80);
    add_crop(buffer, 5, 1, FRAME_WIDTH, FRAME_HEIGHT);
    assert_is_the_pattern(
        "video/x-raw,format=RGB,width=112,height=80,framerate=25/1", buffer);
}

static void
embeds_nothing_of_the_padding(void)
{
    assert_is_the_pattern(FRAME_CAPS, make_padded(0, 0, 112, 80));
}

// A frame of a pattern, its planes one after the other with these strides.
static GstBuffer *
make_lines(const GstVideoInfo *info, const gint *strides)
{
    gsize size = 0;
    for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(info); p++)
        size += (gsize)(strides[p] * GST_VIDEO_INFO_COMP_HEIGHT(info, p));
    guint8 *data = g_malloc0(size), *out = data;

    for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(info); p++) {
        int line = GST_VIDEO_INFO_COMP_WIDTH(info, p) *
                   GST_VIDEO_INFO_COMP_PSTRIDE(info, p);
        for (int y = 0; y < GST_VIDEO_INFO_COMP_HEIGHT(info, p); y++) {
            for (int i = 0; i < line; i++)
                out[i] = (guint8)(3 * i + y * (i % 3) + 40 * (int)p);
            out += strides[p];
        }
    }
    GstBuffer *buffer = gst_buffer_new_wrapped(data, size);
    GST_BUFFER_PTS(buffer) = 0;
    return buffer;
}

#define RATE ",framerate=25/1"

static void
finds_the_lines_of_files(void)
{
    static const struct {
        const char *caps;
        gint file[GST_VIDEO_MAX_PLANES];
    } rows[] = {
        {"video/x-raw,format=RGB,width=95,height=63" RATE, {285}},
        {"video/x-raw,format=I420,width=95,height=62" RATE, {95, 48, 48}},
        {"video/x-raw,format=GRAY8,width=97,height=64" RATE, {97}},
        {"video/x-raw,format=r210,width=66,height=64" RATE, {512}},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GstCaps) caps = gst_caps_from_string(rows[i].caps);
        GstVideoInfo info;
        g_assert_true(gst_video_info_from_caps(&info, caps));
        g_autoptr(GBytes) want =
            embed(rows[i].caps, make_lines(&info, info.stride));
        g_autoptr(GBytes) got =
            embed(rows[i].caps, make_lines(&info, rows[i].file));
        g_test_message("%s", rows[i].caps);
        g_assert_true(g_bytes_equal(got, want));
    }
}

// ---- Refusals -------------------------------------------------------------

// The buffer, which is taken, is refused with all of these words.
static void
assert_refused(GstBuffer *buffer, const char *const *words)
{
    GstHarness *h = play_inference("clip-length=1 frame-rate=0/1");
    g_autoptr(GstBus) bus = gst_element_get_bus(h->element);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_ERROR);
    GstMessage *m = wait_message(bus, GST_MESSAGE_ERROR);
    g_assert_nonnull(m);
    gst_message_parse_error(m, &error, NULL);
    g_test_message("%s", error->message);
    for (; *words; words++)
        g_assert_nonnull(strstr(error->message, *words));
    gst_message_unref(m);
    stop(h);
}

static void
names_both_sizes_when_meta_and_caps_differ(void)
{
    static const char *const words[] = {"48x32", "96x64", NULL};
    GstBuffer *buffer = make_frame(0);

    gst_buffer_add_video_meta(buffer, GST_VIDEO_FRAME_FLAG_NONE,
                              GST_VIDEO_FORMAT_RGB, 48, 32);
    assert_refused(buffer, words);
}

static void
names_both_formats_when_meta_and_caps_differ(void)
{
    static const char *const words[] = {"NV12", "RGB", NULL};
    GstBuffer *buffer = make_frame(0);

    gst_buffer_add_video_meta(buffer, GST_VIDEO_FRAME_FLAG_NONE,
                              GST_VIDEO_FORMAT_NV12, 96, 64);
    assert_refused(buffer, words);
}

static void
names_both_sizes_when_a_buffer_is_too_small(void)
{
    static const char *const small[] = {"100 bytes", "96x64", "18432", NULL};
    static const char *const meta[] = {"18432 bytes", "96x64", "18433", NULL};
    GstBuffer *buffer = make_frame(0);
    gsize offsets[GST_VIDEO_MAX_PLANES] = {1};
    gint strides[GST_VIDEO_MAX_PLANES] = {3 * FRAME_WIDTH};

    gst_buffer_set_size(buffer, 100);
    assert_refused(buffer, small);
    // Its last byte lies behind the end.
    buffer = make_frame(0);
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE,
                                   GST_VIDEO_FORMAT_RGB, FRAME_WIDTH,
                                   FRAME_HEIGHT, 1, offsets, strides);
    assert_refused(buffer, meta);
}

static void
refuses_a_crop_outside_of_the_frame(void)
{
    static const char *const words[] = {"40x40", "(60, 3)", "96x64", NULL};
    GstBuffer *buffer = make_frame(0);

    add_crop(buffer, 60, 3, 40, 40);
    assert_refused(buffer, words);
}

// ---- The mapping ----------------------------------------------------------

static void
assert_colours(const char *text, PeFormat format, PeMatrix matrix, bool full)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(text);
    g_autoptr(GError) error = NULL;
    GstVideoInfo info;
    GstVideoFrame map;
    PeFrame frame;

    g_test_message("%s", text);
    g_assert_true(gst_pe_video_info_from_caps(&info, caps));
    GstBuffer *buffer =
        gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL);
    bool ok = gst_pe_frame_map(&map, &frame, &info, buffer, false, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpint(frame.format, ==, format);
    g_assert_cmpint(frame.matrix, ==, matrix);
    g_assert_cmpint(frame.full_range, ==, full);
    g_assert_cmpint(frame.width, ==, GST_VIDEO_INFO_WIDTH(&info));
    g_assert_cmpint(frame.crop.width, ==, 0);
    gst_video_frame_unmap(&map);
    gst_buffer_unref(buffer);
}

static void
reads_colours_as_gstreamer_names_them(void)
{
#define RAW(format, w, h) \
    "video/x-raw,format=" format ",width=" #w ",height=" #h
    // What caps leave open is decided by size, at GStreamer's own limits.
    assert_colours(RAW("NV12", 720, 576), PE_FORMAT_NV12, PE_MATRIX_BT601,
                   false);
    assert_colours(RAW("I420", 720, 600), PE_FORMAT_I420, PE_MATRIX_BT709,
                   false);
    assert_colours(RAW("YUY2", 64, 48) ",colorimetry=bt709", PE_FORMAT_YUY2,
                   PE_MATRIX_BT709, false);
    assert_colours(RAW("P010_10LE", 64, 48) ",colorimetry=bt2020",
                   PE_FORMAT_P010, PE_MATRIX_BT2020, false);
    assert_colours(RAW("NV12", 64, 48) ",colorimetry=smpte240m", PE_FORMAT_NV12,
                   PE_MATRIX_BT709, false);
    assert_colours(RAW("NV12", 64, 48) ",colorimetry=(string)1:2:5:1",
                   PE_FORMAT_NV12, PE_MATRIX_BT601, true); // FCC, full range
    assert_colours(RAW("GRAY8", 64, 48), PE_FORMAT_GRAY8, PE_MATRIX_BT601,
                   true);
    // Of a webcam: only the range is known. GStreamer forgets it.
    assert_colours(RAW("NV12", 64, 48) ",colorimetry=1:0:0:0", PE_FORMAT_NV12,
                   PE_MATRIX_BT601, true);
    assert_colours(RAW("YUY2", 64, 720) ",colorimetry=1:0:16:4", PE_FORMAT_YUY2,
                   PE_MATRIX_BT709, true);
    assert_colours(RAW("NV12", 64, 48) ",colorimetry=2:0:0:0", PE_FORMAT_NV12,
                   PE_MATRIX_BT601, false);
    assert_colours(RAW("P010_10LE", 64, 48) ",colorimetry=2:0:14:7",
                   PE_FORMAT_P010, PE_MATRIX_BT2020, false);
#undef RAW
}

static void
maps_pq_unless_it_is_told_not_to(void)
{
    const char *pq = FRAME_CAPS ",colorimetry=(string)1:1:14:7";
    g_autoptr(GBytes) sdr = embed(FRAME_CAPS, make_frame(0));
    g_autoptr(GBytes) mapped = embed(pq, make_frame(0));
    g_autoptr(GBytes) taken = embed_with("hdr=none", pq, make_frame(0));

    g_assert_false(g_bytes_equal(mapped, sdr));
    g_assert_true(g_bytes_equal(taken, sdr));
}

// Whatever the range and the matrix were left at by who made the info.
static void
fills_in_what_an_info_leaves_open(void)
{
    static const struct {
        GstVideoFormat format;
        guint height;
        PeMatrix matrix;
        bool full;
    } cases[] = {
        {GST_VIDEO_FORMAT_NV12, 576, PE_MATRIX_BT601, false},
        {GST_VIDEO_FORMAT_NV12, 640, PE_MATRIX_BT709, false},
        {GST_VIDEO_FORMAT_GRAY8, 64, PE_MATRIX_BT601, true},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GstVideoInfo info;
        GstVideoFrame map;
        PeFrame frame;
        g_assert_true(gst_video_info_set_format(&info, cases[i].format, 64,
                                                cases[i].height));
        info.colorimetry.matrix = GST_VIDEO_COLOR_MATRIX_UNKNOWN;
        info.colorimetry.range = GST_VIDEO_COLOR_RANGE_UNKNOWN;
        GstBuffer *buffer =
            gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL);
        g_assert_true(
            gst_pe_frame_map(&map, &frame, &info, buffer, false, NULL));
        g_assert_cmpint(frame.matrix, ==, cases[i].matrix);
        g_assert_cmpint(frame.full_range, ==, cases[i].full);
        gst_video_frame_unmap(&map);
        gst_buffer_unref(buffer);
    }
}

static void
add_tests(void)
{
    g_test_add_func("/video/crop", embeds_the_cropped_picture);
    g_test_add_func("/video/padding", embeds_nothing_of_the_padding);
    g_test_add_func("/video/lines", finds_the_lines_of_files);
    g_test_add_func("/video/refuses/size",
                    names_both_sizes_when_meta_and_caps_differ);
    g_test_add_func("/video/refuses/format",
                    names_both_formats_when_meta_and_caps_differ);
    g_test_add_func("/video/refuses/bytes",
                    names_both_sizes_when_a_buffer_is_too_small);
    g_test_add_func("/video/refuses/crop", refuses_a_crop_outside_of_the_frame);
    g_test_add_func("/video/colours/caps",
                    reads_colours_as_gstreamer_names_them);
    g_test_add_func("/video/colours/pq", maps_pq_unless_it_is_told_not_to);
    g_test_add_func("/video/colours/open", fills_in_what_an_info_leaves_open);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
