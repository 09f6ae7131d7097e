// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_resize_cache.c - tables of resizes are shared, bounded, and built
// without a lock. What is built here are numbers.

#include "core/device/resize_cache.h"

#include "core/pe.h"
#include "tests/support/picture.h"

#define N_KEPT 4

typedef struct {
    int n_built, n_freed; // atomic
    // Of the build of in_size 1: it has begun, and may end.
    GMutex lock;
    GCond changed;
    bool begun, may_end;
} Builder;

static void *
build(int in_size, int out_size, void *user_data, GError **error)
{
    Builder *b = user_data;
    if (in_size == 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM, "none left");
        return NULL;
    }
    g_mutex_lock(&b->lock);
    if (in_size == 1) {
        b->begun = true;
        g_cond_broadcast(&b->changed);
        while (!b->may_end)
            g_cond_wait(&b->changed, &b->lock);
    }
    g_mutex_unlock(&b->lock);
    g_atomic_int_inc(&b->n_built);
    int *data = g_new(int, 1);
    *data = in_size * 1000 + out_size;
    return data;
}

static void
destroy(void *data, void *user_data)
{
    Builder *b = user_data;
    g_atomic_int_inc(&b->n_freed);
    g_free(data);
}

static PeResizeTable *
get(PeResizeCache *cache, int in_size)
{
    g_autoptr(GError) error = NULL;
    PeResizeTable *t = pe_resize_cache_get(cache, in_size, 7, &error);
    g_assert_no_error(error);
    g_assert_cmpint(*(int *)t->data, ==, in_size * 1000 + 7);
    return t;
}

static void
keeps_what_was_used_last(void)
{
    Builder b = {0};
    PeResizeCache *cache = pe_resize_cache_new(N_KEPT, build, destroy, &b);
    for (int i = 10; i < 10 + N_KEPT; i++)
        pe_resize_cache_put(cache, get(cache, i));
    pe_resize_cache_put(cache, get(cache, 10));
    g_assert_cmpint(b.n_built, ==, N_KEPT);
    pe_resize_cache_put(cache, get(cache, 50)); // in place of 11
    g_assert_cmpint(b.n_freed, ==, 1);
    pe_resize_cache_put(cache, get(cache, 10));
    g_assert_cmpint(b.n_built, ==, N_KEPT + 1);
    pe_resize_cache_put(cache, get(cache, 11));
    g_assert_cmpint(b.n_built, ==, N_KEPT + 2);
    pe_resize_cache_free(cache);
    g_assert_cmpint(b.n_freed, ==, b.n_built);
}

static void
does_not_grow_with_the_number_of_sizes(void)
{
    Builder b = {0};
    PeResizeCache *cache = pe_resize_cache_new(N_KEPT, build, destroy, &b);
    PeResizeTable *held = get(cache, 2);
    for (int i = 10; i < 1000; i++) {
        pe_resize_cache_put(cache, get(cache, i));
        g_assert_cmpint(b.n_built - b.n_freed, <=, N_KEPT + 1);
    }
    // Thrown out long ago, but not while it is in use.
    g_assert_cmpint(*(int *)held->data, ==, 2007);
    int n_freed = b.n_freed;
    pe_resize_cache_put(cache, held);
    g_assert_cmpint(b.n_freed, ==, n_freed + 1);
    pe_resize_cache_free(cache);
    g_assert_cmpint(b.n_freed, ==, b.n_built);
}

static void
tells_why_a_build_failed(void)
{
    Builder b = {0};
    g_autoptr(GError) error = NULL;
    PeResizeCache *cache = pe_resize_cache_new(N_KEPT, build, destroy, &b);
    g_assert_null(pe_resize_cache_get(cache, 0, 7, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_NOMEM);
    pe_resize_cache_put(cache, NULL);
    pe_resize_cache_free(cache);
}

static void *
get_slowly(void *cache)
{
    return get(cache, 1);
}

// While one thread builds, another gets its own new table, one that is there,
// and even the one that is being built: here nothing lets the build end before
// all of that has been done, so a lock would never be released.
static void
builds_without_a_lock(void)
{
    Builder b = {0};
    PeResizeCache *cache = pe_resize_cache_new(N_KEPT, build, destroy, &b);
    pe_resize_cache_put(cache, get(cache, 2));
    GThread *slow = g_thread_new("slow", get_slowly, cache);
    g_mutex_lock(&b.lock);
    while (!b.begun)
        g_cond_wait(&b.changed, &b.lock);
    g_mutex_unlock(&b.lock);

    pe_resize_cache_put(cache, get(cache, 3));
    pe_resize_cache_put(cache, get(cache, 2));
    GThread *same = g_thread_new("same", get_slowly, cache);

    g_mutex_lock(&b.lock);
    b.may_end = true;
    g_cond_broadcast(&b.changed);
    g_mutex_unlock(&b.lock);
    // Both have the same table, whoever was first.
    PeResizeTable *t = g_thread_join(slow), *u = g_thread_join(same);
    g_assert_true(t == u);
    pe_resize_cache_put(cache, t);
    pe_resize_cache_put(cache, u);
    pe_resize_cache_free(cache);
    g_assert_cmpint(b.n_freed, ==, b.n_built);
}

// The CPU's own: crops of every size, in the slots of several threads.
typedef struct {
    PeBackend *be;
    PeFrame frame;
} Feeder;

static void *
feed_crops(void *data)
{
    Feeder *f = data;
    PeSlot *slot = f->be->ops->slot_new(f->be, 16, 16);
    for (int i = 1; i < 300; i++) {
        g_autoptr(GError) error = NULL;
        f->frame.crop = (PeRect){i % 3, i % 5, i, 300 - i};
        f->be->ops->ingest(f->be, &slot, &f->frame, NULL, 1, &error);
        g_assert_no_error(error);
    }
    f->be->ops->slot_free(f->be, slot);
    return NULL;
}

static void
serves_many_threads_and_sizes(void)
{
    Picture p = picture_new(PE_FORMAT_NV12, 310, 310, 0, 1);
    PeBackend *be = pe_backend_open_reference();
    Feeder feeders[4];
    GThread *threads[4];
    for (int i = 0; i < 4; i++) {
        feeders[i] = (Feeder){be, p.frame};
        threads[i] = g_thread_new("feeder", feed_crops, &feeders[i]);
    }
    for (int i = 0; i < 4; i++)
        g_thread_join(threads[i]);
    be->ops->close(be);
    picture_clear(&p);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resize-cache/last", keeps_what_was_used_last);
    g_test_add_func("/resize-cache/bound",
                    does_not_grow_with_the_number_of_sizes);
    g_test_add_func("/resize-cache/error", tells_why_a_build_failed);
    g_test_add_func("/resize-cache/lock", builds_without_a_lock);
    g_test_add_func("/resize-cache/threads", serves_many_threads_and_sizes);
    return g_test_run();
}
