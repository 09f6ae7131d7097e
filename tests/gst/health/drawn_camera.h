// SPDX-License-Identifier: LGPL-2.1-or-later
//
// drawn_camera.h - pictures of a drawn camera, as tests of pehealth want them.

#pragma once

#include "tests/support/gst_helpers.h"

#include <stdbool.h>

#define WIDTH 192
#define HEIGHT 108

// What it shows at a second.
typedef struct {
    int scene;
    double gain;  // of the light, 1: as usual
    double noise; // levels of the sensor's, uniform on both sides
    int clock;    // of a corner; 0: none
    int walker;   // columns that somebody has walked; 0: nobody
    double angle; // of the embedding, degrees, with `embedded`
    bool embedded;
    int ahead;   // seconds that its timestamp is
    int seed;    // of the noise; 0: new noise each time
    int redrawn; // seed of that of the left third; 0: as the rest
    int margin;  // columns of new noise around the crop; 0: there is no crop
} View;

// Returns a picture of the view at `second`; `rand` makes its noise.
GstBuffer *shoot(const View *view, int second, GRand *rand);
