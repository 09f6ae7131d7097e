// SPDX-License-Identifier: LGPL-2.1-or-later
//
// backend.h - a device behind a small table of operations.
//
// The towers (vision.c, text.c) are written once over this table; a backend
// knows tensors, never models. Above the table every shape has been checked, so
// implementations assert instead of validating.
//
// Precision. `act` is the type of activations between operations: f32 for
// PE_PRECISION_FP32, bf16 (or f16) otherwise; what a block's linears read may
// be narrower. The residual stream is always f32, and so are the vectors of
// norms, biases and position tables. Sums are accumulated in f32.
//
// Operations are queued in order on the backend's one stream and may run late,
// so they return nothing; the first failure sticks and comes out of sync().
// All entries are called by the engine's worker thread, except those marked
// "any thread".
//
// Shape letters, everywhere: B images or texts, N tokens of one of them, R rows
// (B * N, or the sum of ragged lengths), D width, H heads, E output dim.

#pragma once

#include "core/base/tensor.h"
#include "core/pe.h"
#include "core/pebench.h"

typedef struct PeBackendOps PeBackendOps;

typedef struct {
    const PeBackendOps *ops;
    char name[16];         // "cpu", "cuda:0"; set by who opens it
    char note[400];        // why "auto" is this one; "": nothing to say
    PePrecision precision; // resolved, never AUTO
    PeDtype act;           // activations between operations
    PeDtype narrow;    // of those, what linears of blocks read: act, or E4M3
    int k_align;       // D and the inputs of linears are multiples of it
    bool shifts_norms; // linears with RESIDUAL are faster without a bias:
                       // it is to be added where norms read the stream
} PeBackend;           // first member of each backend's own struct

typedef struct {
    int device;            // counts from 0
    PePrecision precision; // AUTO: the fastest that the device computes well
    int n_threads;         // 0: all cores (CPU only)
} PeBackendParams;

// y = x W^T + b, packed in whatever way the backend likes best.
typedef struct PeLinear PeLinear;

// One preprocessed picture, waiting to be embedded.
typedef struct PeSlot PeSlot;

typedef enum {
    PE_EPILOGUE_NONE,     // y act  = x W^T + b
    PE_EPILOGUE_GELU,     // y act  = gelu(x W^T + b), the exact erf form
    PE_EPILOGUE_ROPE,     // y act  = rotate(x W^T + b), see PeRope
    PE_EPILOGUE_RESIDUAL, // y f32 += x W^T + b
    PE_EPILOGUE_F32,      // y f32  = x W^T + b
} PeEpilogue;

// What linear_new() makes a PeLinear of. The scales hold what the towers fold
// into the weight; the products are made in f32 and rounded to act once. The
// bias is used as it is and already contains all folds. Borrows everything.
typedef struct {
    PeTensor weight;       // [n, k] f32, f16 or bf16, any strides
    const float *bias;     // [n], NULL: none
    const float *scale;    // [n], NULL: none; multiplies W's rows
    const float *in_scale; // [k], NULL: none; multiplies W's columns
    const float *in_size;  // [k], NULL: all alike; about how large a column of
                           // its input is beside the others, > 0
    const float *gain;     // [n], NULL: none; what is behind a narrow GELU is
                           // multiplied with these
    bool narrow;         // reads rows of the backend's `narrow`, and so is one
                         // of a block: see narrow.h
    int k_padded;        // >= k; columns k..k_padded-1 of W are zero
    PeEpilogue epilogue; // what it will be asked for, as a hint
} PeLinearParams;

// Patches are the model's pixels in [-1, 1] times this: a byte v becomes
// (2 v - 255) / 256, an odd integer of 8 bits over a power of two, which f16
// and bf16 hold exactly. The patch embedding's weights undo it.
#define PE_PIXEL_SCALE (255.0f / 256)

// Rotation of q and k in a packed [R, 3 * D] qkv. Row r is token r % n_tokens.
// Within each head of the first 2 * D columns, channels (2p, 2p + 1) turn by
// the angle of pair p: (a, b) -> (a cos - b sin, b cos + a sin), in f32.
typedef struct {
    const float *cos_sin; // [n_tokens, head_dim / 2, 2], backend memory
    int n_tokens;
    int head_dim;
} PeRope;

// The weights of a block. Its norms' are folded into the linears that follow
// them, LayerScale into the linears before it, and the scale of the softmax
// into q.
//
// Where the backend shifts norms, the biases of `out` and `proj` are not added
// to the stream: what all before a norm would have added, the norm adds while
// it reads.
typedef struct {
    float *shift_1; // f32 [D] in backend memory, NULL: nothing
    float *shift_2;
    PeLinear *qkv;  // D -> 3D
    PeLinear *out;  // D -> D
    PeLinear *fc;   // D -> M
    PeLinear *proj; // M -> D
} PeBlock;

// The sequences in packed rows.
typedef struct {
    int b;              // sequences
    int n;              // tokens of one, or of the longest
    int rows;           // of all
    const int *offsets; // i32 [b + 1] in backend memory, NULL: all have n
    const PeRope *rope; // NULL: positions are not rotated
    bool causal;
} PeSequences;

// A block that is to be run over the stream.
typedef struct {
    const PeBlock *block;
    const PeSequences *seq;
    bool first;              // of a run over all blocks, one after the other
    const float *next_shift; // of the norm behind the block
    int width;               // D
    int heads;
    int mlp_width; // M
    float eps;     // of the norms
    float *x;      // f32 [R, D], the stream
    // To work in; between two blocks of a run nobody else writes there.
    void *h;    // act or `narrow` [R, D]
    void *wide; // act [R, max(3D, M)]
} PeBlockRun;

typedef void (*PeBlockFunc)(PeBackend *be, const PeBlockRun *run);

struct PeBackendOps {
    const char *name; // "cpu", "cuda"

    // How many devices of this kind there are; 0 when there is no driver.
    // Any thread.
    int (*count)(void);

    // Fails with PE_ERROR_DEVICE when the device or the precision is not there;
    // where count() is 0 the message says what is missing.
    PeBackend *(*open)(const PeBackendParams *params, GError **error);
    void (*close)(PeBackend *be);

    // "NVIDIA H100 80GB", "x86_64 avx512bf16, 2 threads". Any thread.
    const char *(*describe)(PeBackend *be);

    // Device memory, 64-byte aligned, not cleared. NULL when there is none
    // left.
    void *(*alloc)(PeBackend *be, size_t size);
    void (*free)(PeBackend *be, void *p);
    void (*upload)(PeBackend *be, void *dst, const void *src, size_t size);
    // Waits for everything queued, then copies.
    void (*download)(PeBackend *be, void *dst, const void *src, size_t size);
    // Waits for everything queued. NULL on success, else what went wrong
    // (static storage); after a failure the backend may only be closed.
    const char *(*sync)(PeBackend *be);

    // NULL when there is no memory left.
    PeLinear *(*linear_new)(PeBackend *be, const PeLinearParams *params);
    void (*linear_free)(PeBackend *be, PeLinear *l);

    // A slot holds one picture of width x height RGB pixels. Any thread.
    PeSlot *(*slot_new)(PeBackend *be, int width, int height);
    void (*slot_free)(PeBackend *be, PeSlot *slot);
    // Convert, squash and store regions [n] of the frame, each in the slot of
    // its number; without regions n is 1, and it is the frame's own crop. The
    // frame is not needed afterwards, and a frame on the host is sent to the
    // device once. Any thread, at the same time on different slots.
    bool (*ingest)(PeBackend *be, PeSlot *const *slots, const PeFrame *frame,
                   const PeRect *regions, int n, GError **error);

    // y act [B * gh * gw, k_padded], k ordered (channel, py, px); the ragged
    // right and bottom remainders are dropped; columns past 3 * P * P are 0.
    // Bytes v become (2 v - 255) / 256, see PE_PIXEL_SCALE.
    void (*patchify)(PeBackend *be, void *y, PeSlot *const *slots, int b,
                     int patch, int k_padded);
    // The same from pixels f32 [B, 3, h, w] in backend memory, in [-1, 1]:
    // they become pixel * PE_PIXEL_SCALE.
    void (*patchify_f32)(PeBackend *be, void *y, const float *pixels, int b,
                         int h, int w, int patch, int k_padded);

    // x f32 [B, c + Np, D] = concat(cls, patches) + pos
    //   patches f32 [B * Np, D], cls f32 [D] or NULL (then c = 0),
    //   pos f32 [c + Np, D]
    void (*tokens)(PeBackend *be, float *x, const float *patches,
                   const float *cls, const float *pos, int b, int np, int d);

    // y[r,:] = (z[r,:] - mean) / sqrt(var + eps) * w + b with z[r,:] = x[r,:] +
    // shift and z's mean and variance; y of type `type` (act or f32; f32 y may
    // be x), or of a `narrow` of 8 bits, then with its gain. shift may be NULL:
    // 0. w and b are both NULL where they have been folded into what reads y:
    // then they are 1 and 0.
    void (*layernorm)(PeBackend *be, void *y, PeDtype type, const float *x,
                      const float *shift, const float *w, const float *b,
                      int rows, int d, float eps);

    // See PeEpilogue for y. x act [rows, k_padded], `narrow` for a linear that
    // is. `rope` only with ROPE. GELU of a linear with gains gives y `narrow`,
    // with room for as many act and 256 bytes behind it.
    void (*linear)(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
                   const PeRope *rope, void *y, const void *x, int rows);

    // y narrow [R, D] = softmax2(q k^T) v per head, where softmax2 is of powers
    // of two: the scale, and log2 e, are in q. qkv act [R, 3 * D], head j at
    // columns j * head_dim of each third. With `offsets`
    // (i32 [B + 1], backend memory) sequence b is rows offsets[b]..
    // offsets[b + 1] - 1 and none is longer than n; without, each has n rows.
    void (*attention)(PeBackend *be, void *y, const void *qkv,
                      const int *offsets, int b, int n, int heads, int head_dim,
                      bool causal);
    // What linear() with ROPE and attention() do, of a qkv that linear() has
    // made without: q and k are rotated where that costs least. Changes qkv.
    // Full attention over sequences of n rows each, which is rope->n_tokens.
    // NULL: linear() rotates.
    void (*rope_attention)(PeBackend *be, void *y, void *qkv,
                           const PeRope *rope, int b, int n, int heads);

    // x += attention(LN(x)), then x += MLP(LN(x)): either calls one_by_one,
    // which does it by the operations of this table, or does it in fewer. NULL:
    // there is no other way.
    void (*block)(PeBackend *be, const PeBlockRun *run, PeBlockFunc one_by_one);

    // y act [B, heads * D], head h at columns h * D:
    //   y[b,h,:] = sum_i softmax2_i(x[b,i,:] u[h,:]) x[b,i,:]
    // x act [B * n, D], u f32 [heads, D]; scores f32 [B, heads, n] in backend
    // memory is scratch.
    void (*pool)(PeBackend *be, void *y, float *scores, const float *u,
                 const void *x, int b, int n, int heads, int d);

    // y[i,:] = x[rows[i],:], all f32; rows i32 [n] in backend memory
    void (*gather)(PeBackend *be, float *y, const float *x, const int *rows,
                   int n, int d);

    // y act = x f32, n elements
    void (*convert)(PeBackend *be, void *y, const float *x, size_t n);

    // The entries below may be NULL.

    // Seconds that the device's own library needs for one act product
    // [m, k] x [k, n] without any epilogue: the ceiling we measure against.
    double (*gemm_seconds)(PeBackend *be, int m, int n, int k);

    // See pe_engine_profile(). For backends whose operations have ended when
    // they return.
    int (*profile)(PeBackend *be, PeOperation *operations, int n);

    // See pe_engine_measure_peak().
    double (*peak_flops)(PeBackend *be, int n_threads);

    // A backend has either both of these entries or neither. They enclose
    // operations that are the same on every call, down to the addresses:
    //
    //     do {
    //         if (graph_begin(be, key))
    //             break;
    //         the operations;
    //     } while (!graph_end(be));
    //
    // Equal keys promise equal operations; copies are not allowed. When
    // graph_begin() returns true, it has launched a recording of this key, and
    // graph_end() must not be called. When graph_end() returns false, recording
    // failed and nothing has run, so that the operations must be queued again.
    bool (*graph_begin)(PeBackend *be, uint64_t key);
    bool (*graph_end)(PeBackend *be);

    // A backend has either both of these entries or neither. They are
    // download() and sync() in two steps, so that the next operations can be
    // queued before the last results have arrived; `turn` is 0 or 1, and each
    // is begun again only after it has ended. False after noting a failure.
    bool (*download_begin)(PeBackend *be, int turn, const void *src,
                           size_t size);
    // Waits for that copy alone; then as sync().
    const char *(*download_end)(PeBackend *be, int turn, void *dst,
                                size_t size);

    // The CUcontext that this kind of backend works in on `device`, kept for
    // the life of the process. NULL when there is none. Opens no backend. Any
    // thread.
    void *(*get_context)(int device);

    // How many of n waiting images to run at once, at most `max`: one of a few
    // sizes that keep the device busy. It may be more than n, then the batch is
    // to be filled up with any pictures. `tokens`, `width` and `mlp_width` are
    // of the image tower.
    int (*batch_bucket)(PeBackend *be, int n, int max, int tokens, int width,
                        int mlp_width);
};

// What the CUDA module exports, under this name.
typedef const PeBackendOps *(*PeCudaGetBackendFunc)(PeLogFunc log,
                                                    void *log_data);
#define PE_CUDA_GET_BACKEND "pe_cuda_get_backend"

// `device`: "auto", "cpu", "cuda", "cuda:1". "auto" takes the first backend
// that has a device and says which; any other name fails when it is not there.
// The first call opens the CUDA module; see backend.c for where it is looked
// for.
PeBackend *pe_backend_open(const char *device, PePrecision precision,
                           int n_threads, GError **error);

// The plain C operations in f32 on one thread: what every backend is measured
// against. Never chosen by name.
PeBackend *pe_backend_open_reference(void);

extern const PeBackendOps pe_backend_cpu;
