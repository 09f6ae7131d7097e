// SPDX-License-Identifier: LGPL-2.1-or-later
//
// event_files.c - see event_files.h.

#include "event_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/pe.h"
#include "gst/convert/gstpewebvtt.h"
#include "pipelines/live/folder.h"
#include "pipelines/live/stream.h"

#define MAX_QUEUED 4096
#define CLOSE_TIME (2 * G_USEC_PER_SEC)
#define DAY (G_GINT64_CONSTANT(24) * 60 * 60 * G_USEC_PER_SEC)

struct EventFiles {
    Folder *folder;   // the thread's, like the next two
    GHashTable *cues; // path -> GstPeWebvtt
    bool faulty;      // the last write failed, which has been told
    NoteFunc on_note;
    void *user_data;
    GThread *thread;
    GMutex lock; // of all below
    GCond changed;
    GQueue queue; // Work
    guint n_lost; // that have not been told
    bool closing, ended;
};

// A line of JSON, or an event that is a cue of WebVTT.
typedef struct {
    char *stream;
    gint64 day; // UNIX time, us, at which it began
    char *line; // NULL: an event
    GstPeResult *result;
    GstPeLabelEvent *event;
} Work;

static void
free_work(Work *work)
{
    g_free(work->stream);
    g_free(work->line);
    g_clear_pointer(&work->result, gst_pe_result_unref);
    g_clear_pointer(&work->event, gst_pe_label_event_free);
    g_free(work);
}

// ---- The thread ------------------------------------------------------------

// Takes text.
static void
send_note(EventFiles *files, char *text)
{
    note_send(files->on_note, files->user_data, text);
}

// One write, so that a line is there or not. Behind what the end of the machine
// may have left of one, a new one begins.
static bool
append(const char *path, const char *text, size_t length, GError **error)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    char last = '\n';
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n')
        (void)!write(fd, "\n", 1);
    ssize_t n = fd < 0 ? -1 : write(fd, text, length);
    if (n != (ssize_t)length) {
        // Half a line is worse than none.
        if (n > 0)
            (void)!ftruncate(fd, size);
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: cannot be written: %s",
                    path, n < 0 ? g_strerror(errno) : "the disk is full");
    }
    if (fd >= 0)
        close(fd);
    return n == (ssize_t)length;
}

// Told once, until something can be written again.
static void
put(EventFiles *files, const char *path, const char *text)
{
    g_autoptr(GError) error = NULL;
    size_t length = strlen(text);
    if (length == 0)
        return;
    bool ok = folder_make_room(files->folder, length, path, &error) &&
              append(path, text, length, &error);
    if (!ok && !files->faulty)
        send_note(files,
                  g_strdup_printf("events are being lost: %s", error->message));
    files->faulty = !ok;
}

static char *
make_path(EventFiles *files, const Work *work, const char *suffix)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *place =
        folder_get_place(files->folder, work->stream, &error);
    if (!place) {
        if (!files->faulty)
            send_note(files, g_strdup_printf("events are being lost: %s",
                                             error->message));
        files->faulty = true;
        return NULL;
    }
    g_autoptr(GDateTime) date =
        g_date_time_new_from_unix_utc(work->day / G_USEC_PER_SEC);
    g_autofree char *day = g_date_time_format(date, "%Y-%m-%d");
    g_autofree char *name = g_strconcat(day, suffix, NULL);
    return g_build_filename(place, name, NULL);
}

static void
free_cues(gpointer data)
{
    gst_pe_webvtt_clear(data);
    g_free(data);
}

static GstPeWebvtt *
get_cues(EventFiles *files, const char *path)
{
    GstPeWebvtt *vtt = g_hash_table_lookup(files->cues, path);
    if (vtt)
        return vtt;
    vtt = g_new0(GstPeWebvtt, 1);
    vtt->head = g_file_test(path, G_FILE_TEST_EXISTS);
    g_hash_table_insert(files->cues, g_strdup(path), vtt);
    return vtt;
}

static void
put_event(EventFiles *files, const Work *work)
{
    g_autofree char *path = make_path(files, work, ".vtt");
    if (!path)
        return;
    GstPeWebvtt *vtt = get_cues(files, path);
    GString *text = gst_pe_webvtt_add(vtt, work->result, work->event);
    put(files, path, text->str);
    g_string_free(text, TRUE);
    if (g_queue_is_empty(&vtt->cues))
        g_hash_table_remove(files->cues, path);
}

// Cues that wait for an event whose end never came.
static void
put_rest(EventFiles *files)
{
    GHashTableIter iter;
    gpointer path, vtt;
    g_hash_table_iter_init(&iter, files->cues);
    while (g_hash_table_iter_next(&iter, &path, &vtt)) {
        GString *text = gst_pe_webvtt_end(vtt);
        put(files, path, text->str);
        g_string_free(text, TRUE);
    }
}

static void
do_work(EventFiles *files, const Work *work)
{
    if (!work->line) {
        put_event(files, work);
        return;
    }
    g_autofree char *path = make_path(files, work, ".jsonl");
    if (path)
        put(files, path, work->line);
}

// With the lock. NULL at the end.
static Work *
wait_for_work(EventFiles *files)
{
    while (g_queue_is_empty(&files->queue) && !files->closing)
        g_cond_wait(&files->changed, &files->lock);
    if (files->n_lost)
        send_note(files, g_strdup_printf("%u lines of events were lost: the "
                                         "disk is too slow",
                                         files->n_lost));
    files->n_lost = 0;
    return g_queue_pop_head(&files->queue);
}

static gpointer
run(gpointer data)
{
    EventFiles *files = data;
    Work *work;
    g_mutex_lock(&files->lock);
    while ((work = wait_for_work(files))) {
        g_mutex_unlock(&files->lock);
        do_work(files, work);
        free_work(work);
        g_mutex_lock(&files->lock);
    }
    g_mutex_unlock(&files->lock);
    put_rest(files);
    g_mutex_lock(&files->lock);
    files->ended = true;
    g_cond_broadcast(&files->changed);
    g_mutex_unlock(&files->lock);
    return NULL;
}

// ---- What streams tell -----------------------------------------------------

// Takes work.
static void
add_work(EventFiles *files, Work *work)
{
    g_mutex_lock(&files->lock);
    bool full = g_queue_get_length(&files->queue) >= MAX_QUEUED;
    if (full)
        files->n_lost++;
    else
        g_queue_push_tail(&files->queue, work);
    g_cond_broadcast(&files->changed);
    g_mutex_unlock(&files->lock);
    if (full)
        free_work(work);
}

static void
on_line(Stream *stream, const char *line, void *data)
{
    if (!g_str_has_prefix(line, "{\"schema\":\"pe-1\",\"type\":\"event\""))
        return;
    Work *work = g_new0(Work, 1);
    work->stream = g_strdup(stream->name);
    work->day = g_get_real_time();
    work->line = g_strdup(line);
    add_work(data, work);
}

// Its times as those of the day in which it began.
static GstPeLabelEvent *
make_cue(const LoggedEvent *event)
{
    GstClockTime start = (GstClockTime)(event->start % DAY) * GST_USECOND;
    GstClockTime length =
        (GstClockTime)MAX(event->end - event->start, 0) * GST_USECOND;
    const GstPeLabelEvent cue = {
        .phase = event->phase,
        .id = event->serial,
        .label = event->label,
        .start = start,
        .end = start + length,
        .stream_start = start,
        .stream_end = start + length,
        .peak_score = event->peak_score,
    };
    return gst_pe_label_event_copy(&cue);
}

static void
on_event(Stream *stream, const LoggedEvent *event, void *data)
{
    Work *work = g_new0(Work, 1);
    work->stream = g_strdup(stream->name);
    work->day = event->start;
    work->result = gst_pe_result_ref(event->result);
    work->event = make_cue(event);
    add_work(data, work);
}

StreamListener
event_files_get_listener(EventFiles *files)
{
    return (StreamListener){
        .line = on_line, .event = on_event, .user_data = files};
}

// ---- Start and end ---------------------------------------------------------

EventFiles *
event_files_new(const char *path, guint64 limit, NoteFunc on_note,
                void *user_data, GError **error)
{
    Folder *folder = folder_open(path, limit, error);
    if (!folder)
        return NULL;
    EventFiles *files = g_new0(EventFiles, 1);
    files->folder = folder;
    files->cues =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_cues);
    files->on_note = on_note;
    files->user_data = user_data;
    g_mutex_init(&files->lock);
    g_cond_init(&files->changed);
    g_queue_init(&files->queue);
    files->thread = g_thread_new("pe-live-events", run, files);
    return files;
}

void
event_files_close(EventFiles *files)
{
    gint64 limit = g_get_monotonic_time() + CLOSE_TIME;
    g_mutex_lock(&files->lock);
    files->closing = true;
    g_cond_broadcast(&files->changed);
    while (!files->ended &&
           g_cond_wait_until(&files->changed, &files->lock, limit))
        ;
    bool ended = files->ended;
    g_mutex_unlock(&files->lock);
    if (!ended)
        return;
    g_thread_join(files->thread);
    folder_free(files->folder);
    g_hash_table_unref(files->cues);
    g_mutex_clear(&files->lock);
    g_cond_clear(&files->changed);
    g_free(files);
}
