// SPDX-License-Identifier: LGPL-2.1-or-later
//
// collector.h - what of a video is stored: of neighbouring samples that are
// nearly equal, the first.

#pragma once

#include "pipelines/index/archive.h"

typedef struct Collector Collector;

// min_cosine  samples that are at least as like the last stored frame are
//             counted and not stored; above 1: all are stored
// One owner.
Collector *collector_new(int dim, float min_cosine);
void collector_free(Collector *collector);

// A sample, in the order of time.
//   start, end  ns; an end that is not after its start is not known
//   embedding   [dim] of unit length
// Was it stored?
bool collector_add(Collector *collector, gint64 start, gint64 end,
                   const float *embedding);
// The picture of the frame that was stored last; takes it.
void collector_set_picture(Collector *collector, GBytes *jpeg);
gint64 collector_count_samples(const Collector *collector);

// The last sample stays on screen until then, but not longer than `most` ns.
void collector_extend(Collector *collector, gint64 end, gint64 most);

// Move the frames into the content, and cut them into segments: a new one
// begins where neighbours are less alike than min_shot_cosine.
// Returns the vectors [n_frames, dim], g_free().
uint16_t *collector_finish(Collector *collector, ArchiveContent *content,
                           float min_shot_cosine);
