// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_label_pictures.c - a labels file with pictures, in peinference:
// they are found and read, and one that cannot be read is named.

#include "tests/support/gst_helpers.h"

#include <glib/gstdio.h>
#include <string.h>

#define SIDE 64

static char *folder;

static char *
get_path(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

static void
write_file(const char *name, const void *data, gsize size)
{
    g_autofree char *path = get_path(name);
    g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
}

static void
write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

// r is red, g is green, with darker stripes.
static guint8 *
paint(char color, gsize *size)
{
    *size = SIDE * SIDE * 3;
    guint8 *pixels = g_malloc0(*size);

    for (gsize i = 0; i < SIDE * SIDE; i++)
        pixels[3 * i + (color == 'g')] = i / SIDE % 8 < 4 ? 255 : 200;
    return pixels;
}

static void
write_picture(const char *name, char color)
{
    static const char head[] = "P6\n64 64\n255\n";
    gsize size;
    g_autofree guint8 *pixels = paint(color, &size);
    g_autoptr(GByteArray) file = g_byte_array_new();

    g_byte_array_append(file, (const guint8 *)head, strlen(head));
    g_byte_array_append(file, pixels, (guint)size);
    write_file(name, file->data, file->len);
}

static GstElement *
make_demo(const char *labels)
{
    g_autofree char *line = g_strdup_printf(
        "peinference model=%s/pe-demo.safetensors device=cpu precision=fp32 "
        "frame-rate=0/1 clip-length=1 mode=exact labels-file=%s/%s",
        g_getenv("PE_DEMO_DIR"), folder, labels);
    g_autoptr(GError) error = NULL;
    GstElement *element = gst_parse_launch(line, &error);

    g_assert_no_error(error);
    return element;
}

static GstHarness *
play(const char *labels)
{
    return play_element(
        make_demo(labels),
        "video/x-raw,format=RGB,width=64,height=64,framerate=1/1");
}

// The best label of a frame of this color.
static char *
classify(GstHarness *h, char color, double *score)
{
    static guint64 second;
    gsize size;
    guint8 *pixels = paint(color, &size);
    GstBuffer *buffer = gst_buffer_new_wrapped(pixels, size);

    GST_BUFFER_PTS(buffer) = second++ * GST_SECOND;
    GST_BUFFER_DURATION(buffer) = GST_SECOND;
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    buffer = pull(h);
    GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    g_assert_nonnull(meta);
    g_assert_cmpuint(gst_pe_result_get_n_labels(meta->result), >, 0);
    char *label = g_strdup(gst_pe_result_get_label(meta->result, 0));
    *score = gst_pe_result_get_score(meta->result, 0);
    gst_buffer_unref(buffer);
    return label;
}

// ---- Found ----------------------------------------------------------------

static void
knows_what_pictures_show(void)
{
    double score;

    write_picture("red.ppm", 'r');
    write_picture("green.ppm", 'g');
    // Names that say nothing, or the wrong thing.
    write_text("labels.json",
               "{\"labels\": [{\"name\": \"one\", \"images\": [\"red.ppm\"]}, "
               "{\"name\": \"a red ball\", \"images\": [\"green.ppm\"]}], "
               "\"negatives\": []}");
    GstHarness *h = play("labels.json");
    g_autofree char *red = classify(h, 'r', &score);
    g_assert_cmpstr(red, ==, "one");
    g_assert_cmpfloat(score, >, 0.9);
    g_autofree char *green = classify(h, 'g', &score);
    g_assert_cmpstr(green, ==, "a red ball");
    g_assert_cmpfloat(score, >, 0.9);
    stop(h);
}

// ---- Not found ------------------------------------------------------------

// The element does not start, and says why.
static void
refuses(const char *labels, const char *what, const char *reason)
{
    g_autoptr(GstElement) element = gst_object_ref_sink(make_demo(labels));
    g_autoptr(GstBus) bus = gst_bus_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *debug = NULL;

    gst_element_set_bus(element, bus);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_PAUSED), ==,
                    GST_STATE_CHANGE_FAILURE);
    g_autoptr(GstMessage) message = wait_message(bus, GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    gst_message_parse_error(message, &error, &debug);
    g_test_message("%s (%s)", error->message, debug);
    g_autofree char *all = g_strconcat(error->message, debug, NULL);
    g_assert_nonnull(strstr(all, what));
    g_assert_nonnull(strstr(all, reason));
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
}

static void
names_the_picture_that_it_cannot_read(void)
{
    // Two thousand million pixels in fifty bytes.
    static const guint8 huge[] =
        "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\x7f\xff\x08\x02\0\0\0"
        "\0\0\0\0";
    static const struct {
        const char *picture, *reason;
    } cases[] = {
        {"nowhere.png", "No such file"},
        {"text.png", "not a picture of a known kind"},
        {"huge.png", "huge.png: "},
        {"cut.ppm", "cut.ppm: the picture "}, // in words of the loader
        {".", "not a regular file"},
    };

    write_text("text.png", "a poem");
    write_file("huge.png", huge, sizeof huge - 1);
    write_text("cut.ppm", "P6\n64 64\n255\nabc");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *json = g_strdup_printf(
            "[{\"name\": \"a\", \"images\": [\"%s\"]}]", cases[i].picture);
        g_autofree char *what = g_strdup_printf(
            "labels[0].images[0]: %s/%s: ", folder, cases[i].picture);
        write_text("bad.json", json);
        refuses("bad.json", what, cases[i].reason);
    }
}

static void
refuses_vectors_of_another_model(void)
{
    write_text("other.json", "{\"labels\": [{\"name\": \"a\", \"vector\": "
                             "[1, 2, 3]}], \"model\": \"0123456789abcdef\"}");
    refuses("other.json", "other.json: model: expected vectors of the model",
            "found those of \"0123456789abcdef\"");
}

static void
keeps_its_labels_when_a_picture_is_missing(void)
{
    double score;

    write_picture("red.ppm", 'r');
    write_picture("green.ppm", 'g');
    write_text("good.json",
               "{\"labels\": [{\"name\": \"good\", \"images\": [\"red.ppm\"]}, "
               "{\"name\": \"other\", \"images\": [\"green.ppm\"]}], "
               "\"negatives\": []}");
    write_text("bad.json", "[{\"name\": \"a\", \"images\": [\"gone.png\"]}]");
    GstHarness *h = play("good.json");
    g_autofree char *before = classify(h, 'r', &score);
    g_assert_cmpstr(before, ==, "good");
    g_autofree char *bad = get_path("bad.json");
    g_object_set(h->element, "labels-file", bad, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GstMessage) message =
        wait_message(GST_ELEMENT_BUS(h->element), GST_MESSAGE_WARNING);
    g_assert_nonnull(message);
    gst_message_parse_warning(message, &error, NULL);
    g_assert_nonnull(strstr(error->message, "gone.png"));
    g_assert_nonnull(
        strstr(error->message, "keeping the labels and regions in use"));
    g_autofree char *after = classify(h, 'r', &score);
    g_assert_cmpstr(after, ==, "good");
    stop(h);
}

static void
add_tests(void)
{
#define ADD(test) g_test_add_func("/gst/label-pictures/" #test, test)
    ADD(knows_what_pictures_show);
    ADD(names_the_picture_that_it_cannot_read);
    ADD(refuses_vectors_of_another_model);
    ADD(keeps_its_labels_when_a_picture_is_missing);
}

int
main(int argc, char **argv)
{
    static const char *const names[] = {
        "red.ppm",  "green.ppm", "text.png",    "huge.png",  "cut.ppm",
        "bad.json", "good.json", "labels.json", "other.json"};

    folder = g_dir_make_tmp("pe-pictures-XXXXXX", NULL);
    int failed = run_gst_tests(argc, argv, add_tests);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = get_path(names[i]);
        g_unlink(path);
    }
    g_rmdir(folder);
    g_free(folder);
    return failed;
}
