// SPDX-License-Identifier: LGPL-2.1-or-later
//
// wall.h - one picture of many: a grid with the newest picture of each stream
// below its name. Owned by one thread; knows no window.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

#define WALL_WIDTH 1280
#define WALL_HEIGHT 720
#define WALL_FORMAT "I420"

// What is to be seen of a stream.
typedef struct {
    char *name;         // finds it again
    char *text;         // its name and, when it does not run, its state
    bool running;       // else its last picture is not shown
    GstSample *picture; // a new one, or NULL
} Tile;

Tile *tile_new(const char *name, const char *text, bool running,
               GstSample *picture); // takes the picture
void tile_free(Tile *tile);

typedef struct Wall Wall;

Wall *wall_new(void);
void wall_free(Wall *wall);

// Returns a new frame with these tiles; their texts are on it as results of
// regions, for peoverlay.
//   tiles  Tile
GstBuffer *wall_draw(Wall *wall, const GPtrArray *tiles);

// Rows of the grid for so many streams.
int wall_count_rows(guint n);
