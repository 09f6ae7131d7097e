// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpestats.h - what the `stats` property shows. Any thread.

#pragma once

#include "core/pe.h"

#include <gst/gst.h>

typedef enum {
    GST_PE_COUNT_FRAMES,     // that came in
    GST_PE_COUNT_NO_PTS,     // of those, without a timestamp
    GST_PE_COUNT_CORRUPTED,  // of those, that a decoder could not read whole
    GST_PE_COUNT_STRAY,      // of those, with a wrong timestamp
    GST_PE_COUNT_HELD,       // samples again of frames that stayed on screen
    GST_PE_COUNT_SAMPLED,    // chosen by frame-rate and inference-interval
    GST_PE_COUNT_SKIPPED,    // frames and regions that the busy device left out
    GST_PE_COUNT_REGIONS,    // of sampled frames, that were looked at
    GST_PE_COUNT_REUSED,     // of those, with the embedding of an earlier frame
    GST_PE_COUNT_OUTSIDE,    // left out: nothing of it lies in the picture
    GST_PE_COUNT_SMALL,      // left out: objects below min-roi-size
    GST_PE_COUNT_OVER,       // left out: objects beyond a frame's limit
    GST_PE_COUNT_CLIPS,      // results
    GST_PE_COUNT_PARTIAL,    // of those, from clips with missing frames
    GST_PE_COUNT_LATE,       // frames sent without their result
    GST_PE_COUNT_SUPERSEDED, // results that no frame carried
    GST_PE_COUNT_QOS,        // QoS events that went no further
    // Of the frames that were embedded:
    GST_PE_COUNT_IN_PLACE,      // read where they lay in CUDA memory
    GST_PE_COUNT_DEVICE_COPIED, // copied out of another CUDA context
    GST_PE_COUNT_UPLOADED,      // from system memory to a CUDA device
    GST_PE_COUNT_DOWNLOADED,    // from CUDA memory to the host
    GST_PE_N_COUNTS,
} GstPeCount;

typedef enum {
    // One behind the other, of each picture:
    GST_PE_STAGE_PREPROCESS, // from its frame's arrival until it is queued
    GST_PE_STAGE_QUEUE,      // until its batch starts
    GST_PE_STAGE_INFER,      // until that ends
    GST_PE_STAGE_PUSH,       // of the last of a clip, until the result leaves
    // Beside them:
    GST_PE_STAGE_HOLD,  // how long a frame waited for its result
    GST_PE_STAGE_SCORE, // mean of the clip and labels
    GST_PE_N_STAGES,
} GstPeStage;

#define GST_PE_STATS_RECENT 512

typedef struct {
    GMutex lock;
    uint64_t counts[GST_PE_N_COUNTS];
    uint64_t n_times[GST_PE_N_STAGES];
    PeHistogram all[GST_PE_N_STAGES];
    float times_ms[GST_PE_N_STAGES][GST_PE_STATS_RECENT]; // rings
} GstPeStats;

void gst_pe_stats_init(GstPeStats *stats);
void gst_pe_stats_clear(GstPeStats *stats);
void gst_pe_stats_reset(GstPeStats *stats);
void gst_pe_stats_count(GstPeStats *stats, GstPeCount what);
void gst_pe_stats_add(GstPeStats *stats, GstPeCount what, uint64_t n);
// `start` is monotonic, us.
void gst_pe_stats_time(GstPeStats *stats, GstPeStage stage, int64_t start);
// It took so long, us.
void gst_pe_stats_took(GstPeStats *stats, GstPeStage stage, int64_t us);

// engine may be NULL. Returns a new structure.
GstStructure *gst_pe_stats_to_structure(GstPeStats *stats, PeEngine *engine);
