// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_encoders.c - files of real encoders, read by decodebin and embedded
// by peinference: each frame's embedding is that of the same frame as RGB,
// converted by ffmpeg or, where there is none, by GStreamer. The files show the
// frames of the demo clip.

#include "encoder_ways.h"
#include "tests/support/gst_helpers.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <gst/video/video.h>
#include <math.h>

#define SOURCE_WIDTH 320
#define SOURCE_HEIGHT 240
#define WIDTH 322
#define HEIGHT 242
#define N_FRAMES 3
// The demo clip has ten frames a second and a new scene every two seconds.
#define SPACING 50
#define MIN_COSINE 0.998

static char *folder;
static char *frames_path; // RGB [N_FRAMES][SOURCE_HEIGHT][SOURCE_WIDTH][3]
static char *ffmpeg;      // NULL where there is none

// What came out of a file.
typedef struct {
    guint n_expected; // frames; reading ends with them if the file has no end
    bool endless;
    GPtrArray *embeddings; // GBytes of float
    GPtrArray *decoded;    // GstSample
} Read;

static GstElement *launch(const char *format, ...) G_GNUC_PRINTF(1, 2);

static GstElement *
launch(const char *format, ...)
{
    va_list args;
    g_autoptr(GError) error = NULL;

    va_start(args, format);
    g_autofree char *line = g_strdup_vprintf(format, args);
    va_end(args);
    g_test_message("%s", line);
    GstElement *pipeline = gst_parse_launch(line, &error);
    g_assert_no_error(error);
    return pipeline;
}

// ffmpeg with these options, separated by blanks.
static GSubprocess *
start_ffmpeg(const char *options)
{
    g_autofree char *line =
        g_strdup_printf("%s -nostdin -y -v error %s", ffmpeg, options);
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_autoptr(GError) error = NULL;

    g_test_message("%s", line);
    GSubprocess *process = g_subprocess_newv((const char *const *)words,
                                             G_SUBPROCESS_FLAGS_NONE, &error);
    g_assert_no_error(error);
    return process;
}

// Takes the process, which must end well.
static void
wait_for_ffmpeg(GSubprocess *process)
{
    g_autoptr(GError) error = NULL;

    g_subprocess_wait_check(process, NULL, &error);
    g_assert_no_error(error);
    g_object_unref(process);
}

// ---- Writing ---------------------------------------------------------------

static void
write_by_elements(const Way *way, int width, int height, const char *path)
{
    g_autoptr(GstElement) pipeline = launch(
        "filesrc location=%s ! rawvideoparse format=rgb width=%d height=%d "
        "framerate=25/1 ! videoscale ! video/x-raw,width=%d,height=%d ! "
        "videoconvert ! %s ! filesink location=%s",
        frames_path, SOURCE_WIDTH, SOURCE_HEIGHT, width, height, way->line,
        path);

    run_to_the_end(pipeline);
}

static void
write_by_ffmpeg(const Way *way, int width, int height, const char *path)
{
    g_autofree char *options =
        g_strdup_printf("-f rawvideo -pix_fmt rgb24 -s %dx%d -r 25 -i %s "
                        "-vf scale=%d:%d %s -threads 1 %s",
                        SOURCE_WIDTH, SOURCE_HEIGHT, frames_path, width, height,
                        way->line, path);

    wait_for_ffmpeg(start_ffmpeg(options));
}

// The elements that a line names.
static bool
can_write(const Way *way)
{
    g_auto(GStrv) parts = g_strsplit(way->line, " ! ", -1);

    if (way->by_ffmpeg) {
        if (!ffmpeg)
            g_test_skip("no ffmpeg");
        return ffmpeg;
    }
    for (char **part = parts; *part; part++) {
        g_auto(GStrv) words = g_strsplit(*part, " ", 2);
        if (!strchr(words[0], '/') &&
            !have_elements((const char *[]){words[0], NULL}))
            return false;
    }
    return true;
}

// ---- Reading ---------------------------------------------------------------

static GstPadProbeReturn
keep_frame(GstPad *pad, GstPadProbeInfo *info, void *user_data)
{
    Read *read = user_data;
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);

    g_ptr_array_add(
        read->decoded,
        gst_sample_new(GST_PAD_PROBE_INFO_BUFFER(info), caps, NULL, NULL));
    return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
keep_embedding(GstPad *pad, GstPadProbeInfo *info, void *user_data)
{
    Read *read = user_data;
    GstPeMeta *meta = gst_buffer_get_pe_meta(GST_PAD_PROBE_INFO_BUFFER(info));

    if (meta)
        g_ptr_array_add(read->embeddings,
                        g_bytes_ref(get_embedding(meta->result)));
    if (read->endless && read->embeddings->len == read->n_expected) {
        GstElement *sink = gst_pad_get_parent_element(pad);
        gst_element_post_message(sink, gst_message_new_eos(GST_OBJECT(sink)));
        gst_object_unref(sink);
    }
    return GST_PAD_PROBE_OK;
}

static void
add_probe(GstElement *pipeline, const char *name, GstPadProbeCallback callback,
          Read *read)
{
    g_autoptr(GstElement) element =
        gst_bin_get_by_name(GST_BIN(pipeline), name);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(element, "sink");

    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, callback, read, NULL);
}

// false, and the test is skipped, when nothing that is installed decodes it.
static bool
play(GstElement *pipeline)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GError) error = NULL;

    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstMessage *m = wait_message(bus, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(m);
    if (m && GST_MESSAGE_TYPE(m) == GST_MESSAGE_ERROR)
        gst_message_parse_error(m, &error, NULL);
    g_clear_pointer(&m, gst_message_unref);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    if (g_error_matches(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN)) {
        g_test_skip("nothing that is installed decodes it");
        return false;
    }
    g_assert_no_error(error);
    return true;
}

// false when nothing decodes it. To be freed either way.
static bool
read_file(const Way *way, const char *path, Read *read)
{
    *read = (Read){
        .n_expected = way->n_frames ? way->n_frames : N_FRAMES,
        .endless = way->endless,
        .embeddings =
            g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref),
        .decoded = g_ptr_array_new_with_free_func(
            (GDestroyNotify)gst_mini_object_unref),
    };
    g_autoptr(GstElement) pipeline = launch(
        "filesrc location=%s ! decodebin ! peinference name=pe model=%s "
        "device=cpu precision=fp32 mode=exact frame-rate=0/1 clip-length=1 ! "
        "fakesink name=sink",
        path, tiny_model_path());

    add_probe(pipeline, "pe", keep_frame, read);
    add_probe(pipeline, "sink", keep_embedding, read);
    return play(pipeline);
}

static void
read_free(Read *read)
{
    g_ptr_array_unref(read->embeddings);
    g_ptr_array_unref(read->decoded);
}

// ---- The same in RGB --------------------------------------------------------

// The frames of a file as ffmpeg reads them, with its best conversion.
static GSubprocess *
start_conversion(const char *path, const char *rgb_path)
{
    g_autofree char *options = g_strdup_printf(
        "-threads 1 -i %s -sws_flags "
        "accurate_rnd+full_chroma_int+bilinear -vsync passthrough "
        "-pix_fmt rgb24 -f rawvideo %s",
        path, rgb_path);

    return start_ffmpeg(options);
}

static GBytes *
end_conversion(GSubprocess *process, const char *rgb_path)
{
    g_autoptr(GError) error = NULL;
    char *data = NULL;
    gsize size = 0;

    wait_for_ffmpeg(process);
    g_file_get_contents(rgb_path, &data, &size, &error);
    g_assert_no_error(error);
    g_unlink(rgb_path);
    return g_bytes_new_take(data, size);
}

static void
convert_sample(GstSample *sample, GstVideoInfo *to, GByteArray *out)
{
    GstVideoInfo from;
    GstVideoFrame in, rgb;
    GstBuffer *buffer = gst_buffer_new_and_alloc(GST_VIDEO_INFO_SIZE(to));

    gst_video_info_from_caps(&from, gst_sample_get_caps(sample));
    to->fps_n = from.fps_n;
    to->fps_d = from.fps_d;
    GstVideoConverter *converter = gst_video_converter_new(
        &from, to,
        gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_DITHER_METHOD,
                          GST_TYPE_VIDEO_DITHER_METHOD, GST_VIDEO_DITHER_NONE,
                          NULL));
    bool mapped = gst_video_frame_map(&in, &from, gst_sample_get_buffer(sample),
                                      GST_MAP_READ) &&
                  gst_video_frame_map(&rgb, to, buffer, GST_MAP_WRITE);
    if (!mapped)
        g_error("a decoded frame cannot be mapped");
    gst_video_converter_frame(converter, &in, &rgb);
    for (int y = 0; y < to->height; y++)
        g_byte_array_append(out, (guint8 *)rgb.data[0] + y * rgb.info.stride[0],
                            (guint)to->width * 3);
    gst_video_frame_unmap(&rgb);
    gst_video_frame_unmap(&in);
    gst_video_converter_free(converter);
    gst_buffer_unref(buffer);
}

// The decoder's frames, converted by GStreamer.
static GBytes *
convert_decoded(const Read *read, int width, int height)
{
    GByteArray *out = g_byte_array_new();
    GstVideoInfo to;

    gst_video_info_set_format(&to, GST_VIDEO_FORMAT_RGB, (guint)width,
                              (guint)height);
    for (guint i = 0; i < read->decoded->len; i++)
        convert_sample(read->decoded->pdata[i], &to, out);
    return g_byte_array_free_to_bytes(out);
}

// A buffer with a line stride as GStreamer has it.
static GstBuffer *
make_rgb_buffer(const guint8 *pixels, int width, int height)
{
    gsize line = (gsize)width * 3, stride = (line + 3) / 4 * 4;
    guint8 *data = g_malloc0(stride * (gsize)height);

    for (gsize y = 0; y < (gsize)height; y++)
        memcpy(data + y * stride, pixels + y * line, line);
    return gst_buffer_new_wrapped(data, stride * (gsize)height);
}

static GPtrArray *
embed_rgb(GBytes *pixels, int width, int height)
{
    GPtrArray *embeddings =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    g_autofree char *caps = g_strdup_printf(
        "video/x-raw,format=RGB,width=%d,height=%d,framerate=10/1", width,
        height);
    GstHarness *h = play_inference("mode=exact clip-length=1");
    gsize size = (gsize)width * (gsize)height * 3;

    gst_harness_set_src_caps_str(h, caps);
    for (gsize at = 0; at + size <= g_bytes_get_size(pixels); at += size) {
        const guint8 *data = g_bytes_get_data(pixels, NULL);
        GstBuffer *buffer = make_rgb_buffer(data + at, width, height);
        GST_BUFFER_PTS(buffer) = embeddings->len * (GST_SECOND / 10);
        g_ptr_array_add(embeddings, embed_buffer(h, buffer));
    }
    stop(h);
    return embeddings;
}

// ---- Frames ----------------------------------------------------------------

// Every SPACING-th frame of the demo clip to frames_path.
static GstPadProbeReturn
append_frame(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info, void *user_data)
{
    static int n;
    GByteArray *frames = user_data;
    GstMapInfo map;

    if (n++ % SPACING != 5 ||
        frames->len >= N_FRAMES * SOURCE_WIDTH * SOURCE_HEIGHT * 3)
        return GST_PAD_PROBE_OK;
    gst_buffer_map(GST_PAD_PROBE_INFO_BUFFER(info), &map, GST_MAP_READ);
    g_byte_array_append(frames, map.data, (guint)map.size);
    gst_buffer_unmap(GST_PAD_PROBE_INFO_BUFFER(info), &map);
    return GST_PAD_PROBE_OK;
}

static void
write_frames(void)
{
    g_autofree char *clip =
        g_build_filename(g_getenv("PE_DEMO_DIR"), "demo.mp4", NULL);
    g_autoptr(GByteArray) frames = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GstElement) pipeline =
        launch("filesrc location=%s ! decodebin ! videoconvert ! "
               "video/x-raw,format=RGB ! fakesink name=sink",
               clip);
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");

    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, append_frame, frames,
                      NULL);
    run_to_the_end(pipeline);
    g_assert_cmpuint(frames->len, ==,
                     N_FRAMES * SOURCE_WIDTH * SOURCE_HEIGHT * 3);
    g_file_set_contents(frames_path, (char *)frames->data, frames->len, &error);
    g_assert_no_error(error);
}

// false, and the test is skipped, where elements are missing.
static bool
have_frames(void)
{
    static const char *const needed[] = {"filesrc",      "filesink",
                                         "qtdemux",      "h264parse",
                                         "avdec_h264",   "rawvideoparse",
                                         "videoscale",   "decodebin",
                                         "videoconvert", NULL};

    if (!have_elements(needed))
        return false;
    if (!g_file_test(frames_path, G_FILE_TEST_EXISTS))
        write_frames();
    return true;
}

// ---- Tests -----------------------------------------------------------------

static double
cosine(GBytes *a, GBytes *b)
{
    gsize size;
    const float *x = g_bytes_get_data(a, &size), *y = g_bytes_get_data(b, NULL);
    double xx = 0, yy = 0, xy = 0;

    for (gsize i = 0; i < size / sizeof *x; i++) {
        xx += x[i] * x[i];
        yy += y[i] * y[i];
        xy += x[i] * y[i];
    }
    return xy / sqrt(xx * yy);
}

static const char *
get_decoded_format(const Read *read)
{
    GstCaps *caps = gst_sample_get_caps(read->decoded->pdata[0]);

    return gst_structure_get_string(gst_caps_get_structure(caps, 0), "format");
}

// Every way is tried, whatever became of those before it.
static void
compare(const Way *way, const Read *read, GPtrArray *expected)
{
    double worst = 1;

    g_assert_cmpuint(read->embeddings->len, ==, read->n_expected);
    g_assert_cmpuint(expected->len, ==, read->n_expected);
    if (g_test_failed())
        return;
    for (guint i = 0; i < expected->len; i++)
        worst =
            MIN(worst, cosine(read->embeddings->pdata[i], expected->pdata[i]));
    g_test_message("%s as %s: cosine %.5f (limit %g)%s%s", way->name,
                   get_decoded_format(read), worst, MIN_COSINE,
                   way->decoder ? "; " : "", way->decoder ? way->decoder : "");
    g_assert_cmpfloat(worst, >=, MIN_COSINE);
}

// ffmpeg reads the file at the same time.
static void
read_and_compare(const Way *way, int width, int height, const char *path)
{
    g_autofree char *rgb_path = g_strconcat(path, ".rgb", NULL);
    GSubprocess *process =
        ffmpeg && !way->decoder ? start_conversion(path, rgb_path) : NULL;
    Read read;
    bool ok = read_file(way, path, &read);
    g_autoptr(GBytes) rgb = process ? end_conversion(process, rgb_path)
                                    : convert_decoded(&read, width, height);
    if (ok) {
        g_autoptr(GPtrArray) expected = embed_rgb(rgb, width, height);
        compare(way, &read, expected);
    }
    read_free(&read);
}

static void
is_embedded_as_it_is_in_rgb(const void *user_data)
{
    const Way *way = user_data;
    int width = way->width ? way->width : WIDTH;
    int height = way->height ? way->height : HEIGHT;
    g_autofree char *name = g_strdup_printf("%s.%s", way->name, way->ending);
    g_autofree char *path = g_build_filename(folder, name, NULL);

    if (!have_frames() || !can_write(way))
        return;
    if (way->by_ffmpeg)
        write_by_ffmpeg(way, width, height, path);
    else
        write_by_elements(way, width, height, path);
    read_and_compare(way, width, height, path);
    g_unlink(path);
}

static void
add_tests(void)
{
    for (const Way *way = encoder_ways; way->name; way++) {
        g_autofree char *path = g_strdup_printf(
            "/encoders/is_embedded_as_it_is_in_rgb/%s", way->name);
        g_test_add_data_func(path, way, is_embedded_as_it_is_in_rgb);
    }
    g_test_set_nonfatal_assertions();
}

int
main(int argc, char **argv)
{
    folder = g_dir_make_tmp("pe-encoders-XXXXXX", NULL);
    frames_path = g_build_filename(folder, "frames.rgb", NULL);
    ffmpeg = g_find_program_in_path("ffmpeg");
    g_autofree char *model =
        g_build_filename(g_getenv("PE_DEMO_DIR"), "pe-demo.safetensors", NULL);
    int failed = run_gst_tests_on(model, argc, argv, add_tests);
    g_unlink(frames_path);
    g_rmdir(folder);
    return failed;
}
