// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vision.h - the image tower, written once over a backend's operations.
// Used by the engine's worker thread only.

#pragma once

#include "core/device/backend.h"
#include "core/model/model.h"

typedef struct PeVision PeVision;

// Called with the value of every named point of the forward pass, as f32 on the
// host: "embed", "ln_pre", "block0".., "ln_post", "attn_pool". For tests.
typedef void (*PeTraceFunc)(const char *name, const float *data, size_t n,
                            void *user_data);

typedef struct {
    int max_batch;  // images
    int max_tokens; // of one image; 0: the native size
    int max_layers; // stop after this many blocks; 0: all (known-answer check)
} PeTowerParams;

// Uploads the weights tensor by tensor and allocates the arena: nothing is
// allocated per frame. Borrows the backend and the model.
PeVision *pe_vision_new(PeBackend *be, const PeModel *model,
                        const PeTowerParams *params, GError **error);
void pe_vision_free(PeVision *v);
// pe_vision_embed() ends between two layers, with PE_ERROR_CANCELLED, when
// *abandon (read atomically; borrowed until it is set anew) is 1. What has been
// recorded for a device runs to its end. NULL: never.
void pe_vision_set_abandon(PeVision *v, const int *abandon);
void pe_vision_set_trace(PeVision *v, PeTraceFunc func, void *user_data);

// Embed `b` slots of the model's native size; out [b, E] on the host.
bool pe_vision_embed(PeVision *v, PeSlot *const *slots, int b, float *out,
                     GError **error);

// The same in two steps, for a backend that has download_begin(): the next
// batch may begin, with the other turn (0 or 1), before this one has ended. The
// slots are not needed any more when it has.
bool pe_vision_begin(PeVision *v, PeSlot *const *slots, int b, int turn,
                     GError **error);
bool pe_vision_end(PeVision *v, int b, int turn, float *out, GError **error);

// The same for pixels f32 [b, 3, h, w] in [-1, 1] of any size >= patch, on the
// host; out is [b, E], or [b, N, D] for towers without a projection. For tests
// and tools: memory for the pixels is made on the first call.
bool pe_vision_embed_pixels(PeVision *v, const float *pixels, int b, int h,
                            int w, float *out, GError **error);
