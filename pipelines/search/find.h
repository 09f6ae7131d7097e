// SPDX-License-Identifier: LGPL-2.1-or-later
//
// find.h - one search of an archive, from what is asked to moments.

#pragma once

#include "moments.h"
#include "null_cache.h"

// A model and what has been embedded with it for all searches. One owner.
typedef struct {
    Model model;
    float *null_texts; // NULL: no text has been looked for yet
    NullCache *nulls;
} Searcher;

// Open the model of program_options. false with the error.
bool searcher_open(Searcher *searcher, GError **error);
void searcher_close(Searcher *searcher);

typedef struct {
    Selection *selection; // the moments' files are of it
    GPtrArray *moments;   // Moment *, best first
    guint n_timeless;     // files left out: when they are from is not known
} Found;

// The archive is read as it is at one moment, whoever writes to it. Embeds the
// query. Fails with PE_ERROR_FORMAT when times are asked for and known of no
// file. Returns, found_free(); NULL with the error.
Found *searcher_find(Searcher *searcher, Archive *archive, Query *query,
                     const SelectionParams *where, const MomentParams *params,
                     GError **error);
void found_free(Found *found);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Found, found_free)
