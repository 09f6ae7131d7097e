// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_formats.c - every pixel format that the caps name becomes the
// colours that GStreamer's own unpacking and the standards say.

#include "gst/video/gstpeframe.h"

#include "tests/support/picture.h"

#include <math.h>

enum { WIDTH = 53, HEIGHT = 27 };

// What GStreamer makes of a frame: four 16-bit components of each pixel, those
// that chroma was taken from repeated.
typedef struct {
    const GstVideoFormatInfo *info;
    guint16 samples[HEIGHT][WIDTH + 64][4];
} Unpacked;

static void
unpack(Unpacked *u, const GstVideoFrame *map)
{
    gpointer data[GST_VIDEO_MAX_PLANES];
    gint strides[GST_VIDEO_MAX_PLANES];
    guint8 bytes[WIDTH + 64][4];

    u->info = map->info.finfo;
    const GstVideoFormatInfo *to =
        gst_video_format_get_info(u->info->unpack_format);
    bool wide = GST_VIDEO_FORMAT_INFO_DEPTH(to, 0) == 16;
    for (int i = 0; i < GST_VIDEO_MAX_PLANES; i++) {
        data[i] = map->data[i];
        strides[i] = map->info.stride[i];
    }
    // An even number: of the last pixel of an odd one GStreamer 1.22 swaps U
    // and V of VYUY. Lines have room for it.
    for (int y = 0; y < HEIGHT; y++) {
        gpointer line = wide ? (gpointer)u->samples[y] : (gpointer)bytes;
        u->info->unpack_func(u->info, GST_VIDEO_PACK_FLAG_TRUNCATE_RANGE, line,
                             data, strides, 0, y, WIDTH + 1);
        for (int x = 0; !wide && x < WIDTH; x++) {
            for (int c = 0; c < 4; c++)
                u->samples[y][x][c] = (guint16)(bytes[x][c] << 8);
        }
    }
}

// Sample (x, y) of a component, from 0 to 1.
static double
get_stored(const Unpacked *u, int c, int x, int y)
{
    bool grey = GST_VIDEO_FORMAT_INFO_IS_GRAY(u->info);
    int depth = (int)GST_VIDEO_FORMAT_INFO_DEPTH(u->info, grey ? 0 : c);
    x = MIN(x << u->info->w_sub[c], WIDTH - 1);
    y = MIN(y << u->info->h_sub[c], HEIGHT - 1);
    // After alpha.
    return (u->samples[y][x][c + 1] >> (16 - depth)) /
           (double)((1 << depth) - 1);
}

// The sample before position x of `step` pixels each, and the next one; returns
// the weight of that.
static double
find_place(int x, bool on_first, int step, int n, int *i, int *j)
{
    double at = on_first ? (double)x / step : (x + 0.5) / step - 0.5;
    *i = (int)floor(at);
    double weight = at - *i;
    *j = CLAMP(*i + 1, 0, n - 1);
    *i = CLAMP(*i, 0, n - 1);
    return weight;
}

static double
get_sample(const Unpacked *u, PeSite site, int c, int x, int y)
{
    bool left = site == PE_SITE_LEFT || site == PE_SITE_TOP_LEFT;
    bool top = site == PE_SITE_TOP_LEFT || site == PE_SITE_TOP;
    int w = 1 << u->info->w_sub[c], h = 1 << u->info->h_sub[c];
    int x0, x1, y0, y1;
    double wx = find_place(x, left, w, (WIDTH + w - 1) / w, &x0, &x1);
    double wy = find_place(y, top, h, (HEIGHT + h - 1) / h, &y0, &y1);
    return (1 - wy) * ((1 - wx) * get_stored(u, c, x0, y0) +
                       wx * get_stored(u, c, x1, y0)) +
           wy * ((1 - wx) * get_stored(u, c, x0, y1) +
                 wx * get_stored(u, c, x1, y1));
}

// R, G and B from 0 to 255.
static void
get_rgb(const Unpacked *u, const PeFrame *f, int x, int y, double *rgb)
{
    static const double kr[] = {0.299, 0.2126, 0.2627};
    static const double kb[] = {0.114, 0.0722, 0.0593};
    double r = kr[f->matrix], b = kb[f->matrix], s[3], max[3];

    for (int c = 0; c < 3; c++) {
        bool own = c == 0 || !GST_VIDEO_FORMAT_INFO_IS_GRAY(u->info);
        int depth = (int)GST_VIDEO_FORMAT_INFO_DEPTH(u->info, own ? c : 0);
        max[c] = 256 - ldexp(1, 8 - depth);
        s[c] = own ? get_sample(u, f->site, c, x, y) * max[c] : 0;
    }
    if (GST_VIDEO_FORMAT_INFO_IS_RGB(u->info)) {
        for (int c = 0; c < 3; c++)
            rgb[c] = s[c] / max[c] * 255;
        return;
    }
    // In 1/256 of the range of samples.
    double luma = f->full_range ? s[0] / max[0] : (s[0] - 16) / 219;
    double cb = (s[1] - 128) / (f->full_range ? max[1] : 224);
    double cr = (s[2] - 128) / (f->full_range ? max[2] : 224);
    if (GST_VIDEO_FORMAT_INFO_IS_GRAY(u->info))
        cb = cr = 0;
    rgb[0] = luma + 2 * (1 - r) * cr;
    rgb[2] = luma + 2 * (1 - b) * cb;
    rgb[1] = (luma - r * rgb[0] - b * rgb[2]) / (1 - r - b);
    for (int c = 0; c < 3; c++)
        rgb[c] = CLAMP(rgb[c], 0, 1) * 255;
}

// The largest difference of a component of any pixel.
static double
compare(const Unpacked *u, const PeFrame *frame, PePixelsFunc func)
{
    double worst = 0;
    g_autofree uint8_t *got = picture_squash(func, frame, WIDTH, HEIGHT);

    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            double rgb[3];
            get_rgb(u, frame, x, y, rgb);
            for (int c = 0; c < 3; c++) {
                double d = fabs(got[(c * HEIGHT + y) * WIDTH + x] - rgb[c]);
                worst = MAX(worst, d);
            }
        }
    }
    return worst;
}

static void
check_format(const char *name, const char *more, double *worst)
{
    g_autofree char *text =
        g_strdup_printf("video/x-raw,format=%s,width=%d,height=%d%s", name,
                        WIDTH, HEIGHT, more);
    g_autoptr(GstCaps) caps = gst_caps_from_string(text);
    g_autoptr(GError) error = NULL;
    g_autofree Unpacked *u = g_new0(Unpacked, 1);
    GstVideoInfo info;
    GstVideoFrame map;
    PeFrame frame;

    g_assert_true(gst_pe_video_info_from_caps(&info, caps));
    // unpack() reads a pixel behind the last line too.
    GstBuffer *buffer =
        gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info) + 64, NULL);
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    g_assert_true(gst_buffer_map(buffer, &map.map[0], GST_MAP_WRITE));
    for (gsize i = 0; i < map.map[0].size; i++)
        map.map[0].data[i] = (guint8)g_rand_int(rand);
    gst_buffer_unmap(buffer, &map.map[0]);
    bool ok = gst_pe_frame_map(&map, &frame, &info, buffer, false, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    unpack(u, &map);
    for (PeIsa isa = PE_ISA_C; isa <= picture_highest_isa(); isa++) {
        double d = compare(u, &frame, pe_pixels_func(isa));
        // Half a level to round, 1/64 each for luma and for chroma.
        if (d > 0.5 + 2 / 64.0)
            g_error("%s, isa %d: %.3f of a level off (limit 0.531)", text, isa,
                    d);
        *worst = MAX(*worst, d);
    }
    gst_video_frame_unmap(&map);
    gst_buffer_unref(buffer);
}

static void
reads_every_format_as_gstreamer_does(void)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(GST_PE_CAPS);
    const GValue *list =
        gst_structure_get_value(gst_caps_get_structure(caps, 0), "format");
    guint n = gst_value_list_get_size(list), n_known = 0;
    double worst = 0;

    for (guint i = 0; i < n; i++) {
        const char *name =
            g_value_get_string(gst_value_list_get_value(list, i));
        // The caps name formats of later releases, too.
        if (gst_video_format_from_string(name) == GST_VIDEO_FORMAT_UNKNOWN)
            continue;
        n_known++;
        check_format(name, "", &worst);
        check_format(name, ",colorimetry=1:3:0:0,chroma-site=mpeg2", &worst);
        check_format(name, ",colorimetry=2:6:0:0,chroma-site=jpeg", &worst);
        check_format(name, ",colorimetry=2:4:0:0,chroma-site=cosited", &worst);
        check_format(name, ",colorimetry=1:4:0:0,chroma-site=v-cosited",
                     &worst);
    }
    g_test_message("%u formats: at most %.3f of a level off (limit 0.531)",
                   n_known, worst);
    g_assert_cmpuint(n_known, >=, 70);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(NULL, NULL);
    g_test_add_func("/formats/every", reads_every_format_as_gstreamer_does);
    return g_test_run();
}
