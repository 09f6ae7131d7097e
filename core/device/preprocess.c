// SPDX-License-Identifier: LGPL-2.1-or-later
//
// preprocess.c - tables and checks of preprocessing. No loop over the pixels of
// a frame is here: those belong to the backends.

#include "preprocess.h"

#include <math.h>

#define WEIGHT_BITS 22

// ---- Resize ---------------------------------------------------------------

// The inputs that output `o` reads. `scale` is in_size / out_size.
static void
find_window(const PeResizeAxis *axis, int o, double scale, double support)
{
    double center = (o + 0.5) * scale;
    int lo = (int)(center - support + 0.5);
    int hi = (int)(center + support + 0.5);
    lo = MAX(lo, 0);
    hi = MIN(hi, axis->in_size);
    axis->first[o] = lo;
    axis->count[o] = hi - lo;
}

// Triangle weights of output `o`, of sum 1 in double, then in fixed point.
static void
fill_weights(const PeResizeAxis *axis, int o, double scale, double support,
             double *w)
{
    double center = (o + 0.5) * scale;
    double sum = 0;
    for (int k = 0; k < axis->count[o]; k++) {
        double x = (axis->first[o] + k - center + 0.5) * (1 / support);
        w[k] = MAX(0.0, 1 - fabs(x));
        sum += w[k];
    }
    int32_t *out = axis->weights + (size_t)o * (size_t)axis->taps;
    for (int k = 0; k < axis->count[o]; k++)
        out[k] = (int32_t)(0.5 + w[k] / sum * (1 << WEIGHT_BITS));
}

PeResizeAxis *
pe_resize_axis_new(int in_size, int out_size)
{
    g_return_val_if_fail(in_size > 0 && out_size > 0, NULL);
    double scale = (double)in_size / out_size;
    double support = MAX(scale, 1.0);

    PeResizeAxis *axis = g_new0(PeResizeAxis, 1);
    axis->in_size = in_size;
    axis->out_size = out_size;
    axis->first = g_new(int, out_size);
    axis->count = g_new(int, out_size);
    for (int o = 0; o < out_size; o++) {
        find_window(axis, o, scale, support);
        axis->taps = MAX(axis->taps, axis->count[o]);
    }
    axis->weights = g_new0(int32_t, (size_t)out_size * (size_t)axis->taps);
    g_autofree double *w = g_new(double, axis->taps);
    for (int o = 0; o < out_size; o++)
        fill_weights(axis, o, scale, support, w);
    return axis;
}

void
pe_resize_axis_free(PeResizeAxis *axis)
{
    if (!axis)
        return;
    g_free(axis->first);
    g_free(axis->count);
    g_free(axis->weights);
    g_free(axis);
}

// ---- Colours --------------------------------------------------------------

static int
to_fixed(double x)
{
    return (int)lround(x * 65536);
}

PeYuvCoefficients
pe_yuv_coefficients(PeMatrix matrix, bool full_range, int bits)
{
    // Weights of red and blue in luma. Sources: ITU-R BT.601, BT.709, BT.2020.
    static const double k[][2] = {
        [PE_MATRIX_BT601] = {0.299, 0.114},
        [PE_MATRIX_BT709] = {0.2126, 0.0722},
        [PE_MATRIX_BT2020] = {0.2627, 0.0593},
    };
    double kr = k[matrix][0], kb = k[matrix][1], kg = 1 - kr - kb;
    int step = 1 << (bits - 8); // one 8-bit level
    int max = (1 << bits) - 1;
    double y = 255.0 / (full_range ? max : 219 * step);
    double c = 255.0 / (full_range ? max : 224 * step);
    return (PeYuvCoefficients){
        .y_off = full_range ? 0 : 16 * step,
        .c_off = 128 * step,
        .y_mul = to_fixed(y),
        .r_v = to_fixed(2 * (1 - kr) * c),
        .g_u = to_fixed(-2 * (1 - kb) * kb / kg * c),
        .g_v = to_fixed(-2 * (1 - kr) * kr / kg * c),
        .b_u = to_fixed(2 * (1 - kb) * c),
    };
}

const float *
pe_pixel_table(void)
{
    static float table[256];
    static gsize ready = 0;
    if (g_once_init_enter(&ready)) {
        for (int v = 0; v < 256; v++)
            table[v] = (float)(2 * v - 255) / 256;
        g_once_init_leave(&ready, 1);
    }
    return table;
}

// ---- Frames ---------------------------------------------------------------

static const struct {
    const char *name;
    int n_planes;
    // Bytes of a line: `unit` for every `step` pixels of its width.
    struct {
        int step, unit;
    } planes[3];
} formats[] = {
    [PE_FORMAT_RGB] = {"RGB", 1, {{1, 3}}},
    [PE_FORMAT_BGR] = {"BGR", 1, {{1, 3}}},
    [PE_FORMAT_RGBX] = {"RGBx", 1, {{1, 4}}},
    [PE_FORMAT_BGRX] = {"BGRx", 1, {{1, 4}}},
    [PE_FORMAT_GRAY8] = {"GRAY8", 1, {{1, 1}}},
    [PE_FORMAT_NV12] = {"NV12", 2, {{1, 1}, {2, 2}}},
    [PE_FORMAT_I420] = {"I420", 3, {{1, 1}, {2, 1}, {2, 1}}},
    [PE_FORMAT_YUY2] = {"YUY2", 1, {{2, 4}}},
    [PE_FORMAT_P010] = {"P010", 2, {{1, 2}, {2, 4}}},
};

// All formats of several planes have half as many lines of colour.
void
pe_frame_plane_size(const PeFrame *frame, int i, int *line, int *n_lines)
{
    *line = *n_lines = 0;
    if (i >= formats[frame->format].n_planes)
        return;
    int step = formats[frame->format].planes[i].step;
    *line = (frame->width + step - 1) / step *
            formats[frame->format].planes[i].unit;
    *n_lines = i > 0 ? (frame->height + 1) / 2 : frame->height;
}

PeRect
pe_frame_get_crop(const PeFrame *frame)
{
    PeRect crop = frame->crop;
    if (crop.x == 0 && crop.y == 0 && crop.width == 0 && crop.height == 0)
        return (PeRect){0, 0, frame->width, frame->height};
    return crop;
}

PeFrame
pe_frame_trim(const PeFrame *frame)
{
    PeFrame f = *frame;
    f.crop = pe_frame_get_crop(frame);
    int x = f.crop.x / 4 * 4, y = f.crop.y / 2 * 2;
    for (int i = 0; i < formats[f.format].n_planes; i++) {
        int step = formats[f.format].planes[i].step;
        int unit = formats[f.format].planes[i].unit;
        f.planes[i] += (size_t)(i > 0 ? y / 2 : y) * (size_t)f.strides[i] +
                       (size_t)(x / step * unit);
    }
    f.crop.x -= x;
    f.crop.y -= y;
    f.width = f.crop.x + f.crop.width;
    f.height = f.crop.y + f.crop.height;
    return f;
}

static bool
check_plane(const PeFrame *frame, int i, GError **error)
{
    const char *name = formats[frame->format].name;
    int size, n_lines;
    pe_frame_plane_size(frame, i, &size, &n_lines);
    if (!frame->planes[i]) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "a %s frame has no plane %d", name, i);
        return false;
    }
    if (frame->strides[i] < size) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "plane %d of a %s frame of %dx%d pixels has a stride of %d "
                    "bytes, a line needs %d",
                    i, name, frame->width, frame->height, frame->strides[i],
                    size);
        return false;
    }
    if (frame->format == PE_FORMAT_P010 &&
        (((uintptr_t)frame->planes[i] | (uintptr_t)frame->strides[i]) & 1)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "plane %d of a P010 frame begins or continues at an odd "
                    "address",
                    i);
        return false;
    }
    return true;
}

// Differences, not sums, which may overflow.
static bool
check_crop(const PeFrame *frame, GError **error)
{
    PeRect r = pe_frame_get_crop(frame);
    if (r.x >= 0 && r.x < frame->width && r.y >= 0 && r.y < frame->height &&
        r.width > 0 && r.width <= frame->width - r.x && r.height > 0 &&
        r.height <= frame->height - r.y)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "a crop of %dx%d pixels at (%d, %d) does not lie inside a "
                "frame of %dx%d pixels",
                r.width, r.height, r.x, r.y, frame->width, frame->height);
    return false;
}

bool
pe_frame_check(const PeFrame *frame, GError **error)
{
    if ((size_t)frame->format >= G_N_ELEMENTS(formats)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%d is not a pixel format", (int)frame->format);
        return false;
    }
    bool yuv = frame->format >= PE_FORMAT_NV12;
    if (yuv && (size_t)frame->matrix > PE_MATRIX_BT2020) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%d is not a colour matrix", (int)frame->matrix);
        return false;
    }
    if (frame->width < 1 || frame->width > PE_MAX_FRAME_SIZE ||
        frame->height < 1 || frame->height > PE_MAX_FRAME_SIZE) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "a frame of %dx%d pixels; a side may have 1 to %d",
                    frame->width, frame->height, PE_MAX_FRAME_SIZE);
        return false;
    }
    for (int i = 0; i < formats[frame->format].n_planes; i++) {
        if (!check_plane(frame, i, error))
            return false;
    }
    return check_crop(frame, error);
}
