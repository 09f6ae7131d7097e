// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_set.h - a labels file whose calibration changes: what it says now, the
// same set without calibration, and the file with another one.

#pragma once

#include "core/pe.h"

typedef struct LabelSet LabelSet;

// The numbers of evidence = slope * log-odds + offset + offset of the label.
typedef struct {
    double slope, offset, label_offset;
} SetCalibration;

// Examples in the vector of the label: what "vector" and "image-weight" say.
typedef struct {
    const float *mean; // [dim]
    size_t dim;
    double share;
} SetVector;

// Read a labels file in JSON that has the label.
//   fresh  forget the calibration and the offsets of all labels, such as those
//          of another model, which are an error otherwise
// Returns, label_set_free(). NULL with the error.
LabelSet *label_set_open(const char *path, const char *label,
                         const PeModel *model, bool fresh, GError **error);
void label_set_free(LabelSet *set);

// What counts now: the file's, else that of the file beside the model, else
// (1, 0), and the label's own offset or 0.
SetCalibration label_set_get(const LabelSet *set);

// The label's threshold, or 0.5.
double label_set_get_threshold(const LabelSet *set);

// Has the label a vector or pictures already?
bool label_set_has_examples(const LabelSet *set);

// The set with calibration (1, 0) and without offsets, so that its evidence is
// the log-odds. Returns, pe_label_spec_free(). NULL with the error.
PeLabelSpec *label_set_make_plain(const LabelSet *set, GError **error);

// Write the file with another calibration, and with nothing else changed: whole
// or not at all.
//   vector  of the label, which has none; NULL: it gets none
bool label_set_write(const LabelSet *set, const SetCalibration *calibration,
                     const SetVector *vector, GError **error);
