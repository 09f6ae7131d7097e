// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tagger.c - see tagger.h. Threads read videos; the caller's thread alone
// writes.

#include "tagger.h"

#include <glib/gstdio.h>
#include <string.h>

#include "labelling.h"
#include "pipelines/index/identity.h"
#include "remote.h"
#include "riff.h"

#define TICK 250000 // us

typedef struct {
    const TaggerSettings *settings;
    GMutex lock; // of the archive
    GAsyncQueue *done;
} Tagger;

// A source on its way.
typedef struct {
    Tagger *tagger;
    const Source *source;
    ArchiveFile *file;
    Video video;
    gint64 link; // content that it shares; 0: none
    char *hash;  // of all bytes, when it was needed
    bool is_known;
    GError *failure; // of the device
} Task;

const char *
tagger_status_nick(TaggerStatus status)
{
    static const char *const nicks[] = {"tagged", "known", "linked", "broken",
                                        "partial"};
    return nicks[status];
}

// ---- Is it there already? -------------------------------------------------

static void
look_at_file(ArchiveFile *file)
{
    GStatBuf info;
    file->size = -1;
    file->mtime = 0;
    if (g_stat(file->name, &info) != 0 || !S_ISREG(info.st_mode))
        return;
    file->size = info.st_size;
    file->mtime =
        (gint64)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
}

// What could not be read says nothing about the file: a server was down, a
// signature or a permission was missing.
static bool
was_out_of_reach(const ArchiveFile *file, const char *problem)
{
    bool is_remote = file->etag != NULL;
    return problem && (g_str_has_prefix(problem, "unreadable") ||
                       (is_remote && g_str_has_prefix(problem, "stalled")));
}

// Unchanged since it was tagged?
static bool
is_known(Tagger *tagger, const ArchiveFile *file)
{
    if (tagger->settings->again || (file->size < 0 && !file->etag))
        return false;
    g_mutex_lock(&tagger->lock);
    Archive *archive = tagger->settings->archive;
    g_autoptr(ArchiveFile) former = archive_find(archive, file->name, NULL);
    g_autofree char *problem =
        former ? archive_find_problem(archive, former->content) : NULL;
    g_mutex_unlock(&tagger->lock);
    return former && !was_out_of_reach(file, problem) &&
           former->size == file->size && former->mtime == file->mtime &&
           g_strcmp0(former->etag, file->etag) == 0;
}

// A content with the same key: its hash, and a file that still has it.
typedef struct {
    gint64 id;
    char *hash, *name;
} Twin;

static void
clear_twin(gpointer data)
{
    Twin *twin = data;
    g_free(twin->hash);
    g_free(twin->name);
}

static GArray *
find_twins(Tagger *tagger, const char *key)
{
    GArray *twins = g_array_new(FALSE, TRUE, sizeof(Twin));
    g_array_set_clear_func(twins, clear_twin);
    g_mutex_lock(&tagger->lock);
    Archive *archive = tagger->settings->archive;
    g_autoptr(GArray) ids = archive_find_contents(archive, key, NULL);
    for (guint i = 0; ids && i < ids->len; i++) {
        Twin twin = {.id = g_array_index(ids, gint64, i)};
        g_autoptr(ArchiveFile) file =
            archive_find_by_content(archive, twin.id, &twin.hash, NULL);
        twin.name = file ? g_strdup(file->name) : NULL;
        g_array_append_val(twins, twin);
        if (!file)
            continue;
        g_autoptr(ArchiveFile) now = g_new0(ArchiveFile, 1);
        now->name = g_strdup(file->name);
        look_at_file(now);
        if (now->size != file->size || now->mtime != file->mtime)
            g_clear_pointer(&g_array_index(twins, Twin, i).name, g_free);
    }
    g_mutex_unlock(&tagger->lock);
    return twins;
}

// Equal keys are no proof; both files are read to their ends.
static void
find_link(Task *task, const char *key)
{
    g_autoptr(GArray) twins = find_twins(task->tagger, key);
    for (guint i = 0; i < twins->len && !task->link; i++) {
        Twin *twin = &g_array_index(twins, Twin, i);
        if (!twin->hash && twin->name &&
            !g_str_equal(twin->name, task->file->name))
            twin->hash = identity_hash(twin->name, NULL);
        if (!twin->hash)
            continue;
        if (!task->hash)
            task->hash = identity_hash(task->file->name, NULL);
        if (g_strcmp0(twin->hash, task->hash) == 0)
            task->link = twin->id;
    }
}

// A file with the same bytes may have been tagged while this one was read.
static void
find_late_link(Task *task)
{
    ArchiveContent *content = task->video.content;
    if (task->tagger->settings->again || !content || !content->key)
        return;
    find_link(task, content->key);
    if (task->link) // what it shares takes its place
        g_clear_pointer(&task->video.content, archive_content_free);
}

// With a pattern that its name does not fit, when a file was recorded is only
// in its container, of which a twin whose name does fit says nothing.
static bool
needs_container(const Task *task)
{
    const WallPattern *pattern = task->tagger->settings->pattern;
    gint64 time;
    return pattern && !wall_pattern_read(pattern, task->file->name, &time);
}

// ---- Threads --------------------------------------------------------------

static void
fail(Task *task, const char *reason, const char *detail)
{
    task->video.content = archive_content_new();
    task->video.created = -1;
    video_set_problem(task->video.content, -1, reason, detail);
}

static void
read_video(Task *task)
{
    video_read(&task->video, task->source->uri, task->source->name,
               &task->tagger->settings->video, &task->failure);
}

// An AVI file that was cut looks like a shorter one.
static void
check_length(Task *task)
{
    gint64 expected;
    ArchiveContent *content = task->video.content;
    if (!content || content->frames->len == 0 ||
        !riff_is_cut(task->file->name, task->file->size, &expected))
        return;
    g_autofree char *detail = g_strdup_printf("the file has %" G_GINT64_FORMAT
                                              " bytes, and says that it has "
                                              "%" G_GINT64_FORMAT,
                                              task->file->size, expected);
    video_set_problem(content, content->duration, "truncated", detail);
}

static void
read_file(Task *task)
{
    g_autoptr(GError) error = NULL;
    look_at_file(task->file);
    if (is_known(task->tagger, task->file)) {
        task->is_known = true;
        return;
    }
    if (task->file->size < 0) {
        fail(task, "unreadable",
             g_file_test(task->file->name, G_FILE_TEST_EXISTS)
                 ? "it is not a regular file"
                 : "there is no such file");
        return;
    }
    if (task->file->size == 0) {
        fail(task, "empty", "the file has no bytes");
        return;
    }
    g_autofree char *key = identity_key(task->file->name, &error);
    if (!key) {
        fail(task, "unreadable", error->message);
        return;
    }
    if (!task->tagger->settings->again && !needs_container(task))
        find_link(task, key);
    if (!task->link)
        read_video(task);
    check_length(task);
    if (task->video.content)
        task->video.content->key = g_steal_pointer(&key);
}

// What a plan says of a URI is believed, so that what is known costs nothing.
static void
look_at_uri(Task *task)
{
    if (task->source->etag) {
        task->file->size = task->source->size;
        task->file->etag = g_strdup(task->source->etag);
    } else {
        remote_look(task->source->uri, &task->file->size, &task->file->etag);
    }
}

// A server's words for it are as many as there are servers.
static void
explain_expiry(Task *task)
{
    ArchiveContent *content = task->video.content;
    g_autofree char *when = NULL;
    if (!content || !content->problem ||
        !g_str_has_prefix(content->problem, "unreadable") ||
        !(when = remote_find_expiry(task->source->uri)))
        return;
    g_free(content->problem);
    content->problem = g_strdup_printf(
        "unreadable: its URI has expired at %s; have it signed again", when);
}

static void
read_uri(Task *task)
{
    look_at_uri(task);
    if (task->file->etag && is_known(task->tagger, task->file)) {
        task->is_known = true;
        return;
    }
    read_video(task);
    explain_expiry(task);
}

static void
run_task(gpointer data, gpointer user_data)
{
    Task *task = data;
    if (task->source->is_local)
        read_file(task);
    else
        read_uri(task);
    g_async_queue_push(task->tagger->done, task);
}

static Task *
task_new(Tagger *tagger, const Source *source)
{
    Task *task = g_new0(Task, 1);
    task->tagger = tagger;
    task->source = source;
    task->file = g_new0(ArchiveFile, 1);
    task->file->name = g_strdup(source->name);
    task->file->size = task->file->wall_start = task->video.created = -1;
    return task;
}

static void
task_free(Task *task)
{
    archive_file_free(task->file);
    video_clear(&task->video);
    g_free(task->hash);
    g_clear_error(&task->failure);
    g_free(task);
}

// ---- Writing --------------------------------------------------------------

static void
set_wall(Task *task)
{
    ArchiveFile *file = task->file;
    const WallPattern *pattern = task->tagger->settings->pattern;
    if (pattern && wall_pattern_read(pattern, file->name, &file->wall_start)) {
        file->wall_source = g_strdup("name");
    } else if (task->video.created >= 0) {
        file->wall_start = task->video.created;
        file->wall_source = g_strdup("container");
    }
}

static bool
write_content(Task *task, TaggerStatus *status, GError **error)
{
    const TaggerSettings *settings = task->tagger->settings;
    ArchiveContent *content = task->video.content;
    bool is_empty = content->frames->len == 0;
    content->settings = g_strdup(settings->settings);
    *status = !content->problem ? TAGGED : is_empty ? BROKEN : PARTIAL;
    if (settings->labels)
        labelling_apply(settings->labels, content, task->video.vectors,
                        settings->video.dim);
    return archive_add(settings->archive, task->file, content,
                       task->video.vectors, error);
}

// A file that shares a content keeps the time that another file says.
static bool
write_link(Task *task, GError **error)
{
    Archive *archive = task->tagger->settings->archive;
    g_autoptr(ArchiveFile) other =
        archive_find_by_content(archive, task->link, NULL, error);
    if (!other)
        return false;
    task->file->content = task->link;
    if (task->file->wall_start < 0 &&
        g_strcmp0(other->wall_source, "container") == 0) {
        task->file->wall_start = other->wall_start;
        task->file->wall_source = g_strdup(other->wall_source);
    }
    task->video.content = archive_read_content(archive, task->link, error);
    return task->video.content &&
           archive_link(archive, task->file, task->hash, error);
}

static bool
write_task(Task *task, TaggerStatus *status, GError **error)
{
    bool ok = true;
    g_mutex_lock(&task->tagger->lock);
    *status = task->is_known ? KNOWN : LINKED;
    if (!task->is_known) {
        set_wall(task);
        ok = task->link ? write_link(task, error)
                        : write_content(task, status, error);
    }
    g_mutex_unlock(&task->tagger->lock);
    return ok;
}

// ---- Run ------------------------------------------------------------------

typedef struct {
    Tagger tagger;
    const GPtrArray *sources;
    GThreadPool *pool;
    guint n_started, n_busy;
    gint64 start; // us
    TaggerProgress *progress;
    TaggerFunc func;
    void *user_data;
} Run;

static gint64
get_size(const Source *source)
{
    GStatBuf info;
    if (!source->is_local)
        return MAX(source->size, 0);
    return g_stat(source->name, &info) == 0 ? info.st_size : 0;
}

static void
start_tasks(Run *run)
{
    const TaggerSettings *settings = run->tagger.settings;
    while (run->n_busy < (guint)settings->n_jobs &&
           run->n_started < run->sources->len &&
           !g_atomic_int_get(settings->is_stopping)) {
        const Source *source = run->sources->pdata[run->n_started++];
        g_thread_pool_push(run->pool, task_new(&run->tagger, source), NULL);
        run->n_busy++;
    }
}

static void
tell(Run *run, TaggerStatus status, const Task *task)
{
    TaggerProgress *progress = run->progress;
    progress->media =
        g_atomic_int_get(run->tagger.settings->video.n_decoded_ms) / 1e3;
    progress->wall = (double)(g_get_monotonic_time() - run->start) / 1e6;
    run->func(progress, status, task ? task->file : NULL,
              task ? task->video.content : NULL, run->user_data);
}

// false with the error when nothing more can be done.
static bool
finish_task(Run *run, Task *task, GError **error)
{
    TaggerStatus status;
    run->n_busy--;
    if (task->failure) {
        g_propagate_error(error, g_steal_pointer(&task->failure));
        return false;
    }
    find_late_link(task);
    if (!write_task(task, &status, error))
        return false;
    run->progress->n_done++;
    run->progress->n[status]++;
    run->progress->bytes_done += get_size(task->source);
    if (status == TAGGED || status == PARTIAL)
        run->progress->n_frames += task->video.content->frames->len;
    tell(run, status, task);
    return true;
}

// Tell those that still read to give up, and wait for them.
static void
drain(Run *run)
{
    g_atomic_int_set(run->tagger.settings->video.is_cancelled, 1);
    while (run->n_busy > 0) {
        task_free(g_async_queue_pop(run->tagger.done));
        run->n_busy--;
    }
}

static bool
run_tasks(Run *run, GError **error)
{
    for (;;) {
        start_tasks(run);
        if (run->n_busy == 0)
            return true;
        Task *task = g_async_queue_timeout_pop(run->tagger.done, TICK);
        if (!task) {
            tell(run, TAGGED, NULL);
            continue;
        }
        bool ok = finish_task(run, task, error);
        task_free(task);
        if (!ok) {
            drain(run);
            return false;
        }
    }
}

bool
tagger_run(const TaggerSettings *settings, const GPtrArray *sources,
           TaggerProgress *progress, TaggerFunc func, void *user_data,
           GError **error)
{
    Run run = {.tagger = {.settings = settings, .done = g_async_queue_new()},
               .sources = sources,
               .start = g_get_monotonic_time(),
               .progress = progress,
               .func = func,
               .user_data = user_data};
    *progress = (TaggerProgress){.n_sources = sources->len};
    for (guint i = 0; i < sources->len; i++)
        progress->bytes += get_size(sources->pdata[i]);
    g_mutex_init(&run.tagger.lock);
    run.pool = g_thread_pool_new(run_task, NULL, settings->n_jobs, TRUE, NULL);
    bool ok = run_tasks(&run, error);
    g_thread_pool_free(run.pool, FALSE, TRUE);
    g_async_queue_unref(run.tagger.done);
    g_mutex_clear(&run.tagger.lock);
    tell(&run, TAGGED, NULL);
    return ok;
}
