// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelayout.c - see gstpelayout.h.

#include "gst/overlay/gstpelayout.h"

#define LEAST_SIZE 9
// In sizes of the text.
#define LINE_HEIGHT 1.45
#define LONGEST_TEXT 18
#define LONGEST_TAG 24
#define NUMBERS_WIDTH 10.8 // bar and number of a row, with what is between

int
gst_pe_layout_choose_size(double share, int height)
{
    return MAX(LEAST_SIZE, (int)(share * height + .5));
}

static void
clear_drawing(void *data)
{
    gst_buffer_unref(((GstPeDrawing *)data)->pixels);
}

// Takes the picture. What does not lie inside of the frame wholly is left out:
// whoever places it has seen to that.
static void
place(GArray *drawings, const GstPeLayout *l, GstBuffer *pixels, int x, int y,
      int width, int height)
{
    GstPeDrawing drawing = {pixels, x, y, width, height};

    if (!pixels)
        return;
    if (x < l->x || y < l->y || x + width > l->x + l->width ||
        y + height > l->y + l->height)
        gst_buffer_unref(pixels);
    else
        g_array_append_val(drawings, drawing);
}

static int
get_line_height(const GstPeLayout *l)
{
    return (int)(l->size * LINE_HEIGHT + .5);
}

static int
get_margin(const GstPeLayout *l)
{
    return MIN(l->size / 2, MIN(l->width, l->height) / 16);
}

// ---- The table --------------------------------------------------------------

static int
get_table_width(GstPeLayout *l, GstPePainter *painter, const GstPeScene *scene)
{
    int widest = 0, most = l->width - 2 * get_margin(l);

    for (guint i = 0; i < scene->table->len; i++) {
        const GstPeLine *line = &g_array_index(scene->table, GstPeLine, i);
        widest = MAX(widest, gst_pe_painter_measure(painter, line->text));
    }
    widest =
        MIN(widest, LONGEST_TEXT * l->size) + (int)(NUMBERS_WIDTH * l->size);
    l->table_width = MIN(MAX(l->table_width, widest), most);
    return l->table_width;
}

static void
draw_table(GstPeLayout *l, GstPePainter *painter, const GstPeScene *scene,
           GArray *drawings)
{
    int width = get_table_width(l, painter, scene);
    int height = get_line_height(l), margin = get_margin(l);
    int room = height > 0 ? (l->height - 2 * margin) / height : 0;
    int n = MIN((int)scene->table->len, room);
    int x = l->position & GST_PE_POSITION_TOP_RIGHT
                ? l->x + l->width - margin - width
                : l->x + margin;
    int y = l->position & GST_PE_POSITION_BOTTOM_LEFT
                ? l->y + l->height - margin - n * height
                : l->y + margin;

    for (int i = 0; width > 0 && i < n; i++)
        place(drawings, l,
              gst_pe_painter_paint_row(
                  painter, &g_array_index(scene->table, GstPeLine, i), width,
                  height),
              x, y + i * height, width, height);
}

// ---- Tags -------------------------------------------------------------------

static int
get_tag_width(const GstPeLayout *l, GstPePainter *painter,
              const GstPeLine *line)
{
    int width = gst_pe_painter_measure(painter, line->text) + l->size;

    if (line->percent != GST_PE_NO_PERCENT)
        width += 7 * l->size / 2;
    // As wide as its box, if that is wider.
    return MIN(MIN(width, MAX(LONGEST_TAG * l->size, line->width)), l->width);
}

static void
draw_events(const GstPeLayout *l, GstPePainter *painter,
            const GstPeScene *scene, GArray *drawings)
{
    int height = get_line_height(l), margin = get_margin(l);
    int n = (int)scene->events->len;
    int y = l->position & GST_PE_POSITION_BOTTOM_LEFT
                ? l->y + margin
                : l->y + l->height - margin - n * height;

    for (int i = 0; i < n; i++) {
        const GstPeLine *line = &g_array_index(scene->events, GstPeLine, i);
        int width = get_tag_width(l, painter, line);
        place(drawings, l,
              gst_pe_painter_paint_tag(painter, line, width, height),
              l->x + (l->width - width) / 2, y + i * height, width, height);
    }
}

// ---- Boxes ------------------------------------------------------------------

// From one edge to the other; the second is the first that is outside.
typedef struct {
    int left, top, right, bottom;
} Box;

static bool
clip_box(const GstPeLayout *l, const GstPeLine *line, Box *box)
{
    // A region may have any numbers.
    gint64 right = (gint64)line->x + line->width;
    gint64 bottom = (gint64)line->y + line->height;

    *box = (Box){
        .left = MAX(line->x, l->x),
        .top = MAX(line->y, l->y),
        .right = (int)CLAMP(right, G_MININT, l->x + l->width),
        .bottom = (int)CLAMP(bottom, G_MININT, l->y + l->height),
    };
    return box->right > box->left && box->bottom > box->top;
}

// Inside of the box, and no thicker than that.
static void
draw_edges(const GstPeLayout *l, GstPePainter *painter, const GstPeLine *line,
           const Box *b, GArray *drawings)
{
    int width = b->right - b->left, height = b->bottom - b->top;
    int t = MIN(MAX(3, l->size / 6 + 2), MIN(width, height));
    int upright = height - 2 * t, p = line->percent;

    place(drawings, l, gst_pe_painter_paint_edge(painter, p, width, t), b->left,
          b->top, width, t);
    if (height < 2 * t)
        return;
    place(drawings, l, gst_pe_painter_paint_edge(painter, p, width, t), b->left,
          b->bottom - t, width, t);
    if (upright < 1 || width < 2 * t)
        return;
    place(drawings, l, gst_pe_painter_paint_edge(painter, p, t, upright),
          b->left, b->top + t, t, upright);
    place(drawings, l, gst_pe_painter_paint_edge(painter, p, t, upright),
          b->right - t, b->top + t, t, upright);
}

// Above its box where there is room, else inside.
static void
draw_box_tag(const GstPeLayout *l, GstPePainter *painter, const GstPeLine *line,
             const Box *b, GArray *drawings)
{
    int width = get_tag_width(l, painter, line), height = get_line_height(l);
    int x = MIN(b->left, l->x + l->width - width);
    int y = b->top - height >= l->y ? b->top - height : b->top;

    if (*line->text)
        place(drawings, l,
              gst_pe_painter_paint_tag(painter, line, width, height), x,
              MIN(y, l->y + l->height - height), width, height);
}

static void
draw_boxes(const GstPeLayout *l, GstPePainter *painter, const GstPeScene *scene,
           GArray *drawings)
{
    Box box;

    for (guint i = 0; i < scene->boxes->len; i++) {
        const GstPeLine *line = &g_array_index(scene->boxes, GstPeLine, i);
        if (clip_box(l, line, &box))
            draw_edges(l, painter, line, &box, drawings);
    }
    for (guint i = 0; i < scene->boxes->len; i++) {
        const GstPeLine *line = &g_array_index(scene->boxes, GstPeLine, i);
        if (clip_box(l, line, &box))
            draw_box_tag(l, painter, line, &box, drawings);
    }
}

GArray *
gst_pe_layout_draw(GstPeLayout *l, GstPePainter *painter,
                   const GstPeScene *scene)
{
    GArray *drawings = g_array_new(FALSE, FALSE, sizeof(GstPeDrawing));

    g_array_set_clear_func(drawings, clear_drawing);
    gst_pe_painter_set_size(painter, l->size);
    gst_pe_painter_begin(painter);
    draw_boxes(l, painter, scene, drawings);
    if (scene->table->len > 0)
        draw_table(l, painter, scene, drawings);
    draw_events(l, painter, scene, drawings);
    return drawings;
}
