// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewatch.h - what one picture of a camera cannot tell, and the labels of a
// model tell badly: that the picture is frozen, that the camera was moved, that
// the light flickers, that the focus hunts. Knows nothing about GStreamer's
// buffers; what it finds goes through PeEvents.

#pragma once

#include "core/pe.h"
#include "gst/health/gstperhythm.h"
#include "gst/health/gstpestill.h"
#include "gst/health/gstpeview.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// frozen  Since the picture that time counts from, no more than `still_share`
//         of its cells (32 x 18) changed: a clock may go on. A cell has changed
//         when its pixels differ by more than half a level in the mean, which
//         the noise of a sensor does. A stream without noise and without
//         anything that moves is taken for a frozen one; so is a quiet picture
//         that an encoder repeats from one key frame to the next. Or each
//         picture is much as one of the ten before, which in this stream has
//         never been so for as long: see gstpestill.c.
// moved   The structure, which is the gradients of a picture of 48 x 27 cells,
//         no longer correlates with that of the usual view: the mean over
//         `learn`, which then follows slowly. It correlates with that of the
//         pictures before, so that noise is no other view. Light and exposure
//         change it little, another view changes all of it. A picture with too
//         little structure to say so, as a black or covered one, is not judged.
//         Where pictures come with embeddings, these must have left the usual
//         one, too. After `learn` at a new place, that is the usual view; so is
//         one of much less structure, which is not told.
// flicker  The light of most cells (8 x 12) has gone up and down by
//         `flicker_above` of itself twice or more in each third of the last
//         eight seconds, or once where it is told already: most rows of cells
//         do, each row together, and the rows one after the other or together.
//         Two looks, a second to four apart, must see it.
// hunting  The sharpest third of the cells has lost `hunting_above` of its
//         sharpness, got it back and lost it again in the last twelve seconds,
//         three times or more in all and the more alike the fewer, most cells
//         together, not by jumps, while their light stayed.

enum {
    GST_PE_WATCH_LEAST_WIDTH = 96,
    GST_PE_WATCH_LEAST_HEIGHT = 54,
};

typedef enum {
    GST_PE_WATCH_FROZEN,
    GST_PE_WATCH_MOVED,
    GST_PE_WATCH_FLICKER,
    GST_PE_WATCH_HUNTING,
    GST_PE_WATCH_N,
} GstPeWatchState;

typedef struct {
    uint64_t step; // ns between two pictures; 0: not known
    GstPeStillParams still;
    GstPeViewParams view;
    GstPeRhythmParams rhythm;
} GstPeWatchParams;

// Luma measures of the last picture.
typedef struct {
    double mean;      // levels, 0 to 255
    double deviation; // levels
    double sharpness; // mean square of the horizontal and vertical differences
    double change;    // share of the cells that differ from the last picture;
                      // NaN: there was none
    GstPeLikeness likeness;
} GstPeMeasures;

// The pictures of one camera over time; one owner.
typedef struct GstPeWatch GstPeWatch;

// What is used unless somebody says otherwise.
void gst_pe_watch_params_init(GstPeWatchParams *params);

// "frozen picture", "camera moved", "flicker", "hunting": the names of the
// events.
const char *gst_pe_watch_state_to_string(GstPeWatchState state);

// params  in their ranges, frozen_after and learn above 0. Release with
// gst_pe_watch_free().
GstPeWatch *gst_pe_watch_new(const GstPeWatchParams *params);
void gst_pe_watch_free(GstPeWatch *watch);

// From now on.
void gst_pe_watch_set_params(GstPeWatch *watch, const GstPeWatchParams *params);

// What goes on between the pictures that are pushed, for flicker and hunting:
// of up to 33 a second, also of those of push, which are to be added before.
// Luma that has GST_PE_CELLS_ROWS rows of its picture is enough. Does nothing
// when neither is watched.
void gst_pe_watch_add(GstPeWatch *watch, uint64_t time, const GstPeLuma *luma);

// The next picture. After one of another size or of later, what is usual stays
// so, and all else begins anew. Behind a gap, what was so may go on; what does
// not has ended before it.
//   time       ns
//   luma       [height] rows of width bytes, stride bytes apart, borrows; no
//              smaller than GST_PE_WATCH_LEAST_...
//   embedding  [dim], unit, borrows, or NULL
//   told       gets the events that this picture makes known, valid until the
//              next call. None has begun to be sure before it had begun;
//              flicker and hunting end with the last swing that was seen
// Returns how many.
int gst_pe_watch_push(GstPeWatch *watch, uint64_t time, const uint8_t *luma,
                      int width, int height, size_t stride,
                      const float *embedding, int dim, const PeEvent **told);

// The stream ends, or jumps: ends every event. What is usual stays so. `told`
// and the return value are as above.
int gst_pe_watch_end(GstPeWatch *watch, const PeEvent **told);

// Another camera: what is usual is to be learned. After gst_pe_watch_end().
void gst_pe_watch_forget(GstPeWatch *watch);

// Since when a state has lasted, or had, when its begin was told, which was
// later; ns.
uint64_t gst_pe_watch_get_since(const GstPeWatch *watch, GstPeWatchState state);

void gst_pe_watch_get_measures(const GstPeWatch *watch,
                               GstPeMeasures *measures);
