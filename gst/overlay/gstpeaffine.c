// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeaffine.c - see gstpeaffine.h. With the drawing's colour c, premultiplied
// by its opacity a, a component d of an opaque frame becomes c + (1 - a) d.

// Up to version 12, GCC vectorises the loops over words at -O3 only; clang does
// so at -O2. Each frame goes through them.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

#include "gst/overlay/gstpeaffine.h"

#include <string.h>

typedef struct {
    GstPeSpan span;
    void *add;  // guint8 or guint16 [height, width]
    void *keep; // guint8 of 255, or guint32 of 65536 [height, width]
} Plane;

struct GstPeAffine {
    const GstVideoFormatInfo *format;
    guint word; // bytes
    guint n_planes;
    Plane planes[GST_VIDEO_MAX_PLANES];
};

// ---- Formats ----------------------------------------------------------------

static bool
share_words(const GstVideoFormatInfo *format, guint a, guint b)
{
    return format->plane[a] == format->plane[b] &&
           format->poffset[a] == format->poffset[b];
}

// Bytes of a word, or 0 when words are not one component each.
static guint
find_word(const GstVideoFormatInfo *format)
{
    guint word = format->bits == 8 ? 1 : 2;

    if (!gst_pe_window_is_possible(format) ||
        (word == 2 && (!GST_VIDEO_FORMAT_INFO_IS_LE(format) ||
                       G_BYTE_ORDER != G_LITTLE_ENDIAN)))
        return 0;
    for (guint c = 0; c < format->n_components; c++) {
        guint depth = format->depth[c];
        if (word == 1 ? depth != 8 || format->shift[c] != 0
                      : depth < 9 || depth + format->shift[c] > 16)
            return 0;
        if (format->pixel_stride[c] % (int)word)
            return 0;
        for (guint d = 0; d < c; d++) {
            if (share_words(format, c, d))
                return 0;
        }
    }
    return word;
}

// ---- Colours ----------------------------------------------------------------

// From premultiplied red, green, blue and alpha, each of 255, to components of
// 255: rows of three weights and that of alpha, which brings in the offset.
typedef struct {
    float rows[3][4];
} Matrix;

static Matrix
make_matrix(const GstVideoInfo *info)
{
    const GstVideoFormatInfo *bytes =
        gst_video_format_get_info(GST_VIDEO_FORMAT_AYUV);
    int offset[GST_VIDEO_MAX_COMPONENTS], scale[GST_VIDEO_MAX_COMPONENTS];
    double kr = .299, kb = .114;

    if (GST_VIDEO_INFO_IS_RGB(info))
        return (Matrix){{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    gst_video_color_matrix_get_Kr_Kb(info->colorimetry.matrix, &kr, &kb);
    gst_video_color_range_offsets(info->colorimetry.range ==
                                          GST_VIDEO_COLOR_RANGE_0_255
                                      ? GST_VIDEO_COLOR_RANGE_0_255
                                      : GST_VIDEO_COLOR_RANGE_16_235,
                                  bytes, offset, scale);
    double kg = 1 - kr - kb, y = scale[0] / 255.0;
    double u = scale[1] / 255.0 / (2 * (1 - kb));
    double v = scale[2] / 255.0 / (2 * (1 - kr));
    return (Matrix){{
        {(float)(y * kr), (float)(y * kg), (float)(y * kb),
         (float)(offset[0] / 255.0)},
        {(float)(-u * kr), (float)(-u * kg), (float)(u * (1 - kb)),
         (float)(offset[1] / 255.0)},
        {(float)(v * (1 - kr)), (float)(-v * kg), (float)(-v * kb),
         (float)(offset[2] / 255.0)},
    }};
}

// A pixel as the components behind an alpha that GStreamer packs, each of 255
// or of 65535. An opaque frame stays opaque.
static void
convert_pixel(guint32 p, const Matrix *m, float full, guint out[4])
{
    float a = (float)(p >> 24), r = (float)(p >> 16 & 255);
    float g = (float)(p >> 8 & 255), b = (float)(p & 255);

    out[0] = (guint)full;
    for (int c = 0; c < 3; c++) {
        const float *w = m->rows[c];
        float x = w[0] * r + w[1] * g + w[2] * b + w[3] * a;
        out[c + 1] = (guint)(CLAMP(x, 0.f, 255.f) * (full / 255) + .5f);
    }
}

// One line of a drawing: what is added, and what is kept. Neighbours are alike
// as a rule. [width, 4]
static void
convert_bytes(const guint32 *pixels, int width, const Matrix *m, guint8 *add,
              guint8 *keep)
{
    guint8 sum[4], rest[4];

    for (int i = 0; i < width; i++) {
        guint32 p = pixels[i];
        if (i == 0 || p != pixels[i - 1]) {
            guint out[4];
            convert_pixel(p, m, 255, out);
            for (int c = 0; c < 4; c++) {
                sum[c] = (guint8)out[c];
                rest[c] = c == 0 ? 0 : (guint8)(255 - (p >> 24));
            }
        }
        memcpy(add + 4 * i, sum, sizeof sum);
        memcpy(keep + 4 * i, rest, sizeof rest);
    }
}

static void
convert_words(const guint32 *pixels, int width, const Matrix *m, guint16 *add,
              guint16 *keep)
{
    guint16 sum[4], rest[4];

    for (int i = 0; i < width; i++) {
        guint32 p = pixels[i];
        if (i == 0 || p != pixels[i - 1]) {
            guint out[4];
            convert_pixel(p, m, 65535, out);
            for (int c = 0; c < 4; c++) {
                sum[c] = (guint16)out[c];
                rest[c] = c == 0 ? 0 : (guint16)((255 - (p >> 24)) * 257);
            }
        }
        memcpy(add + 4 * i, sum, sizeof sum);
        memcpy(keep + 4 * i, rest, sizeof rest);
    }
}

// ---- Packing ----------------------------------------------------------------

typedef struct {
    GstBuffer *buffer;
    GstVideoFrame frame;
} Packed;

static bool
open_packed(Packed *packed, const GstVideoInfo *info)
{
    packed->buffer = gst_buffer_new_allocate(NULL, info->size, NULL);
    gst_buffer_memset(packed->buffer, 0, 0, info->size);
    if (gst_video_frame_map(&packed->frame, info, packed->buffer,
                            GST_MAP_READWRITE))
        return true;
    gst_clear_buffer(&packed->buffer);
    return false;
}

static void
close_packed(Packed *packed)
{
    gst_video_frame_unmap(&packed->frame);
    gst_buffer_unref(packed->buffer);
}

static void
pack_line(Packed *packed, void *line, int y, int width)
{
    GstVideoFrame *f = &packed->frame;

    f->info.finfo->pack_func(f->info.finfo, GST_VIDEO_PACK_FLAG_NONE, line, 0,
                             f->data, f->info.stride, f->info.chroma_site, y,
                             width);
}

// Nothing is added and all is kept where nothing is drawn.
static void
pack_window(const GstPeDrawing *d, const GstPeWindow *w, const guint32 *pixels,
            const Matrix *matrix, Packed *adds, Packed *keeps)
{
    const GstVideoFormatInfo *format = adds->frame.info.finfo;
    bool wide = gst_video_format_get_info(format->unpack_format)->bits > 8;
    gsize size = (wide ? 8 : 4) * (gsize)(w->width + 8);
    g_autofree guint8 *add = g_malloc(size), *keep = g_malloc(size);
    int left = d->x - w->x, top = d->y - w->y;

    for (int y = 0; y < w->height; y++) {
        const guint32 *line = pixels + (gsize)MAX(y - top, 0) * (gsize)d->width;
        memset(add, 0, size);
        memset(keep, 255, size);
        if (y < top || y >= top + d->height)
            ; // above or below
        else if (wide)
            convert_words(line, d->width, matrix, (guint16 *)add + 4 * left,
                          (guint16 *)keep + 4 * left);
        else
            convert_bytes(line, d->width, matrix, add + 4 * left,
                          keep + 4 * left);
        pack_line(adds, add, y, w->width);
        pack_line(keeps, keep, y, w->width);
    }
}

// ---- Planes -----------------------------------------------------------------

// All bits of a word of this plane that count.
static guint
find_full_word(const GstVideoFormatInfo *format, guint plane)
{
    for (guint c = 0; c < format->n_components; c++) {
        if (format->plane[c] == plane)
            return ((1u << format->depth[c]) - 1) << format->shift[c];
    }
    return 65535;
}

static void
take_plane(GstPeAffine *affine, guint p, const GstPeWindow *window,
           const Packed *adds, const Packed *keeps)
{
    Plane *plane = &affine->planes[p];
    guint full = find_full_word(affine->format, p);

    plane->span = gst_pe_window_find(window, affine->format, p);
    gsize width = plane->span.width, height = plane->span.height;
    gsize n = width / affine->word;
    plane->add = g_malloc(width * height);
    plane->keep = g_malloc(affine->word == 1 ? width * height
                                             : n * height * sizeof(guint32));
    for (gsize y = 0; y < height; y++) {
        const guint8 *add = (guint8 *)adds->frame.data[p] +
                            y * (gsize)adds->frame.info.stride[p];
        const void *keep = (guint8 *)keeps->frame.data[p] +
                           y * (gsize)keeps->frame.info.stride[p];
        memcpy((guint8 *)plane->add + y * width, add, width);
        if (affine->word == 1) {
            memcpy((guint8 *)plane->keep + y * width, keep, width);
            continue;
        }
        for (gsize i = 0; i < n; i++)
            ((guint32 *)plane->keep)[y * n + i] =
                ((guint32)((const guint16 *)keep)[i] * 65536u + full / 2) /
                full;
    }
}

GstPeAffine *
gst_pe_affine_new(const GstPeDrawing *drawing, const GstPeWindow *window,
                  const GstVideoInfo *info)
{
    GstVideoInfo small;
    guint word = find_word(info->finfo);
    Matrix matrix = make_matrix(info);
    Packed adds, keeps;
    GstMapInfo map;

    if (word == 0 ||
        !gst_video_info_set_format(&small, GST_VIDEO_INFO_FORMAT(info),
                                   (guint)window->width,
                                   (guint)window->height) ||
        !gst_buffer_map(drawing->pixels, &map, GST_MAP_READ))
        return NULL;
    GstPeAffine *affine = g_new0(GstPeAffine, 1);
    affine->format = info->finfo;
    affine->word = word;
    affine->n_planes = GST_VIDEO_INFO_N_PLANES(info);
    bool ok = open_packed(&adds, &small);
    if (ok && !open_packed(&keeps, &small)) {
        close_packed(&adds);
        ok = false;
    }
    if (ok) {
        pack_window(drawing, window, (const guint32 *)(const void *)map.data,
                    &matrix, &adds, &keeps);
        for (guint p = 0; p < affine->n_planes; p++)
            take_plane(affine, p, window, &adds, &keeps);
        close_packed(&adds);
        close_packed(&keeps);
    }
    gst_buffer_unmap(drawing->pixels, &map);
    if (!ok)
        g_clear_pointer(&affine, gst_pe_affine_free);
    return affine;
}

void
gst_pe_affine_free(GstPeAffine *affine)
{
    for (guint p = 0; p < affine->n_planes; p++) {
        g_free(affine->planes[p].add);
        g_free(affine->planes[p].keep);
    }
    g_free(affine);
}

// ---- On frames --------------------------------------------------------------

static guint8 *
get_row(const Plane *plane, const GstVideoFrame *frame, guint p, gsize row)
{
    return (guint8 *)frame->data[p] + plane->span.left +
           (plane->span.top + row) * (gsize)frame->info.stride[p];
}

static bool
is_opaque(const GstPeAffine *affine, const GstVideoFrame *frame)
{
    const GstVideoFormatInfo *f = affine->format;
    guint p = f->plane[GST_VIDEO_COMP_A];
    const Plane *plane = &affine->planes[p];
    guint8 all = 255;

    // Not all that have alpha say so.
    if (f->n_components < 4)
        return true;
    if (affine->word != 1)
        return false;
    for (gsize y = 0; y < plane->span.height; y++) {
        const guint8 *row = get_row(plane, frame, p, y);
        for (gsize x = f->poffset[GST_VIDEO_COMP_A]; x < plane->span.width;
             x += (gsize)f->pixel_stride[GST_VIDEO_COMP_A])
            all &= row[x];
    }
    return all == 255;
}

static void
put_bytes(guint8 *restrict words, const guint8 *restrict add,
          const guint8 *restrict keep, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        // Rounded x / 255 for x up to 255 * 255.
        guint16 x = (guint16)(words[i] * keep[i] + 128);
        guint16 sum = (guint16)(add[i] + ((x + (x >> 8)) >> 8));
        words[i] = (guint8)MIN(sum, 255);
    }
}

static void
put_words(guint16 *restrict words, const guint16 *restrict add,
          const guint32 *restrict keep, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        guint32 sum = add[i] + ((words[i] * keep[i] + 32768u) >> 16);
        words[i] = (guint16)MIN(sum, 65535u);
    }
}

bool
gst_pe_affine_put(const GstPeAffine *affine, GstVideoFrame *frame)
{
    if (!is_opaque(affine, frame))
        return false;
    for (guint p = 0; p < affine->n_planes; p++) {
        const Plane *plane = &affine->planes[p];
        gsize width = plane->span.width, n = width / affine->word;
        for (gsize y = 0; y < plane->span.height; y++) {
            void *row = get_row(plane, frame, p, y);
            if (affine->word == 1)
                put_bytes(row, (guint8 *)plane->add + y * n,
                          (guint8 *)plane->keep + y * n, n);
            else
                put_words(row, (guint16 *)plane->add + y * n,
                          (guint32 *)plane->keep + y * n, n);
        }
    }
    return true;
}
