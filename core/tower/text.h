// SPDX-License-Identifier: LGPL-2.1-or-later
//
// text.h - the text tower, written once over a backend's operations. Token rows
// are read from the checkpoint's own table when they are needed, so the table
// is neither uploaded nor kept. Used by the engine's worker thread only.

#pragma once

#include "core/device/backend.h"
#include "core/model/model.h"
#include "vision.h"

typedef struct PeText PeText;

// params->max_batch counts texts, max_tokens is not used. Borrows the backend
// and the model, which must have a text tower.
PeText *pe_text_new(PeBackend *be, const PeModel *model,
                    const PeTowerParams *params, GError **error);
// The same in pieces, for who has other work in between: pe_text_begin() puts
// nothing on the device, and each pe_text_load() loads one matrix or makes one
// set of buffers; *ready becomes true with the last. After a failure the tower
// can only be freed.
PeText *pe_text_begin(PeBackend *be, const PeModel *model,
                      const PeTowerParams *params, GError **error);
bool pe_text_load(PeText *t, bool *ready, GError **error);
void pe_text_free(PeText *t);
void pe_text_set_trace(PeText *t, PeTraceFunc func, void *user_data);

// ids [b, context], as from pe_tokenizer_encode(); out [b, E] on the host.
// Only tokens up to the first maximum id of a row are computed: attention is
// causal and that row alone is read, so the rest cannot matter.
bool pe_text_embed(PeText *t, const int *ids, int b, int context, float *out,
                   GError **error);
