// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepainter.c - see gstpepainter.h.

#include "gst/overlay/gstpepainter.h"

#include "gst/overlay/gstpecolour.h"

#include <pango/pangocairo.h>

struct GstPePainter {
    PangoLayout *layout;
    int size; // of texts, pixels
    // What a picture shows -> GstBuffer, of the scene that is painted and of
    // the one before it.
    GHashTable *pictures, *before;
};

typedef void (*PaintFunc)(GstPePainter *painter, cairo_t *cairo,
                          const GstPeLine *line, int width, int height);

static GHashTable *
new_pictures(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                 (GDestroyNotify)gst_buffer_unref);
}

// Grey edges only: nothing is known of the display's subpixels.
static PangoLayout *
new_layout(void)
{
    // Its own, since the thread that uses it may be another one next time.
    PangoFontMap *fonts = pango_cairo_font_map_new();
    PangoContext *context = pango_font_map_create_context(fonts);
    PangoLayout *layout = pango_layout_new(context);
    cairo_font_options_t *options = cairo_font_options_create();

    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_ON);
    pango_cairo_context_set_font_options(context, options);
    cairo_font_options_destroy(options);
    pango_layout_set_single_paragraph_mode(layout, TRUE);
    pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
    g_object_unref(context);
    g_object_unref(fonts);
    return layout;
}

GstPePainter *
gst_pe_painter_new(void)
{
    GstPePainter *painter = g_new0(GstPePainter, 1);

    painter->layout = new_layout();
    painter->pictures = new_pictures();
    painter->before = new_pictures();
    return painter;
}

void
gst_pe_painter_free(GstPePainter *painter)
{
    g_hash_table_unref(painter->pictures);
    g_hash_table_unref(painter->before);
    g_object_unref(painter->layout);
    g_free(painter);
}

void
gst_pe_painter_set_size(GstPePainter *painter, int size)
{
    if (size == painter->size)
        return;
    PangoFontDescription *font = pango_font_description_from_string("sans");

    pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
    pango_layout_set_font_description(painter->layout, font);
    pango_font_description_free(font);
    painter->size = size;
    g_hash_table_remove_all(painter->pictures);
    g_hash_table_remove_all(painter->before);
}

void
gst_pe_painter_begin(GstPePainter *painter)
{
    GHashTable *pictures = painter->before;

    painter->before = painter->pictures;
    painter->pictures = pictures;
    g_hash_table_remove_all(pictures);
}

// ---- Text -------------------------------------------------------------------

int
gst_pe_painter_measure(GstPePainter *painter, const char *text)
{
    int width;

    pango_layout_set_width(painter->layout, -1);
    pango_layout_set_text(painter->layout, text, -1);
    pango_layout_get_pixel_size(painter->layout, &width, NULL);
    return width;
}

// In the middle of the height; what is too long ends with an ellipsis.
static void
write_text(GstPePainter *painter, cairo_t *cairo, const char *text, int x,
           int width, int height)
{
    int text_height;

    if (width <= 0)
        return;
    pango_layout_set_width(painter->layout, width * PANGO_SCALE);
    pango_layout_set_text(painter->layout, text, -1);
    pango_layout_get_pixel_size(painter->layout, NULL, &text_height);
    cairo_move_to(cairo, x, (height - text_height) / 2);
    pango_cairo_show_layout(cairo, painter->layout);
}

// Returns where it begins.
static int
write_percent(GstPePainter *painter, cairo_t *cairo, int percent, int right,
              int height)
{
    g_autofree char *text = g_strdup_printf("%d\xe2\x80\x89%%", percent);
    int width = gst_pe_painter_measure(painter, text);

    write_text(painter, cairo, text, right - width, width + 1, height);
    return right - width;
}

static void
set_colour(cairo_t *cairo, GstPeColour colour)
{
    cairo_set_source_rgba(cairo, colour.red, colour.green, colour.blue,
                          colour.alpha);
}

// ---- What is painted --------------------------------------------------------

static void
paint_bar(GstPePainter *painter, cairo_t *cairo, int percent, int x, int width,
          int height)
{
    int thickness = MAX(2, painter->size * 2 / 5);
    int y = (height - thickness) / 2;

    set_colour(cairo, GST_PE_COLOUR_TROUGH);
    cairo_rectangle(cairo, x, y, width, thickness);
    cairo_fill(cairo);
    set_colour(cairo, gst_pe_colour_of_score(percent));
    cairo_rectangle(cairo, x, y, (width * percent + 50) / 100, thickness);
    cairo_fill(cairo);
}

static void
paint_row(GstPePainter *painter, cairo_t *cairo, const GstPeLine *line,
          int width, int height)
{
    int size = painter->size, pad = size / 2, left = pad;
    int right = width - pad;

    set_colour(cairo, GST_PE_COLOUR_GROUND);
    cairo_paint(cairo);
    set_colour(cairo, line->kind == GST_PE_LINE_LABEL ? GST_PE_COLOUR_TEXT
                                                      : GST_PE_COLOUR_DIM);
    if (line->percent != GST_PE_NO_PERCENT) {
        // Room for three digits, so that bars end below each other.
        write_percent(painter, cairo, line->percent, right, height);
        right -= 7 * size / 2;
        int bar = MIN(5 * size, (right - left) / 3);
        paint_bar(painter, cairo, line->percent, right - bar, bar, height);
        right -= bar + pad;
        set_colour(cairo, GST_PE_COLOUR_TEXT);
    }
    write_text(painter, cairo, line->text, left, right - left, height);
}

static void
paint_tag(GstPePainter *painter, cairo_t *cairo, const GstPeLine *line,
          int width, int height)
{
    int pad = painter->size / 3, right = width - pad;
    bool event = line->kind == GST_PE_LINE_EVENT;

    set_colour(cairo, event ? GST_PE_COLOUR_ALARM : GST_PE_COLOUR_GROUND);
    cairo_paint(cairo);
    set_colour(cairo, event ? GST_PE_COLOUR_TEXT
                            : gst_pe_colour_of_score(line->percent));
    if (line->percent != GST_PE_NO_PERCENT)
        right =
            write_percent(painter, cairo, line->percent, right, height) - pad;
    set_colour(cairo, GST_PE_COLOUR_TEXT);
    write_text(painter, cairo, line->text, pad, right - pad, height);
}

// Dark on both sides, to be seen on anything.
static void
paint_edge(GstPePainter *painter, cairo_t *cairo, const GstPeLine *line,
           int width, int height)
{
    bool upright = height > width;

    set_colour(cairo, GST_PE_COLOUR_OUTLINE);
    cairo_paint(cairo);
    set_colour(cairo, gst_pe_colour_of_score(line->percent));
    cairo_rectangle(cairo, upright ? 1 : 0, upright ? 0 : 1,
                    upright ? width - 2 : width, upright ? height : height - 2);
    cairo_fill(cairo);
}

// ---- Pictures ---------------------------------------------------------------

static bool
paint_into(GstPePainter *painter, GstBuffer *buffer, PaintFunc paint,
           const GstPeLine *line, int width, int height)
{
    GstMapInfo map;

    if (!gst_buffer_map(buffer, &map, GST_MAP_READWRITE))
        return false;
    cairo_surface_t *surface = cairo_image_surface_create_for_data(
        map.data, CAIRO_FORMAT_ARGB32, width, height, width * 4);
    cairo_t *cairo = cairo_create(surface);

    cairo_set_operator(cairo, CAIRO_OPERATOR_SOURCE);
    cairo_set_source_rgba(cairo, 0, 0, 0, 0);
    cairo_paint(cairo);
    cairo_set_operator(cairo, CAIRO_OPERATOR_OVER);
    paint(painter, cairo, line, width, height);
    bool ok = cairo_status(cairo) == CAIRO_STATUS_SUCCESS;
    cairo_destroy(cairo);
    cairo_surface_finish(surface);
    cairo_surface_destroy(surface);
    gst_buffer_unmap(buffer, &map);
    return ok;
}

static GstBuffer *
paint_new(GstPePainter *painter, PaintFunc paint, const GstPeLine *line,
          int width, int height)
{
    GstBuffer *buffer =
        gst_buffer_new_allocate(NULL, (gsize)width * (gsize)height * 4, NULL);

    if (!buffer)
        return NULL;
    gst_buffer_add_video_meta(buffer, GST_VIDEO_FRAME_FLAG_NONE,
                              GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB,
                              (guint)width, (guint)height);
    if (!paint_into(painter, buffer, paint, line, width, height))
        gst_clear_buffer(&buffer);
    return buffer;
}

// Takes the key.
static GstBuffer *
get_picture(GstPePainter *painter, char *key, PaintFunc paint,
            const GstPeLine *line, int width, int height)
{
    GstBuffer *picture = g_hash_table_lookup(painter->pictures, key);

    if (!picture) {
        picture = g_hash_table_lookup(painter->before, key);
        picture = picture ? gst_buffer_ref(picture)
                          : paint_new(painter, paint, line, width, height);
        if (picture)
            g_hash_table_insert(painter->pictures, g_strdup(key), picture);
    }
    g_free(key);
    return picture ? gst_buffer_ref(picture) : NULL;
}

GstBuffer *
gst_pe_painter_paint_row(GstPePainter *painter, const GstPeLine *line,
                         int width, int height)
{
    return get_picture(painter,
                       g_strdup_printf("row %d %d %d %d %s", line->kind,
                                       line->percent, width, height,
                                       line->text),
                       paint_row, line, width, height);
}

GstBuffer *
gst_pe_painter_paint_tag(GstPePainter *painter, const GstPeLine *line,
                         int width, int height)
{
    return get_picture(painter,
                       g_strdup_printf("tag %d %d %d %d %s", line->kind,
                                       line->percent, width, height,
                                       line->text),
                       paint_tag, line, width, height);
}

GstBuffer *
gst_pe_painter_paint_edge(GstPePainter *painter, int percent, int width,
                          int height)
{
    const GstPeLine line = {.percent = percent};

    return get_picture(painter,
                       g_strdup_printf("edge %d %d %d", percent, width, height),
                       paint_edge, &line, width, height);
}
