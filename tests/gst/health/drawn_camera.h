// SPDX-License-Identifier: LGPL-2.1-or-later
//
// drawn_camera.h - pictures of a drawn camera, as tests of pehealth want them.

#pragma once

#include "tests/support/gst_helpers.h"

#include <stdbool.h>

#define WIDTH 192
#define HEIGHT 108

#define CAPS "video/x-raw,format=GRAY8,width=192,height=108,framerate=1/1"

// What it shows at a second, or with `rate`, at a picture.
typedef struct {
    int scene;
    double gain;  // of the light, 1: as usual
    double noise; // levels of the sensor's, uniform on both sides
    int clock;    // of a corner; 0: none
    int walker;   // columns that somebody has walked; 0: nobody
    double angle; // of the embedding, degrees, with `embedded`
    bool embedded;
    int ahead;    // seconds, or pictures, that its timestamp is
    bool untimed; // it has none
    int seed;     // of the noise; 0: new noise each time
    int redrawn;  // seed of that of the left third; 0: as the rest
    int margin;   // columns of new noise around the crop; 0: there is no crop
    int cut;      // columns on the right that the crop leaves out
    int rate;     // pictures a second; 0: one
    double lost;  // of the detail, 0 to 1: out of focus
    double band;  // share by which bands of the light, two a picture, are
                  // brighter and darker
    double turn;  // how far they have rolled, in bands
    bool dropped; // it does not come
} View;

typedef View (*Script)(int number);

// Returns picture `number`, the view at that second; `rand` makes its noise.
GstBuffer *shoot(const View *view, int number, GRand *rand);

// The line, which has a pehealth, in a harness that plays.
GstHarness *play_line(const char *line, const char *caps);

// What a pehealth in the line says of the first n pictures of a script: "label
// start@second", and so on, in order. To be freed.
char *watch(const char *line, const char *caps, Script script, int n);

// The same with the seconds of `since`, `start` and `end` behind each: "label
// start@28 20 27-28".
//   before  called with the number of each picture before it comes; or NULL
char *watch_times(const char *line, const char *caps, Script script,
                  void (*before)(GstHarness *h, int number), int n);

// The same must be `expected`; of a pehealth alone with these properties.
void assert_watched(const char *properties, Script script, int n,
                    const char *expected);

// The same of pictures of these caps that are converted to each format, of
// every kind, first. Skipped where nothing converts.
void assert_watched_in_formats(const char *caps, Script script, int n,
                               const char *expected);
