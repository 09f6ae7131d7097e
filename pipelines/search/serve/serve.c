// SPDX-License-Identifier: LGPL-2.1-or-later
//
// serve.c - see serve.h. Three threads work for the requests, so that pictures
// wait for no search and neither waits for a clip.

#include "serve.h"

#include <glib-unix.h>
#include <gst/gst.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipelines/http/reply.h"
#include "pipelines/http/server.h"
#include "pipelines/postgres/postgres.h"
#include "pipelines/search/serve/lookup.h"
#include "pipelines/search/serve/question.h"
#include "tools/program.h"

#define COMMAND "serve"
#define DRAIN_TIME (5 * G_USEC_PER_SEC) // after SIGTERM
#define JOIN_TIME (2 * G_USEC_PER_SEC)  // for threads to end
#define LOOK_PERIOD_MS 50

enum { SEARCHES, LOOKUPS, CLIPS, N_WORKERS };

static char *opt_archive, *opt_index, *opt_token_file;
static char *opt_http; // NULL: the usual one
static char **opt_paths;
static gboolean opt_remote, opt_exact;
static int opt_timeout = 10;

static const GOptionEntry entries[] = {
    {"archive", 'a', 0, G_OPTION_ARG_FILENAME, &opt_archive,
     "Folder of the archive, which can also be the argument", "DIR"},
    {"index", 0, 0, G_OPTION_ARG_FILENAME, &opt_index,
     "In its place: a database that \"pe-tag load\" has filled",
     "postgresql://..."},
    {"exact", 0, 0, G_OPTION_ARG_NONE, &opt_exact,
     "Of a database: compare all vectors, without its index", NULL},
    {"http", 0, 0, G_OPTION_ARG_FILENAME, &opt_http,
     "Where the page is (default 127.0.0.1:8081)", "ADDRESS:PORT"},
    {"http-remote", 0, 0, G_OPTION_ARG_NONE, &opt_remote,
     "An address that others reach; needs a token", NULL},
    {"http-token-file", 0, 0, G_OPTION_ARG_FILENAME, &opt_token_file,
     "A file with the token that every request must have", "FILE"},
    {"timeout", 0, 0, G_OPTION_ARG_INT, &opt_timeout,
     "Give up a request after so long (default 10)", "S"},
    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_paths, NULL,
     "DIR"},
    {NULL},
};

static const char description[] =
    "Examples:\n"
    "  pe-search serve --http 127.0.0.1:8081 ~/archive\n"
    "  pe-search serve --index postgresql://db.example/videos\n"
    "\n"
    "Exit status: 0 ended by a signal, 1 try again, 2 do not.";

typedef struct {
    GMainLoop *loop;
    HttpServer *server;
    QuestionState questions;
    LookupState lookups, clips;
    Worker *workers[N_WORKERS];
    gint64 stop_limit; // 0: runs
} Serve;

// ---- Requests --------------------------------------------------------------

static void
on_search(SoupServerMessage *message, const char *path, void *data)
{
    Serve *serve = data;
    const char *query = g_uri_get_query(soup_server_message_get_uri(message));
    worker_ask(serve->workers[SEARCHES], message, question_answer,
               g_strdup(query ? query : ""), g_free);
}

// What follows the route in the path.
static void
ask(Worker *worker, SoupServerMessage *message, const char *path, WorkFunc func)
{
    const char *slash = strchr(path + 1, '/');
    worker_ask(worker, message, func, g_strdup(slash ? slash + 1 : ""), g_free);
}

static void
on_archive(SoupServerMessage *message, const char *path, void *data)
{
    ask(((Serve *)data)->workers[LOOKUPS], message, path, lookup_archive);
}

static void
on_thumbnail(SoupServerMessage *message, const char *path, void *data)
{
    ask(((Serve *)data)->workers[LOOKUPS], message, path, lookup_thumbnail);
}

static void
on_video(SoupServerMessage *message, const char *path, void *data)
{
    ask(((Serve *)data)->workers[LOOKUPS], message, path, lookup_video);
}

static void
on_clip(SoupServerMessage *message, const char *path, void *data)
{
    ask(((Serve *)data)->workers[CLIPS], message, path, lookup_clip);
}

static void
on_health(SoupServerMessage *message, const char *path, void *data)
{
    http_reply_text(message, SOUP_STATUS_OK, "text/plain", "ok\n");
}

static const HttpRoute routes[] = {
    {"/search", on_search}, {"/archive", on_archive},
    {"/clips/", on_clip},   {"/thumbnails/", on_thumbnail},
    {"/videos/", on_video}, {"/healthz", on_health},
};

// ---- Start and end ---------------------------------------------------------

static gboolean
on_signal(gpointer data)
{
    Serve *serve = data;
    if (serve->stop_limit)
        g_main_loop_quit(serve->loop);
    serve->stop_limit = g_get_monotonic_time() + DRAIN_TIME;
    http_server_stop(serve->server);
    return G_SOURCE_CONTINUE;
}

// What was asked before the signal is answered.
static gboolean
look(gpointer data)
{
    Serve *serve = data;
    if (serve->stop_limit && (http_server_count_busy(serve->server) == 0 ||
                              g_get_monotonic_time() > serve->stop_limit))
        g_main_loop_quit(serve->loop);
    return G_SOURCE_CONTINUE;
}

static bool
open_all(Serve *serve, const char *place, GError **error)
{
    serve->questions.handle = archive_handle_new(place, opt_exact);
    serve->lookups.handle = archive_handle_new(place, opt_exact);
    serve->clips.handle = archive_handle_new(place, opt_exact);
    if (!searcher_open(&serve->questions.searcher, error))
        return false;
    // What never will work is told now.
    Archive *archive = archive_handle_get(serve->questions.handle, error);
    return archive &&
           archive_check_model(archive,
                               &serve->questions.searcher.model.archive, error);
}

static void
start_workers(Serve *serve)
{
    enum { CLIP_TIME = 60, MAX_SEARCHES = 16, MAX_LOOKUPS = 64, MAX_CLIPS = 4 };
    serve->workers[SEARCHES] =
        worker_new("searches", &serve->questions, MAX_SEARCHES, opt_timeout);
    serve->workers[LOOKUPS] =
        worker_new("lookups", &serve->lookups, MAX_LOOKUPS, opt_timeout);
    serve->workers[CLIPS] =
        worker_new("clips", &serve->clips, MAX_CLIPS, CLIP_TIME);
}

// A thread may hang in a file system that does not answer; then the process
// ends without it, since it holds nothing that must be put in order.
static void
stop_workers(Serve *serve)
{
    gint64 limit = g_get_monotonic_time() + JOIN_TIME;
    g_atomic_int_set(&serve->clips.is_cancelled, 1);
    for (int i = 0; i < N_WORKERS; i++)
        worker_stop(serve->workers[i]);
    for (int i = 0; i < N_WORKERS; i++) {
        while (!worker_has_ended(serve->workers[i])) {
            if (g_get_monotonic_time() > limit) {
                g_printerr("pe-search: ended without a request that hangs\n");
                fflush(NULL);
                _exit(1);
            }
            g_usleep(LOOK_PERIOD_MS * 1000 / 10);
        }
        worker_free(serve->workers[i]);
    }
}

static void
close_all(Serve *serve)
{
    searcher_close(&serve->questions.searcher);
    archive_handle_free(serve->questions.handle);
    archive_handle_free(serve->lookups.handle);
    archive_handle_free(serve->clips.handle);
}

static void
run(Serve *serve)
{
    serve->loop = g_main_loop_new(NULL, FALSE);
    guint sources[] = {
        g_unix_signal_add(SIGTERM, on_signal, serve),
        g_unix_signal_add(SIGINT, on_signal, serve),
        g_timeout_add(LOOK_PERIOD_MS, look, serve),
    };
    g_main_loop_run(serve->loop);
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++)
        g_source_remove(sources[i]);
    g_main_loop_unref(serve->loop);
}

static int
open_and_run(const char *place)
{
    const HttpServerParams params = {
        .program = "pe-search",
        .address = opt_http ? opt_http : "127.0.0.1:8081",
        .token_file = opt_token_file,
        .remote = opt_remote,
        .routes = routes,
        .n_routes = G_N_ELEMENTS(routes),
    };
    Serve serve = {0};
    g_autoptr(GError) error = NULL;
    bool ok = open_all(&serve, place, &error) &&
              (serve.server = http_server_new(&params, &serve, &error));
    if (ok) {
        start_workers(&serve);
        run(&serve);
        stop_workers(&serve);
        http_server_free(serve.server);
    }
    close_all(&serve);
    if (ok)
        return 0;
    program_fail(error);
    return archive_may_pass(error) ? 1 : 2;
}

// What is wrong with where is looked; NULL: nothing.
static const char *
find_wrong_place(void)
{
    int n = !!opt_archive + !!opt_index + (opt_paths ? 1 : 0);
    if (n != 1 || (opt_paths && opt_paths[1]))
        return "takes the folder of one archive, or --index";
    return postgres_find_wrong_options(opt_index, opt_exact);
}

int
serve_run(int argc, char **argv)
{
    int status = program_parse(COMMAND, "- an archive as a page", entries,
                               description, &argc, &argv);
    if (status != 0)
        return status;
    const char *wrong = find_wrong_place();
    if (wrong)
        return program_fail_usage(COMMAND, wrong);
    if (opt_timeout < 1 || opt_timeout > 3600 || program_options.batch < 0 ||
        program_options.threads < 0)
        return program_fail_usage(COMMAND, "--timeout must be 1 to 3600; "
                                           "--batch and --threads positive");
    gst_init(NULL, NULL);
    return open_and_run(opt_index     ? opt_index
                        : opt_archive ? opt_archive
                                      : opt_paths[0]);
}
