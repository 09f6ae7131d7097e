// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesettings.h - the properties that the data flow reads while it runs.
// A copy is taken for every frame, so it holds values only.

#pragma once

#include "core/pe.h"
#include "gst/inference/gstpeenums.h"

typedef struct {
    PeSamplerParams sampler;
    GstPeInferenceMode mode;
    GstPeInferenceHold hold;
    guint latency; // ms
    guint top_k;
    double threshold;
    guint batch_size;
    bool attach_embedding;
    bool post_messages;
} GstPeSettings;
