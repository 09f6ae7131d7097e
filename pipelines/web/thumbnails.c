// SPDX-License-Identifier: LGPL-2.1-or-later
//
// thumbnails.c - see thumbnails.h.

#include "thumbnails.h"

#include "pipelines/live/jpeg.h"

#define WIDTH 320
#define OLD (1 * G_USEC_PER_SEC)
#define FORGOTTEN (60 * G_USEC_PER_SEC)

typedef struct {
    GMutex lock; // of jpeg and busy
    GBytes *jpeg;
    bool busy;
    gint n_refs;  // atomic: the table's and the thread's
    gint64 made;  // main thread, like all below
    gint64 asked; // for the last time
} Thumbnail;

typedef struct {
    Thumbnail *thumbnail;
    GstSample *sample;
} Work;

struct Thumbnails {
    GHashTable *by_name;
    GThreadPool *pool;
};

static void
thumbnail_unref(gpointer data)
{
    Thumbnail *thumbnail = data;
    if (!g_atomic_int_dec_and_test(&thumbnail->n_refs))
        return;
    g_clear_pointer(&thumbnail->jpeg, g_bytes_unref);
    g_mutex_clear(&thumbnail->lock);
    g_free(thumbnail);
}

// A frame that cannot be made a JPEG, such as one on a card, has no thumbnail.
static void
make(gpointer data, gpointer user_data)
{
    Work *work = data;
    Thumbnail *thumbnail = work->thumbnail;
    GBytes *jpeg = jpeg_from_sample(work->sample, WIDTH);
    gst_sample_unref(work->sample);
    g_mutex_lock(&thumbnail->lock);
    if (jpeg) {
        g_clear_pointer(&thumbnail->jpeg, g_bytes_unref);
        thumbnail->jpeg = jpeg;
    }
    thumbnail->busy = false;
    g_mutex_unlock(&thumbnail->lock);
    thumbnail_unref(thumbnail);
    g_free(work);
}

Thumbnails *
thumbnails_new(void)
{
    Thumbnails *thumbnails = g_new0(Thumbnails, 1);
    thumbnails->by_name =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, thumbnail_unref);
    thumbnails->pool = g_thread_pool_new(make, NULL, 1, FALSE, NULL);
    return thumbnails;
}

void
thumbnails_free(Thumbnails *thumbnails)
{
    g_thread_pool_free(thumbnails->pool, FALSE, TRUE);
    g_hash_table_unref(thumbnails->by_name);
    g_free(thumbnails);
}

static gboolean
is_forgotten(gpointer key, gpointer value, gpointer now)
{
    const Thumbnail *thumbnail = value;
    return *(gint64 *)now - thumbnail->asked > FORGOTTEN;
}

static Thumbnail *
find(Thumbnails *thumbnails, const char *name)
{
    Thumbnail *thumbnail = g_hash_table_lookup(thumbnails->by_name, name);
    if (thumbnail)
        return thumbnail;
    thumbnail = g_new0(Thumbnail, 1);
    thumbnail->n_refs = 1;
    g_mutex_init(&thumbnail->lock);
    g_hash_table_insert(thumbnails->by_name, g_strdup(name), thumbnail);
    return thumbnail;
}

// Takes sample.
static void
start(Thumbnails *thumbnails, Thumbnail *thumbnail, GstSample *sample,
      gint64 now)
{
    Work *work = g_new(Work, 1);
    *work = (Work){thumbnail, sample};
    g_atomic_int_inc(&thumbnail->n_refs);
    thumbnail->made = now;
    g_mutex_lock(&thumbnail->lock);
    thumbnail->busy = true;
    g_mutex_unlock(&thumbnail->lock);
    g_thread_pool_push(thumbnails->pool, work, NULL);
}

GBytes *
thumbnails_get(Thumbnails *thumbnails, Stream *stream)
{
    gint64 now = g_get_monotonic_time();
    g_hash_table_foreach_remove(thumbnails->by_name, is_forgotten, &now);
    Thumbnail *thumbnail = find(thumbnails, stream->name);
    thumbnail->asked = now;
    g_mutex_lock(&thumbnail->lock);
    GBytes *jpeg = thumbnail->jpeg ? g_bytes_ref(thumbnail->jpeg) : NULL;
    bool busy = thumbnail->busy;
    g_mutex_unlock(&thumbnail->lock);
    if (!stream->attempt || busy)
        return jpeg;
    GstSample *sample =
        attempt_take_picture(stream->attempt, PICTURE_THUMBNAIL);
    if (sample)
        start(thumbnails, thumbnail, sample, now);
    else if (now - thumbnail->made > OLD)
        attempt_want_picture(stream->attempt, PICTURE_THUMBNAIL);
    return jpeg;
}
