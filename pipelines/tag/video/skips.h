// SPDX-License-Identifier: LGPL-2.1-or-later
//
// skips.h - decoders are spared the frames that neither a sample nor another
// frame needs. Samples, their times and their pictures are as without it.

#pragma once

#include <gst/gst.h>

#include "taps.h"

// Watch what goes into `decoder`, as long as it lives. The taps must outlive
// the pipeline; they are told of what is left out. `rate_n` / `rate_d` are
// samples per second, not 0.
void skips_watch(GstElement *decoder, Taps *taps, int rate_n, int rate_d);
