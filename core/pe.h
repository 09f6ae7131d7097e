// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pe.h - the public interface of the Perception Encoder library.
//
// Nothing here knows about GStreamer or CUDA. A program opens a PeModel once,
// gets the PeEngine for it, turns its label list into a PeLabels, and submits
// frames.
//
//     PeModel      immutable weights and configuration     any thread
//     PeTokenizer  immutable CLIP vocabulary               any thread
//     PeEngine     one worker thread, one device           any thread
//     PeClient     one user of an engine                   one owner
//     PeJob        the embedding of one frame, on its way  any thread
//     PeLabelSpec  what the user wrote                     one owner
//     PeLabels     immutable label vectors                 any thread
//     PeSampler    which frames make a clip                one owner
//     PeEvents     the labels of a stream over time        one owner
//     PeRows       stored vectors, to be searched          any thread
//
// Ownership, in three words used by every comment below:
//   borrows  valid only until the call returns; the caller keeps it
//   takes    the callee owns it from here on, even when the call fails
//   returns  the caller owns the result and releases it as stated
//
// A function that takes a GError ** can fail for a reason outside the program;
// its message names the file or device, what was expected and what was found.

#pragma once

#include "peevents.h"
#include "peframe.h"
#include "pelabels.h"
#include "pesearch.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

// The library is compiled with hidden symbols: it exports what is declared
// here, and nothing else. core/pe-core.abi lists it.
#pragma GCC visibility push(default)

// ---- Version --------------------------------------------------------------

// Of this header.
#define PE_VERSION_MAJOR 0
#define PE_VERSION_MINOR 1
#define PE_VERSION_MICRO 0
#define PE_VERSION "0.1.0"

// Is this header of that version or a later one?
#define PE_CHECK_VERSION(major, minor, micro) \
    (PE_VERSION_MAJOR > (major) || \
     (PE_VERSION_MAJOR == (major) && PE_VERSION_MINOR > (minor)) || \
     (PE_VERSION_MAJOR == (major) && PE_VERSION_MINOR == (minor) && \
      PE_VERSION_MICRO >= (micro)))

// The PE_VERSION of the library that runs.
const char *pe_get_version(void);

// ---- Errors ---------------------------------------------------------------

#define PE_ERROR (pe_error_quark())
GQuark pe_error_quark(void);

typedef enum {
    PE_ERROR_FILE,    // cannot be read or written
    PE_ERROR_FORMAT,  // not what it should be: damaged, hostile or another kind
    PE_ERROR_SHAPE,   // tensors, model and vocabulary do not fit together
    PE_ERROR_BACKEND, // the device failed or answered wrongly
    PE_ERROR_DEVICE,  // the device or precision is not there
    PE_ERROR_NOMEM,   // no memory for it on the host or on the device
    PE_ERROR_CANCELLED,
} PeError;

// ---- Files ----------------------------------------------------------------

// A small file that a user wrote or downloaded (vocabulary, labels, settings):
// its content, unpacked when it is gzip, with a NUL after it. More than
// `max_size` unpacked bytes are an error, and so are devices and pipes, which
// nobody waits for. Returns NULL or a buffer, g_free().
//   size  without the NUL
char *pe_read_file(const char *path, size_t max_size, size_t *size,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

// ---- Log ------------------------------------------------------------------

typedef enum {
    PE_LOG_ERROR,
    PE_LOG_WARNING,
    PE_LOG_INFO,
    PE_LOG_DEBUG,
} PeLogLevel;

typedef void (*PeLogFunc)(PeLogLevel level, const char *message,
                          void *user_data);

// Process-wide; NULL restores the default (g_log in domain "pe"; INFO and DEBUG
// only with G_MESSAGES_DEBUG). `func` may be called from any thread.
void pe_log_set(PeLogFunc func, void *user_data);

// For the library and its users alike.
void pe_log(PeLogLevel level, const char *format, ...) G_GNUC_PRINTF(2, 3);

// ---- Model ----------------------------------------------------------------

typedef enum {
    PE_PRECISION_AUTO,
    PE_PRECISION_FP32,
    PE_PRECISION_BF16,
    PE_PRECISION_FP16,
    PE_PRECISION_INT8, // linears of the blocks in integers of 8 bits
    PE_PRECISION_FP8,  // linears of the blocks in E4M3, CUDA only
} PePrecision;

// "auto", "fp32", "bf16", ...; false when `nick` is none of them.
bool pe_precision_parse(const char *nick, PePrecision *precision);
const char *pe_precision_nick(PePrecision precision);

typedef struct {
    int image_size; // pixels, square
    int patch_size; // pixels
    int width;
    int layers;
    int heads;
    int mlp_width;
    int output_dim; // of an embedding; 0: this model has none (Lang, Spatial)
    int pool_heads; // 0: no attention pooling
    bool cls_token;
    bool ln_post;
    bool layer_scale;
} PeVisionConfig;

typedef struct {
    int context_length; // tokens
    int vocab_size;
    int width;
    int layers;
    int heads;
    int mlp_width;
    int output_dim;
} PeTextConfig;

typedef struct PeModel PeModel;

// Open a checkpoint: Meta .pt, timm or open_clip safetensors, or our own
// safetensors; `path` may be a folder that holds one of them. The file
// stays open and must not change: an engine reads the weights from it.
// Returns a reference, release with pe_model_unref().
PeModel *pe_model_open(const char *path,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

// The small model that comes with the library: below $GST_PE_DATA_PATH when
// that is set, else installed or in the build tree. It is not PE-Core: it knows
// a few drawn scenes. Returns a reference.
PeModel *pe_model_open_default(GError **error) G_GNUC_WARN_UNUSED_RESULT;

// Path of a model that comes with the library, by its file's name:
// "pe-demo.safetensors", or "pe-camera.safetensors" for pictures of cameras.
// NULL: it is not there. Free with g_free().
char *pe_model_find_installed(const char *file) G_GNUC_WARN_UNUSED_RESULT;

// A model of a published shape ("PE-Core-L14-336") with random weights, for
// benchmarks and tests: meaningless answers at the real cost. The weights are
// views of one small random pool, so even G costs little memory.
PeModel *pe_model_new_random(const char *config, uint32_t seed,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

// NULL-terminated names that pe_model_new_random() takes.
const char *const *pe_model_list_configs(void);

PeModel *pe_model_ref(PeModel *model);
void pe_model_unref(PeModel *model);

// "PE-Core-L14-336". A model of an unpublished shape has the name that its file
// states (such as "pe-demo", but never a name that begins like Meta's) or else
// a description such as "PE 64x64 patch 16 width 64 depth 2".
const char *pe_model_get_name(const PeModel *model);
const char *pe_model_get_path(const PeModel *model); // "" for random weights
// "meta-pt", "meta-safetensors", "timm", "open_clip", "perception-lm", "random"
const char *pe_model_get_format(const PeModel *model);
const PeVisionConfig *pe_model_get_vision(const PeModel *model);
// NULL when the checkpoint has no text tower.
const PeTextConfig *pe_model_get_text(const PeModel *model);
// exp() of the stored value; 100 when the checkpoint has none.
float pe_model_get_logit_scale(const PeModel *model);
// 16 hexadecimal digits over every shape and over values sampled from every
// weight; the same for the same weights in another container.
const char *pe_model_get_fingerprint(const PeModel *model);
// Parameters in both towers, or in the vision tower alone.
int64_t pe_model_count_parameters(const PeModel *model, bool vision_only);
// "f32", "bf16", "f16" or "mixed".
const char *pe_model_get_dtype(const PeModel *model);

// How many bytes of how many have been written.
typedef void (*PeProgressFunc)(int64_t n_done, int64_t n_total,
                               void *user_data);

// Write safetensors in Meta's names. Precision FP32, BF16 or FP16. The file
// appears whole or not at all.
//   progress  called after every piece, the last time with n_done == n_total;
//             may be NULL
bool pe_model_save(const PeModel *model, const char *path,
                   PePrecision precision, bool vision_only,
                   PeProgressFunc progress, void *user_data,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

// ---- Tokenizer ------------------------------------------------------------

typedef struct PeTokenizer PeTokenizer;

// Open a CLIP byte-level BPE vocabulary: bpe_simple_vocab_16e6.txt[.gz], a
// Hugging Face tokenizer.json, or vocab.json and merges.txt in one folder, of
// which either is named. Returns a reference: to the same tokenizer while one
// of the file is in use and the file is unchanged.
PeTokenizer *pe_tokenizer_open(const char *path,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

// Open the vocabulary that belongs to a model: `vocab` if it is given; else a
// file beside the model ("x-vocab.txt" for "x.safetensors", or one of the usual
// names of CLIP's vocabulary); else a file in gst-perception-encoder/ in the
// user's or the system's data folders. Its size must be the one that the model
// expects. Returns a reference.
PeTokenizer *
pe_tokenizer_open_for_model(const char *vocab, const PeModel *model,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

PeTokenizer *pe_tokenizer_ref(PeTokenizer *tokenizer);
void pe_tokenizer_unref(PeTokenizer *tokenizer);
int pe_tokenizer_get_vocab_size(const PeTokenizer *tokenizer);
const char *pe_tokenizer_get_path(const PeTokenizer *tokenizer);
// 16 hexadecimal digits over the merges.
const char *pe_tokenizer_get_fingerprint(const PeTokenizer *tokenizer);

// Clean, split and encode UTF-8 text: start token, text, end token, then 0.
//   ids  [context_length]
// Returns the number of tokens before the padding, the end token included.
// When the text was too long, the last token is the end token and *cut gets
// the part of the cleaned text that was lost (g_free()); otherwise NULL.
// `cut` may be NULL.
int pe_tokenizer_encode(const PeTokenizer *tokenizer, const char *text,
                        int context_length, int *ids, char **cut);

// The text as the tokenizer sees it after cleaning. Returns, g_free().
char *pe_tokenizer_clean(const char *text);

// ---- Engine ---------------------------------------------------------------

typedef struct PeEngine PeEngine;
typedef struct PeClient PeClient;
typedef struct PeJob PeJob;

typedef struct {
    PeModel *model;     // borrows; the engine takes its own reference
    const char *device; // NULL or "auto", "cpu", "cuda", "cuda:N"
    PePrecision precision;
    int batch_size;    // frames, 0: chosen for the device
    int batch_timeout; // ms that a frame waits for company, default 0
    int n_threads;     // CPU only, 0: all cores
} PeEngineParams;

// The engine of this process for (model, device, precision): made on the first
// call, shared afterwards; then batch_size, batch_timeout and n_threads of the
// first call hold. Loads the weights and checks known answers: blocks for
// seconds. Returns a reference, release with pe_engine_unref(). After the last
// one the engine lingers for $GST_PE_ENGINE_LINGER seconds (default 5), so that
// who asks for the same again need not wait. An engine whose device has failed
// is never shared again. Fails for models that have no embedding.
PeEngine *pe_engine_get(const PeEngineParams *params,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
PeEngine *pe_engine_ref(PeEngine *engine);
void pe_engine_unref(PeEngine *engine);
// Ends engines that linger, now, and waits for it. The end of the process does
// the same.
void pe_engine_end_idle(void);

PeModel *pe_engine_get_model(const PeEngine *engine); // borrowed
int pe_engine_get_dim(const PeEngine *engine);        // floats of an embedding
PePrecision pe_engine_get_precision(const PeEngine *engine); // never AUTO
const char *pe_engine_get_device(const PeEngine *engine);    // "cpu", "cuda:0"
const char *pe_engine_get_description(const PeEngine *engine);
// What a user should know about how the engine came about, such as "auto: not
// cuda: there is no NVIDIA driver": NULL-terminated sentences, maybe none.
// Borrowed, never changes.
const char *const *pe_engine_get_notes(const PeEngine *engine);
// Does it read frames from host memory? Otherwise they are uploaded, or read in
// place when they are in CUDA memory.
bool pe_engine_is_host(const PeEngine *engine);
// The CUcontext in which the engine works: the primary context of its device.
// Frames of this context are read in place; frames of other contexts are copied
// on the device. NULL for a device of the host. Valid until the process ends.
void *pe_engine_get_device_context(const PeEngine *engine);

// The context in which an engine on `device` would work. Makes no engine, so
// that frames can be allocated before there is one. `device` is as in
// PeEngineParams; "auto" means the first CUDA device if there is one, although
// an engine may still decide against it. *number gets the device's number;
// `number` may be NULL.
void *pe_device_get_context(const char *device, int *number);

// How often what took how long. Times of all kinds have the same bounds, so
// that histograms can be added.
#define PE_HISTOGRAM_BUCKETS 18
typedef struct {
    uint64_t counts[PE_HISTOGRAM_BUCKETS]; // each in the first that it fits
    double sum;                            // seconds
} PeHistogram;
void pe_histogram_add(PeHistogram *histogram, double seconds);
// Up to how many seconds a bucket counts: 1 ms, and twice as much from bucket
// to bucket. The last one is infinity.
double pe_histogram_get_bound(int bucket);

typedef struct {
    uint64_t images; // embedded since the engine was made
    uint64_t batches;
    uint64_t texts;
    int batch_size;         // as it was chosen
    double compute_seconds; // in batches, together
    double batch_fill;      // mean images of a batch / batch_size
    double wait_ms[3];      // p50, p95, p99 from submit to start, recent images
    double compute_ms[3];   // p50, p95, p99 of a batch, recent batches
    PeHistogram wait;       // of all images, from submit to start
    PeHistogram compute;    // of all batches
} PeEngineStats;
void pe_engine_get_stats(PeEngine *engine, PeEngineStats *stats);

// Embed frames and wait.
//   frames  [n]       borrows; sizes and formats may differ
//   out     [n, dim]  image features as they leave the projection, not unit
// Source: perception_models core/vision_encoder/pe.py, CLIP.encode_image.
bool pe_engine_embed_frames(PeEngine *engine, const PeFrame *frames, int n,
                            float *out,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

// Embed texts and wait; warns about texts longer than the context.
//   out  [n, dim]  text features, not unit
// The text tower is loaded on the first call, in steps between image batches,
// and dropped after a while without texts.
// Source: pe.py, CLIP.encode_text.
bool pe_engine_embed_texts(PeEngine *engine, const PeTokenizer *tokenizer,
                           const char *const *texts, int n, float *out,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

// Seconds that the device's own library takes for the matrix products of one
// batch of images (all layers), without anything between; 0 when it cannot say.
double pe_engine_measure_gemm(PeEngine *engine, int batch);

typedef struct {
    double cosine_image; // to the plain C operations, of the worst vector
    double cosine_text;  // NaN: no text tower
    double max_abs;      // largest difference between the unit vectors
    const char *device;  // static
    const char *precision;
} PeDeviceReport;

// Known answers: a built-in picture and two built-in texts go through the first
// layers of the model on the device (NULL: "auto") and on the plain C
// operations, then through all layers on the device alone, whose output must be
// finite. False with PE_ERROR_BACKEND, and a full report, when the device
// answers wrongly; pe_engine_get() runs the picture's first part by itself.
// `report` may be NULL.
bool pe_device_check(PeModel *model, const char *device, PePrecision precision,
                     PeDeviceReport *report,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

// Called on the worker thread when a job has ended, without any lock held; must
// not block and must not call into the engine. Not called for a job that its
// owner has cancelled before it started.
typedef void (*PeDoneFunc)(PeJob *job, void *user_data);

// A user of the engine. Batches are filled by deadline, and among equal
// deadlines from all clients in turn, so that one busy client cannot starve
// another. The jobs of one client start and end in the order of submission.
PeClient *pe_client_new(PeEngine *engine, PeDoneFunc done, void *user_data);
// Cancels what is queued. After it returns `done` is not running and will not
// be called again.
void pe_client_free(PeClient *client);

typedef struct {
    const PeFrame *frame;  // borrows
    const PeRect *regions; // [n_regions], inside the frame, each embedded as if
                           // it were the frame's crop; borrows. NULL: one job
                           // for the frame with its own crop
    int n_regions;
    int64_t deadline; // monotonic us by which the result is wanted; 0 or
                      // INT64_MAX: whenever there is time
    int64_t expire;   // monotonic us after which it must not start any more; 0
                      // or INT64_MAX: never
} PeSubmit;

// Preprocess the frame (on this thread) and queue one job for each region.
// A device gets the samples that cover the regions, all at once. Never waits
// for the device.
//   jobs  [max(n_regions, 1)], gets references
// False when no job has been queued.
bool pe_client_submit(PeClient *client, const PeSubmit *submit, PeJob **jobs,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

// At most n jobs of this client stay queued (running ones are not counted): a
// further one takes the place of the oldest, which ends with
// PE_ERROR_CANCELLED. 0, the default: no limit. While the device cannot meet
// all deadlines, a client with a limit also loses jobs that would be late and
// have newer ones behind them.
void pe_client_set_max_queued(PeClient *client, int n);
int pe_client_count_queued(PeClient *client);

// What this client has queued does not wait for fuller batches.
void pe_client_run_now(PeClient *client);

PeJob *pe_job_ref(PeJob *job);
void pe_job_unref(PeJob *job);
// A cancelled job that has not started never runs; it ends at once, without
// calling `done`. One that runs ends with its batch, which stops early, with
// PE_ERROR_CANCELLED, when all of its jobs are cancelled or their clients gone.
void pe_job_cancel(PeJob *job);
bool pe_job_is_done(const PeJob *job);
// When what happened to a job that is done; monotonic us, 0: it never did.
typedef struct {
    int64_t submitted; // preprocessed, and in the queue
    int64_t started;   // with its batch
    int64_t ended;
} PeJobRun;
void pe_job_get_run(const PeJob *job, PeJobRun *run);
// The image features [dim] of a job that is done (borrowed from the job), or
// NULL with the error of its batch.
const float *pe_job_get_embedding(const PeJob *job, GError **error);

// ---- Numbers --------------------------------------------------------------

// The percentile p in (0, 1] of n values by the nearest rank: the smallest
// value that at least p * n of the values do not exceed. 0 when n is 0. Sorts
// the values. The library's, the elements' and the tools' statistics all use
// this definition.
double pe_percentile(float *values, size_t n, double p);

// ---- Vectors --------------------------------------------------------------

// The clip's embedding: mean of n image features, then unit length.
//   embeddings  [n] pointers to [dim]   out  [dim]
// Returns the length of the mean, before.
double pe_embedding_mean(const float *const *embeddings, int n, int dim,
                         float *out);

// x / max(|x|, 1e-12), in place. Returns |x|.
double pe_embedding_normalize(float *x, int dim);

// ---- Sampler --------------------------------------------------------------

// Sampling is a grid in time: at each of its points, the frame on screen is a
// sample. For each frame call pe_sampler_check(), pe_sampler_hold() until it is
// false, and pe_sampler_push(); at the end pe_sampler_hold() with NULL.

typedef struct PeSampler PeSampler;
typedef struct {
    int rate_n; // points per second, up to 1000; 0/1: every frame
    int rate_d;
    int interval;     // every Nth of those, >= 1
    int clip_length;  // samples in a clip, >= 1
    int clip_stride;  // samples between two clips; 0: clip_length
    uint64_t max_gap; // of a clip, ns; 0: two periods, at least a second
} PeSamplerParams;

typedef enum {
    PE_SAMPLE_SKIP,  // not needed
    PE_SAMPLE_FRAME, // embed this frame
    PE_SAMPLE_CLIP,  // embed this frame; it completes a clip
} PeSample;

#define PE_TIME_NONE UINT64_MAX // not known

// When a frame is shown, in ns.
typedef struct {
    uint64_t timestamp, duration; // no timestamps: frames are counted
    bool jumps; // whoever sends it says that time may jump here
} PeMoment;

typedef enum {
    PE_ORDER_NEXT,
    PE_ORDER_JUMP,  // the clip ends here
    PE_ORDER_DOUBT, // or else this timestamp is wrong
} PeOrder;
// A sample, and the time that it stands for, at most a sampling period.
typedef struct {
    PeSample sample;
    uint64_t start, end;
} PePoint;

PeSampler *pe_sampler_new(const PeSamplerParams *params);
void pe_sampler_free(PeSampler *sampler);

// How does the frame follow the last one? A step back of up to half a frame is
// none. At JUMP the clip ends, and the sampler is reset. At DOUBT the frame is
// kept aside, and pushed after all when the next one does not follow either.
PeOrder pe_sampler_check(const PeSampler *sampler, const PeMoment *moment);

// The next point that the last frame still has before this one is shown, or
// (NULL) as long as it is shown itself: the last sampled frame is the sample.
bool pe_sampler_hold(PeSampler *sampler, const PeMoment *next, PePoint *point);

// The next frame's first point, by its duration or the distance of those
// before. It may be 1 ms late, as containers round. Time that goes back stands
// still.
PePoint pe_sampler_push(PeSampler *sampler, const PeMoment *moment);

int pe_sampler_pending(const PeSampler *sampler); // samples of a partial clip
void pe_sampler_reset(PeSampler *sampler);        // as after a flush
// A running clip is restarted only when clip_length or clip_stride changed.
void pe_sampler_set(PeSampler *sampler, const PeSamplerParams *params);

#pragma GCC visibility pop

G_END_DECLS
