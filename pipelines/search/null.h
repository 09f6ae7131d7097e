// SPDX-License-Identifier: LGPL-2.1-or-later
//
// null.h - how similar an archive is to what is not in it. Cosines of texts and
// of pictures are not comparable, and what is high differs from model to model
// and from archive to archive; by how much one exceeds the null is.

#pragma once

#include "query.h"
#include "selection.h"

// Sigmas above the null from which on something is there: of a normal
// distribution, what one of 160 absent things reaches.
#define NULL_LIMIT 2.5

typedef struct {
    double middle, spread; // of cosines: median, and how far they are from it
} Null;

// How many everyday texts there are, with pe_default_negatives().
#define NULL_N_RIVALS 39

// Embed all everyday texts, for null_of_texts() and as rivals of a query (see
// gauge.h). Returns [NULL_N_RIVALS, row_dim], g_free(); NULL with the error.
float *null_embed_texts(const Model *model, int row_dim, GError **error);

// Of texts: the best cosine in the selection of each of those, most of which
// are not there. false with the error.
bool null_of_texts(const float *vectors, Archive *archive, const PeRows *rows,
                   const Selection *selection, Null *null, GError **error);

// Of a picture: its cosines with the rows of the selection, most of which show
// something else. false with the error.
bool null_of_picture(const float *vector, Archive *archive, const PeRows *rows,
                     const Selection *selection, Null *null, GError **error);
