// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeinference.c - class and states of peinference. Its properties are in
// gstpeproperties.c, the data flow in gst/inference/flow: from gstpeinput.c and
// gstpeevents.c through gstpequeue.c to gstpeoutput.c, and queries in
// gstpequery.c.

/**
 * SECTION:element-peinference
 * @title: peinference
 * @short_description: embeds clips of video and labels them with any text
 *
 * Takes decoded frames, samples clips from them and computes the Perception
 * Encoder embedding of each clip. Compares the embedding with the labels that
 * the user wrote as plain text, and attaches the result to the frames as
 * #GstPeMeta (and as GstAnalyticsClsMtd where that exists). Pixels pass through
 * untouched. All elements of a process with the same model, device and
 * precision share one copy of the weights, and their frames are computed in
 * common batches. Of a frame with a #GstVideoCropMeta, only its rectangle is
 * embedded.
 *
 * ## Regions
 *
 * Parts of a frame are embedded besides the whole of it, or alone, as
 * #GstPeInference:inference-region says: #GstPeInference:regions, which stay
 * where they are and may have labels of their own, and the objects that a
 * detector upstream found. Each part of each sampled frame has a result of its
 * own, of one frame, see gst_pe_result_get_region(). All that a frame has are
 * on it, and all are computed together. An object of a track that was embedded
 * shortly before (#GstPeInference:reclassify-interval), and a fixed region in
 * which nothing has changed (`on-change`), are not embedded again; their last
 * embedding is scored once more. Labels of an object that is a
 * GstAnalyticsODMtd of the same frame are related to it. Fixed regions, and
 * objects of a track, have events of their own.
 *
 * ## Which frame carries the result
 *
 * In exact mode, the last frame of a clip waits for the result and carries it;
 * frames between clips do not wait. In latest mode, no frame ever waits, and
 * every frame carries the most recent result together with its age. In auto
 * mode, the element chooses latest behind a live source and in front of a sink
 * that keeps time (sync=true, the default of appsink), and exact otherwise.
 * With #GstPeInference:hold=none, frames carry no results and pass at once in
 * either mode.
 *
 * Every result is also posted as a message, and travels downstream as a
 * serialized event, see gst_event_get_pe_result(): directly behind the frame
 * that carries it, because an element that drops this frame would lose the
 * result with it, or as soon as it is there when no frame waited for it. The
 * same result is recognised by its source, element and sequence. A queue with
 * leaky=downstream drops events too, and video decoders may drop the one at the
 * end of a stream, so #pemetaconvert belongs before them.
 *
 * When the end of the stream, a new segment or a jump in time cuts a clip
 * short, its frames have already left. Its result is marked as partial. Behind
 * a live source, no frame waits for it; otherwise it comes before what follows
 * the cut. New caps and the DISCONT flag alone do not end a clip: frames of any
 * size and format can be part of one. A flush discards what is not finished.
 *
 * ## Time
 *
 * Sampling is a grid in running time, which begins with the first frame: at
 * each of its points, the frame that is on screen is a sample. A frame is
 * chosen when it comes, if a point lies within its duration, or where that is
 * not known within the distance of the frames before it. Further points of a
 * frame that stays are counted, without embedding it again, when the next frame
 * or a GAP event comes, or by its duration at the end. A clip that such a point
 * completes has its result behind the frame, as an event, and no frame waits
 * for it.
 *
 * Where nobody knows that a frame would stay, and it does, the sample is the
 * frame that was sampled last, which is less than a sampling period older. That
 * lasts for at most #GstPeInference:max-gap; then the clip ends, at the latest
 * with the next frame. Segments in trick mode have no such limit, because they
 * leave frames out on purpose.
 *
 * Steps back of up to half a frame are ignored. A frame whose timestamp fits
 * neither is kept aside: it is left out when the next one goes on before it,
 * and begins a clip when not. A frame with the flag DISCONT is believed at
 * once, and so is every frame when #GstPeInference:clip-length is 1. Frames
 * without a timestamp follow each other at the rate of their caps; without that
 * rate, each is a sample, and a warning says so.
 *
 * ## Loading
 *
 * The model loads from READY on, in a thread, while the application goes on:
 * progress messages with the code `load` tell about it, and the change to
 * PAUSED waits for it. A model that is not there is the error of the change to
 * READY; one that cannot be loaded is that of the change to PAUSED. The model
 * stays loaded until NULL, so a source that reconnects in READY does not load
 * it again; changed properties do. After its last user, a model stays in the
 * process for the seconds of the environment variable `GST_PE_ENGINE_LINGER`
 * (5), and who asks for it again meanwhile need not load it.
 *
 * ## Latency
 *
 * In exact mode behind a source that is not live, a bounded number of frames
 * (16, or twice #GstPeInference:batch-size) waits in the element; after that,
 * upstream waits. In latest mode up to four frames are in the element: two pass
 * through, one is preprocessed in a thread of its own and one waits for that,
 * until a newer one takes its place. The element announces how many frames it
 * holds in the ALLOCATION query. Behind a live source, exact mode adds
 * #GstPeInference:latency to the latency of the pipeline, and latest mode adds
 * nothing. No frame is ever dropped here. A sink that is late asks for fewer
 * frames by QoS events, and a decoder upstream then leaves some out. In exact
 * mode behind a source that is not live, these events stop here, so that
 * everything is analysed, unless #GstPeInference:qos is set.
 *
 * ## CUDA memory
 *
 * In a build with GstCuda, frames may be in `memory:CUDAMemory`, as they come
 * from nvh264dec or cudaupload. When the engine works on a CUDA device and a
 * frame is in the primary context of that device, the engine reads the frame in
 * place, on the stream that writes it. The element therefore offers this
 * context to the pipeline on its way to READY, unless the application, a
 * neighbour or a bin already has one for the device. A frame of another context
 * is copied once, on the device. The CPU also takes frames in CUDA memory, but
 * GStreamer has to copy them to the host; the caps therefore list system memory
 * first. #GstPeInference:stats counts which way the frames went.
 *
 * Frames leave in the memory in which they came. Put cudadownload before an
 * element that cannot take CUDA memory. Buffers in system memory under caps
 * that announce CUDA memory are an error; CUDA memory under plain caps is not.
 *
 * ## Messages
 *
 * An element message named `peinference` is posted for every result when
 * #GstPeInference:post-messages is set, with these fields:
 *
 * * #guint64 `timestamp`, `stream-time`, `running-time`, `duration`,
 *   `wall-clock` (since 1970): of the clip's last frame
 * * #gchararray `source`, `element`, #guint64 `sequence`: whose result it is
 * * #gchararray `stream-id`
 * * #guint64 `clip-start`, `clip-end` in running time, `clip-stream-start`,
 *   `clip-stream-end` in stream time, `clip-wall-start`, `clip-wall-end` since
 *   1970
 * * #guint `clip-frames`: how many samples were embedded; a frame that stays on
 *   screen is several
 * * #gboolean `clip-partial`: fewer than #GstPeInference:clip-length
 * * #gchararray `clip-reason`: why, when it is partial: `eos`, `jump`,
 *   `overload` or `reconfigured`
 * * #gint `region-id`, `region-x`, `region-y`, `region-width`, `region-height`,
 *   #gchararray `region-name`, #guint64 `region-track-id`: of the part of the
 *   picture, when it is not all of it
 * * #gchararray `window`: name of the window over time, when there are several
 * * #gchararray `model`, `model-fingerprint`, `device`, `precision`
 * * #gchararray `label-set`, `label-set-fingerprint`: which labels were scored
 * * #GstValueArray of #gchararray `labels`: best first
 * * #gchararray `calibration`: where that of the scores is from: `none`,
 *   `model` or `labels`
 * * #gdouble `negative-mass`: share of negatives and bank, 0 to 1
 * * #gboolean `unknown`: nothing that was asked for is seen
 * * #GstValueArray of #gdouble `scores`: how sure each label is, 0 to 1
 * * #GstValueArray of #gdouble `probabilities`: shares among the labels alone,
 *   0 to 1
 * * #GstValueArray of #gdouble `similarities`: cosines, -1 to 1
 * * #GstValueArray of #gdouble `p-values`: how unusual each label's evidence is
 *   on this camera, above 0 to 1, when #GstPeInference:alarms-per-day keeps a
 *   history of it
 *
 * An element message named `peinference-event` is posted when an event of a
 * label begins, goes on or ends, whatever #GstPeInference:post-messages says:
 *
 * * #gchararray `event`: `start`, `update` or `end`
 * * #guint64 `id`: counts the events of the element; the same in all of one's
 *   messages
 * * #gchararray `label`
 * * `source`, `element`, `sequence`, `stream-id`: of the result that made it
 *   known
 * * #guint64 `start`, `end`, `peak` in running time: when it began, when it
 *   ended or until when it is known to last, and the middle of the clip that
 *   fits best; `stream-start`, `stream-end`, `stream-peak` in stream time,
 *   `wall-start`, `wall-end`, `wall-peak` since 1970
 * * #gdouble `peak-score`: the score at the peak, smoothed; `threshold`: the
 *   score at which it began; `p-value`: the share of the camera's history that
 *   scored as high, with #GstPeInference:alarms-per-day
 * * #guint `clips`: how many are part of it
 * * `region-id` and so on, as above: where it is, when it is one of a region
 * * `model`, `model-fingerprint`, `label-set`, `label-set-fingerprint`
 *
 * Fields that are not known are left out; times are in nanoseconds. The words
 * are those of #pemetaconvert.
 *
 * ## Events
 *
 * With #GstPeInference:event-threshold, scores over time become events. The
 * logits of a label's scores are averaged with the time constant
 * #GstPeInference:event-smoothing. An event begins when the average has reached
 * event-threshold for #GstPeInference:event-min-duration, and then began when
 * it reached it; it goes on while the average is above
 * #GstPeInference:event-release. Each result counts for the time that its clip
 * adds to those before it. The result that makes something known about an event
 * carries it, see gst_pe_result_get_event(), and so do the frame and the event
 * of that result.
 *
 * Events end where the last clip ended when there is none for three times as
 * long as it takes from one clip to the next, when time goes back, at a flush,
 * with another stream, at the end, and when other labels or settings come. What
 * ends without another clip is told by a result without frames: before the end
 * and before another stream, and behind the segment that follows a flush.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -m filesrc location=video.mp4 ! decodebin ! videoconvert !
 * peinference model=PE-Core-B16-224.pt labels="a dog|a cat" frame-rate=2/1 !
 * fakesink
 * ]| Prints a message with the most likely label for every four seconds.
 * |[
 * gst-launch-1.0 -m filesrc location=video.mp4 ! qtdemux ! h264parse !
 * nvh264dec ! peinference device=cuda model=PE-Core-B16-224.pt
 * labels="a dog|a cat" ! fakesink
 * ]| Reads the frames in the decoder's memory.
 *
 * Since: 0.1
 */

#include "gst/inference/gstpeinference.h"

#include "gst/engine/gstpenotes.h"
#include "gst/inference/flow/gstpequery.h"
#include "gst/inference/gstpeproperties.h"
#include "gst/video/gstpeframe.h"

GST_DEBUG_CATEGORY(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(GST_PE_CUDA_CAPS GST_PE_CAPS));

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(GST_PE_CUDA_CAPS GST_PE_CAPS));

G_DEFINE_TYPE(GstPeInference, gst_pe_inference, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(peinference, "peinference", GST_RANK_NONE,
                            GST_TYPE_PE_INFERENCE)

// ---- States ---------------------------------------------------------------

static void
job_done(PeJob *job, void *user_data)
{
    GstPeShared *shared = user_data;
    PeJobRun run;

    pe_job_get_run(job, &run);
    if (run.started > 0) {
        gst_pe_stats_took(&shared->stats, GST_PE_STAGE_QUEUE,
                          run.started - run.submitted);
        gst_pe_stats_took(&shared->stats, GST_PE_STAGE_INFER,
                          run.ended - run.started);
    }
    gst_pe_queue_wake(&shared->queue);
}

static void
stop(GstPeInference *self)
{
    gst_pe_input_stop(self->input);
    gst_pe_output_stop(self->output);
    gst_pe_label_source_stop(&self->shared.labels);
    gst_pe_shared_drop_engine(&self->shared);
}

static bool
start(GstPeInference *self)
{
    GstPeShared *shared = &self->shared;
    g_autoptr(GError) error = NULL;
    g_auto(GstPeEngineSettings) wanted =
        gst_pe_shared_dup_engine_settings(shared);
    PeEngine *engine = gst_pe_loader_wait(self->loader, &wanted);

    if (!engine)
        return false;
    gst_pe_failure_forget(&shared->failure);
    if (!gst_pe_label_source_start(&shared->labels, engine, &error)) {
        pe_engine_unref(engine);
        gst_pe_failure_post(&shared->failure, error);
        return false;
    }
    gst_pe_notes_post(shared->element, GST_MESSAGE_INFO,
                      pe_engine_get_notes(engine));
    gst_pe_cuda_start(&shared->cuda, pe_engine_get_device(engine));
    gst_pe_stats_reset(&shared->stats);
    PeClient *client = pe_client_new(engine, job_done, shared);
    gst_pe_input_start(self->input, engine, client);
    gst_pe_output_start(self->output, engine);
    gst_pe_shared_set_engine(shared, engine, client);
    return true;
}

// The frames are those of the device that is asked for; which one it becomes,
// the engine decides.
static bool
load(GstPeInference *self)
{
    g_auto(GstPeEngineSettings) wanted =
        gst_pe_shared_dup_engine_settings(&self->shared);

    if (!gst_pe_loader_start(self->loader, &wanted))
        return false;
    gst_pe_cuda_start(&self->shared.cuda, wanted.device);
    return true;
}

static void
set_context(GstElement *element, GstContext *context)
{
    gst_pe_cuda_take(&GST_PE_INFERENCE(element)->shared.cuda, context);
    GST_ELEMENT_CLASS(gst_pe_inference_parent_class)
        ->set_context(element, context);
}

static GstStateChangeReturn
change_state(GstElement *element, GstStateChange transition)
{
    GstPeInference *self = GST_PE_INFERENCE(element);

    if (transition == GST_STATE_CHANGE_NULL_TO_READY && !load(self))
        return GST_STATE_CHANGE_FAILURE;
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start(self))
        return GST_STATE_CHANGE_FAILURE;

    GstStateChangeReturn ret = GST_ELEMENT_CLASS(gst_pe_inference_parent_class)
                                   ->change_state(element, transition);

    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
        (transition == GST_STATE_CHANGE_READY_TO_PAUSED &&
         ret == GST_STATE_CHANGE_FAILURE))
        stop(self);
    if (transition == GST_STATE_CHANGE_READY_TO_NULL) {
        gst_pe_cuda_stop(&self->shared.cuda);
        gst_pe_loader_stop(self->loader);
    }
    return ret;
}

// ---- Object ---------------------------------------------------------------

static void
finalize(GObject *object)
{
    GstPeInference *self = GST_PE_INFERENCE(object);

    gst_pe_loader_free(self->loader);
    gst_pe_input_free(self->input);
    gst_pe_output_free(self->output);
    gst_pe_shared_clear(&self->shared);
    G_OBJECT_CLASS(gst_pe_inference_parent_class)->finalize(object);
}

static void
gst_pe_inference_class_init(GstPeInferenceClass *klass)
{
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);

    GST_DEBUG_CATEGORY_INIT(pe_inference_debug, "peinference", 0,
                            "Perception Encoder inference");
    G_OBJECT_CLASS(klass)->finalize = finalize;
    gst_pe_properties_install(G_OBJECT_CLASS(klass));
    element_class->change_state = change_state;
    element_class->set_context = set_context;
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "Perception Encoder inference", "Filter/Analyzer/Video",
        "Embeds clips of video and labels them with any text",
        "gst-perception-encoder contributors");
}

static void
gst_pe_inference_init(GstPeInference *self)
{
    GstElement *element = GST_ELEMENT(self);

    GstPad *sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
    GstPad *srcpad = gst_pad_new_from_static_template(&src_template, "src");
    gst_pe_shared_init(&self->shared, element, sinkpad, srcpad);
    gst_pe_properties_init(self);
    self->loader = gst_pe_loader_new(&self->shared.failure);
    self->output = gst_pe_output_new(&self->shared);
    self->input = gst_pe_input_new(&self->shared);
    gst_pe_query_init(&self->shared);
    gst_element_add_pad(element, sinkpad);
    gst_element_add_pad(element, srcpad);
}
