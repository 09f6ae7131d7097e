// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeclips.h - sampled frames of one stream become clips.
//
//     GstPeClips   the sampler and the frames that may still be part of a clip;
//                  used by the streaming thread of the sink pad only
//     GstPeClip    the frames of one clip; one owner, any thread
//     GstPeTicket  one sampled frame and, once there is one, the job that
//     embeds
//                  it; any thread
//
// Frames are embedded once and shared by overlapping clips.

#pragma once

#include "core/pe.h"
#include "gst/meta/gstpemeta.h"
#include "gst/video/gstpetimes.h"

#include <gst/gst.h>

typedef struct _GstPeTicket GstPeTicket;

// Returns a reference.
GstPeTicket *gst_pe_ticket_new(void);
GstPeTicket *gst_pe_ticket_ref(GstPeTicket *ticket);
void gst_pe_ticket_unref(GstPeTicket *ticket);
// Once: takes the job; NULL: the frame will not be embedded. A ticket that was
// cancelled before cancels the job.
void gst_pe_ticket_fill(GstPeTicket *ticket, PeJob *job);
void gst_pe_ticket_cancel(GstPeTicket *ticket);
bool gst_pe_ticket_is_cancelled(GstPeTicket *ticket);

typedef struct {
    GPtrArray *tickets; // in the order of the frames
    GstPeReason reason; // why it has fewer frames than were asked for
    guint n_wanted;     // frames that were asked for
    GstPeTimes first;
    GstPeTimes last;
    char *source;    // see gstpesource.h; NULL: not known
    char *stream_id; // NULL: not known
    bool for_frames; // whether a frame behind it may carry the result
} GstPeClip;

bool gst_pe_clip_is_done(GstPeClip *clip);
// The unit embedding [dim] of a clip that is done, over the frames that were
// embedded. When some were not, the clip gets the reason, if it has none yet,
// GST_PE_REASON_OVERLOAD. false with the error of its first failed job, or with
// PE_ERROR_CANCELLED when no frame was embedded.
//   n_frames   that were embedded
//   n_skipped  that the engine did not embed, and that no clip has told of yet
bool gst_pe_clip_embed(GstPeClip *clip, int dim, float *out, guint *n_frames,
                       guint *n_skipped, GError **error);
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

// Add the frame that was decided about; takes the ticket. Returns the clip that
// it completes, or NULL.
GstPeClip *gst_pe_clips_add(GstPeClips *clips, GstPeTicket *ticket,
                            const GstPeTimes *times, PeSample sample);

// The stream ends here, for this reason. Returns the incomplete clip, or NULL.
GstPeClip *gst_pe_clips_finish(GstPeClips *clips, GstPeReason reason);

// Forget and cancel everything.
void gst_pe_clips_reset(GstPeClips *clips);

// Frames of this stream that are still to be embedded.
int gst_pe_clips_count_busy(GstPeClips *clips);
