// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_decode.c - what is said of files that never end, or have no video, and
// that GIFs end. A decoder of our own never ends where those of GStreamer do.

#include "tools/decode.h"

#include <glib/gstdio.h>
#include <gst/video/video.h>
#include <string.h>

#include "gst/video/gstpepicture.h"

#define MAGIC "ENDLESS "
#define ENDLESS "application/x-pe-endless"
#define SIDE 16

static char *folder;

// ---- A decoder that never ends --------------------------------------------

typedef struct {
    GstElement parent;
    GstPad *sinkpad, *srcpad;
} Endless;

typedef GstElementClass EndlessClass;

GType endless_get_type(void);
G_DEFINE_TYPE(Endless, endless, GST_TYPE_ELEMENT)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(ENDLESS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("video/x-raw,format=GRAY8,width=16,height=16,"
                    "framerate=25/1"));

// A frame for each piece of the file.
static GstFlowReturn
chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    Endless *self = (Endless *)parent;
    GstBuffer *frame = gst_buffer_new_allocate(NULL, SIDE * SIDE, NULL);

    gst_buffer_memset(frame, 0, 128, SIDE * SIDE);
    GST_BUFFER_PTS(frame) = 0;
    gst_buffer_unref(buffer);
    return gst_pad_push(self->srcpad, frame);
}

static gboolean
on_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
        gst_event_unref(event);
        GstCaps *caps = gst_static_pad_template_get_caps(&src_template);
        event = gst_event_new_caps(caps);
        gst_caps_unref(caps);
        return gst_pad_push_event(((Endless *)parent)->srcpad, event);
    }
    if (GST_EVENT_TYPE(event) != GST_EVENT_EOS)
        return gst_pad_event_default(pad, parent, event);
    gst_event_unref(event);
    return TRUE;
}

static void
endless_init(Endless *self)
{
    self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
    self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
    gst_pad_set_chain_function(self->sinkpad, chain);
    gst_pad_set_event_function(self->sinkpad, on_event);
    gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);
    gst_element_add_pad(GST_ELEMENT(self), self->srcpad);
}

static void
endless_class_init(EndlessClass *klass)
{
    gst_element_class_add_static_pad_template(klass, &sink_template);
    gst_element_class_add_static_pad_template(klass, &src_template);
    gst_element_class_set_static_metadata(klass, "Endless", "Codec/Decoder",
                                          "Forgets the end", "the tests");
}

static void
find_type(GstTypeFind *find, gpointer data)
{
    const guint8 *magic = gst_type_find_peek(find, 0, strlen(MAGIC));

    if (magic && memcmp(magic, MAGIC, strlen(MAGIC)) == 0)
        gst_type_find_suggest_empty_simple(find, GST_TYPE_FIND_MAXIMUM,
                                           ENDLESS);
}

// ---- Files ----------------------------------------------------------------

static char *
write_file(const char *name, const void *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    char *path = g_build_filename(folder, name, NULL);

    g_file_set_contents(path, data, (gssize)size, &error);
    g_assert_no_error(error);
    return path;
}

static bool
count(const PeFrame *frame, int64_t index, void *data, GError **error)
{
    g_assert_cmpint(index, ==, *(int64_t *)data);
    ++*(int64_t *)data;
    return true;
}

// Decoding fails with this said of the file.
static void
assert_said(const char *path, const char *words)
{
    g_autoptr(GError) error = NULL;
    int64_t n = 0;

    g_assert_cmpint(decode_file(path, count, &n, &error), ==, -1);
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_test_message("%s", error->message);
    g_assert_true(g_str_has_prefix(error->message, path));
    g_assert_nonnull(strstr(error->message, words));
    g_remove(path);
}

// Those of GStreamer that decoding needs; else the test is skipped.
static bool
have_elements(void)
{
    static const char *const names[] = {"uridecodebin", "videoconvert",
                                        "appsink", "wavparse"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        GstElementFactory *factory = gst_element_factory_find(names[i]);
        if (!factory) {
            g_test_skip(names[i]);
            return false;
        }
        gst_object_unref(factory);
    }
    return true;
}

// ---- Tests ----------------------------------------------------------------

static void
gives_up_what_never_ends(void)
{
    char data[100] = MAGIC;
    if (!have_elements())
        return;
    g_autofree char *path = write_file("endless", data, sizeof data);

    assert_said(path, "neither another frame nor an end comes after 1 frame");
}

static void
says_that_there_is_only_sound(void)
{
    // 8000 samples of 8 bits, silence.
    static const guint8 header[44] = {
        'R', 'I', 'F', 'F', 0x64, 0x1f, 0,   0,    'W',  'A', 'V',
        'E', 'f', 'm', 't', ' ',  16,   0,   0,    0,    1,   0,
        1,   0,   64,  31,  0,    0,    64,  31,   0,    0,   1,
        0,   8,   0,   'd', 'a',  't',  'a', 0x40, 0x1f, 0,   0,
    };
    if (!have_elements())
        return;
    g_autofree guint8 *data = g_malloc(sizeof header + 8000);
    memcpy(data, header, sizeof header);
    memset(data + sizeof header, 128, 8000);
    g_autofree char *path = write_file("a.wav", data, sizeof header + 8000);

    assert_said(path, "there is sound, but no video in it");
}

// Three pictures of one pixel, the last behind a comment, for ever.
static void
decodes_each_picture_of_a_gif_once(void)
{
    static const char data[] =
        "GIF89a\1\0\1\0\x80\0\0\xff\0\0\0\0\xff"
        "!\xff\x0bNETSCAPE2.0\3\1\0\0\0"
        "!\xf9\4\0\x0a\0\0\0,\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
        "!\xf9\4\0\x0a\0\0\0,\0\0\0\0\1\0\1\0\0\2\2\x4c\1\0"
        "!\xfe\2,;\0"
        "!\xf9\4\0\x0a\0\0\0,\0\0\0\0\1\0\1\0\0\2\2\x44\1\0;";
    g_autofree char *path = write_file("a.video", data, sizeof data - 1);
    g_autoptr(GError) error = NULL;
    int64_t n = 0;

    g_assert_true(gst_pe_picture_is_animation(path));
    g_assert_cmpint(gst_pe_picture_read_animation(path, count, &n, &error), ==,
                    3);
    g_assert_no_error(error);
    g_assert_cmpint(n, ==, 3);
    g_remove(path);
}

// Appends the first pixel, which is red or blue.
static bool
name_colour(const PeFrame *frame, int64_t index, void *data, GError **error)
{
    const uint8_t *p = frame->planes[0];
    g_string_append_c(data, p[0] > 200 && p[2] < 50   ? 'r'
                            : p[2] > 200 && p[0] < 50 ? 'b'
                                                      : '?');
    return true;
}

// A red and a blue picture of 16x16 pixels, for ever.
static void
decodes_each_picture_of_a_webp_once(void)
{
    static const char data[] =
        "\122\111\106\106\204\000\000\000\127\105\102\120\126\120\070\130"
        "\012\000\000\000\002\000\000\000\017\000\000\017\000\000\101\116"
        "\111\115\006\000\000\000\000\000\000\000\000\000\101\116\115\106"
        "\050\000\000\000\000\000\000\000\000\000\017\000\000\017\000\000"
        "\144\000\000\002\126\120\070\114\017\000\000\000\057\017\300\003"
        "\000\007\020\375\217\376\007\042\242\377\001\000\101\116\115\106"
        "\050\000\000\000\000\000\000\000\000\000\017\000\000\017\000\000"
        "\144\000\000\000\126\120\070\114\017\000\000\000\057\017\300\003"
        "\000\007\020\321\377\376\007\042\242\377\001\000";
    g_autofree char *path = write_file("a.video", data, sizeof data - 1);
    g_autoptr(GString) colours = g_string_new("");
    g_autoptr(GError) error = NULL;

    g_assert_true(gst_pe_picture_is_animation(path));
    int64_t n =
        gst_pe_picture_read_animation(path, name_colour, colours, &error);
    g_remove(path);
    if (error && strstr(error->message, "webp-pixbuf-loader")) {
        g_test_skip(error->message);
        return;
    }
    g_assert_no_error(error);
    g_assert_cmpint(n, ==, 2);
    g_assert_cmpstr(colours->str, ==, "rb");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(NULL, NULL);
    folder = g_dir_make_tmp("pe-decode-XXXXXX", NULL);
    g_assert_nonnull(folder);
    GstCaps *caps = gst_caps_new_empty_simple(ENDLESS);
    gst_type_find_register(NULL, "endless", GST_RANK_PRIMARY, find_type, NULL,
                           caps, NULL, NULL);
    gst_caps_unref(caps);
    gst_element_register(NULL, "endlessdec", GST_RANK_PRIMARY,
                         endless_get_type());

    g_test_add_func("/decode/endless", gives_up_what_never_ends);
    g_test_add_func("/decode/sound", says_that_there_is_only_sound);
    g_test_add_func("/decode/gif", decodes_each_picture_of_a_gif_once);
    g_test_add_func("/decode/webp", decodes_each_picture_of_a_webp_once);
    int status = g_test_run();
    g_rmdir(folder);
    g_free(folder);
    return status;
}
