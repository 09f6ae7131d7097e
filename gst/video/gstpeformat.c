// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeformat.c - which pixel format of the library each of GStreamer's is.

#include "gst/video/gstpeformat.h"

// By name, because older releases of GStreamer lack some. Alpha has no part in
// the picture, and planes are told apart by what is in them.
static const struct {
    const char *name;
    PeFormat format;
} formats[] = {
    {"NV12", PE_FORMAT_NV12},
    {"I420", PE_FORMAT_I420},
    {"YUY2", PE_FORMAT_YUY2},
    {"RGB", PE_FORMAT_RGB},
    {"BGR", PE_FORMAT_BGR},
    {"RGBx", PE_FORMAT_RGBX},
    {"BGRx", PE_FORMAT_BGRX},
    {"RGBA", PE_FORMAT_RGBX},
    {"BGRA", PE_FORMAT_BGRX},
    {"GRAY8", PE_FORMAT_GRAY8},
    {"P010_10LE", PE_FORMAT_P010},
    {"YV12", PE_FORMAT_I420},
    {"A420", PE_FORMAT_I420},
    {"AV12", PE_FORMAT_NV12},
    {"NV21", PE_FORMAT_NV21},
    {"NV16", PE_FORMAT_NV16},
    {"NV61", PE_FORMAT_NV61},
    {"NV24", PE_FORMAT_NV24},
    {"Y42B", PE_FORMAT_I422},
    {"Y444", PE_FORMAT_I444},
    {"Y41B", PE_FORMAT_I411},
    {"YUV9", PE_FORMAT_I410},
    {"YVU9", PE_FORMAT_I410},
    {"UYVY", PE_FORMAT_UYVY},
    {"YVYU", PE_FORMAT_YVYU},
    {"VYUY", PE_FORMAT_VYUY},
    {"AYUV", PE_FORMAT_XYUV},
    {"VUYA", PE_FORMAT_VUYX},
    {"v308", PE_FORMAT_YUV},
    {"IYU2", PE_FORMAT_UYV},
    {"I420_10LE", PE_FORMAT_I420_10},
    {"I422_10LE", PE_FORMAT_I422_10},
    {"Y444_10LE", PE_FORMAT_I444_10},
    {"A420_10LE", PE_FORMAT_I420_10},
    {"A422_10LE", PE_FORMAT_I422_10},
    {"A444_10LE", PE_FORMAT_I444_10},
    {"I420_12LE", PE_FORMAT_I420_12},
    {"I422_12LE", PE_FORMAT_I422_12},
    {"Y444_12LE", PE_FORMAT_I444_12},
    {"A420_12LE", PE_FORMAT_I420_12},
    {"A422_12LE", PE_FORMAT_I422_12},
    {"A444_12LE", PE_FORMAT_I444_12},
    {"Y444_16LE", PE_FORMAT_I444_16},
    {"A420_16LE", PE_FORMAT_I420_16},
    {"A422_16LE", PE_FORMAT_I422_16},
    {"A444_16LE", PE_FORMAT_I444_16},
    {"P012_LE", PE_FORMAT_P012},
    {"P016_LE", PE_FORMAT_P016},
    {"NV12_10LE32", PE_FORMAT_NV12_P32},
    {"NV16_10LE32", PE_FORMAT_NV16_P32},
    {"v210", PE_FORMAT_V210},
    {"v216", PE_FORMAT_V216},
    {"Y210", PE_FORMAT_Y210},
    {"Y212_LE", PE_FORMAT_Y212},
    {"Y410", PE_FORMAT_Y410},
    {"Y412_LE", PE_FORMAT_Y412},
    {"AYUV64", PE_FORMAT_XYUV64},
    {"xRGB", PE_FORMAT_XRGB},
    {"ARGB", PE_FORMAT_XRGB},
    {"xBGR", PE_FORMAT_XBGR},
    {"ABGR", PE_FORMAT_XBGR},
    {"GBR", PE_FORMAT_RGBP},
    {"GBRA", PE_FORMAT_RGBP},
    {"RGBP", PE_FORMAT_RGBP},
    {"BGRP", PE_FORMAT_RGBP},
    {"GBR_10LE", PE_FORMAT_RGBP_10},
    {"GBRA_10LE", PE_FORMAT_RGBP_10},
    {"GBR_12LE", PE_FORMAT_RGBP_12},
    {"GBRA_12LE", PE_FORMAT_RGBP_12},
    {"GBR_16LE", PE_FORMAT_RGBP_16},
    {"RGB16", PE_FORMAT_RGB16},
    {"BGR16", PE_FORMAT_BGR16},
    {"RGB15", PE_FORMAT_RGB15},
    {"BGR15", PE_FORMAT_BGR15},
    {"RGB10A2_LE", PE_FORMAT_RGB10},
    {"BGR10A2_LE", PE_FORMAT_BGR10},
    {"r210", PE_FORMAT_R210},
    {"ARGB64", PE_FORMAT_XRGB64},
    {"ARGB64_LE", PE_FORMAT_XRGB64},
    {"RGBA64_LE", PE_FORMAT_RGBX64},
    {"BGRA64_LE", PE_FORMAT_BGRX64},
    {"ABGR64_LE", PE_FORMAT_XBGR64},
    {"GRAY16_LE", PE_FORMAT_GRAY16},
    {"GRAY16_BE", PE_FORMAT_GRAY16_BE},
    {"GRAY10_LE32", PE_FORMAT_GRAY10_P32},
};

#define NONE (-1)

// [n] of PeFormat or NONE, by GstVideoFormat. Names are compared only once.
typedef struct {
    size_t n;
    int *formats;
} Table;

static Table *
make_table(void)
{
    Table *table = g_new0(Table, 1);

    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        GstVideoFormat format = gst_video_format_from_string(formats[i].name);
        table->n = MAX(table->n, (size_t)format + 1);
    }
    table->formats = g_new(int, table->n);
    for (size_t i = 0; i < table->n; i++)
        table->formats[i] = NONE;
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        GstVideoFormat format = gst_video_format_from_string(formats[i].name);
        table->formats[format] = (int)formats[i].format;
    }
    // Of the names that this release does not know.
    table->formats[GST_VIDEO_FORMAT_UNKNOWN] = NONE;
    return table;
}

bool
gst_pe_format_from_gst(GstVideoFormat format, PeFormat *out)
{
    static gsize made; // a Table *
    if (g_once_init_enter(&made))
        g_once_init_leave(&made, (gsize)make_table());
    const Table *table = (const Table *)made;

    if ((size_t)format >= table->n || table->formats[format] == NONE)
        return false;
    *out = (PeFormat)table->formats[format];
    return true;
}
