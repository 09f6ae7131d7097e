// SPDX-License-Identifier: LGPL-2.1-or-later
//
// resize_cache.c - see resize_cache.h. The lock is held for a lookup and never
// for a build: two threads that need the same new table both build it, and one
// of them is thrown away.

#include "resize_cache.h"

struct PeResizeCache {
    GMutex lock;
    GHashTable *tables; // PeResizeTable by its sizes
    GQueue order;       // of the same, the last used first
    guint max;
    PeResizeBuildFunc build;
    PeResizeFreeFunc free;
    void *user_data;
};

static guint
hash_sizes(gconstpointer key)
{
    const PeResizeTable *t = key;
    return (guint)t->in_size * 16777619u ^ (guint)t->out_size;
}

static gboolean
have_equal_sizes(gconstpointer a, gconstpointer b)
{
    const PeResizeTable *s = a, *t = b;
    return s->in_size == t->in_size && s->out_size == t->out_size;
}

PeResizeCache *
pe_resize_cache_new(int max, PeResizeBuildFunc build, PeResizeFreeFunc free,
                    void *user_data)
{
    PeResizeCache *cache = g_new0(PeResizeCache, 1);
    g_mutex_init(&cache->lock);
    g_queue_init(&cache->order);
    cache->tables = g_hash_table_new(hash_sizes, have_equal_sizes);
    cache->max = (guint)max;
    cache->build = build;
    cache->free = free;
    cache->user_data = user_data;
    return cache;
}

static void
table_free(PeResizeCache *cache, PeResizeTable *t)
{
    if (!t)
        return;
    cache->free(t->data, cache->user_data);
    g_free(t);
}

void
pe_resize_cache_free(PeResizeCache *cache)
{
    PeResizeTable *t;
    if (!cache)
        return;
    while ((t = g_queue_pop_head(&cache->order)))
        table_free(cache, t);
    g_hash_table_unref(cache->tables);
    g_mutex_clear(&cache->lock);
    g_free(cache);
}

// Under the lock: a reference to the table of these sizes, which becomes the
// one used last. NULL: there is none.
static PeResizeTable *
look_up(PeResizeCache *cache, int in_size, int out_size)
{
    PeResizeTable sizes = {.in_size = in_size, .out_size = out_size};
    PeResizeTable *t = g_hash_table_lookup(cache->tables, &sizes);
    if (!t)
        return NULL;
    t->n_refs++;
    g_queue_unlink(&cache->order, t->link);
    g_queue_push_head_link(&cache->order, t->link);
    return t;
}

// Under the lock: put a table in the first place. Returns one to be freed, or
// NULL.
static PeResizeTable *
insert(PeResizeCache *cache, PeResizeTable *t)
{
    g_queue_push_head(&cache->order, t);
    t->link = cache->order.head;
    g_hash_table_add(cache->tables, t);
    if (cache->order.length <= cache->max)
        return NULL;
    PeResizeTable *last = g_queue_pop_tail(&cache->order);
    g_hash_table_remove(cache->tables, last);
    last->link = NULL;
    return last->n_refs == 0 ? last : NULL;
}

PeResizeTable *
pe_resize_cache_get(PeResizeCache *cache, int in_size, int out_size,
                    GError **error)
{
    g_mutex_lock(&cache->lock);
    PeResizeTable *found = look_up(cache, in_size, out_size);
    g_mutex_unlock(&cache->lock);
    if (found)
        return found;

    void *data = cache->build(in_size, out_size, cache->user_data, error);
    if (!data)
        return NULL;
    PeResizeTable *built = g_new0(PeResizeTable, 1), *garbage = built;
    built->data = data;
    built->in_size = in_size;
    built->out_size = out_size;
    built->n_refs = 1;

    g_mutex_lock(&cache->lock);
    found = look_up(cache, in_size, out_size);
    if (!found) {
        found = built;
        garbage = insert(cache, built);
    }
    g_mutex_unlock(&cache->lock);
    table_free(cache, garbage);
    return found;
}

void
pe_resize_cache_put(PeResizeCache *cache, PeResizeTable *table)
{
    if (!table)
        return;
    g_mutex_lock(&cache->lock);
    bool last = --table->n_refs == 0 && !table->link;
    g_mutex_unlock(&cache->lock);
    if (last)
        table_free(cache, table);
}
