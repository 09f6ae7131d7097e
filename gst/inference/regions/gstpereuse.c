// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpereuse.c - see gstpereuse.h. What is kept is the job, so that an
// embedding which is still being computed counts too; a job that failed or was
// cancelled counts for nothing.

#include "gst/inference/regions/gstpereuse.h"

#include "gst/inference/regions/gstpethumbnail.h"

#include <string.h>

// An object that somebody tracks.
typedef struct {
    guint64 key[2]; // track, and whose it is
    PeJob *job;
    uint64_t frame; // in which it was embedded
    GList link;     // in `order`; its data is this
} Track;

// A named region as it was when it was last embedded.
typedef struct {
    PeJob *job; // NULL: never
    PeRect place;
    PeOrientation orientation;
    PeTransfer transfer;
    GstPeThumbnail then;
    GstPeThumbnail now; // of the frame that is being looked at
} Watch;

struct _GstPeReuse {
    GMutex lock;           // of all below
    uint64_t n_frames;     // that were looked at
    GHashTable *tracks;    // key -> Track
    GQueue order;          // Track, the least recently seen first
    GstPeRegions *regions; // that are watched; NULL: none
    Watch *watches;        // [regions->n]
};

static guint
hash_key(const void *key)
{
    const guint64 *k = key;

    return g_int64_hash(&k[0]) ^ (guint)k[1];
}

static gboolean
equal_keys(const void *a, const void *b)
{
    return memcmp(a, b, 2 * sizeof(guint64)) == 0;
}

static void
free_track(void *data)
{
    Track *track = data;

    g_clear_pointer(&track->job, pe_job_unref);
    g_free(track);
}

GstPeReuse *
gst_pe_reuse_new(void)
{
    GstPeReuse *self = g_new0(GstPeReuse, 1);

    g_mutex_init(&self->lock);
    self->tracks =
        g_hash_table_new_full(hash_key, equal_keys, NULL, free_track);
    g_queue_init(&self->order);
    return self;
}

static void
forget_watches_locked(GstPeReuse *self)
{
    for (guint i = 0; self->regions && i < self->regions->n; i++)
        g_clear_pointer(&self->watches[i].job, pe_job_unref);
    g_clear_pointer(&self->watches, g_free);
    g_clear_pointer(&self->regions, gst_pe_regions_unref);
}

void
gst_pe_reuse_reset(GstPeReuse *self)
{
    g_mutex_lock(&self->lock);
    forget_watches_locked(self);
    g_hash_table_remove_all(self->tracks);
    g_queue_init(&self->order); // its links were those of the tracks
    g_mutex_unlock(&self->lock);
}

void
gst_pe_reuse_free(GstPeReuse *self)
{
    gst_pe_reuse_reset(self);
    g_hash_table_unref(self->tracks);
    g_mutex_clear(&self->lock);
    g_free(self);
}

// Whether it has an embedding, or is going to.
static bool
is_good(PeJob *job)
{
    return job && (!pe_job_is_done(job) || pe_job_get_embedding(job, NULL));
}

// ---- Objects --------------------------------------------------------------

// false: nobody tracks it.
static bool
get_key(const GstPePart *part, guint64 *key)
{
    key[0] = part->region.track_id;
    key[1] = part->kind;
    return part->kind != GST_PE_PART_NAMED &&
           part->region.track_id != GST_PE_REGION_NO_TRACK;
}

static PeJob *
find_track_locked(GstPeReuse *self, const GstPePart *part, guint interval)
{
    guint64 key[2];
    Track *track =
        get_key(part, key) ? g_hash_table_lookup(self->tracks, key) : NULL;

    if (!track)
        return NULL;
    g_queue_unlink(&self->order, &track->link);
    g_queue_push_tail_link(&self->order, &track->link);
    bool recent = self->n_frames - track->frame < interval;
    return recent && is_good(track->job) ? track->job : NULL;
}

static void
keep_track_locked(GstPeReuse *self, const GstPePart *part, PeJob *job)
{
    guint64 key[2];

    if (!get_key(part, key))
        return;
    Track *track = g_hash_table_lookup(self->tracks, key);
    if (!track) {
        track = g_new0(Track, 1);
        memcpy(track->key, key, sizeof key);
        track->link.data = track;
        g_hash_table_insert(self->tracks, track->key, track);
        g_queue_push_tail_link(&self->order, &track->link);
    }
    if (track->job != job) {
        g_clear_pointer(&track->job, pe_job_unref);
        track->job = pe_job_ref(job);
        track->frame = self->n_frames;
    }
    if (self->order.length > GST_PE_REUSE_MAX_TRACKS) {
        Track *oldest = g_queue_pop_head_link(&self->order)->data;
        g_hash_table_remove(self->tracks, oldest->key);
    }
}

// ---- Named regions --------------------------------------------------------

static void
watch_locked(GstPeReuse *self, GstPeRegions *regions)
{
    if (self->regions == regions)
        return;
    forget_watches_locked(self);
    if (!regions)
        return;
    self->regions = gst_pe_regions_ref(regions);
    self->watches = g_new0(Watch, regions->n);
}

static PeJob *
look_locked(GstPeReuse *self, const GstPePart *part, const GstVideoFrame *map,
            const PeFrame *frame)
{
    double limit = self->regions->regions[part->index].on_change;
    Watch *watch = &self->watches[part->index];
    PeRect place = {part->region.x, part->region.y, part->region.width,
                    part->region.height};

    if (limit <= 0 || !map) {
        g_clear_pointer(&watch->job, pe_job_unref);
        watch->place = (PeRect){0};
        return NULL;
    }
    gst_pe_thumbnail_take(&watch->now, map, &place);
    bool same = memcmp(&watch->place, &place, sizeof place) == 0 &&
                watch->orientation == frame->orientation &&
                watch->transfer == frame->transfer;
    watch->place = place;
    watch->orientation = frame->orientation;
    watch->transfer = frame->transfer;
    if (same && is_good(watch->job) &&
        gst_pe_thumbnail_compare(&watch->then, &watch->now) < limit)
        return watch->job;
    g_clear_pointer(&watch->job, pe_job_unref);
    return NULL;
}

static void
keep_watch_locked(GstPeReuse *self, const GstPePart *part, PeJob *job)
{
    if (self->regions->regions[part->index].on_change <= 0)
        return;
    Watch *watch = &self->watches[part->index];
    if (watch->job == job)
        return;
    g_clear_pointer(&watch->job, pe_job_unref);
    watch->job = pe_job_ref(job);
    watch->then = watch->now;
}

// ---- Both -----------------------------------------------------------------

guint
gst_pe_reuse_fill(GstPeReuse *self, GstPeParts *parts, const GstVideoFrame *map,
                  const PeFrame *frame, guint interval)
{
    guint n = 0;

    g_mutex_lock(&self->lock);
    self->n_frames++;
    watch_locked(self, parts->regions);
    for (guint i = 0; i < parts->parts->len; i++) {
        GstPePart *part = &g_array_index(parts->parts, GstPePart, i);
        PeJob *job = part->kind == GST_PE_PART_NAMED
                         ? look_locked(self, part, map, frame)
                         : find_track_locked(self, part, interval);
        if (job) {
            gst_pe_ticket_share(part->ticket, pe_job_ref(job));
            n++;
        }
    }
    g_mutex_unlock(&self->lock);
    return n;
}

void
gst_pe_reuse_keep(GstPeReuse *self, GstPeParts *parts, guint interval)
{
    g_mutex_lock(&self->lock);
    bool watched = self->regions && self->regions == parts->regions;
    for (guint i = 0; i < parts->parts->len; i++) {
        const GstPePart *part = &g_array_index(parts->parts, GstPePart, i);
        PeJob *job = gst_pe_ticket_get_job(part->ticket);
        if (!job)
            continue;
        if (part->kind != GST_PE_PART_NAMED && interval > 1)
            keep_track_locked(self, part, job);
        if (part->kind == GST_PE_PART_NAMED && watched)
            keep_watch_locked(self, part, job);
    }
    g_mutex_unlock(&self->lock);
}
