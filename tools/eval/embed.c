// SPDX-License-Identifier: LGPL-2.1-or-later
//
// embed.c - see embed.h.

#include "embed.h"

#include <string.h>

#include "gst/video/gstpepicture.h"
#include "tools/clip_frames.h"
#include "tools/eval/dataset.h"
#include "tools/program.h"
#include "tools/progress.h"

// A file that has no vector yet.
typedef struct {
    EvalItem *item;
    float *vector;   // [dim], of the result
    char *key;       // in the vector file
    GPtrArray *jobs; // PeJob, of its frames
} Task;

// What the threads share. The lock guards everything below it.
typedef struct {
    const Embedding *embedding;
    GPtrArray *tasks;
    int dim;
    int max_in_flight; // frames of a thread
    GMutex lock;
    guint next; // task
    int n_done; // items
    Progress progress;
    GError *failure; // of the engine or the file: all stop
} Work;

typedef struct {
    Work *work;
    PeClient *client;
    GQueue tasks; // in flight, oldest first
    int n_in_flight;
    GMutex lock;
    GCond done;
} Worker;

// ---- Tasks ----------------------------------------------------------------

static Task *
task_new(EvalItem *item, float *vector, char *key)
{
    Task *task = g_new0(Task, 1);
    task->item = item;
    task->vector = vector;
    task->key = key;
    task->jobs = g_ptr_array_new_with_free_func((GDestroyNotify)pe_job_unref);
    return task;
}

static void
task_free(Task *task)
{
    g_ptr_array_unref(task->jobs);
    g_free(task->key);
    g_free(task);
}

static void
on_done(PeJob *job, void *data)
{
    Worker *worker = data;
    g_mutex_lock(&worker->lock);
    g_cond_signal(&worker->done);
    g_mutex_unlock(&worker->lock);
}

static void
wait_for(Worker *worker, const PeJob *job)
{
    g_mutex_lock(&worker->lock);
    while (!pe_job_is_done(job))
        g_cond_wait(&worker->done, &worker->lock);
    g_mutex_unlock(&worker->lock);
}

bool
eval_is_of_file(const GError *error)
{
    return error->domain != PE_ERROR || error->code == PE_ERROR_FILE ||
           error->code == PE_ERROR_FORMAT || error->code == PE_ERROR_SHAPE;
}

// Takes the error. The lock is held, or no thread runs.
static void
report_locked(Work *work, EvalItem *item, GError *error)
{
    if (eval_is_of_file(error)) {
        progress_end(&work->progress);
        program_fail(error);
        item->problem = g_strdup(error->message);
        progress_show(&work->progress, ++work->n_done);
    } else if (!work->failure) {
        work->failure = g_steal_pointer(&error);
    }
    g_clear_error(&error);
}

static void
report(Work *work, EvalItem *item, GError *error)
{
    g_mutex_lock(&work->lock);
    report_locked(work, item, error);
    g_mutex_unlock(&work->lock);
}

static void
keep(Work *work, const Task *task)
{
    g_mutex_lock(&work->lock);
    if (!work->failure && work->embedding->file)
        (void)vector_file_add(work->embedding->file, task->key, task->vector,
                              &work->failure);
    progress_show(&work->progress, ++work->n_done);
    g_mutex_unlock(&work->lock);
}

// The mean of the features' unit vectors, whose length says how much the frames
// agree.
// Source: CLIP.encode_video(normalize=True) of the reference's
// core/vision_encoder/pe.py, as its zeroshot_retrieval.py calls it.
static void
average_units(const float *const *features, int n, int dim, float *out)
{
    g_autofree double *sum = g_new0(double, (size_t)dim);
    g_autofree float *unit = g_new(float, (size_t)dim);
    for (int i = 0; i < n; i++) {
        memcpy(unit, features[i], (size_t)dim * sizeof *unit);
        pe_embedding_normalize(unit, dim);
        for (int k = 0; k < dim; k++)
            sum[k] += unit[k];
    }
    for (int k = 0; k < dim; k++)
        out[k] = (float)(sum[k] / n);
}

// Wait for the oldest task and keep its vector; takes it off the queue.
static void
finish_oldest(Worker *worker)
{
    Work *work = worker->work;
    Task *task = g_queue_pop_head(&worker->tasks);
    int n = (int)task->jobs->len;
    g_autofree const float **features = g_new(const float *, (size_t)n);
    GError *error = NULL;
    for (int i = 0; i < n && !error; i++) {
        wait_for(worker, task->jobs->pdata[i]);
        features[i] = pe_job_get_embedding(task->jobs->pdata[i], &error);
    }
    worker->n_in_flight -= n;
    if (error) {
        // What the engine says is never about one file.
        error->domain = PE_ERROR;
        error->code = PE_ERROR_BACKEND;
        report(work, task->item, error);
    } else {
        if (work->embedding->mean_of_units)
            average_units(features, n, work->dim, task->vector);
        else
            pe_embedding_mean(features, n, work->dim, task->vector);
        keep(work, task);
    }
    g_ptr_array_set_size(task->jobs, 0);
}

// ---- Files ----------------------------------------------------------------

typedef struct {
    Worker *worker;
    Task *task;
} Pass;

static bool
submit_frame(const PeFrame *frame, void *data, GError **error)
{
    Pass *pass = data;
    PeJob *job;
    if (!pe_client_submit(pass->worker->client, &(PeSubmit){.frame = frame},
                          &job, error))
        return false;
    g_ptr_array_add(pass->task->jobs, job);
    pass->worker->n_in_flight++;
    return true;
}

static bool
read_file(Worker *worker, Task *task, GError **error)
{
    Pass pass = {worker, task};
    int n_frames = worker->work->embedding->n_frames;
    if (n_frames == 0)
        return gst_pe_picture_read(task->item->path, submit_frame, &pass,
                                   error);
    g_autoptr(GArray) indices = clip_frames_read(
        task->item->path, n_frames, submit_frame, &pass, NULL, error);
    return indices != NULL;
}

static void
start_task(Worker *worker, Task *task)
{
    GError *error = NULL;
    if (read_file(worker, task, &error)) {
        g_queue_push_tail(&worker->tasks, task);
        return;
    }
    worker->n_in_flight -= (int)task->jobs->len;
    g_ptr_array_set_size(task->jobs, 0);
    report(worker->work, task->item, error);
}

// NULL at the end, also when something has failed for all.
static Task *
take_next(Work *work)
{
    Task *task = NULL;
    g_mutex_lock(&work->lock);
    if (!work->failure && work->next < work->tasks->len)
        task = work->tasks->pdata[work->next++];
    g_mutex_unlock(&work->lock);
    return task;
}

static void *
work_on(void *data)
{
    Work *work = data;
    Worker worker = {.work = work};
    g_queue_init(&worker.tasks);
    g_mutex_init(&worker.lock);
    g_cond_init(&worker.done);
    worker.client = pe_client_new(work->embedding->engine, on_done, &worker);
    Task *task;
    while ((task = take_next(work))) {
        start_task(&worker, task);
        while (worker.n_in_flight > work->max_in_flight)
            finish_oldest(&worker);
    }
    pe_client_run_now(worker.client);
    while (!g_queue_is_empty(&worker.tasks))
        finish_oldest(&worker);
    pe_client_free(worker.client);
    g_cond_clear(&worker.done);
    g_mutex_clear(&worker.lock);
    return NULL;
}

// ---- Items ----------------------------------------------------------------

// Take the vectors that the file has; the others become tasks.
static void
make_tasks(Work *work, GPtrArray *items, float *vectors)
{
    char kind[40] = "picture";
    int n_frames = work->embedding->n_frames;
    if (n_frames)
        g_snprintf(kind, sizeof kind, "video, %d frames%s", n_frames,
                   work->embedding->mean_of_units ? ", units" : "");
    for (guint i = 0; i < items->len; i++) {
        float *vector = vectors + i * (size_t)work->dim;
        EvalItem *item = items->pdata[i];
        GError *error = NULL;
        char *key = vector_file_make_key(kind, item->path, &error);
        if (!key) {
            report_locked(work, item, error);
        } else if (work->embedding->file &&
                   vector_file_find(work->embedding->file, key, vector)) {
            work->n_done++;
            g_free(key);
        } else {
            g_ptr_array_add(work->tasks, task_new(item, vector, key));
        }
    }
}

static void
run_threads(Work *work)
{
    PeEngineStats stats;
    pe_engine_get_stats(work->embedding->engine, &stats);
    int n = MIN(work->embedding->n_jobs, (int)work->tasks->len);
    // Two batches: one that runs and one that fills.
    work->max_in_flight = 2 * stats.batch_size / MAX(n, 1) + 1;
    g_autofree GThread **threads = g_new(GThread *, (size_t)n);
    for (int i = 0; i < n; i++)
        threads[i] = g_thread_new("decode", work_on, work);
    for (int i = 0; i < n; i++)
        g_thread_join(threads[i]);
}

bool
eval_embed_items(const Embedding *embedding, GPtrArray *items, float *vectors,
                 GError **error)
{
    int dim = pe_engine_get_dim(embedding->engine);
    Work work = {.embedding = embedding, .dim = dim};
    memset(vectors, 0, items->len * (size_t)dim * sizeof *vectors);
    work.tasks = g_ptr_array_new_with_free_func((GDestroyNotify)task_free);
    g_mutex_init(&work.lock);
    progress_start(&work.progress, embedding->n_frames ? "videos" : "pictures",
                   items->len);
    make_tasks(&work, items, vectors);
    work.progress.before = work.n_done;
    run_threads(&work);
    progress_end(&work.progress);
    g_mutex_clear(&work.lock);
    g_ptr_array_unref(work.tasks);
    if (!work.failure)
        return true;
    g_propagate_error(error, work.failure);
    return false;
}

// ---- Texts ----------------------------------------------------------------

// Embed n texts, whose vectors are [n, dim] apart, and keep them.
static bool
embed_some(const Embedding *embedding, const PeTokenizer *tokenizer,
           char **texts, char **keys, int n, float *vectors, GError **error)
{
    int dim = pe_engine_get_dim(embedding->engine);
    if (!pe_engine_embed_texts(embedding->engine, tokenizer,
                               (const char *const *)texts, n, vectors, error))
        return false;
    for (int i = 0; i < n; i++) {
        float *vector = vectors + (size_t)i * (size_t)dim;
        pe_embedding_normalize(vector, dim);
        if (!vector_file_add(embedding->file, keys[i], vector, error))
            return false;
    }
    return true;
}

// The first texts without a vector, from *next on; how many.
static int
take_texts(const Embedding *embedding, const PeTokenizer *tokenizer,
           GPtrArray *texts, float *vectors, guint *next, char **keys,
           guint *numbers, int max)
{
    size_t dim = (size_t)pe_engine_get_dim(embedding->engine);
    int n = 0;
    for (; *next < texts->len && n < max; ++*next) {
        char *key = g_strdup_printf("text\n%s\n%s",
                                    pe_tokenizer_get_fingerprint(tokenizer),
                                    (char *)texts->pdata[*next]);
        if (vector_file_find(embedding->file, key, vectors + *next * dim)) {
            g_free(key);
            continue;
        }
        keys[n] = key;
        numbers[n++] = *next;
    }
    return n;
}

bool
eval_embed_texts(const Embedding *embedding, const PeTokenizer *tokenizer,
                 GPtrArray *texts, float *vectors, GError **error)
{
    enum { AT_ONCE = 64 };
    size_t dim = (size_t)pe_engine_get_dim(embedding->engine);
    g_autofree float *fresh = g_new(float, AT_ONCE *dim);
    char *keys[AT_ONCE], *missing[AT_ONCE];
    guint numbers[AT_ONCE], next = 0;
    Progress progress;
    progress_start(&progress, "texts", texts->len);
    bool ok = true;
    while (ok && next < texts->len) {
        int n = take_texts(embedding, tokenizer, texts, vectors, &next, keys,
                           numbers, AT_ONCE);
        for (int i = 0; i < n; i++)
            missing[i] = texts->pdata[numbers[i]];
        ok = n == 0 ||
             embed_some(embedding, tokenizer, missing, keys, n, fresh, error);
        for (int i = 0; i < n; i++) {
            memcpy(vectors + numbers[i] * dim, fresh + (size_t)i * dim,
                   dim * sizeof *fresh);
            g_free(keys[i]);
        }
        progress_show(&progress, next);
    }
    progress_end(&progress);
    return ok;
}
