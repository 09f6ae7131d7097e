// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_tools.c - the programs as a user runs them, on a tiny model and on
// media that the test makes. PE_TEST_TOOLS is the folder of the programs.

#include "tests/support/tiny_model.h"

#include <glib/gstdio.h>
#include <gst/gst.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

static char *model; // path
static char *dir;   // of the media

typedef struct {
    int status;
    char *out, *err;
} Run;

// argv[0] is the name of the program; ends with NULL.
static Run
run(const char *const *argv)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autofree char *program =
        g_build_filename(g_getenv("PE_TEST_TOOLS"), argv[0], NULL);
    g_strv_builder_add(builder, program);
    for (int i = 1; argv[i]; i++)
        g_strv_builder_add(builder, argv[i]);
    g_auto(GStrv) full = g_strv_builder_end(builder);
    Run r;
    int status;
    GError *error = NULL;
    g_spawn_sync(NULL, full, NULL, G_SPAWN_DEFAULT, NULL, NULL, &r.out, &r.err,
                 &status, &error);
    g_assert_no_error(error);
    g_assert_true(WIFEXITED(status));
    r.status = WEXITSTATUS(status);
    if (r.status != 0)
        g_test_message("%s: %s", argv[0], r.err);
    return r;
}

static void
clear(Run *r)
{
    g_free(r->out);
    g_free(r->err);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static char *
media(const char *name)
{
    return g_build_filename(dir, name, NULL);
}

// Run a pipeline into a file of the test's folder.
static void
make(const char *pipeline, const char *name)
{
    g_autofree char *path = media(name);
    g_autofree char *text =
        g_strdup_printf("%s ! filesink location=\"%s\"", pipeline, path);
    GError *error = NULL;
    GstElement *p = gst_parse_launch(text, &error);
    g_assert_no_error(error);
    gst_element_set_state(p, GST_STATE_PLAYING);
    GstBus *bus = gst_element_get_bus(p);
    GstMessage *message = gst_bus_timed_pop_filtered(
        bus, 30 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    g_assert_cmpint(GST_MESSAGE_TYPE(message), ==, GST_MESSAGE_EOS);
    gst_message_unref(message);
    gst_object_unref(bus);
    gst_element_set_state(p, GST_STATE_NULL);
    gst_object_unref(p);
}

// The objects of the lines of `text`.
static GPtrArray *
parse_lines(const char *text)
{
    GPtrArray *objects =
        g_ptr_array_new_with_free_func((GDestroyNotify)json_node_unref);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line && **line; line++) {
        GError *error = NULL;
        JsonNode *node = json_from_string(*line, &error);
        g_assert_no_error(error);
        g_ptr_array_add(objects, node);
    }
    return objects;
}

static JsonObject *
nth(GPtrArray *objects, guint i)
{
    g_assert_cmpuint(i, <, objects->len);
    return json_node_get_object(objects->pdata[i]);
}

static void
read_vector(JsonObject *o, float out[TINY_MODEL_DIM])
{
    JsonArray *a = json_object_get_array_member(o, "embedding");
    g_assert_cmpuint(json_array_get_length(a), ==, TINY_MODEL_DIM);
    for (guint i = 0; i < TINY_MODEL_DIM; i++)
        out[i] = (float)json_array_get_double_element(a, i);
}

static double
dot(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < TINY_MODEL_DIM; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

// ---- pe-embed --------------------------------------------------------------

static void
prints_unit_vectors_of_everything(void)
{
    g_autofree char *jpg = media("ball.jpg");
    g_autofree char *png = media("bars.png");
    g_autofree char *avi = media("ball.avi");
    Run r =
        RUN("pe-embed", "--model", model, "--device", "cpu", "--text", "a dog",
            "--text", "a cat", "--image", jpg, "--image", png, "--video", avi);
    g_assert_cmpint(r.status, ==, 0);
    g_autoptr(GPtrArray) lines = parse_lines(r.out);
    g_assert_cmpuint(lines->len, ==, 5);
    static const char *const types[] = {"text", "text", "image", "image",
                                        "video"};
    for (guint i = 0; i < 5; i++) {
        JsonObject *o = nth(lines, i);
        float x[TINY_MODEL_DIM];
        g_assert_cmpstr(json_object_get_string_member(o, "type"), ==, types[i]);
        g_assert_cmpint(json_object_get_int_member(o, "dim"), ==,
                        TINY_MODEL_DIM);
        read_vector(o, x);
        g_assert_cmpfloat_with_epsilon(dot(x, x), 1, 1e-5);
    }
    g_assert_cmpstr(json_object_get_string_member(nth(lines, 1), "text"), ==,
                    "a cat");
    g_assert_cmpstr(json_object_get_string_member(nth(lines, 3), "path"), ==,
                    png);
    clear(&r);
}

// Arguments are UTF-8, whatever the locale says that they are.
static void
takes_texts_in_every_locale(void)
{
    static const char *const texts[] = {"caf\u00e9", "\u732b", "\U0001f415",
                                        "\u201cdog\u201d"};
    static const char *const locales[] = {"C", "C.UTF-8", "POSIX"};
    g_autofree char *old = g_strdup(g_getenv("LC_ALL"));
    for (size_t i = 0; i < G_N_ELEMENTS(locales); i++) {
        g_setenv("LC_ALL", locales[i], TRUE);
        Run r = RUN("pe-embed", "-m", model, "-d", "cpu", "-t", texts[0],
                    "--text", texts[1], "-t", texts[2], "-t", texts[3]);
        g_assert_cmpint(r.status, ==, 0);
        g_autoptr(GPtrArray) lines = parse_lines(r.out);
        g_assert_cmpuint(lines->len, ==, G_N_ELEMENTS(texts));
        for (guint t = 0; t < lines->len; t++)
            g_assert_cmpstr(
                json_object_get_string_member(nth(lines, t), "text"), ==,
                texts[t]);
        clear(&r);
        // Any other option that takes a word says what is wrong with the word.
        Run wrong = RUN("pe-embed", "-m", model, "-d", "caf\u00e9", "-t", "a");
        g_assert_cmpint(wrong.status, ==, 1);
        g_assert_nonnull(strstr(wrong.err, "caf\u00e9"));
        clear(&wrong);
    }
    if (old)
        g_setenv("LC_ALL", old, TRUE);
    else
        g_unsetenv("LC_ALL");
}

// A damaged file never becomes vectors of null.
static void
refuses_vectors_that_are_not_finite(void)
{
    static const struct {
        const char *tensor, *what;
    } cases[] = {
        {"visual.transformer.resblocks.1.mlp.c_fc.weight", "image"},
        {"transformer.resblocks.1.mlp.c_fc.weight", "text"},
    };
    g_autofree char *jpg = media("ball.jpg");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *bad = tiny_model_new(1);
        tiny_model_spoil(bad, cases[i].tensor);
        bool text = g_str_equal(cases[i].what, "text");
        Run r = RUN("pe-embed", "-m", bad, "-d", "cpu", text ? "-t" : "-i",
                    text ? "dog" : jpg);
        g_assert_cmpint(r.status, ==, 1);
        g_assert_cmpstr(r.out, ==, "");
        g_assert_nonnull(strstr(r.err, "vectors are not finite"));
        g_assert_nonnull(strstr(r.err, cases[i].what));
        clear(&r);
        r = RUN("pe-model", "check", "-d", "cpu", bad);
        g_assert_cmpint(r.status, ==, 1);
        clear(&r);
        tiny_model_remove(bad);
    }
}

static void
refuses_a_text_that_is_not_utf8(void)
{
    Run r = RUN("pe-embed", "-m", model, "-d", "cpu", "-t", "caf\xe9");
    g_assert_cmpint(r.status, ==, 2);
    g_assert_nonnull(strstr(r.err, "is not UTF-8"));
    clear(&r);
}

static void
samples_a_video_as_the_reference_does(void)
{
    static const struct {
        const char *n;
        gint64 frames[12];
    } rows[] = {
        {"8", {0, 1, 3, 4, 6, 7, 9, 11}}, // int(i * 11 / 7)
        {"1", {6}},
        {"2", {0, 11}},
    };
    g_autofree char *avi = media("ball.avi"); // 12 frames
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Run r = RUN("pe-embed", "-m", model, "-d", "cpu", "-v", avi, "-n",
                    rows[i].n);
        g_autoptr(GPtrArray) lines = parse_lines(r.out);
        JsonObject *o = nth(lines, 0);
        JsonArray *frames = json_object_get_array_member(o, "frame-indices");
        g_assert_cmpint(json_object_get_int_member(o, "frames-decoded"), ==,
                        12);
        g_assert_cmpint(json_array_get_length(frames), ==, atoi(rows[i].n));
        for (guint j = 0; j < json_array_get_length(frames); j++)
            g_assert_cmpint(json_array_get_int_element(frames, j), ==,
                            rows[i].frames[j]);
        clear(&r);
    }
}

static void
repeats_frames_of_a_short_video(void)
{
    g_autofree char *avi = media("one.avi"); // the picture of ball.jpg
    g_autofree char *jpg = media("ball.jpg");
    Run r = RUN("pe-embed", "-m", model, "-d", "cpu", "-v", avi, "-i", jpg);
    g_assert_cmpint(r.status, ==, 0);
    g_autoptr(GPtrArray) lines = parse_lines(r.out);
    float video[TINY_MODEL_DIM], picture[TINY_MODEL_DIM];
    read_vector(nth(lines, 0), picture);
    read_vector(nth(lines, 1), video);
    double cosine = dot(video, picture);
    g_test_message("cosine %.8f", cosine);
    // Decoders of JPEG round in ways of their own.
    g_assert_cmpfloat(cosine, >, 0.9999);
    clear(&r);
}

static void
writes_safetensors(void)
{
    g_autofree char *out = media("out.safetensors");
    Run r = RUN("pe-embed", "-m", model, "-d", "cpu", "-t", "a \"dog\"", "-t",
                "a cat", "-o", out);
    g_assert_cmpint(r.status, ==, 0);
    g_autoptr(GPtrArray) lines = parse_lines(r.out);

    g_autofree char *file = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(out, &file, &size, NULL));
    guint64 header_size;
    memcpy(&header_size, file, 8);
    g_autofree char *header = g_strndup(file + 8, header_size);
    g_autoptr(JsonNode) node = json_from_string(header, NULL);
    JsonObject *o = json_node_get_object(node);
    JsonObject *meta = json_object_get_object_member(o, "__metadata__");
    g_assert_cmpstr(json_object_get_string_member(meta, "items"), ==,
                    "[{\"type\": \"text\", \"name\": \"a \\\"dog\\\"\"}, "
                    "{\"type\": \"text\", \"name\": \"a cat\"}]");
    g_assert_cmpuint(size, ==, 8 + header_size + 2 * TINY_MODEL_DIM * 4);
    float x[TINY_MODEL_DIM];
    read_vector(nth(lines, 1), x);
    g_assert_cmpmem(file + size - sizeof x, sizeof x, x, sizeof x);
    clear(&r);
}

static void
goes_on_after_a_bad_file(void)
{
    g_autofree char *png = media("bars.png");
    g_autofree char *wav = media("tone.wav");
    Run r = RUN("pe-embed", "-m", model, "-d", "cpu", "-i", "/nonexistent",
                "-i", wav, "-i", png);
    g_assert_cmpint(r.status, ==, 1);
    g_assert_nonnull(strstr(r.err, "/nonexistent: "));
    g_assert_nonnull(strstr(r.err, "tone.wav: "));
    g_autoptr(GPtrArray) lines = parse_lines(r.out);
    g_assert_cmpuint(lines->len, ==, 1);
    clear(&r);
}

// ---- All -------------------------------------------------------------------

static void
take_the_demo_model_when_none_is_named(void)
{
    Run r = RUN("pe-embed", "-d", "cpu", "-t", "a red circle");
    g_assert_cmpint(r.status, ==, 0);
    g_autoptr(GPtrArray) lines = parse_lines(r.out);
    g_assert_cmpuint(lines->len, ==, 1);
    g_assert_nonnull(strstr(r.out, "\"model\": \"pe-demo\""));
    clear(&r);
}

static void
explains_wrong_usage(void)
{
    Run runs[] = {
        RUN("pe-embed", "-m", model),
        RUN("pe-embed", "-m", model, "-t", "x", "-p", "fp7"),
        RUN("pe-embed", "--nonsense"),
        RUN("pe-bench", "-m", model, "-c", "PE-Core-T16-384"),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(runs); i++) {
        g_assert_cmpint(runs[i].status, ==, 2);
        g_assert_cmpstr(runs[i].out, ==, "");
        g_assert_nonnull(strstr(runs[i].err, "--help"));
        clear(&runs[i]);
    }
    Run help[] = {RUN("pe-embed", "--help"), RUN("pe-bench", "--help")};
    for (size_t i = 0; i < G_N_ELEMENTS(help); i++) {
        g_assert_cmpint(help[i].status, ==, 0);
        g_assert_nonnull(strstr(help[i].out, "Examples:"));
        clear(&help[i]);
    }
}

static void
names_what_is_missing(void)
{
    Run runs[] = {
        RUN("pe-embed", "-m", "/nonexistent", "-t", "x"),
        RUN("pe-embed", "-m", model, "-t", "x", "-d", "/nonexistent"),
        RUN("pe-bench", "-m", "/nonexistent"),
        RUN("pe-bench", "-c", "/nonexistent"),
        RUN("pe-bench", "-m", model, "--labels", "/nonexistent"),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(runs); i++) {
        g_assert_cmpint(runs[i].status, ==, 1);
        g_assert_nonnull(strstr(runs[i].err, "/nonexistent"));
        clear(&runs[i]);
    }
}

// ---- pe-bench --------------------------------------------------------------

static void
measures_and_ends_with_json(void)
{
    Run r =
        RUN("pe-bench", "-m", model, "-d", "cpu", "-b", "2", "-s", "0.1",
            "--texts", "3", "--labels", "30,20", "--streams", "3", "--json");
    g_assert_cmpint(r.status, ==, 0);
    g_strchomp(r.out);
    g_autoptr(GPtrArray) lines = parse_lines(strrchr(r.out, '\n') + 1);
    JsonObject *o = nth(lines, 0);
    static const char *const numbers[] = {
        "images_per_s",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "gflops",
        "gemm_gflops",
        "fraction_of_gemm",
        "peak_gflops",
        "peak_gflops_of_one_core",
        "fraction_of_peak",
        "texts_per_s",
        "us_per_score",
        "pipeline_images_per_s",
        "pipeline_fraction",
        "streams_images_per_s",
        "streams_fraction",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_test_message("%s", numbers[i]);
        g_assert_cmpfloat(json_object_get_double_member(o, numbers[i]), >, 0);
    }
    g_assert_cmpint(json_object_get_int_member(o, "batch"), ==, 2);
    g_assert_cmpint(json_object_get_int_member(o, "streams"), ==, 3);
    clear(&r);
}

static void
remove_media(void)
{
    GDir *d = g_dir_open(dir, 0, NULL);
    const char *name;
    while ((name = g_dir_read_name(d))) {
        g_autofree char *path = media(name);
        g_unlink(path);
    }
    g_dir_close(d);
    g_rmdir(dir);
    g_free(dir);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(&argc, &argv);
    // As in a run under sanitizers, which load no plugins of the system.
    g_autoptr(GstElementFactory) source =
        gst_element_factory_find("videotestsrc");
    if (!source) {
        puts("1..0 # SKIP no element videotestsrc");
        return 0;
    }
    model = tiny_model_new(1);
    dir = g_dir_make_tmp("pe-tools-XXXXXX", NULL);
    make("videotestsrc num-buffers=1 pattern=ball ! "
         "video/x-raw,format=I420,width=160,height=120 ! jpegenc",
         "ball.jpg");
    make("videotestsrc num-buffers=1 ! "
         "video/x-raw,format=RGBA,width=99,height=77 ! pngenc",
         "bars.png");
    make("videotestsrc num-buffers=12 pattern=ball ! "
         "video/x-raw,format=I420,width=160,height=120 ! jpegenc ! avimux",
         "ball.avi");
    make("videotestsrc num-buffers=1 pattern=ball ! "
         "video/x-raw,format=I420,width=160,height=120 ! jpegenc ! avimux",
         "one.avi");
    make("audiotestsrc num-buffers=10 ! wavenc", "tone.wav");

    g_test_add_func("/tools/embed", prints_unit_vectors_of_everything);
    g_test_add_func("/tools/locale", takes_texts_in_every_locale);
    g_test_add_func("/tools/nan", refuses_vectors_that_are_not_finite);
    g_test_add_func("/tools/not-utf8", refuses_a_text_that_is_not_utf8);
    g_test_add_func("/tools/video", samples_a_video_as_the_reference_does);
    g_test_add_func("/tools/short-video", repeats_frames_of_a_short_video);
    g_test_add_func("/tools/safetensors", writes_safetensors);
    g_test_add_func("/tools/bad-file", goes_on_after_a_bad_file);
    g_test_add_func("/tools/usage", explains_wrong_usage);
    g_test_add_func("/tools/default_model",
                    take_the_demo_model_when_none_is_named);
    g_test_add_func("/tools/missing", names_what_is_missing);
    g_test_add_func("/tools/bench", measures_and_ends_with_json);
    int rc = g_test_run();
    remove_media();
    tiny_model_remove(model);
    return rc;
}
