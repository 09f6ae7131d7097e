// SPDX-License-Identifier: LGPL-2.1-or-later
//
// captions.h - would other templates tell the labels apart better? The file's
// own are compared with the bare name and with two captions. For pe-labels.

#pragma once

#include "tools/labels/check.h"

typedef struct {
    char *template;    // NULL: the file's own, together
    double separation; // mean over labels of 1 - cosine to the nearest other
    double margin; // mean over clips of the logit of the best label less that
                   // of the second; NaN without clips
} Caption;

// What was measured: Caption, the file's own first. Empty when there is nothing
// to compare: fewer than two labels, or no label takes the templates.
typedef GArray Captions;

// Measure, and add advice when another template is better than the file's: with
// clips by their margin, else by the separation of the labels. Better means by
// a tenth at least, and in 95 of 100 cases over labels or clips. Returns,
// captions_free(); NULL with the error.
Captions *captions_compare(Check *check, GError **error);
void captions_free(Captions *captions);
