// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_skips.c - which coded frames a decoder is spared, in streams of real
// encoders: never one that a sample or another frame needs.

#include "pipelines/tag/video/coded.h"
#include "pipelines/tag/video/skips.h"

#include <string.h>

enum { N_FRAMES = 200, RATE = 25 };
#define FRAME (GST_SECOND / RATE)
#define PERIOD (2 * GST_SECOND) // between samples

typedef void (*Damage)(GstBuffer *buffer, int index);

typedef struct {
    GstElement *pipeline;
    Taps taps;
    Damage damage;
    int n_coded, n_decoded;
    int last_skipped;            // index of the last one, as they are coded
    bool shown[N_FRAMES + RATE]; // frames that came out, by their times
} Case;

// ---- A stream -------------------------------------------------------------

static GstPadProbeReturn
on_coded(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Case *c = data;
    GstBuffer *buffer = gst_buffer_make_writable(info->data);
    info->data = buffer;
    if (c->damage)
        c->damage(buffer, c->n_coded);
    c->n_coded++;
    return GST_PAD_PROBE_OK;
}

// Only what nobody has taken out comes here.
static GstPadProbeReturn
on_decoded(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Case *c = data;
    if (c->n_decoded < c->n_coded - 1 - c->last_skipped)
        c->last_skipped = c->n_coded - 1 - c->n_decoded;
    c->n_decoded++;
    return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
on_shown(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Case *c = data;
    guint64 time = gst_segment_to_stream_time(&c->taps.segment, GST_FORMAT_TIME,
                                              GST_BUFFER_PTS(info->data));
    guint64 i = (time + FRAME / 2) / FRAME;
    if (i < G_N_ELEMENTS(c->shown))
        c->shown[i] = true;
    return GST_PAD_PROBE_OK;
}

static GstPad *
get_pad(const Case *c, const char *element, const char *name)
{
    g_autoptr(GstElement) found =
        gst_bin_get_by_name(GST_BIN(c->pipeline), element);
    return gst_element_get_static_pad(found, name);
}

static bool
has_elements(const char *coder)
{
    g_auto(GStrv) words = g_strsplit(coder, " ! ", -1);
    for (int i = 0; words[i]; i++) {
        words[i][strcspn(words[i], " ")] = '\0';
        if (strchr(words[i], '/')) // caps
            continue;
        g_autoptr(GstElementFactory) factory =
            gst_element_factory_find(words[i]);
        if (!factory) {
            g_autofree char *why = g_strdup_printf("no element %s", words[i]);
            g_test_skip(why);
            return false;
        }
    }
    return true;
}

static void
watch(Case *c)
{
    g_autoptr(GstElement) decoder =
        gst_bin_get_by_name(GST_BIN(c->pipeline), "decoder");
    g_autoptr(GstPad) coded = get_pad(c, "coded", "src");
    g_autoptr(GstPad) in = get_pad(c, "decoder", "sink");
    g_autoptr(GstPad) out = get_pad(c, "out", "sink");
    taps_init(&c->taps, NULL, PERIOD, false, out, out);
    gst_pad_add_probe(coded, GST_PAD_PROBE_TYPE_BUFFER, on_coded, c, NULL);
    skips_watch(decoder, &c->taps, GST_SECOND, PERIOD);
    gst_pad_add_probe(in, GST_PAD_PROBE_TYPE_BUFFER, on_decoded, c, NULL);
    gst_pad_add_probe(out, GST_PAD_PROBE_TYPE_BUFFER, on_shown, c, NULL);
}

// Encode, and decode as pe-tag does. false: elements are missing.
static bool
play(Case *c, const char *source, const char *encoder, const char *decoder)
{
    g_autofree char *coder = g_strdup_printf("%s ! %s", encoder, decoder);
    g_autofree char *line = g_strdup_printf(
        "videotestsrc num-buffers=%d pattern=ball ! video/x-raw,width=160,"
        "height=120,format=I420,framerate=%d/1%s ! %s ! identity name=coded ! "
        "%s name=decoder ! fakesink name=out sync=false",
        N_FRAMES, RATE, source, encoder, decoder);
    if (!has_elements(coder))
        return false;
    c->last_skipped = -1;
    c->pipeline = gst_parse_launch(line, NULL);
    g_assert_nonnull(c->pipeline);
    watch(c);
    g_autoptr(GstBus) bus = gst_element_get_bus(c->pipeline);
    gst_element_set_state(c->pipeline, GST_STATE_PLAYING);
    g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(
        bus, 200 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    g_assert_cmpint(GST_MESSAGE_TYPE(message), ==, GST_MESSAGE_EOS);
    g_assert_cmpint(c->n_coded, ==, N_FRAMES);
    g_test_message("%d of %d decoded", c->n_decoded, c->n_coded);
    return true;
}

static void
end(Case *c)
{
    gst_element_set_state(c->pipeline, GST_STATE_NULL);
    gst_object_unref(c->pipeline);
    taps_clear(&c->taps);
}

#define X264 "x264enc bframes=3 b-adapt=false key-int-max=50 ! h264parse"

// ---- What is left out -----------------------------------------------------

typedef struct {
    const char *name, *encoder, *decoder;
} Coder;

// Frames at points and beside them have been shown, and the end is known.
static void
expect_samples(Case *c)
{
    for (guint64 t = 0; t < N_FRAMES * FRAME; t += PERIOD)
        for (guint64 i = MAX(t / FRAME, 1) - 1; i <= t / FRAME + 1; i++)
            g_assert_true(c->shown[i]);
    g_assert_cmpint(taps_get_progress(&c->taps).position, ==, N_FRAMES * FRAME);
}

static void
test_spared(gconstpointer data)
{
    const Coder *coder = data;
    Case c = {0};
    if (!play(&c, "", coder->encoder, coder->decoder))
        return;
    // Half of all or more are B frames that nothing is predicted from, and
    // the first ones are decoded until one has come out.
    g_assert_cmpint(c.n_decoded, <, N_FRAMES * 8 / 10);
    expect_samples(&c);
    end(&c);
}

static void
test_all_needed(gconstpointer data)
{
    const Coder *coder = data;
    Case c = {0};
    const char *source =
        strstr(coder->name, "interlaced") ? ",interlace-mode=interleaved" : "";
    if (!play(&c, source, coder->encoder, coder->decoder))
        return;
    g_assert_cmpint(c.n_decoded, ==, N_FRAMES);
    end(&c);
}

// ---- What is not steady ---------------------------------------------------

enum { DAMAGED = 100 };

static void
jump(GstBuffer *buffer, int index)
{
    if (index == DAMAGED)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
}

static void
crowd(GstBuffer *buffer, int index)
{
    if (index == DAMAGED)
        GST_BUFFER_PTS(buffer) -= FRAME * 9 / 10;
}

static void
last_longer(GstBuffer *buffer, int index)
{
    if (index == DAMAGED)
        GST_BUFFER_DURATION(buffer) = 3 * FRAME;
}

static void
lose_time(GstBuffer *buffer, int index)
{
    if (index == DAMAGED)
        GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
}

typedef struct {
    const char *name;
    Damage damage;
} Trouble;

static void
test_unsteady(gconstpointer data)
{
    const Trouble *trouble = data;
    Case c = {.damage = trouble->damage};
    if (!play(&c, "", X264, "avdec_h264"))
        return;
    int n_skipped = c.n_coded - c.n_decoded;
    g_assert_cmpint(n_skipped, >, 0);
    g_assert_cmpint(n_skipped, <=, DAMAGED);
    g_assert_cmpint(c.last_skipped, <, DAMAGED);
    end(&c);
}

static void
count_on(GstBuffer *buffer, int index)
{
    GST_BUFFER_PTS(buffer) = (GstClockTime)index * FRAME;
}

// Times that a parser made up have not the order in which frames are shown.
static void
test_guessed(void)
{
    Case c = {.damage = count_on};
    if (!play(&c, "", X264, "avdec_h264"))
        return;
    g_assert_cmpint(c.n_decoded, ==, N_FRAMES);
    end(&c);
}

// ---- Units ----------------------------------------------------------------

typedef struct {
    const char *what;
    bool can_skip;
    int size;
    guint8 bytes[24];
} Frame;

static const Frame frames[] = {
    {"a slice of no reference", true, 6, {0, 0, 0, 2, 0x01, 9}},
    {"behind a delimiter and SEI",
     true,
     16,
     {0, 0, 0, 2, 9, 16, 0, 0, 0, 1, 6, 0, 0, 0, 1, 1}},
    {"a slice that is referred to", false, 6, {0, 0, 0, 2, 0x21, 9}},
    {"one of two is", false, 10, {0, 0, 0, 1, 1, 0, 0, 0, 1, 0x61}},
    {"a key frame", false, 6, {0, 0, 0, 2, 0x65, 9}},
    {"with parameters", false, 12, {0, 0, 0, 2, 0x68, 1, 0, 0, 0, 2, 1, 9}},
    {"no slice", false, 6, {0, 0, 0, 2, 9, 16}},
    {"nothing", false, 0, {0}},
    {"a length that is cut", false, 8, {0, 0, 0, 2, 1, 9, 0, 0}},
    {"behind a unit of no bytes",
     false,
     15,
     {0, 0, 0, 2, 1, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0x68}},
    {"a unit of part", false, 7, {0, 0, 0, 2, 1, 9, 1}},
};

static void
test_units(void)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(
        "video/x-h264,parsed=true,alignment=au,stream-format=avc,"
        "coded-picture-structure=frame,codec_data=(buffer)0142001effe1");
    for (guint i = 0; i < G_N_ELEMENTS(frames); i++) {
        const Frame *frame = &frames[i];
        CodedStream stream = coded_stream_new(caps);
        g_assert_cmpint(stream.kind, ==, CODED_H264);
        g_assert_cmpint(stream.length_size, ==, 4);
        g_autoptr(GstBuffer) buffer =
            gst_buffer_new_allocate(NULL, (gsize)frame->size, NULL);
        gst_buffer_fill(buffer, 0, frame->bytes, (gsize)frame->size);
        g_test_message("%s", frame->what);
        g_assert_cmpint(coded_stream_can_skip(&stream, buffer), ==,
                        frame->can_skip);
    }
}

// Temporal sub-layers: what no picture of its own sub-layer needs, one of a
// higher one may.
static void
test_sub_layers(void)
{
    static const guint8 trail_n[] = {0, 0, 1, 0, 1, 5};
    static const guint8 with_sps[2][9] = {{0, 0, 1, 66, 1, 1, 0, 0, 1},
                                          {0, 0, 1, 66, 1, 3, 0, 0, 1}};
    g_autoptr(GstCaps) caps =
        gst_caps_from_string("video/x-h265,parsed=true,alignment=au,"
                             "stream-format=byte-stream");
    CodedStream stream = coded_stream_new(caps);
    g_autoptr(GstBuffer) frame = gst_buffer_new_memdup(trail_n, sizeof trail_n);
    g_assert_cmpint(stream.kind, ==, CODED_H265);
    g_assert_false(coded_stream_can_skip(&stream, frame));
    for (int i = 0; i < 2; i++) {
        g_autoptr(GstBuffer) sps =
            gst_buffer_new_memdup(with_sps[i], sizeof with_sps[i]);
        g_assert_false(coded_stream_can_skip(&stream, sps));
        g_assert_cmpint(coded_stream_can_skip(&stream, frame), ==, i == 0);
    }
}

int
main(int argc, char *argv[])
{
    static const Coder spared[] = {
        {"h264", X264, "avdec_h264"},
        {"h264-bytes", X264 " ! video/x-h264,stream-format=byte-stream",
         "avdec_h264"},
        {"h265", "x265enc speed-preset=ultrafast key-int-max=50 ! h265parse",
         "avdec_h265"},
    };
    static const Coder needed[] = {
        {"no-b-frames", "x264enc bframes=0 ! h264parse", "avdec_h264"},
        {"interlaced", "x264enc bframes=3 interlaced=true ! h264parse",
         "avdec_h264"},
        {"vp8", "vp8enc deadline=1", "vp8dec"},
    };
    static const Trouble troubles[] = {{"jump", jump},
                                       {"crowd", crowd},
                                       {"longer", last_longer},
                                       {"no-time", lose_time}};
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(spared); i++) {
        g_autofree char *path = g_strconcat("/skips/", spared[i].name, NULL);
        g_test_add_data_func(path, &spared[i], test_spared);
    }
    for (guint i = 0; i < G_N_ELEMENTS(needed); i++) {
        g_autofree char *path = g_strconcat("/needed/", needed[i].name, NULL);
        g_test_add_data_func(path, &needed[i], test_all_needed);
    }
    for (guint i = 0; i < G_N_ELEMENTS(troubles); i++) {
        g_autofree char *path =
            g_strconcat("/unsteady/", troubles[i].name, NULL);
        g_test_add_data_func(path, &troubles[i], test_unsteady);
    }
    g_test_add_func("/unsteady/guessed", test_guessed);
    g_test_add_func("/coded/units", test_units);
    g_test_add_func("/coded/sub-layers", test_sub_layers);
    return g_test_run();
}
