// SPDX-License-Identifier: LGPL-2.1-or-later
//
// cuda.h - the inside of the CUDA backend's host code: its state, its memory
// and its failures. Kernels know nothing of it.

#pragma once

#include <cuda_runtime_api.h>
#include <glib.h>

#include "core/device/backend.h"
#include "cuda/algos.h"
#include "cuda/bucket.h"
#include "cuda/cublaslt.h"
#include "cuda/dependent.h"
#include "cuda/driver.h"

#define SM_HOPPER 90

// Pinned host memory on its way to or from the device.
typedef struct {
    void *host;       // [PE_STAGE_SIZE], or as large as it was needed
    cudaEvent_t done; // the copy that uses it
} PeStage;

#define PE_STAGE_SIZE ((size_t)16 << 20)

// Who computes a GELU behind a product, and which.
typedef enum {
    PE_GELU_NONE,
    PE_GELU_EXACT,   // a pass of ours, the erf form
    PE_GELU_LIBRARY, // its epilogue, the tanh form, off by up to 4.7e-4
    PE_GELU_FASTER,  // one of the two, by what was timed; EXACT if nothing was
} PeGelu;

// How attention is computed, and who rotates q and k before where that is to be
// done.
typedef enum {
    PE_ATTENTION_FASTEST,  // one of the others, by what was timed
    PE_ATTENTION_TURNING,  // the kernel for all cards, which rotates both
    PE_ATTENTION_KEYS,     // it rotates q, and a pass before k
    PE_ATTENTION_PASS,     // a pass rotates both before it
    PE_ATTENTION_PORTABLE, // nothing is to be rotated
    PE_ATTENTION_HOPPER,   // Hopper's own kernel, after such a pass
    PE_N_ATTENTIONS,
} PeAttentionWay;

// How a block is run.
typedef enum {
    PE_BLOCK_FASTEST,   // one of the others, by what was timed
    PE_BLOCK_PASSES,    // by the library's products and passes
    PE_BLOCK_TILES_64,  // by Hopper's own products, which do what passes do, in
    PE_BLOCK_TILES_128, // tiles of so many columns
    PE_BLOCK_TILES_256,
    PE_N_BLOCKS,
} PeBlockWay;

// How the kernels of a block are started.
typedef enum {
    PE_LAUNCHES_FASTEST,   // one of the others, by what was timed
    PE_LAUNCHES_PLAIN,     // each when all before it has ended
    PE_LAUNCHES_DEPENDENT, // ours begin before that, see dependent.h
    PE_N_LAUNCHES,
} PeLaunches;

// What a kernel has said when it was asked for a known answer.
typedef enum { PE_ANSWER_UNKNOWN, PE_ANSWER_RIGHT, PE_ANSWER_WRONG } PeAnswer;

typedef struct {
    PeBackend be;
    int device;
    void *context; // the device's primary one; NULL: the driver is not known
    PeCudaRates rates;
    char *description;
    const char *error;   // the first failure, interned
    cudaStream_t stream; // everything but preprocessing
    PeStage stages[2];
    int next_stage;
    PeStage turns[2]; // of download_begin()
    size_t turn_sizes[2];

    // matmul.c
    const PeCublasLt *lt;
    cublasLtHandle_t lt_handle;
    void *workspace;
    size_t workspace_size;
    PeAlgos *algos;
    bool autotune;

    PeGelu gelu; // of linear.c
    struct {
        bool wanted; // $PE_CUDA_TIMES is 1
        bool ended;  // both events are queued
        cudaEvent_t start, end;
    } pass;                     // the last one, see pe_cuda_pass_begin()
    PeAttentionWay attention;   // PORTABLE or HOPPER, if that was asked for
    PeAttentionWay rotation;    // TURNING, KEYS or PASS, likewise
    PeAnswer hopper_answers[2]; // for heads of 64 and of 96
    PeBlockWay block;           // that was asked for
    PeBlockWay block_now;       // of the run over the blocks
    int code_version;           // of the kernels' PTX, 90 for 9.0
    PeLaunches launches;        // that were asked for, or are possible
    bool dependent_now;         // of the run over the blocks
    bool dependent;             // of what is queued now, see pe_cuda_stream()
    PeAnswer product_answer;    // of Hopper's products, in all tiles
    struct PeGraphs *graphs;
    struct PeIngest *ingest;
} PeCuda;

// context.c
//
// Where pe_log() goes, also for what this module compiles in of core.
void pe_cuda_set_log(PeLogFunc func, void *data);
// Note a failure; only the first counts. Any thread.
void pe_cuda_fail(PeCuda *cuda, const char *format, ...) G_GNUC_PRINTF(2, 3);
// False after noting the failure of `what`. Any thread.
bool pe_cuda_check(PeCuda *cuda, cudaError_t status, const char *what);
// False with the error unless status is cudaSuccess: PE_ERROR_NOMEM, or
// PE_ERROR_BACKEND after noting the failure. Any thread.
bool pe_cuda_expect(PeCuda *cuda, cudaError_t status, const char *what,
                    GError **error);
// From now on no kernel begins early; a warning says why.
void pe_cuda_drop_launches(PeCuda *cuda, const char *why);
// Where kernels are queued that may be of a block.
static inline PeCudaStream
pe_cuda_stream(const PeCuda *cuda)
{
    return (PeCudaStream){cuda->stream, cuda->dependent};
}
// Make the device current on this thread.
void pe_cuda_use(PeCuda *cuda);
// For threads that sleep while they wait: streaming threads are many, and a
// kernel of theirs can be a whole matrix product late.
cudaError_t pe_cuda_event_new(cudaEvent_t *event);
// With PE_CUDA_TIMES=1, the device's own time of a recorded pass, from its
// patches to the last operation of its recording, is logged by the next sync():
// "pass: 1.234 ms on the device". One pass at a time, on the worker's thread.
void pe_cuda_pass_begin(PeCuda *cuda);
void pe_cuda_pass_end(PeCuda *cuda);
void pe_cuda_pass_log(PeCuda *cuda); // after waiting for the stream
void pe_cuda_pass_clear(PeCuda *cuda);
// See PeBackendOps.
int pe_cuda_count(void);
void *pe_cuda_get_context(int device);

// memory.c, for the worker's thread
bool pe_cuda_memory_init(PeCuda *cuda);
void pe_cuda_memory_clear(PeCuda *cuda);
void *pe_cuda_alloc(PeBackend *be, size_t size);
void pe_cuda_free(PeBackend *be, void *p);
void pe_cuda_upload(PeBackend *be, void *dst, const void *src, size_t size);
// A copy in device memory, pe_cuda_free(). NULL when there is none left.
void *pe_cuda_send(PeBackend *be, const void *src, size_t size);
void pe_cuda_download(PeBackend *be, void *dst, const void *src, size_t size);
bool pe_cuda_download_begin(PeBackend *be, int turn, const void *src,
                            size_t size);
const char *pe_cuda_download_end(PeBackend *be, int turn, void *dst,
                                 size_t size);
// A stage that is not in use, to be filled and handed to stage_upload() before
// the next one is asked for. NULL after a failure.
PeStage *pe_cuda_next_stage(PeCuda *cuda);
void pe_cuda_stage_upload(PeCuda *cuda, PeStage *stage, void *dst, size_t size);

// linear.c
PeLinear *pe_cuda_linear_new(PeBackend *be, const PeLinearParams *params);
void pe_cuda_linear_free(PeBackend *be, PeLinear *l);
void pe_cuda_linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
                    const PeRope *rope, void *y, const void *x, int rows);
double pe_cuda_gemm_seconds(PeBackend *be, int m, int n, int k);

// attention/choose.c
//
// Read PE_CUDA_ATTENTION and PE_CUDA_ROPE.
void pe_cuda_ask_attention(PeCuda *cuda);
void pe_cuda_attend(PeBackend *be, void *y, const void *qkv, const int *offsets,
                    int b, int n, int heads, int head_dim, bool causal);
void pe_cuda_rope_attention(PeBackend *be, void *y, void *qkv,
                            const PeRope *rope, int b, int n, int heads);

// hopper/block.c
//
// Read PE_CUDA_BLOCK.
void pe_cuda_ask_block(PeCuda *cuda);
void pe_cuda_block(PeBackend *be, const PeBlockRun *run,
                   PeBlockFunc one_by_one);

// hopper/launches.c
//
// Read PE_CUDA_LAUNCHES, and see what device, driver and code can do.
void pe_cuda_ask_launches(PeCuda *cuda);

// graph.c
struct PeGraphs *pe_cuda_graphs_new(void);
void pe_cuda_graphs_free(struct PeGraphs *graphs);
bool pe_cuda_graphs_recording(const struct PeGraphs *graphs);
// Is this the first call of a key, in which algorithms may be timed?
bool pe_cuda_graphs_tuning(const struct PeGraphs *graphs);
// Mark the current recording as incomplete, so that it is not used.
void pe_cuda_graphs_spoil(struct PeGraphs *graphs);
bool pe_cuda_graph_begin(PeBackend *be, uint64_t key);
bool pe_cuda_graph_end(PeBackend *be);

// slots.c
struct PeIngest *pe_cuda_ingest_new(PeCuda *cuda);
void pe_cuda_ingest_free(struct PeIngest *ingest);
PeSlot *pe_cuda_slot_new(PeBackend *be, int width, int height);
void pe_cuda_slot_free(PeBackend *be, PeSlot *slot);
bool pe_cuda_ingest(PeBackend *be, PeSlot *const *slots, const PeFrame *frame,
                    const PeRect *regions, int n, GError **error);
void pe_cuda_patchify_slots(PeBackend *be, void *y, PeSlot *const *slots, int b,
                            int patch, int k_padded);
