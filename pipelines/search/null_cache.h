// SPDX-License-Identifier: LGPL-2.1-or-later
//
// null_cache.h - nulls of texts that searches have made before. A null of texts
// takes as long as 36 searches, and depends on nothing but the rows that are
// looked at, which never change. One owner.

#pragma once

#include "null.h"

typedef struct NullCache NullCache;

NullCache *null_cache_new(void);
void null_cache_free(NullCache *cache);

// The null of the texts, of null_embed_texts(), in these rows of an archive.
// false with the error.
bool null_cache_get(NullCache *cache, const float *texts, Archive *archive,
                    const PeRows *rows, const Selection *selection, Null *null,
                    GError **error);
