// SPDX-License-Identifier: LGPL-2.1-or-later
//
// model.h - the model of program_options on its device, as archives need it.

#pragma once

#include "pipelines/index/archive.h"

typedef struct {
    PeEngine *engine;
    PeTokenizer *tokenizer; // NULL: the model reads no texts, or none was found
    float *probes;
    ArchiveModel archive; // borrows from the others
} Model;

// Open model and engine and ask the probes. false with the error.
bool model_open(Model *model, GError **error);
void model_close(Model *model);

// Labels of a file; NULL with the error.
PeLabels *model_read_labels(const Model *model, const char *path,
                            GError **error);
