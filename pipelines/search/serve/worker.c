// SPDX-License-Identifier: LGPL-2.1-or-later
//
// worker.c - see worker.h.
//
// A task has two owners, the main thread and the worker's. Its answer travels
// back by an idle source; when the deadline has passed by then, or the client
// has gone, nobody wants it any more.

#include "worker.h"

#include <string.h>
#include <unistd.h>

#include "pipelines/http/reply.h"
#include "pipelines/index/archive.h"
#include "tools/json_line.h"

struct Worker {
    void *state;
    int max_waiting, deadline;
    int n_waiting; // of the main thread: asked and not taken back
    GAsyncQueue *tasks;
    GThread *thread;
    gint is_stopping; // atomic
    gint has_ended;   // atomic
};

typedef struct {
    Worker *worker;
    WorkFunc func;
    void *asked;
    GDestroyNotify free_asked;
    Answer *answer;
    gint is_unwanted; // atomic
    // Of the main thread.
    SoupServerMessage *message;
    gulong on_gone;
    guint timer; // 0: none
} Task;

// ---- Answers ---------------------------------------------------------------

Answer *
answer_new_text(guint status, const char *text)
{
    Answer *answer = g_new0(Answer, 1);
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    *answer = (Answer){.status = status,
                       .type = "text/plain; charset=utf-8",
                       .body = g_bytes_new(line, strlen(line)),
                       .fd = -1};
    return answer;
}

Answer *
answer_new_json(guint status, char *text)
{
    Answer *answer = g_new0(Answer, 1);
    *answer = (Answer){.status = status,
                       .type = "application/json",
                       .body = g_bytes_new_take(text, strlen(text)),
                       .fd = -1};
    return answer;
}

Answer *
answer_new_error(const GError *error)
{
    g_autofree char *text = g_utf8_make_valid(error->message, -1);
    return answer_new_text(archive_may_pass(error)
                               ? SOUP_STATUS_SERVICE_UNAVAILABLE
                               : SOUP_STATUS_NOT_FOUND,
                           text);
}

static void
answer_free(Answer *answer)
{
    g_clear_pointer(&answer->body, g_bytes_unref);
    if (answer->fd >= 0)
        close(answer->fd);
    g_free(answer->filename);
    g_free(answer);
}

// By RFC 6266 and 8187: all but letters, digits and a few marks is escaped.
static void
set_filename(SoupServerMessage *message, const char *filename)
{
    g_autofree char *escaped = g_uri_escape_string(filename, NULL, FALSE);
    g_autofree char *value =
        g_strconcat("attachment; filename*=UTF-8''", escaped, NULL);
    soup_message_headers_replace(
        soup_server_message_get_response_headers(message),
        "Content-Disposition", value);
}

static void
send_answer(SoupServerMessage *message, Answer *answer)
{
    if (answer->filename)
        set_filename(message, answer->filename);
    if (answer->fd >= 0)
        http_reply_file(message, answer->type, answer->fd, answer->size);
    else
        http_reply_bytes(message, answer->status, answer->type, answer->body);
    answer->fd = -1; // taken
}

static void
send_busy(SoupServerMessage *message, const char *reason)
{
    JsonLine j;
    json_line_begin(&j);
    json_line_bool(&j, "ok", FALSE);
    json_line_string(&j, "error", reason);
    g_autofree char *text = json_line_steal(&j);
    soup_message_headers_replace(
        soup_server_message_get_response_headers(message), "Retry-After", "5");
    http_reply_text(message, SOUP_STATUS_SERVICE_UNAVAILABLE,
                    "application/json", text);
}

// ---- Tasks, on the main thread ---------------------------------------------

// The request is answered, or its client gone.
static void
let_go(Task *task)
{
    g_atomic_int_set(&task->is_unwanted, 1);
    g_signal_handler_disconnect(task->message, task->on_gone);
    if (task->timer)
        g_source_remove(task->timer);
    task->timer = 0;
    g_clear_object(&task->message);
}

static void
on_gone(SoupServerMessage *message, gpointer data)
{
    let_go(data);
}

static void
give_up(Task *task, const char *reason)
{
    g_autoptr(SoupServerMessage) message = g_object_ref(task->message);
    let_go(task);
    send_busy(message, reason);
    soup_server_message_unpause(message);
}

static gboolean
on_late(gpointer data)
{
    Task *task = data;
    task->timer = 0;
    give_up(task, "this takes too long now; try again");
    return G_SOURCE_REMOVE;
}

static void
task_free(Task *task)
{
    if (task->answer)
        answer_free(task->answer);
    task->free_asked(task->asked);
    g_free(task);
}

static gboolean
on_worked(gpointer data)
{
    Task *task = data;
    task->worker->n_waiting--;
    if (task->message && task->answer) {
        g_autoptr(SoupServerMessage) message = g_object_ref(task->message);
        let_go(task);
        send_answer(message, task->answer);
        soup_server_message_unpause(message);
    } else if (task->message) {
        give_up(task, "the program is ending");
    }
    task_free(task);
    return G_SOURCE_REMOVE;
}

void
worker_ask(Worker *worker, SoupServerMessage *message, WorkFunc func,
           void *asked, GDestroyNotify free_asked)
{
    bool is_full = worker->n_waiting >= worker->max_waiting;
    if (is_full || g_atomic_int_get(&worker->is_stopping)) {
        send_busy(message, is_full ? "too many requests wait; try again"
                                   : "the program is ending");
        free_asked(asked);
        return;
    }
    Task *task = g_new0(Task, 1);
    *task = (Task){.worker = worker,
                   .func = func,
                   .asked = asked,
                   .free_asked = free_asked,
                   .message = g_object_ref(message)};
    worker->n_waiting++;
    task->on_gone =
        g_signal_connect(message, "finished", G_CALLBACK(on_gone), task);
    task->timer = g_timeout_add_seconds((guint)worker->deadline, on_late, task);
    soup_server_message_pause(message);
    g_async_queue_push(worker->tasks, task);
}

// ---- The thread ------------------------------------------------------------

static gpointer
work(gpointer data)
{
    Worker *worker = data;
    for (;;) {
        Task *task = g_async_queue_pop(worker->tasks);
        if ((void *)task == worker)
            break;
        if (!g_atomic_int_get(&task->is_unwanted) &&
            !g_atomic_int_get(&worker->is_stopping))
            task->answer = task->func(worker->state, task->asked);
        g_idle_add(on_worked, task);
    }
    g_atomic_int_set(&worker->has_ended, 1);
    return NULL;
}

Worker *
worker_new(const char *name, void *state, int max_waiting, int deadline)
{
    Worker *worker = g_new0(Worker, 1);
    *worker = (Worker){.state = state,
                       .max_waiting = max_waiting,
                       .deadline = deadline,
                       .tasks = g_async_queue_new()};
    worker->thread = g_thread_new(name, work, worker);
    return worker;
}

void
worker_stop(Worker *worker)
{
    if (g_atomic_int_get(&worker->is_stopping))
        return;
    g_atomic_int_set(&worker->is_stopping, 1);
    g_async_queue_push(worker->tasks, worker);
}

bool
worker_has_ended(const Worker *worker)
{
    return g_atomic_int_get(&worker->has_ended);
}

void
worker_free(Worker *worker)
{
    g_thread_join(worker->thread);
    while (worker->n_waiting > 0) // on their way back
        g_main_context_iteration(NULL, TRUE);
    g_async_queue_unref(worker->tasks);
    g_free(worker);
}
