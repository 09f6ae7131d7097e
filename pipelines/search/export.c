// SPDX-License-Identifier: LGPL-2.1-or-later
//
// export.c - see export.h. The formats of other programs.

#include "export.h"

#include <string.h>

#include "output.h"
#include "pipelines/tag/sources.h"
#include "tools/json_line.h"

#define SECOND G_GINT64_CONSTANT(1000000000)
#define RATE 25 // frames a second, of formats that count frames

static const Moment *
get(const GPtrArray *moments, guint i)
{
    return moments->pdata[i];
}

// ---- Texts -----------------------------------------------------------------

// By RFC 4180. A text that a spreadsheet would take for a formula does not
// begin with one.
static void
append_csv(GString *text, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, "\"", -1);
    g_autofree char *escaped = g_strjoinv("\"\"", parts);
    bool is_formula = value[0] && strchr("=+-@\t\r", value[0]);
    g_string_append_printf(text, "\"%s%s\"", is_formula ? "'" : "", escaped);
}

static char *
make_csv(const GPtrArray *moments)
{
    GString *text =
        g_string_new("rank,score,start,end,peak,file,time,label\r\n");
    for (guint i = 0; i < moments->len; i++) {
        const Moment *m = get(moments, i);
        g_autofree char *name = g_utf8_make_valid(m->file->name, -1);
        g_autofree char *wall = output_wall_time(m);
        char numbers[4][G_ASCII_DTOSTR_BUF_SIZE];
        double values[4] = {m->score, (double)m->start / SECOND,
                            (double)m->end / SECOND, (double)m->peak / SECOND};
        for (int k = 0; k < 4; k++)
            g_ascii_formatd(numbers[k], sizeof numbers[k], "%.3f", values[k]);
        g_string_append_printf(text, "%u,%s,%s,%s,%s,", i + 1, numbers[0],
                               numbers[1], numbers[2], numbers[3]);
        append_csv(text, name);
        g_string_append_printf(text, ",%s,", wall ? wall : "");
        append_csv(text, m->label ? m->label : "");
        g_string_append(text, "\r\n");
    }
    return g_string_free(text, FALSE);
}

static char *
make_json(const GPtrArray *moments, const Query *query)
{
    GString *text = g_string_new("[");
    for (guint i = 0; i < moments->len; i++) {
        g_autofree char *object =
            output_describe(get(moments, i), query, i + 1);
        g_string_append_printf(text, "%s%s", i ? ",\n " : "", object);
    }
    return g_string_free(g_string_append(text, "]\n"), FALSE);
}

// With hours, as WebVTT and EDL want them; `unit` in a second behind `mark`.
static void
append_clock(GString *text, gint64 time, char mark, int unit)
{
    gint64 n = time / (SECOND / unit);
    g_string_append_printf(text, "%02d:%02d:%02d%c%0*d", (int)(n / unit / 3600),
                           (int)(n / unit / 60 % 60), (int)(n / unit % 60),
                           mark, unit == 1000 ? 3 : 2, (int)(n % unit));
}

static char *
make_vtt(const GPtrArray *moments)
{
    GString *text = g_string_new("WEBVTT\n");
    for (guint i = 0; i < moments->len; i++) {
        const Moment *m = get(moments, i);
        g_autofree char *name = output_printable(m->file->name);
        g_autofree char *escaped = g_markup_escape_text(name, -1);
        g_string_append_c(text, '\n');
        append_clock(text, m->start, '.', 1000);
        g_string_append(text, " --> ");
        append_clock(text, MAX(m->end, m->start + SECOND / 1000), '.', 1000);
        g_string_append_printf(text, "\n%s\n", escaped);
    }
    return g_string_free(text, FALSE);
}

// CMX 3600 at 25 frames a second: the moments, one behind the other.
static char *
make_edl(const GPtrArray *moments)
{
    GString *text = g_string_new("TITLE: pe-search\nFCM: NON-DROP FRAME\n");
    gint64 at = 0;
    for (guint i = 0; i < moments->len; i++) {
        const Moment *m = get(moments, i);
        gint64 end = MAX(m->end, m->start + SECOND / RATE);
        g_autofree char *base = g_path_get_basename(m->file->name);
        g_autofree char *name = output_printable(base);
        g_string_append_printf(text, "\n%03u  AX       V     C        ", i + 1);
        append_clock(text, m->start, ':', RATE);
        g_string_append_c(text, ' ');
        append_clock(text, end, ':', RATE);
        g_string_append_c(text, ' ');
        append_clock(text, at, ':', RATE);
        at += end - m->start;
        g_string_append_c(text, ' ');
        append_clock(text, at, ':', RATE);
        g_string_append_printf(text, "\n* FROM CLIP NAME: %s\n", name);
    }
    return g_string_free(text, FALSE);
}

// ---- OpenTimelineIO --------------------------------------------------------

// In whole frames, as editors count.
static void
append_range(JsonLine *j, const char *key, gint64 start, gint64 end)
{
    gint64 first = start / (SECOND / RATE);
    gint64 n = MAX((end + SECOND / RATE - 1) / (SECOND / RATE) - first, 1);
    g_autofree char *text = g_strdup_printf(
        "{\"OTIO_SCHEMA\": \"TimeRange.1\", \"start_time\": {\"OTIO_SCHEMA\": "
        "\"RationalTime.1\", \"rate\": %d.0, \"value\": %" G_GINT64_FORMAT
        ".0}, "
        "\"duration\": {\"OTIO_SCHEMA\": \"RationalTime.1\", \"rate\": %d.0, "
        "\"value\": %" G_GINT64_FORMAT ".0}}",
        RATE, first, RATE, n);
    json_line_json(j, key, text);
}

static char *
make_reference(const Moment *m)
{
    JsonLine j;
    Source *source = source_new(m->file->name);
    json_line_begin(&j);
    json_line_string(&j, "OTIO_SCHEMA", "ExternalReference.1");
    append_range(&j, "available_range", 0, m->duration);
    json_line_string(&j, "target_url", source->uri);
    source_free(source);
    return json_line_steal(&j);
}

// What no editor has a word for.
static char *
make_metadata(const Moment *m)
{
    JsonLine j;
    json_line_begin(&j);
    json_line_number(&j, "score", m->score);
    json_line_number(&j, "peak", (double)m->peak / SECOND);
    if (m->label)
        json_line_string(&j, "label", m->label);
    g_autofree char *own = json_line_steal(&j);
    return g_strdup_printf("{\"pe-search\": %s}", own);
}

static char *
make_marker(const Moment *m)
{
    JsonLine j;
    json_line_begin(&j);
    json_line_string(&j, "OTIO_SCHEMA", "Marker.2");
    json_line_string(&j, "name", "peak");
    json_line_string(&j, "color", "RED");
    append_range(&j, "marked_range", m->peak, m->peak);
    return json_line_steal(&j);
}

static char *
make_clip(const Moment *m)
{
    JsonLine j;
    g_autofree char *base = g_path_get_basename(m->file->name);
    g_autofree char *name = output_printable(base);
    g_autofree char *reference = make_reference(m);
    g_autofree char *metadata = make_metadata(m);
    g_autofree char *marker = make_marker(m);
    g_autofree char *markers = g_strdup_printf("[%s]", marker);
    g_autofree char *references =
        g_strdup_printf("{\"DEFAULT_MEDIA\": %s}", reference);
    json_line_begin(&j);
    json_line_string(&j, "OTIO_SCHEMA", "Clip.2");
    json_line_string(&j, "name", name);
    append_range(&j, "source_range", m->start, m->end);
    json_line_json(&j, "media_references", references);
    json_line_string(&j, "active_media_reference_key", "DEFAULT_MEDIA");
    json_line_json(&j, "markers", markers);
    json_line_json(&j, "metadata", metadata);
    return json_line_steal(&j);
}

// A timeline with one track: the moments, one behind the other.
static char *
make_otio(const GPtrArray *moments)
{
    JsonLine track, stack, timeline;
    g_autoptr(GString) clips = g_string_new("[");
    for (guint i = 0; i < moments->len; i++) {
        g_autofree char *clip = make_clip(get(moments, i));
        g_string_append_printf(clips, "%s\n%s", i ? "," : "", clip);
    }
    g_string_append_c(clips, ']');
    json_line_begin(&track);
    json_line_string(&track, "OTIO_SCHEMA", "Track.1");
    json_line_string(&track, "name", "moments");
    json_line_string(&track, "kind", "Video");
    json_line_json(&track, "children", clips->str);
    g_autofree char *object = json_line_steal(&track);
    g_autofree char *tracks = g_strdup_printf("[%s]", object);
    json_line_begin(&stack);
    json_line_string(&stack, "OTIO_SCHEMA", "Stack.1");
    json_line_string(&stack, "name", "tracks");
    json_line_json(&stack, "children", tracks);
    g_autofree char *whole = json_line_steal(&stack);
    json_line_begin(&timeline);
    json_line_string(&timeline, "OTIO_SCHEMA", "Timeline.1");
    json_line_string(&timeline, "name", "pe-search");
    json_line_json(&timeline, "tracks", whole);
    g_autofree char *text = json_line_steal(&timeline);
    return g_strconcat(text, "\n", NULL);
}

// ---- NumPy -----------------------------------------------------------------

// The vectors of the moments' peaks, [n, dim] f32, in version 1.0 of the
// format: a magic, the length of a Python literal, the literal, and the values.
static GBytes *
make_npy(const GPtrArray *moments, int dim)
{
    enum { ALIGNMENT = 64, BEFORE = 10 };
    g_autoptr(GString) header = g_string_new(NULL);
    g_string_printf(header,
                    "{'descr': '<f4', 'fortran_order': False, 'shape': (%u, "
                    "%d), }",
                    moments->len, dim);
    while ((BEFORE + header->len + 1) % ALIGNMENT)
        g_string_append_c(header, ' ');
    g_string_append_c(header, '\n');
    GByteArray *file = g_byte_array_new();
    const guint8 start[BEFORE] = {0x93,
                                  'N',
                                  'U',
                                  'M',
                                  'P',
                                  'Y',
                                  1,
                                  0,
                                  (guint8)(header->len & 255),
                                  (guint8)(header->len >> 8)};
    g_byte_array_append(file, start, BEFORE);
    g_byte_array_append(file, (const guint8 *)header->str, (guint)header->len);
    for (guint i = 0; i < moments->len; i++) {
        for (int k = 0; k < dim; k++) {
            guint32 bits;
            memcpy(&bits, get(moments, i)->vector + k, sizeof bits);
            bits = GUINT32_TO_LE(bits);
            g_byte_array_append(file, (const guint8 *)&bits, sizeof bits);
        }
    }
    return g_byte_array_free_to_bytes(file);
}

// ---- Formats ---------------------------------------------------------------

bool
export_has_format(const char *format)
{
    static const char *const formats[] = {"csv",  "json", "vtt", "edl",
                                          "otio", "npy",  NULL};
    return g_strv_contains(formats, format);
}

bool
export_is_binary(const char *format)
{
    return g_str_equal(format, "npy");
}

GBytes *
export_make(const GPtrArray *moments, const Query *query, int dim,
            const char *format)
{
    if (export_is_binary(format))
        return make_npy(moments, dim);
    char *text = g_str_equal(format, "csv")    ? make_csv(moments)
                 : g_str_equal(format, "json") ? make_json(moments, query)
                 : g_str_equal(format, "vtt")  ? make_vtt(moments)
                 : g_str_equal(format, "edl")  ? make_edl(moments)
                                               : make_otio(moments);
    return g_bytes_new_take(text, strlen(text));
}
