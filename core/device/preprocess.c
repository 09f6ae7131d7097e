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

// Chroma has 15 bits of which one is the sign.
static int
chroma_factor(double levels)
{
    return (int)lround(levels * 64 * 256);
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
    // Levels of 8-bit RGB in 1/256 of the range of samples.
    double max = 256 - ldexp(1, 8 - bits);
    double y = 255 / (full_range ? max : 219);
    double c = 255 / (full_range ? max : 224);
    // 1/64 of a level is too coarse to round with, so y_low has the rest.
    double add = 32 - (full_range ? 0 : 16 * y * 64);
    int y_mul = (int)lround(y * 64 * 256), whole = (int)floor(add);
    int low = (int)((add - whole) * 65536 / y_mul);
    return (PeYuvCoefficients){
        .y_mul = y_mul,
        .y_add = whole,
        .y_low = MIN(low, (1 << (16 - bits)) - 1),
        .r_v = chroma_factor(2 * (1 - kr) * c),
        .g_u = chroma_factor(-2 * (1 - kb) * kb / kg * c),
        .g_v = chroma_factor(-2 * (1 - kr) * kr / kg * c),
        .b_u = chroma_factor(2 * (1 - kb) * c),
    };
}

PeYuvCoefficients
pe_frame_coefficients(const PeFrame *frame, int c)
{
    const PeLayout *l = pe_format_layout(frame->format);
    // RGB and grey have no matrix, and RGB has no range.
    bool yuv = l->colours == PE_COLOURS_YUV, rgb = l->colours == PE_COLOURS_RGB;
    return pe_yuv_coefficients(yuv ? frame->matrix : PE_MATRIX_BT601,
                               rgb || frame->full_range, l->c[c].bits);
}

// Light of PQ, from 0 to 1, which is 10,000 cd/m2, and back. Source: SMPTE ST
// 2084.
static double
pq_to_light(double v)
{
    double p = pow(v, 32 / 2523.0);
    double n = MAX(p - 3424 / 4096.0, 0);
    return pow(n / (2413 / 128.0 - 2392 / 128.0 * p), 16384 / 2610.0);
}

static double
pq_from_light(double light)
{
    double p = pow(light, 2610 / 16384.0);
    return pow((3424 / 4096.0 + 2413 / 128.0 * p) / (1 + 2392 / 128.0 * p),
               2523 / 32.0);
}

// The white of SDR, and the brightest that becomes it, in cd/m2. Sources: ITU-R
// BT.2408 and the usual mastering display.
#define SDR_WHITE 203.0
#define HDR_PEAK 1000.0

// Source: ITU-R BT.2390, "EETF": in PQ, dark parts stay, and bright ones follow
// a spline. Then the inverse of BT.1886.
static double
pq_to_sdr(double v)
{
    double peak = pq_from_light(HDR_PEAK / 10000);
    double white = pq_from_light(SDR_WHITE / 10000) / peak;
    double knee = 1.5 * white - 0.5, e = MIN(v / peak, 1);
    if (e > knee) {
        double t = (e - knee) / (1 - knee), t2 = t * t, t3 = t2 * t;
        e = (2 * t3 - 3 * t2 + 1) * knee + (t3 - 2 * t2 + t) * (1 - knee) +
            (3 * t2 - 2 * t3) * white;
    }
    return pow(pq_to_light(e * peak) * 10000 / SDR_WHITE, 1 / 2.4);
}

const uint8_t *
pe_transfer_table(PeTransfer transfer)
{
    static uint8_t table[256];
    static gsize ready = 0;
    if (transfer != PE_TRANSFER_PQ)
        return NULL;
    if (g_once_init_enter(&ready)) {
        for (int v = 0; v < 256; v++)
            table[v] = (uint8_t)lround(255 * CLAMP(pq_to_sdr(v / 255.0), 0, 1));
        g_once_init_leave(&ready, 1);
    }
    return table;
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
    const PeLayout *l = pe_format_layout(frame->format);
    PeFrame f = *frame;
    f.crop = pe_frame_get_crop(frame);
    // What one sample of chroma covers, on each side.
    int around_x = l->x_shift ? 1 << l->x_shift : 0;
    int around_y = l->y_shift ? 1 << l->y_shift : 0;
    int unit_x = l->packed ? 12 : 4, unit_y = MAX(around_y, 2);
    int x = MAX(f.crop.x - around_x, 0) / unit_x * unit_x;
    int y = MAX(f.crop.y - around_y, 0) / unit_y * unit_y;
    for (int i = 0; i < 3; i++) {
        int line, n_lines;
        pe_frame_plane_size(frame, i, &line, &n_lines);
        if (n_lines)
            f.planes[i] +=
                (size_t)(i > 0 ? y >> l->y_shift : y) * (size_t)f.strides[i] +
                pe_layout_column(l, i, x);
    }
    f.width = MIN(frame->width, f.crop.x + f.crop.width + around_x) - x;
    f.height = MIN(frame->height, f.crop.y + f.crop.height + around_y) - y;
    f.crop.x -= x;
    f.crop.y -= y;
    return f;
}

bool
pe_orientation_swaps_axes(PeOrientation orientation)
{
    return orientation >= PE_ORIENTATION_TRANSPOSE;
}

// The four orientations of either kind turn the axes of the picture around in
// the same order.
PePlacement
pe_placement(PeOrientation orientation, int width, int height)
{
    bool from_right = (orientation + 1) & 2, from_bottom = orientation & 2;
    ptrdiff_t across = from_right ? -1 : 1;
    ptrdiff_t down = from_bottom ? -width : width;
    bool swaps = pe_orientation_swaps_axes(orientation);
    return (PePlacement){
        .start = (from_right ? width - 1 : 0) +
                 (from_bottom ? (ptrdiff_t)(height - 1) * width : 0),
        .step_x = swaps ? down : across,
        .step_y = swaps ? across : down,
    };
}

static bool
check_plane(const PeFrame *frame, int i, GError **error)
{
    const PeLayout *l = pe_format_layout(frame->format);
    int size, n_lines;
    pe_frame_plane_size(frame, i, &size, &n_lines);
    if (!n_lines)
        return true;
    if (!frame->planes[i]) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "a %s frame has no plane %d", l->name, i);
        return false;
    }
    if (frame->strides[i] < size) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "plane %d of a %s frame of %dx%d pixels has a stride of %d "
                    "bytes, a line needs %d",
                    i, l->name, frame->width, frame->height, frame->strides[i],
                    size);
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

static bool
check_colours(const PeFrame *frame, GError **error)
{
    if ((size_t)frame->transfer > PE_TRANSFER_PQ) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%d is not a transfer function", (int)frame->transfer);
        return false;
    }
    if (pe_format_layout(frame->format)->colours != PE_COLOURS_YUV)
        return true;
    if ((size_t)frame->matrix > PE_MATRIX_BT2020) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%d is not a colour matrix", (int)frame->matrix);
        return false;
    }
    if ((size_t)frame->site > PE_SITE_TOP) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%d is not a site of chroma", (int)frame->site);
        return false;
    }
    return true;
}

bool
pe_frame_check(const PeFrame *frame, GError **error)
{
    if ((size_t)frame->format >= PE_N_FORMATS) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%d is not a pixel format", (int)frame->format);
        return false;
    }
    if (!check_colours(frame, error))
        return false;
    if ((size_t)frame->orientation > PE_ORIENTATION_ROTATE_270) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%d is not an orientation", (int)frame->orientation);
        return false;
    }
    if (frame->width < 1 || frame->width > PE_MAX_FRAME_SIZE ||
        frame->height < 1 || frame->height > PE_MAX_FRAME_SIZE) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "a frame of %dx%d pixels; a side may have 1 to %d",
                    frame->width, frame->height, PE_MAX_FRAME_SIZE);
        return false;
    }
    for (int i = 0; i < 3; i++) {
        if (!check_plane(frame, i, error))
            return false;
    }
    return check_crop(frame, error);
}
