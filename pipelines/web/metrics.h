// SPDX-License-Identifier: LGPL-2.1-or-later
//
// metrics.h - counts and times of all streams in the text format of Prometheus.
// Base units; the only labels are the stream's name, its status, stages and
// reasons.

#pragma once

#include "core/pe.h"
#include "pipelines/live/streams.h"

// Returns, g_free().
char *metrics_write(const Streams *streams, PeEngine *engine);
