// SPDX-License-Identifier: LGPL-2.1-or-later
//
// picture.h - frames of random bytes in every format, and what preprocessing
// makes of them.

#pragma once

#include "core/device/cpu/pixels.h"

// A frame that owns its planes.
typedef struct {
    PeFrame frame;
    uint8_t *planes[3];
} Picture;

// Planes of random bytes with `pad` unused bytes behind every line.
Picture picture_new(PeFormat format, int w, int h, int pad, guint32 seed);
void picture_clear(Picture *p);

// The best instruction set of this machine that has loops of preprocessing for.
PeIsa picture_highest_isa(void);

// The picture [3, out_h, out_w] of a frame. Returns, g_free().
uint8_t *picture_squash(PePixelsFunc func, const PeFrame *frame, int out_w,
                        int out_h);
