// SPDX-License-Identifier: LGPL-2.1-or-later
//
// writer.c - see writer.h.

#include "writer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

// Lines, of about a kilobyte each.
#define MAX_QUEUED 4096

struct Writer {
    int fd;
    char *(*lost)(guint n);
    void (*on_broken)(void *user_data);
    void *user_data;
    GThread *thread;
    GMutex lock; // of all below
    GCond changed;
    GQueue queue; // char *
    guint n_untold;
    guint64 n_lost;
    bool writing, closing, ended;
    int error; // errno of the write that failed, or 0
};

// Returns 0 or errno.
static int
write_all(int fd, const char *text)
{
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t n = write(fd, text, length);
        if (n < 0 && errno == EAGAIN)
            g_usleep(10000); // a terminal that another program has changed
        else if (n < 0 && errno != EINTR)
            return errno;
        else if (n > 0) {
            text += n;
            length -= (size_t)n;
        }
    }
    return 0;
}

static gboolean
tell_broken(gpointer data)
{
    Writer *writer = data;
    writer->on_broken(writer->user_data);
    return G_SOURCE_REMOVE;
}

// With the lock. Returns the next text, or NULL at the end.
static char *
wait_for_text(Writer *writer)
{
    while (g_queue_is_empty(&writer->queue) && !writer->closing)
        g_cond_wait(&writer->changed, &writer->lock);
    if (g_queue_is_empty(&writer->queue))
        return NULL;
    if (writer->n_untold) {
        char *text = writer->lost(writer->n_untold);
        writer->n_untold = 0;
        return text;
    }
    return g_queue_pop_head(&writer->queue);
}

static gpointer
run(gpointer data)
{
    Writer *writer = data;
    g_mutex_lock(&writer->lock);
    char *text;
    while ((text = wait_for_text(writer))) {
        writer->writing = true;
        bool broken = writer->error != 0;
        g_mutex_unlock(&writer->lock);
        int code = broken ? 0 : write_all(writer->fd, text);
        g_free(text);
        g_mutex_lock(&writer->lock);
        writer->writing = false;
        if (code) {
            writer->error = code;
            g_idle_add(tell_broken, writer);
        }
    }
    writer->ended = true;
    g_cond_broadcast(&writer->changed);
    g_mutex_unlock(&writer->lock);
    return NULL;
}

Writer *
writer_new(int fd, char *(*lost)(guint n), void (*on_broken)(void *user_data),
           void *user_data)
{
    Writer *writer = g_new0(Writer, 1);
    writer->fd = fd;
    writer->lost = lost;
    writer->on_broken = on_broken;
    writer->user_data = user_data;
    g_mutex_init(&writer->lock);
    g_cond_init(&writer->changed);
    g_queue_init(&writer->queue);
    writer->thread = g_thread_new("pe-live-writer", run, writer);
    return writer;
}

int
writer_close(Writer *writer, double seconds)
{
    gint64 limit = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);
    g_mutex_lock(&writer->lock);
    writer->closing = true;
    g_cond_broadcast(&writer->changed);
    while (!writer->ended &&
           g_cond_wait_until(&writer->changed, &writer->lock, limit))
        ;
    bool ended = writer->ended;
    int code = writer->error;
    g_mutex_unlock(&writer->lock);
    if (!ended)
        return code;
    g_thread_join(writer->thread);
    g_mutex_clear(&writer->lock);
    g_cond_clear(&writer->changed);
    g_free(writer);
    return code;
}

void
writer_put(Writer *writer, char *text)
{
    g_mutex_lock(&writer->lock);
    g_queue_push_tail(&writer->queue, text);
    if (g_queue_get_length(&writer->queue) > MAX_QUEUED) {
        g_free(g_queue_pop_head(&writer->queue));
        writer->n_untold++;
        writer->n_lost++;
    }
    g_cond_broadcast(&writer->changed);
    g_mutex_unlock(&writer->lock);
}

bool
writer_is_idle(Writer *writer)
{
    g_mutex_lock(&writer->lock);
    bool idle = g_queue_is_empty(&writer->queue) && !writer->writing;
    g_mutex_unlock(&writer->lock);
    return idle;
}

guint64
writer_get_n_lost(Writer *writer)
{
    g_mutex_lock(&writer->lock);
    guint64 n = writer->n_lost;
    g_mutex_unlock(&writer->lock);
    return n;
}
