// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeclips.h - sampled frames of one stream become clips.
//
//     GstPeClips  the sampler and the frames that may still be part of a clip;
//                 used by the streaming thread of the sink pad only
//     GstPeClip   the jobs of one clip; one owner, any thread
//
// Jobs are embedded once and shared by overlapping clips.

#pragma once

#include "core/pe.h"
#include "gst/meta/gstpemeta.h"
#include "gst/video/gstpetimes.h"

#include <gst/gst.h>

typedef struct {
    GPtrArray *jobs;    // PeJob, in the order of the frames
    GstPeReason reason; // why it has fewer frames than were asked for
    GstPeTimes first;
    GstPeTimes last;
} GstPeClip;

bool gst_pe_clip_is_done(const GstPeClip *clip);
// The unit embedding [dim] of a clip that is done; false with the error of its
// first failed job.
bool gst_pe_clip_embed(const GstPeClip *clip, int dim, float *out,
                       GError **error);
// The clip will never be wanted: its jobs need not run.
void gst_pe_clip_cancel(GstPeClip *clip);
void gst_pe_clip_free(GstPeClip *clip);

typedef struct _GstPeClips GstPeClips;

GstPeClips *gst_pe_clips_new(void);
void gst_pe_clips_free(GstPeClips *clips);

// Use new parameters. Returns the clip that this cut short, or NULL.
GstPeClip *gst_pe_clips_configure(GstPeClips *clips,
                                  const PeSamplerParams *params);

// What to do with the next frame; see pe_sampler_push().
PeSample gst_pe_clips_decide(GstPeClips *clips, GstClockTime running_time);

// Add the frame that was decided about; takes the job. NULL: the frame was
// sampled but not embedded. Returns the clip that it completes, or NULL.
GstPeClip *gst_pe_clips_add(GstPeClips *clips, PeJob *job,
                            const GstPeTimes *times, PeSample sample);

// The stream ends here. Returns the incomplete clip, or NULL.
GstPeClip *gst_pe_clips_finish(GstPeClips *clips);

// Forget and cancel everything.
void gst_pe_clips_reset(GstPeClips *clips);

// Frames of this stream that are still to be embedded.
int gst_pe_clips_count_busy(GstPeClips *clips);
