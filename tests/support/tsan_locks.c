// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tsan_locks.c - tells ThreadSanitizer what GLib and GStreamer, which are not
// instrumented, do between threads. GLib's locks are futexes, so the sanitizer
// sees none of them and would call all that they protect a race.
//
// A test program that has this overrides the functions for itself and for all
// that it loads; each calls the real one. "release" is what another thread sees
// after its "acquire" of the same address.

#include <dlfcn.h>
#include <gst/gst.h>
#include <sanitizer/tsan_interface.h>

// GLib defines some as macros too.
#undef g_once_init_leave
#undef g_object_ref

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!__atomic_load_n(&real, __ATOMIC_ACQUIRE)) \
    __atomic_store_n(&real, (__typeof__(&name))dlsym(RTLD_NEXT, #name), \
                     __ATOMIC_RELEASE)

// ---- Locks ------------------------------------------------------------------

#define LOCK(type, name) \
    void name(type *lock) \
    { \
        REAL(name); \
        real(lock); \
        __tsan_acquire(lock); \
    }

#define TRYLOCK(type, name) \
    gboolean name(type *lock) \
    { \
        REAL(name); \
        gboolean taken = real(lock); \
        if (taken) \
            __tsan_acquire(lock); \
        return taken; \
    }

#define UNLOCK(type, name) \
    void name(type *lock) \
    { \
        REAL(name); \
        __tsan_release(lock); \
        real(lock); \
    }

LOCK(GMutex, g_mutex_lock)
TRYLOCK(GMutex, g_mutex_trylock)
UNLOCK(GMutex, g_mutex_unlock)
LOCK(GRecMutex, g_rec_mutex_lock)
TRYLOCK(GRecMutex, g_rec_mutex_trylock)
UNLOCK(GRecMutex, g_rec_mutex_unlock)
LOCK(GRWLock, g_rw_lock_reader_lock)
UNLOCK(GRWLock, g_rw_lock_reader_unlock)
LOCK(GRWLock, g_rw_lock_writer_lock)
UNLOCK(GRWLock, g_rw_lock_writer_unlock)

void
g_cond_wait(GCond *cond, GMutex *mutex)
{
    REAL(g_cond_wait);
    __tsan_release(mutex);
    real(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean
g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
    REAL(g_cond_wait_until);
    __tsan_release(mutex);
    gboolean signalled = real(cond, mutex, end_time);
    __tsan_acquire(mutex);
    return signalled;
}

// The fast path of g_once_init_enter() is an atomic load in its caller.
void
g_once_init_leave(volatile void *location, gsize result)
{
    REAL(g_once_init_leave);
    __tsan_release((void *)location);
    real(location, result);
}

// ---- References -------------------------------------------------------------
//
// Who drops the last one frees what the others have written.

#define UNREF(type, name) \
    void name(type object) \
    { \
        REAL(name); \
        __tsan_release((void *)object); \
        __tsan_acquire((void *)object); \
        real(object); \
    }

// What the thread's release of a box is to clear it with.
static __thread GDestroyNotify clear_box;

// Only the last user gets here, and after all the others.
static void
acquire_and_clear(gpointer box)
{
    GDestroyNotify clear = clear_box;

    __tsan_acquire(box);
    if (clear)
        clear(box);
}

// Those of our own objects.
void
g_atomic_rc_box_release_full(gpointer box, GDestroyNotify clear)
{
    REAL(g_atomic_rc_box_release_full);
    GDestroyNotify outer = clear_box;

    clear_box = clear;
    __tsan_release(box);
    real(box, acquire_and_clear);
    clear_box = outer;
}

gboolean(g_atomic_ref_count_dec)(gatomicrefcount *count)
{
    REAL(g_atomic_ref_count_dec);
    __tsan_release(count);
    gboolean last = real(count);
    if (last)
        __tsan_acquire(count);
    return last;
}

UNREF(gpointer, g_object_unref)
UNREF(gpointer, gst_object_unref)
UNREF(GstMiniObject *, gst_mini_object_unref)
UNREF(GBytes *, g_bytes_unref)

// ---- Queues -----------------------------------------------------------------

void
g_async_queue_push(GAsyncQueue *queue, gpointer data)
{
    REAL(g_async_queue_push);
    __tsan_release(queue);
    real(queue, data);
}

#define POP(type, name, from, ...) \
    type name from \
    { \
        REAL(name); \
        type item = real(__VA_ARGS__); \
        __tsan_acquire(queue); \
        return item; \
    }

POP(gpointer, g_async_queue_pop, (GAsyncQueue * queue), queue)
POP(gpointer, g_async_queue_try_pop, (GAsyncQueue * queue), queue)
POP(gpointer, g_async_queue_timeout_pop, (GAsyncQueue * queue, guint64 us),
    queue, us)
POP(GstMessage *, gst_bus_pop, (GstBus * queue), queue)
POP(GstMessage *, gst_bus_timed_pop_filtered,
    (GstBus * queue, GstClockTime time, GstMessageType types), queue, time,
    types)
POP(GstMessage *, gst_bus_pop_filtered, (GstBus * queue, GstMessageType types),
    queue, types)
POP(GstMessage *, gst_bus_timed_pop, (GstBus * queue, GstClockTime time), queue,
    time)

gboolean
gst_bus_post(GstBus *bus, GstMessage *message)
{
    REAL(gst_bus_post);
    __tsan_release(bus);
    return real(bus, message);
}

// ---- Calls ------------------------------------------------------------------

typedef struct {
    GstElement *element;
    GstElementCallAsyncFunc func;
    gpointer data;
    GDestroyNotify destroy;
} Call;

static void *
run_call(void *data)
{
    Call *call = data;

    call->func(call->element, call->data);
    if (call->destroy)
        call->destroy(call->data);
    gst_object_unref(call->element);
    g_free(call);
    return NULL;
}

// On a thread that the sanitizer has seen start, in place of one of a pool.
void
gst_element_call_async(GstElement *element, GstElementCallAsyncFunc func,
                       gpointer data, GDestroyNotify destroy)
{
    Call *call = g_new(Call, 1);

    *call = (Call){gst_object_ref(element), func, data, destroy};
    g_thread_unref(g_thread_new("call", run_call, call));
}
