// SPDX-License-Identifier: LGPL-2.1-or-later
//
// coded.c - see coded.h. For skips.c.

#include "coded.h"

#include <string.h>

// ---- NAL units ------------------------------------------------------------

typedef struct {
    const guint8 *data; // what is left
    gsize size;
    int length_size;
} Units;

typedef struct {
    const guint8 *data;
    gsize size;
} Unit;

// To what is behind the next start code, or to the end.
static void
find_start(Units *units)
{
    static const guint8 code[] = {0, 0, 1};
    const guint8 *found = memmem(units->data, units->size, code, sizeof code);
    gsize skipped =
        found ? (gsize)(found - units->data) + sizeof code : units->size;
    units->data += skipped;
    units->size -= skipped;
}

static bool
next_with_start_code(Units *units, Unit *unit)
{
    find_start(units);
    unit->data = units->data;
    unit->size = units->size; // to the end of the buffer: only heads are read
    return unit->size > 0;
}

static bool
next_with_length(Units *units, Unit *unit)
{
    gsize length = 0, n = (gsize)units->length_size;
    if (units->size < n)
        return false;
    for (gsize i = 0; i < n; i++)
        length = length << 8 | units->data[i];
    unit->data = units->data + n;
    unit->size = MIN(length, units->size - n);
    units->data += n + unit->size;
    units->size -= n + unit->size;
    return unit->size > 0;
}

static bool
next_unit(Units *units, Unit *unit)
{
    return units->length_size ? next_with_length(units, unit)
                              : next_with_start_code(units, unit);
}

// ---- H.264 ----------------------------------------------------------------

static bool
can_skip_h264(Units units)
{
    enum { SLICE = 1, SEI = 6, DELIMITER = 9, FILLER = 12 };
    bool has_slice = false;
    for (Unit unit; next_unit(&units, &unit);) {
        int type = unit.data[0] & 31, ref_idc = unit.data[0] >> 5 & 3;
        if (type == SLICE && ref_idc == 0)
            has_slice = true;
        else if (type != SEI && type != DELIMITER && type != FILLER)
            return false;
    }
    return has_slice && units.size == 0;
}

// ---- H.265 ----------------------------------------------------------------

enum { H265_SPS = 33, H265_DELIMITER = 35, H265_FILLER = 38, H265_SEI = 39 };

// An SPS says how many sub-layers its stream has.
static void
take_sps(CodedStream *stream, Unit sps)
{
    enum { HEAD = 2 };
    if (sps.size > HEAD)
        stream->has_one_rate = (sps.data[HEAD] >> 1 & 7) == 0;
}

static bool
can_skip_h265(CodedStream *stream, Units units)
{
    bool has_slice = false, is_needed = false;
    for (Unit unit; next_unit(&units, &unit) && unit.size > 1;) {
        int type = unit.data[0] >> 1 & 63;
        int layer = (unit.data[0] & 1) << 5 | unit.data[1] >> 3;
        if (type == H265_SPS && layer == 0)
            take_sps(stream, unit);
        // TRAIL_N, TSA_N, STSA_N, RADL_N and RASL_N: no picture of the same
        // sub-layer needs it.
        if (layer == 0 && type <= 8 && type % 2 == 0)
            has_slice = true;
        else if (type != H265_DELIMITER && type != H265_FILLER &&
                 type != H265_SEI && type != H265_SEI + 1)
            is_needed = true;
    }
    return has_slice && !is_needed && stream->has_one_rate && units.size == 0;
}

// The configuration record of ISO/IEC 14496-15, 8.3.3.1.
static void
take_h265_record(CodedStream *stream, const guint8 *data, gsize size)
{
    enum { HEAD = 23 };
    if (size < HEAD)
        return;
    stream->length_size = (data[21] & 3) + 1;
    gsize at = HEAD;
    for (int i = 0; i < data[22] && at + 3 <= size; i++) {
        bool is_sps = (data[at] & 63) == H265_SPS;
        int n = data[at + 1] << 8 | data[at + 2];
        at += 3;
        for (int j = 0; j < n && at + 2 <= size; j++) {
            gsize length = (gsize)data[at] << 8 | data[at + 1];
            at += 2;
            if (is_sps && length <= size - at)
                take_sps(stream, (Unit){data + at, length});
            at += length;
        }
    }
}

// ---- Streams --------------------------------------------------------------

static bool
is_said(const GstStructure *s, const char *field, const char *value)
{
    return g_strcmp0(gst_structure_get_string(s, field), value) == 0;
}

static void
take_record(CodedStream *stream, const GstStructure *s)
{
    const GValue *value = gst_structure_get_value(s, "codec_data");
    GstBuffer *buffer = value ? gst_value_get_buffer(value) : NULL;
    GstMapInfo map;
    if (is_said(s, "stream-format", "byte-stream"))
        return;
    if (!buffer || !gst_buffer_map(buffer, &map, GST_MAP_READ)) {
        stream->kind = CODED_OTHER;
        return;
    }
    if (stream->kind == CODED_H264 && map.size > 4)
        stream->length_size = (map.data[4] & 3) + 1;
    else if (stream->kind == CODED_H265)
        take_h265_record(stream, map.data, map.size);
    gst_buffer_unmap(buffer, &map);
    if (stream->length_size == 0)
        stream->kind = CODED_OTHER;
}

CodedStream
coded_stream_new(const GstCaps *caps)
{
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    CodedStream stream = {0};
    bool is_interlaced = gst_structure_has_field(s, "interlace-mode") &&
                         !is_said(s, "interlace-mode", "progressive");
    gboolean is_parsed = FALSE;
    gst_structure_get_boolean(s, "parsed", &is_parsed);
    if (is_interlaced || !is_parsed)
        return stream;
    if (gst_structure_has_name(s, "video/x-h264") &&
        is_said(s, "alignment", "au") &&
        is_said(s, "coded-picture-structure", "frame"))
        stream.kind = CODED_H264;
    else if (gst_structure_has_name(s, "video/x-h265") &&
             is_said(s, "alignment", "au"))
        stream.kind = CODED_H265;
    if (stream.kind != CODED_OTHER)
        take_record(&stream, s);
    return stream;
}

bool
coded_stream_can_skip(CodedStream *stream, GstBuffer *buffer)
{
    GstMapInfo map;
    bool can = false;
    if (stream->kind == CODED_OTHER ||
        !gst_buffer_map(buffer, &map, GST_MAP_READ))
        return false;
    Units units = {map.data, map.size, stream->length_size};
    if (stream->kind == CODED_H264)
        can = can_skip_h264(units);
    else if (stream->kind == CODED_H265)
        can = can_skip_h265(stream, units);
    gst_buffer_unmap(buffer, &map);
    return can;
}
