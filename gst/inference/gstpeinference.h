// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeinference.h - the element's instance, shared by its files:
// gstpeinference.c (class, states), gstpeproperties.c, gstpequery.c,
// gstpeinput.c (sink pad) and gstpeoutput.c (source pad).

#pragma once

#include "gst/inference/gstpeclips.h"
#include "gst/inference/gstpeenums.h"
#include "gst/inference/gstpelabels.h"
#include "gst/inference/gstpequeue.h"
#include "gst/inference/gstpestats.h"
#include "gst/meta/gstpemeta.h"
#include "gst/result/gstpesource.h"
#include "gst/video/gstpecuda.h"

#include <gst/video/video.h>

G_BEGIN_DECLS

// What the data flow reads of the properties, copied under the object lock.
typedef struct {
    PeSamplerParams sampler;
    GstPeInferenceMode mode;
    guint latency; // ms
    guint top_k;
    double threshold;
    guint batch_size;
    bool attach_embedding;
    bool post_messages;
} GstPeSettings;

#define GST_TYPE_PE_INFERENCE (gst_pe_inference_get_type())
G_DECLARE_FINAL_TYPE(GstPeInference, gst_pe_inference, GST, PE_INFERENCE,
                     GstElement)
GST_ELEMENT_REGISTER_DECLARE(peinference);

struct _GstPeInference {
    GstElement parent;
    GstPad *sinkpad;
    GstPad *srcpad;

    // Properties, object lock.
    GstPeSettings settings;
    char *model_path;
    char *device;
    PePrecision precision;
    guint batch_timeout; // ms

    GstPeLabels labels;
    GstPeStats stats;
    GstPeQueue queue;
    GstPeCuda cuda;

    // From READY to PAUSED and back; the pointers change with pads inactive.
    PeEngine *engine; // object lock, for the stats property and queries
    PeClient *client;

    // Streaming thread of the sink pad.
    GstSegment segment;
    GstVideoInfo info;
    bool cuda_caps; // which promise CUDA memory
    GstPeClips *clips;
    GstClockTime last_running_time;
    bool live_known;
    bool live;
    bool exact; // what mode has become

    // Both threads, queue.lock: clips that no frame waits for.
    GQueue pending;

    // The task of the source pad.
    GstPeSource source;
    guint64 sequence;
    GstPeResult *latest;
};

// Does the engine work on a CUDA device?
bool gst_pe_engine_is_on_device(PeEngine *engine);

// Post an error on the bus with the code that fits a PeError.
void gst_pe_inference_post_error(GstPeInference *self, const GError *error);

// ---- gstpeproperties.c ----------------------------------------------------

void gst_pe_properties_install(GObjectClass *klass);
void gst_pe_properties_init(GstPeInference *self);
GstPeSettings gst_pe_inference_get_settings(GstPeInference *self);

// ---- gstpeinput.c ---------------------------------------------------------

void gst_pe_input_init(GstPeInference *self);
// Forget the stream. Streaming thread, or pads inactive.
void gst_pe_input_reset(GstPeInference *self);
// Find out whether frames wait. Streaming thread.
void gst_pe_input_update_mode(GstPeInference *self);
// Frames that may wait in the queue. Streaming thread, or while it waits.
int gst_pe_input_get_max_held(GstPeInference *self);

// Clips that no frame waits for. Takes the clip.
void gst_pe_inference_add_pending(GstPeInference *self, GstPeClip *clip);
// The oldest one, with `done` only when it has ended; NULL when there is none.
GstPeClip *gst_pe_inference_take_pending(GstPeInference *self, bool done);

// ---- gstpequery.c ---------------------------------------------------------

void gst_pe_query_init(GstPeInference *self);

// ---- gstpeoutput.c --------------------------------------------------------

GstFlowReturn gst_pe_output_send(GstPeItem *item, void *user_data);
bool gst_pe_output_answer(GstQuery *query, void *user_data);

G_END_DECLS
