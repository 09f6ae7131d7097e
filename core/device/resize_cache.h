// SPDX-License-Identifier: LGPL-2.1-or-later
//
// resize_cache.h - what backends make of the two sizes of a resize, kept for
// the next frame that has them. Streams seldom change their size, but the
// regions of a tracker have another one in every frame: so there is a bound,
// and nobody waits while another builds. Called by any thread at once.

#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct PeResizeCache PeResizeCache;

// Never changes while somebody has a reference.
typedef struct {
    void *data; // what the backend built
    int in_size, out_size;
    // Private to the cache.
    int n_refs;
    GList *link; // NULL: not in the cache any more
} PeResizeTable;

// Called without any lock held. Returns the data, or NULL with the error.
typedef void *(*PeResizeBuildFunc)(int in_size, int out_size, void *user_data,
                                   GError **error);
typedef void (*PeResizeFreeFunc)(void *data, void *user_data);

// Keeps the `max` tables that were used last.
PeResizeCache *pe_resize_cache_new(int max, PeResizeBuildFunc build,
                                   PeResizeFreeFunc free, void *user_data);
// All tables have been given back.
void pe_resize_cache_free(PeResizeCache *cache);

// Returns a reference, to be given back with pe_resize_cache_put(); NULL with
// the error of the build.
PeResizeTable *pe_resize_cache_get(PeResizeCache *cache, int in_size,
                                   int out_size, GError **error);
// NULL is nothing.
void pe_resize_cache_put(PeResizeCache *cache, PeResizeTable *table);

G_END_DECLS
