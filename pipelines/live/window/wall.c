// SPDX-License-Identifier: LGPL-2.1-or-later
//
// wall.c - see wall.h.

#include "wall.h"

#include <gst/video/video.h>
#include <math.h>
#include <string.h>

#include "gst/meta/gstpemeta.h"

#define CAPTION 32 // pixels above each picture, for its text
#define GAP 4

typedef struct {
    int x, y, width, height;
} Place;

// What turns a stream's pictures into a part of the wall.
typedef struct {
    GstCaps *caps; // of the pictures
    GstVideoInfo info;
    GstVideoConverter *converter;
    Place place; // of the picture
} Painter;

struct Wall {
    GstVideoInfo info;
    GstBuffer *frame;
    GHashTable *painters; // name -> Painter
    guint n_tiles;        // the grid is for so many
    guint64 sequence;
};

Tile *
tile_new(const char *name, const char *text, bool running, GstSample *picture)
{
    Tile *tile = g_new(Tile, 1);
    *tile = (Tile){g_strdup(name), g_strdup(text), running, picture};
    return tile;
}

void
tile_free(Tile *tile)
{
    g_clear_pointer(&tile->picture, gst_sample_unref);
    g_free(tile->name);
    g_free(tile->text);
    g_free(tile);
}

static void
painter_free(gpointer data)
{
    Painter *painter = data;
    gst_clear_caps(&painter->caps);
    g_clear_pointer(&painter->converter, gst_video_converter_free);
    g_free(painter);
}

Wall *
wall_new(void)
{
    Wall *wall = g_new0(Wall, 1);
    gst_video_info_set_format(&wall->info, GST_VIDEO_FORMAT_I420, WALL_WIDTH,
                              WALL_HEIGHT);
    wall->frame = gst_buffer_new_allocate(NULL, wall->info.size, NULL);
    wall->painters =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, painter_free);
    return wall;
}

void
wall_free(Wall *wall)
{
    gst_buffer_unref(wall->frame);
    g_hash_table_unref(wall->painters);
    g_free(wall);
}

// ---- The grid ---------------------------------------------------------------

static int
count_columns(guint n)
{
    return MAX(1, (int)ceil(sqrt(n)));
}

int
wall_count_rows(guint n)
{
    int columns = count_columns(n);
    return MAX(1, ((int)n + columns - 1) / columns);
}

// The picture's place of tile i of n. Everything is even, as colours are shared
// by pairs.
static Place
find_cell(guint i, guint n)
{
    int columns = count_columns(n);
    int width = WALL_WIDTH / columns;
    int height = WALL_HEIGHT / wall_count_rows(n);
    return (Place){
        .x = ((int)i % columns * width + GAP) & ~1,
        .y = ((int)i / columns * height + CAPTION) & ~1,
        .width = MAX(2, (width - 2 * GAP) & ~1),
        .height = MAX(2, (height - CAPTION - GAP) & ~1),
    };
}

static void
blacken(GstVideoFrame *frame, const Place *p)
{
    for (guint c = 0; c < 3; c++) {
        int shift = c > 0;
        guint8 *data = GST_VIDEO_FRAME_COMP_DATA(frame, c);
        int stride = GST_VIDEO_FRAME_COMP_STRIDE(frame, c);
        for (int y = p->y >> shift; y < (p->y + p->height) >> shift; y++)
            memset(data + y * stride + (p->x >> shift), c ? 128 : 16,
                   (size_t)(p->width >> shift));
    }
}

// ---- Pictures ---------------------------------------------------------------

// As large as fits, without stretching it.
static Place
fit(const Place *cell, const GstVideoInfo *info)
{
    double width = (double)info->width * info->par_n / MAX(info->par_d, 1);
    double scale =
        MIN(cell->width / width, cell->height / (double)info->height);
    Place place = {
        .width = CLAMP((int)(width * scale), 2, cell->width) & ~1,
        .height = CLAMP((int)(info->height * scale), 2, cell->height) & ~1};
    place.x = (cell->x + (cell->width - place.width) / 2) & ~1;
    place.y = (cell->y + (cell->height - place.height) / 2) & ~1;
    return place;
}

// A part of the frame as a frame of its own.
static GstVideoFrame
cut(const GstVideoFrame *frame, const Place *p)
{
    GstVideoFrame part = *frame;
    part.info.width = p->width;
    part.info.height = p->height;
    for (guint c = 0; c < 3; c++) {
        int shift = c > 0;
        part.data[c] = (guint8 *)frame->data[c] + (p->x >> shift) +
                       (p->y >> shift) * frame->info.stride[c];
    }
    return part;
}

static bool
prepare(Painter *painter, GstCaps *caps, const Place *cell)
{
    GstVideoInfo out;
    if (painter->caps && gst_caps_is_equal(caps, painter->caps))
        return painter->converter != NULL;
    gst_caps_replace(&painter->caps, caps);
    g_clear_pointer(&painter->converter, gst_video_converter_free);
    if (!gst_video_info_from_caps(&painter->info, caps))
        return false;
    // The converter wants both sides alike in this.
    painter->info.interlace_mode = GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;
    painter->place = fit(cell, &painter->info);
    gst_video_info_set_format(&out, GST_VIDEO_FORMAT_I420,
                              (guint)painter->place.width,
                              (guint)painter->place.height);
    gst_video_colorimetry_from_string(&out.colorimetry,
                                      GST_VIDEO_COLORIMETRY_BT709);
    out.fps_n = painter->info.fps_n;
    out.fps_d = painter->info.fps_d;
    painter->converter = gst_video_converter_new(
        &painter->info, &out,
        gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD,
                          GST_TYPE_VIDEO_RESAMPLER_METHOD,
                          GST_VIDEO_RESAMPLER_METHOD_LINEAR, NULL));
    return painter->converter != NULL;
}

static void
paint(Wall *wall, GstVideoFrame *frame, const Tile *tile, const Place *cell)
{
    Painter *painter = g_hash_table_lookup(wall->painters, tile->name);
    GstVideoFrame picture;
    if (!painter) {
        painter = g_new0(Painter, 1);
        g_hash_table_insert(wall->painters, g_strdup(tile->name), painter);
    }
    GstCaps *caps = gst_sample_get_caps(tile->picture);
    bool same = painter->caps && gst_caps_is_equal(caps, painter->caps);
    if (!same)
        blacken(frame, cell);
    if (!prepare(painter, caps, cell) ||
        !gst_video_frame_map(&picture, &painter->info,
                             gst_sample_get_buffer(tile->picture),
                             GST_MAP_READ))
        return;
    GstVideoFrame part = cut(frame, &painter->place);
    gst_video_converter_frame(painter->converter, &picture, &part);
    gst_video_frame_unmap(&picture);
}

// ---- The wall ---------------------------------------------------------------

static void
add_text(Wall *wall, GstBuffer *buffer, const Tile *tile, guint i,
         const Place *cell)
{
    const GstPeRegion region = {
        .id = (int)i,
        .name = tile->text,
        .x = cell->x,
        .y = cell->y,
        .width = cell->width,
        .height = cell->height,
        .track_id = i,
    };
    g_autoptr(GstPeResult) result = gst_pe_result_new(&(GstPeResultFields){
        .element = "pe-live",
        .sequence = ++wall->sequence,
        .n_frames = 1,
        .region = &region,
    });
    gst_buffer_add_pe_meta(buffer, result, 0);
}

static bool
has_another_grid(Wall *wall, const GPtrArray *tiles)
{
    bool another = tiles->len != wall->n_tiles;
    for (guint i = 0; i < tiles->len && !another; i++)
        another = !g_hash_table_contains(wall->painters,
                                         ((Tile *)tiles->pdata[i])->name);
    return another;
}

// All black, and a painter for each tile.
static void
start_grid(Wall *wall, GstVideoFrame *frame, const GPtrArray *tiles)
{
    const Place all = {0, 0, WALL_WIDTH, WALL_HEIGHT};
    blacken(frame, &all);
    g_hash_table_remove_all(wall->painters);
    for (guint i = 0; i < tiles->len; i++)
        g_hash_table_insert(wall->painters,
                            g_strdup(((Tile *)tiles->pdata[i])->name),
                            g_new0(Painter, 1));
    wall->n_tiles = tiles->len;
}

GstBuffer *
wall_draw(Wall *wall, const GPtrArray *tiles)
{
    GstVideoFrame frame;
    if (!gst_video_frame_map(&frame, &wall->info, wall->frame,
                             GST_MAP_READWRITE))
        return NULL;
    if (has_another_grid(wall, tiles))
        start_grid(wall, &frame, tiles);
    for (guint i = 0; i < tiles->len; i++) {
        const Tile *tile = tiles->pdata[i];
        Place cell = find_cell(i, tiles->len);
        if (!tile->running)
            blacken(&frame, &cell);
        else if (tile->picture)
            paint(wall, &frame, tile, &cell);
    }
    gst_video_frame_unmap(&frame);
    GstBuffer *buffer = gst_buffer_copy_deep(wall->frame);
    for (guint i = 0; i < tiles->len; i++) {
        Place cell = find_cell(i, tiles->len);
        add_text(wall, buffer, tiles->pdata[i], i, &cell);
    }
    return buffer;
}
