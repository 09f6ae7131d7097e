// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeclips.h - sampled frames of one stream become clips.
//
//     GstPeClips   the sampler and the frames that may still be part of a clip;
//                  used by the streaming thread of the sink pad only
//     GstPeClip    the frames of one clip; one owner, any thread
//
// Each part of a sampled frame that is looked at, beside the whole of it, is a
// clip of one sample. The clips that one sample completes are a chain, which
// stays together: whoever owns the first one owns all.
//
// Frames are embedded once, and shared by overlapping clips and by the samples
// of a frame that is shown for longer.

#pragma once

#include "core/pe.h"
#include "gst/inference/regions/gstpeparts.h"
#include "gst/meta/gstpemeta.h"
#include "gst/video/gstpetimes.h"

#include <gst/gst.h>

typedef struct _GstPeClip GstPeClip;
struct _GstPeClip {
    GPtrArray *tickets; // in the order of the samples; the same one may repeat
    GstPeReason reason; // why it has fewer frames than were asked for
    guint n_wanted;     // frames that were asked for
    GstPeTimes first;
    GstPeTimes last;
    guint64 stretch;   // see gst_pe_result_get_stretch()
    guint64 sample;    // the last one's number in it
    char *source;      // see gstpesource.h; NULL: not known
    char *stream_id;   // NULL: not known
    bool for_frames;   // whether a frame behind it may carry the result; of a
                       // chain, what the first says counts
    GstPeParts *parts; // that it is a part of; NULL: the whole frame
    guint part;        // which; as many as there are: none, as no object is
    GstPeClip *next;   // of the same sample; NULL: the last
};

// The part of a frame that the clip shows; NULL: all of it, or nothing.
const GstPePart *gst_pe_clip_get_part(const GstPeClip *clip);
// Of the whole chain, as are cancelling and freeing.
bool gst_pe_clip_is_done(GstPeClip *clip);
// The unit embedding [dim] of a clip that is done, over the frames that were
// embedded. When some were not, the clip gets the reason, if it has none yet,
// GST_PE_REASON_OVERLOAD. false with the error of its first failed job, or with
// PE_ERROR_CANCELLED when no frame was embedded.
//   n_frames   that were embedded
//   norm       the length of the embedding before it was made 1
//   n_skipped  that the engine did not embed, and that no clip has told of yet
bool gst_pe_clip_embed(GstPeClip *clip, int dim, float *out, double *norm,
                       guint *n_frames, guint *n_skipped, GError **error);
// When the last of its jobs that ran had ended, monotonic us; 0: none ran. Of a
// clip that is done.
int64_t gst_pe_clip_get_end(const GstPeClip *clip);
// The clip will never be wanted: its jobs need not run.
void gst_pe_clip_cancel(GstPeClip *clip);
void gst_pe_clip_free(GstPeClip *clip);

typedef struct _GstPeClips GstPeClips;

GstPeClips *gst_pe_clips_new(void);
void gst_pe_clips_free(GstPeClips *clips);

// Use new parameters. `whole`: clips are made of whole frames, not of parts
// alone, which need neither length nor stride. Returns the clip that this cut
// short, or NULL.
GstPeClip *gst_pe_clips_configure(GstPeClips *clips,
                                  const PeSamplerParams *params, bool whole);

// How the next frame follows the last one; see pe_sampler_check().
PeOrder gst_pe_clips_check(GstPeClips *clips, const PeMoment *moment);

// A sample once more of the frame that was sampled last, in front of the next
// one, or of the end (NULL); see pe_sampler_hold(). false: there is none. *clip
// are those that it completes, or NULL.
bool gst_pe_clips_hold(GstPeClips *clips, const PeMoment *next,
                       GstPeClip **clip);

// What to do with the next frame; see pe_sampler_push().
PePoint gst_pe_clips_decide(GstPeClips *clips, const PeMoment *moment);

// Add the frame that was decided about; takes the parts. `segment` is what its
// times are of. Returns the clips that it completes, or NULL.
GstPeClip *gst_pe_clips_add(GstPeClips *clips, GstPeParts *parts,
                            const GstPeTimes *times, const GstSegment *segment,
                            const PePoint *point);

// Keep a frame aside that may have a wrong timestamp; takes the parts. There
// is no other one.
void gst_pe_clips_doubt(GstPeClips *clips, GstPeParts *parts,
                        const GstPeTimes *times, const GstSegment *segment,
                        const PeMoment *moment);
bool gst_pe_clips_has_doubt(const GstPeClips *clips);
// Its timestamp was wrong. false: there is none.
bool gst_pe_clips_forget_doubt(GstPeClips *clips);
// It was right: the frame is the first one of a new clip. Whatever was before
// it has been finished. false: there is none. *clip is the one that it
// completes, or NULL.
bool gst_pe_clips_end_doubt(GstPeClips *clips, GstPeClip **clip);

// The stream, or a stretch of it, ends here for this reason. Returns the
// incomplete clip, or NULL. A frame that is aside stays there.
GstPeClip *gst_pe_clips_finish(GstPeClips *clips, GstPeReason reason);

// Forget and cancel everything.
void gst_pe_clips_reset(GstPeClips *clips);

// Frames of this stream that are still to be embedded.
int gst_pe_clips_count_busy(GstPeClips *clips);
