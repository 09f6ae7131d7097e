// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesettings.h - the properties that the data flow reads while it runs.
// A copy is taken for every frame, so it holds values only.

#pragma once

#include "core/pe.h"
#include "gst/inference/gstpeenums.h"
#include "gst/labels/gstpejudge.h"

typedef struct {
    PeSamplerParams sampler; // but for max_gap
    GstPeInferenceMode mode;
    GstPeInferenceHold hold;
    guint max_gap; // ms; 0: chosen by the sampler
    GstPeInferenceOrientation orientation;
    GstPeInferenceHdr hdr;
    GstPeInferenceRegion region;
    guint min_roi_size;        // pixels
    guint reclassify_interval; // sampled frames
    guint latency;             // ms
    bool qos;
    bool skip_corrupted;
    guint batch_size;
    GstPeJudgeSettings judge;
} GstPeSettings;
