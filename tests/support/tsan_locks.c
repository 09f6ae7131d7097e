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
#include <errno.h>
#include <gst/gst.h>
#include <pthread.h>
#include <sanitizer/tsan_interface.h>
#include <threads.h>

// GLib defines some as macros too.
#undef g_once_init_enter
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

// The fast path of g_once_init_enter() is an atomic load in its caller; who
// comes here waits for somebody else's end.
gboolean
g_once_init_enter(volatile void *location)
{
    REAL(g_once_init_enter);
    gboolean is_first = real(location);
    if (!is_first)
        __tsan_acquire((void *)location);
    return is_first;
}

void
g_once_init_leave(volatile void *location, gsize result)
{
    REAL(g_once_init_leave);
    __tsan_release((void *)location);
    real(location, result);
}

// ---- References -------------------------------------------------------------
//
// Who drops the last one frees what the others have written. That it is the
// last is known only when the memory is given back: until then, others may drop
// theirs.

// What the thread is dropping a reference of.
static __thread void *dropped;

#define UNREF(type, name) \
    void name(type object) \
    { \
        REAL(name); \
        void *outer = dropped; \
        dropped = (void *)object; \
        __tsan_release((void *)object); \
        __tsan_acquire((void *)object); \
        real(object); \
        dropped = outer; \
    }

static inline void
acquire_freed(void *memory)
{
    if (memory)
        __tsan_acquire(memory);
    if (dropped)
        __tsan_acquire(dropped);
}

// Not instrumented, so that they jump to the real ones: who called is what the
// suppressions of libraries look at.
#define JUMPS __attribute__((no_sanitize("thread")))

JUMPS void(g_free)(gpointer memory)
{
    REAL(g_free);
    acquire_freed(memory);
    real(memory);
}

JUMPS void
g_slice_free1(gsize size, gpointer memory)
{
    REAL(g_slice_free1);
    acquire_freed(memory);
    real(size, memory);
}

// A box begins with what its user put there. That may be an atomic, and when it
// is stored, the sanitizer forgets what was released at its address. The count
// is in front of it.
#define COUNT_OF(box) ((char *)(box) - sizeof(gsize))

// What the thread's release of a box is to clear it with.
static __thread GDestroyNotify clear_box;

// Only the last user gets here, and after all the others.
static void
acquire_and_clear(gpointer box)
{
    GDestroyNotify clear = clear_box;

    __tsan_acquire(COUNT_OF(box));
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
    __tsan_release(COUNT_OF(box));
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

// ---- Names ------------------------------------------------------------------

void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

// Copied into a block that all threads share, under a lock inside the library.
#define NAME(type, name) \
    type name(const char *string) \
    { \
        REAL(name); \
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__); \
        type result = real(string); \
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__); \
        return result; \
    }

NAME(GQuark, g_quark_from_string)
NAME(GQuark, g_quark_from_static_string)
NAME(const char *, g_intern_string)
NAME(const char *, g_intern_static_string)

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

// Leaves an object that others use as well to them.
GstMiniObject *
gst_mini_object_make_writable(GstMiniObject *object)
{
    REAL(gst_mini_object_make_writable);
    __tsan_release(object);
    return real(object);
}

// ---- Pads -------------------------------------------------------------------

// What cannot go on is released inside the library, by a call that cannot be
// overridden.
#define PUSH(result, name, type) \
    result name(GstPad *pad, type *object) \
    { \
        REAL(name); \
        __tsan_release(object); \
        return real(pad, object); \
    }

PUSH(GstFlowReturn, gst_pad_push, GstBuffer)
PUSH(gboolean, gst_pad_push_event, GstEvent)

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

// ---- Threads of C11 ---------------------------------------------------------

// librdkafka has those. The sanitizer knows only POSIX's, which glibc makes
// them of; in a thread that it does not know, it crashes.
typedef struct {
    thrd_start_t start;
    void *data;
} Start;

static void *
run_start(void *data)
{
    Start start = *(Start *)data;

    g_free(data);
    return (void *)(gintptr)start.start(start.data);
}

int
thrd_create(thrd_t *thread, thrd_start_t start, void *data)
{
    Start *both = g_new(Start, 1);

    *both = (Start){start, data};
    return pthread_create(thread, NULL, run_start, both) ? thrd_error
                                                         : thrd_success;
}

int
thrd_join(thrd_t thread, int *result)
{
    void *value;

    if (pthread_join(thread, &value))
        return thrd_error;
    if (result)
        *result = (int)(gintptr)value;
    return thrd_success;
}

int
mtx_lock(mtx_t *lock)
{
    return pthread_mutex_lock((pthread_mutex_t *)lock) ? thrd_error
                                                       : thrd_success;
}

int
mtx_unlock(mtx_t *lock)
{
    return pthread_mutex_unlock((pthread_mutex_t *)lock) ? thrd_error
                                                         : thrd_success;
}

int
cnd_wait(cnd_t *condition, mtx_t *lock)
{
    return pthread_cond_wait((pthread_cond_t *)condition,
                             (pthread_mutex_t *)lock)
               ? thrd_error
               : thrd_success;
}

int
cnd_timedwait(cnd_t *condition, mtx_t *lock, const struct timespec *until)
{
    int code = pthread_cond_timedwait((pthread_cond_t *)condition,
                                      (pthread_mutex_t *)lock, until);

    return code == 0           ? thrd_success
           : code == ETIMEDOUT ? thrd_timedout
                               : thrd_error;
}

int
cnd_signal(cnd_t *condition)
{
    return pthread_cond_signal((pthread_cond_t *)condition) ? thrd_error
                                                            : thrd_success;
}

int
cnd_broadcast(cnd_t *condition)
{
    return pthread_cond_broadcast((pthread_cond_t *)condition) ? thrd_error
                                                               : thrd_success;
}
