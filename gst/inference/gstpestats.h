// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpestats.h - what the `stats` property shows. Any thread.

#pragma once

#include "core/pe.h"

#include <gst/gst.h>

typedef enum {
    GST_PE_COUNT_FRAMES,     // that came in
    GST_PE_COUNT_NO_PTS,     // of those, without a timestamp
    GST_PE_COUNT_SAMPLED,    // chosen by frame-rate and inference-interval
    GST_PE_COUNT_SKIPPED,    // sampled, but not embedded: the device is busy
    GST_PE_COUNT_CLIPS,      // results
    GST_PE_COUNT_PARTIAL,    // of those, from clips with missing frames
    GST_PE_COUNT_LATE,       // frames sent without their result
    GST_PE_COUNT_SUPERSEDED, // results that no frame carried
    // Of the frames that were embedded:
    GST_PE_COUNT_IN_PLACE,      // read where they lay in CUDA memory
    GST_PE_COUNT_DEVICE_COPIED, // copied out of another CUDA context
    GST_PE_COUNT_UPLOADED,      // from system memory to a CUDA device
    GST_PE_COUNT_DOWNLOADED,    // from CUDA memory to the host
    GST_PE_N_COUNTS,
} GstPeCount;

typedef enum {
    GST_PE_STAGE_PREPROCESS, // of a frame, on the streaming thread
    GST_PE_STAGE_HOLD,       // how long a frame waited for its result
    GST_PE_STAGE_SCORE,      // mean of the clip and labels
    GST_PE_N_STAGES,
} GstPeStage;

#define GST_PE_STATS_RECENT 512

typedef struct {
    GMutex lock;
    uint64_t counts[GST_PE_N_COUNTS];
    uint64_t n_times[GST_PE_N_STAGES];
    float times_ms[GST_PE_N_STAGES][GST_PE_STATS_RECENT]; // rings
} GstPeStats;

void gst_pe_stats_init(GstPeStats *stats);
void gst_pe_stats_clear(GstPeStats *stats);
void gst_pe_stats_reset(GstPeStats *stats);
void gst_pe_stats_count(GstPeStats *stats, GstPeCount what);
// `start` is monotonic, us.
void gst_pe_stats_time(GstPeStats *stats, GstPeStage stage, int64_t start);

// engine may be NULL. Returns a new structure.
GstStructure *gst_pe_stats_to_structure(GstPeStats *stats, PeEngine *engine);
