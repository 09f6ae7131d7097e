// SPDX-License-Identifier: LGPL-2.1-or-later
//
// labelling.h - which labels fit the segments of a content.

#pragma once

#include "pipelines/index/archive.h"

// Give every segment its best labels, in place of those it has.
//   vectors  [n_frames, dim]
void labelling_apply(const PeLabels *labels, ArchiveContent *content,
                     const uint16_t *vectors, int dim);
