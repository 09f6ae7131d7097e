// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_demo.c - the demo model on the demo clip, from the H.264 file to
// the labels: the right one at every time, whatever the decoder's format, range
// and size. Needs no other model.

#include "tests/support/gst_helpers.h"

#include <gst/app/gstappsink.h>
#include <gst/video/video.h>
#include <json-glib/json-glib.h>
#include <unistd.h>

#define CLIP_FRAMES 5 // half a second: no clip spans two scenes
#define N_CLIPS 40

typedef struct {
    JsonArray *scenes; // of models/demo/demo.json
    bool asks_for_focus;
    int n_clips;
    int n_wrong;
} Answers;

static char *
demo_file(const char *name)
{
    const char *folder = g_getenv("PE_DEMO_DIR");

    g_assert_nonnull(folder);
    return g_build_filename(folder, name, NULL);
}

// What is seen at a stream time, NULL after the end.
static const char *
true_label(JsonArray *scenes, GstClockTime time)
{
    double seconds = (double)time / GST_SECOND;

    for (guint i = 0; i < json_array_get_length(scenes); i++) {
        JsonObject *scene = json_array_get_object_element(scenes, i);
        if (seconds >= json_object_get_double_member(scene, "start") &&
            seconds < json_object_get_double_member(scene, "end"))
            return json_object_get_string_member(scene, "label");
    }
    return NULL;
}

static void
compare(Answers *answers, const GstPeResult *result)
{
    GstClockTime start = gst_pe_result_get_clip_stream_start(result);
    const char *right = true_label(answers->scenes, start);

    g_assert_cmpuint(gst_pe_result_get_n_labels(result), ==, 1);
    const char *given = gst_pe_result_get_label(result, 0);
    answers->n_clips++;
    if (g_strcmp0(given, right) == 0)
        return;
    answers->n_wrong++;
    g_test_message("%.1f s: \"%s\" (%.3f), expected \"%s\"",
                   (double)start / GST_SECOND, given,
                   gst_pe_result_get_score(result, 0), right);
}

static GstPadProbeReturn
read_labels(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info, void *user_data)
{
    GstPeMeta *meta = gst_buffer_get_pe_meta(GST_PAD_PROBE_INFO_BUFFER(info));

    if (meta)
        compare(user_data, meta->result);
    return GST_PAD_PROBE_OK;
}

// `model` may be empty: the one that is installed.
static GstElement *
make_pipeline(const char *caps, const char *model, const char *labels)
{
    g_autofree char *clip = demo_file("demo.mp4");
    g_autofree char *line = g_strdup_printf(
        "filesrc location=\"%s\" ! qtdemux ! h264parse ! avdec_h264 ! "
        "videoconvert ! videoscale ! video/x-raw,%s ! "
        "peinference model=\"%s\" device=cpu precision=fp32 mode=exact "
        "labels-file=\"%s\" frame-rate=0/1 clip-length=%d top-k=1 ! "
        "fakesink name=sink",
        clip, caps, model, labels, CLIP_FRAMES);
    g_autoptr(GError) error = NULL;
    GstElement *pipeline = gst_parse_launch(line, &error);

    g_assert_no_error(error);
    return pipeline;
}

static void
watch_sink(GstElement *pipeline, Answers *answers)
{
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");

    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, read_labels, answers,
                      NULL);
}

static bool
have_decoder(void)
{
    const char *const needed[] = {"qtdemux",  "h264parse",    "avdec_h264",
                                  "fakesink", "videoconvert", "videoscale",
                                  NULL};

    return have_elements(needed);
}

static JsonParser *
read_scenes(void)
{
    g_autofree char *path = demo_file("demo.json");
    JsonParser *parser = json_parser_new();
    g_autoptr(GError) error = NULL;

    json_parser_load_from_file(parser, path, &error);
    g_assert_no_error(error);
    return parser;
}

static void
check_labels(const char *caps, const char *model, const char *labels)
{
    if (!have_decoder())
        return;
    g_autoptr(JsonParser) parser = read_scenes();
    Answers answers = {
        .scenes = json_node_get_array(json_parser_get_root(parser)),
    };
    g_autoptr(GstElement) pipeline = make_pipeline(caps, model, labels);
    watch_sink(pipeline, &answers);
    run_to_the_end(pipeline);
    g_test_message("%d clips, %d wrong (limit 0)", answers.n_clips,
                   answers.n_wrong);
    g_assert_cmpint(answers.n_clips, ==, N_CLIPS);
    g_assert_cmpint(answers.n_wrong, ==, 0);
}

static void
gives_the_right_label_at_every_time(const void *caps)
{
    g_autofree char *model = demo_file("pe-demo.safetensors");
    g_autofree char *labels = demo_file("labels/demo.json");

    check_labels(caps, model, labels);
}

static void
is_the_model_when_none_is_named(void)
{
    g_autofree char *demo = demo_file("");
    g_autofree char *data = g_dir_make_tmp("pe-demo-XXXXXX", NULL);
    g_autofree char *installed =
        g_build_filename(data, "gst-perception-encoder", NULL);

    g_assert_cmpint(symlink(demo, installed), ==, 0);
    g_setenv("GST_PE_DATA_PATH", data, TRUE);
    g_autofree char *labels = demo_file("labels/demo.json");
    check_labels("format=I420", "", labels);
    g_unsetenv("GST_PE_DATA_PATH");
    g_assert_cmpint(unlink(installed), ==, 0);
    g_assert_cmpint(rmdir(data), ==, 0);
}

// ---- A camera's picture ---------------------------------------------------

// What the label sets of cameras call a scene of the clip; NULL: none of their
// conditions. Only one of them asks for focus.
static const char *
condition_of(const char *scene, bool asks_for_focus)
{
    static const char *const names[][2] = {
        {"colour bars", "colour bars"},
        {"fog", "fog"},
        {"a black screen", "black picture"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_equal(scene, names[i][0]))
            return names[i][1];
    if (asks_for_focus && g_str_equal(scene, "an out of focus picture"))
        return "out of focus";
    return NULL;
}

static GstPadProbeReturn
read_conditions(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info,
                void *user_data)
{
    GstPeMeta *meta = gst_buffer_get_pe_meta(GST_PAD_PROBE_INFO_BUFFER(info));
    Answers *answers = user_data;

    if (!meta)
        return GST_PAD_PROBE_OK;
    const char *scene = true_label(
        answers->scenes, gst_pe_result_get_clip_stream_start(meta->result));
    const char *given = gst_pe_result_get_score(meta->result, 0) >= 0.5
                            ? gst_pe_result_get_label(meta->result, 0)
                            : NULL;
    answers->n_clips++;
    if (g_strcmp0(given, condition_of(scene, answers->asks_for_focus)) != 0) {
        answers->n_wrong++;
        g_test_message("%s: \"%s\"", scene, given ? given : "nothing");
    }
    return GST_PAD_PROBE_OK;
}

static void
check_conditions(const char *model_name, const char *label_set,
                 bool asks_for_focus)
{
    g_autofree char *model = demo_file(model_name);
    g_autofree char *labels = demo_file(label_set);

    if (!have_decoder())
        return;
    g_autoptr(JsonParser) parser = read_scenes();
    Answers answers = {
        .scenes = json_node_get_array(json_parser_get_root(parser)),
        .asks_for_focus = asks_for_focus,
    };
    g_autoptr(GstElement) pipeline =
        make_pipeline("format=I420", model, labels);
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");

    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, read_conditions, &answers,
                      NULL);
    run_to_the_end(pipeline);
    g_assert_cmpint(answers.n_clips, ==, N_CLIPS);
    g_assert_cmpint(answers.n_wrong, ==, 0);
}

static void
tells_a_fault_from_a_scene(void)
{
    check_conditions("pe-demo.safetensors", "labels/camera.json", false);
}

static void
tells_focus_with_the_model_of_cameras(void)
{
    check_conditions("pe-camera.safetensors", "labels/pe-camera.json", true);
}

// ---- Labels by pictures ---------------------------------------------------

static void
write_picture(const char *path, GstSample *sample)
{
    GstVideoInfo info;
    GstVideoFrame frame;

    g_assert_true(gst_video_info_from_caps(&info, gst_sample_get_caps(sample)));
    g_assert_true(gst_video_frame_map(
        &frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ));
    g_autoptr(GString) file = g_string_new(NULL);
    g_string_printf(file, "P6\n%d %d\n255\n", info.width, info.height);
    for (int y = 0; y < info.height; y++)
        g_string_append_len(
            file,
            (const char *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) +
                (gsize)y * (gsize)GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0),
            3 * info.width);
    gst_video_frame_unmap(&frame);
    g_assert_true(
        g_file_set_contents(path, file->str, (gssize)file->len, NULL));
}

static void
remove_files(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);

    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_assert_cmpint(unlink(path), ==, 0);
    }
    g_assert_cmpint(rmdir(folder), ==, 0);
}

// A picture of the video every so often, as files 0.ppm, 1.ppm and so on.
static void
take_pictures(const char *folder, int fps)
{
    g_autofree char *clip = demo_file("demo.mp4");
    g_autofree char *line = g_strdup_printf(
        "filesrc location=\"%s\" ! qtdemux ! h264parse ! avdec_h264 ! "
        "videoconvert ! video/x-raw,format=RGB ! appsink name=sink sync=false",
        clip);
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, NULL);
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    int n = 0;

    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (GstSample *sample; (sample = gst_app_sink_try_pull_sample(
                                 GST_APP_SINK(sink), 60 * GST_SECOND));
         gst_sample_unref(sample)) {
        if (n++ % fps != 0)
            continue;
        g_autofree char *name = g_strdup_printf("%d.ppm", n / fps);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        write_picture(path, sample);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
}

// Each scene by the picture in its middle, with a name and no text: the same
// answers as with texts.
static void
gives_the_right_label_by_pictures(void)
{
    g_autofree char *model = demo_file("pe-demo.safetensors");
    g_autofree char *folder = g_dir_make_tmp("pe-demo-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(folder, "labels.json", NULL);
    g_autoptr(GString) json = g_string_new("{\"negatives\": [], \"labels\": [");

    if (!have_decoder())
        return;
    take_pictures(folder, 10);
    g_autoptr(JsonParser) parser = read_scenes();
    JsonArray *scenes = json_node_get_array(json_parser_get_root(parser));
    for (guint i = 0; i < json_array_get_length(scenes); i++) {
        JsonObject *scene = json_array_get_object_element(scenes, i);
        g_string_append_printf(
            json, "%s{\"name\": \"%s\", \"images\": [\"%d.ppm\"]}",
            i ? ", " : "", json_object_get_string_member(scene, "label"),
            (int)json_object_get_double_member(scene, "start") + 1);
    }
    g_string_append(json, "]}");
    g_assert_true(g_file_set_contents(file, json->str, -1, NULL));
    check_labels("format=I420", model, file);
    remove_files(folder);
}

static void
add_tests(void)
{
    static const char *const variants[][2] = {
        {"i420_limited", "format=I420,colorimetry=bt601"},
        {"i420_full_range", "format=I420,colorimetry=1:4:7:1"},
        {"nv12_limited", "format=NV12,colorimetry=bt709"},
        {"nv12_full_range", "format=NV12,colorimetry=1:3:5:1"},
        {"rgb", "format=RGB"},
        {"rgb_640x360", "format=RGB,width=640,height=360"},
        {"i420_640x360", "format=I420,width=640,height=360"},
        {"nv12_full_range_640x360",
         "format=NV12,colorimetry=1:4:7:1,width=640,height=360"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(variants); i++) {
        g_autofree char *path = g_strdup_printf(
            "/demo/gives_the_right_label_at_every_time/%s", variants[i][0]);
        g_test_add_data_func(path, variants[i][1],
                             gives_the_right_label_at_every_time);
    }
    g_test_add_func("/demo/is_the_model_when_none_is_named",
                    is_the_model_when_none_is_named);
    g_test_add_func("/demo/tells_a_fault_from_a_scene",
                    tells_a_fault_from_a_scene);
    g_test_add_func("/demo/tells_focus_with_the_model_of_cameras",
                    tells_focus_with_the_model_of_cameras);
    g_test_add_func("/demo/gives_the_right_label_by_pictures",
                    gives_the_right_label_by_pictures);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
