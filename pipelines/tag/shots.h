// SPDX-License-Identifier: LGPL-2.1-or-later
//
// shots.h - where a video changes, and what of it belongs together.

#pragma once

#include "pipelines/index/archive.h"

// Cut the content's frames into segments, replacing those it has, without
// thumbnails and labels.
//   vectors     [n_frames, dim] of unit length
//   min_cosine  of neighbours within a segment
void shots_find(ArchiveContent *content, const uint16_t *vectors, int dim,
                float min_cosine);

// The unit vector of a segment: the mean of its frames, each for as many
// samples as it stands for.
//   out  [dim]
void shots_mean(const ArchiveContent *content, const ArchiveSegment *segment,
                const uint16_t *vectors, int dim, float *out);
