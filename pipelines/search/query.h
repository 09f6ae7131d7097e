// SPDX-License-Identifier: LGPL-2.1-or-later
//
// query.h - what is looked for: texts, pictures and moments, each of which must
// or must not be there.

#pragma once

#include "pipelines/index/archive.h"
#include "pipelines/tag/model.h"

typedef enum {
    PART_TEXT,
    PART_PICTURE, // a picture file
    PART_LIKE,    // "FILE@SECONDS", a frame of the archive
    PART_ROW,     // the same by the number of its row
} PartKind;

typedef struct {
    PartKind kind;
    bool is_unwanted; // must not be there
    double weight;    // of what must
    char *text;       // as the user wrote it, without the weight
} QueryPart;

typedef struct {
    GArray *parts;  // QueryPart
    float *vectors; // [n_parts, row_dim] unit vectors, padded with zeros
} Query;

Query *query_new(void);
void query_free(Query *query);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Query, query_free)

// text  may begin with a weight: "2:a dog". false with the error.
bool query_add(Query *query, PartKind kind, bool is_unwanted, const char *text,
               GError **error);

// Embed all parts. `rows` are those of the archive.
bool query_embed(Query *query, const Model *model, Archive *archive,
                 const PeRows *rows, GError **error);

// Embed texts, as a query does. Returns [n, row_dim], g_free().
float *query_embed_texts(const Model *model, int row_dim,
                         const char *const *texts, int n, GError **error);
