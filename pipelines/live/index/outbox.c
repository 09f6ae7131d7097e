// SPDX-License-Identifier: LGPL-2.1-or-later
//
// outbox.c - see outbox.h.

#include "outbox.h"

#include "pipelines/postgres/postgres.h"

#define PATIENCE 30 // s that the server has for a statement
#define FIRST_PAUSE G_USEC_PER_SEC
#define LAST_PAUSE (30 * G_USEC_PER_SEC)
#define CLOSE_TIME (5 * G_USEC_PER_SEC)

struct Outbox {
    char *uri;
    ArchiveModel model;
    char *name, *fingerprint; // of it
    float *probes;
    guint64 limit;
    NoteFunc on_note;
    void *user_data;
    PostgresWriter *writer; // the thread's, like the next two; NULL: none
    bool is_away;           // which has been told
    gint64 pause;
    GThread *thread;
    GMutex lock; // of all below
    GCond changed;
    GQueue waiting;       // Snapshot, the oldest first
    GHashTable *n_stored; // frames in the database by key, of open contents
    guint64 bytes;        // of what is waiting
    guint64 n_lost;       // frames; that were not told
    bool closing, ended;
};

// ---- With the lock ----------------------------------------------------------

static guint64
count_bytes(const Outbox *outbox, const Snapshot *snapshot)
{
    return snapshot_count_bytes(snapshot, outbox->model.dim);
}

static guint
count_new_frames(const Outbox *outbox, const Snapshot *snapshot)
{
    guint n = snapshot->content->frames->len;
    guint stored =
        GPOINTER_TO_UINT(g_hash_table_lookup(outbox->n_stored, snapshot->key));
    return n - MIN(stored, n);
}

static GList *
find(Outbox *outbox, const char *key)
{
    GList *link = outbox->waiting.head;
    while (link && !g_str_equal(((Snapshot *)link->data)->key, key))
        link = link->next;
    return link;
}

static Snapshot *
take(Outbox *outbox, GList *link)
{
    Snapshot *snapshot = link->data;
    outbox->bytes -= count_bytes(outbox, snapshot);
    g_queue_delete_link(&outbox->waiting, link);
    return snapshot;
}

// Of what goes on, the next snapshot has all again.
static void
keep_bounds(Outbox *outbox)
{
    GList *link = outbox->waiting.head;
    while (link && outbox->bytes > outbox->limit) {
        GList *next = link->next;
        if (((Snapshot *)link->data)->is_closed) {
            Snapshot *lost = take(outbox, link);
            outbox->n_lost += count_new_frames(outbox, lost);
            g_hash_table_remove(outbox->n_stored, lost->key);
            snapshot_free(lost);
        }
        link = next;
    }
}

// Takes the snapshot, unless a later one waits.
static void
push(Outbox *outbox, Snapshot *snapshot, bool is_late)
{
    GList *link = find(outbox, snapshot->key);
    if (link && is_late) {
        snapshot_free(snapshot);
        return;
    }
    outbox->bytes += count_bytes(outbox, snapshot);
    if (link) {
        Snapshot *former = link->data;
        outbox->bytes -= count_bytes(outbox, former);
        link->data = snapshot;
        snapshot_free(former);
    } else if (is_late) {
        g_queue_push_head(&outbox->waiting, snapshot);
    } else {
        g_queue_push_tail(&outbox->waiting, snapshot);
    }
    keep_bounds(outbox);
}

static void
note_stored(Outbox *outbox, const Snapshot *snapshot)
{
    if (snapshot->is_closed)
        g_hash_table_remove(outbox->n_stored, snapshot->key);
    else
        g_hash_table_insert(outbox->n_stored, g_strdup(snapshot->key),
                            GUINT_TO_POINTER(snapshot->content->frames->len));
}

// ---- The thread -------------------------------------------------------------

// Takes text.
static void
send_note(Outbox *outbox, char *text)
{
    note_send(outbox->on_note, outbox->user_data, text);
}

static bool
write_snapshot(Outbox *outbox, const Snapshot *snapshot, GError **error)
{
    if (!outbox->writer)
        outbox->writer =
            postgres_writer_open(outbox->uri, &outbox->model, PATIENCE, error);
    return outbox->writer &&
           postgres_writer_put(outbox->writer, snapshot->key, snapshot->file,
                               snapshot->content, snapshot->vectors, error);
}

static void
tell_away(Outbox *outbox, const GError *error)
{
    g_clear_pointer(&outbox->writer, postgres_writer_close);
    if (!outbox->is_away)
        send_note(outbox, g_strdup_printf("the database does not take what "
                                          "streams show, which is kept here "
                                          "meanwhile: %s",
                                          error->message));
    outbox->is_away = true;
}

static void
tell_back(Outbox *outbox)
{
    if (outbox->is_away)
        send_note(outbox, g_strdup("the database takes what streams show "
                                   "again"));
    outbox->is_away = false;
    outbox->pause = FIRST_PAUSE;
}

// With the lock.
static void
tell_lost(Outbox *outbox)
{
    if (outbox->n_lost)
        send_note(outbox, g_strdup_printf("%" G_GUINT64_FORMAT " frames were "
                                          "lost: too much was waiting for the "
                                          "database",
                                          outbox->n_lost));
    outbox->n_lost = 0;
}

// With the lock, until the pause is over or the end comes.
static void
pause_after_fault(Outbox *outbox)
{
    gint64 limit = g_get_monotonic_time() + outbox->pause;
    while (!outbox->closing &&
           g_cond_wait_until(&outbox->changed, &outbox->lock, limit))
        ;
    outbox->pause = MIN(2 * outbox->pause, LAST_PAUSE);
}

// With the lock, but for the writing. At the end, a fault is the last one.
static bool
send_one(Outbox *outbox)
{
    g_autoptr(GError) error = NULL;
    Snapshot *snapshot = take(outbox, outbox->waiting.head);
    bool closing = outbox->closing;
    g_mutex_unlock(&outbox->lock);
    bool ok = write_snapshot(outbox, snapshot, &error);
    if (ok)
        tell_back(outbox);
    else
        tell_away(outbox, error);
    g_mutex_lock(&outbox->lock);
    if (ok) {
        note_stored(outbox, snapshot);
        snapshot_free(snapshot);
        return true;
    }
    // Others may go, when it is this one that cannot.
    bool is_first = error->code == PE_ERROR_FILE;
    push(outbox, snapshot, is_first || find(outbox, snapshot->key));
    pause_after_fault(outbox);
    return !closing;
}

static gpointer
run(gpointer data)
{
    Outbox *outbox = data;
    bool goes_on = true;
    g_mutex_lock(&outbox->lock);
    while (goes_on) {
        tell_lost(outbox);
        if (!g_queue_is_empty(&outbox->waiting))
            goes_on = send_one(outbox);
        else if (outbox->closing)
            goes_on = false;
        else
            g_cond_wait(&outbox->changed, &outbox->lock);
    }
    g_mutex_unlock(&outbox->lock);
    g_clear_pointer(&outbox->writer, postgres_writer_close);
    g_mutex_lock(&outbox->lock);
    outbox->ended = true;
    g_cond_broadcast(&outbox->changed);
    g_mutex_unlock(&outbox->lock);
    return NULL;
}

// ---- The main thread --------------------------------------------------------

Outbox *
outbox_new(const char *uri, const ArchiveModel *model, guint64 limit,
           NoteFunc on_note, void *user_data)
{
    Outbox *outbox = g_new0(Outbox, 1);
    outbox->uri = g_strdup(uri);
    outbox->name = g_strdup(model->name);
    outbox->fingerprint = g_strdup(model->fingerprint);
    outbox->probes = g_memdup2(model->probes, sizeof *model->probes *
                                                  (size_t)model->n_probes *
                                                  (size_t)model->dim);
    outbox->model = (ArchiveModel){outbox->name, outbox->fingerprint,
                                   model->dim, outbox->probes, model->n_probes};
    outbox->limit = limit;
    outbox->on_note = on_note;
    outbox->user_data = user_data;
    outbox->pause = FIRST_PAUSE;
    g_mutex_init(&outbox->lock);
    g_cond_init(&outbox->changed);
    g_queue_init(&outbox->waiting);
    outbox->n_stored =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    outbox->thread = g_thread_new("pe-live-index", run, outbox);
    return outbox;
}

void
outbox_put(Outbox *outbox, Snapshot *snapshot)
{
    g_mutex_lock(&outbox->lock);
    push(outbox, snapshot, false);
    // A pause is not ended by this.
    g_cond_broadcast(&outbox->changed);
    g_mutex_unlock(&outbox->lock);
}

static void
free_outbox(Outbox *outbox)
{
    Snapshot *snapshot;
    while ((snapshot = g_queue_pop_head(&outbox->waiting)))
        snapshot_free(snapshot);
    g_hash_table_unref(outbox->n_stored);
    g_mutex_clear(&outbox->lock);
    g_cond_clear(&outbox->changed);
    g_free(outbox->uri);
    g_free(outbox->name);
    g_free(outbox->fingerprint);
    g_free(outbox->probes);
    g_free(outbox);
}

bool
outbox_close(Outbox *outbox, bool *hangs)
{
    gint64 limit = g_get_monotonic_time() + CLOSE_TIME;
    g_mutex_lock(&outbox->lock);
    outbox->closing = true;
    g_cond_broadcast(&outbox->changed);
    while (!outbox->ended &&
           g_cond_wait_until(&outbox->changed, &outbox->lock, limit))
        ;
    guint64 n = outbox->n_lost;
    for (GList *l = outbox->waiting.head; l; l = l->next)
        n += count_new_frames(outbox, l->data);
    *hangs = !outbox->ended;
    g_mutex_unlock(&outbox->lock);
    if (n > 0 || *hangs)
        send_note(outbox, g_strdup_printf("the end: %" G_GUINT64_FORMAT
                                          " frames%s are not in the database",
                                          n, *hangs ? " or more" : ""));
    bool ok = n == 0 && !*hangs;
    if (*hangs)
        return false;
    g_thread_join(outbox->thread);
    free_outbox(outbox);
    return ok;
}
