// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pe-live.c - labels for many live streams in one process. Reads the command
// line, loads the model and runs the main loop; pipelines/live/ does the rest.

#include <errno.h>
#include <glib-unix.h>
#include <gst/gst.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/pe.h"
#include "pipelines/live/control/commands.h"
#include "pipelines/live/control/control.h"
#include "pipelines/live/control/ctl.h"
#include "pipelines/live/events/event_files.h"
#include "pipelines/live/index/index.h"
#include "pipelines/live/options.h"
#include "pipelines/live/program.h"
#include "pipelines/live/record/recorder.h"
#include "pipelines/live/report/report.h"
#include "pipelines/live/search/search.h"
#include "pipelines/live/streams.h"
#include "pipelines/live/window/show.h"
#include "tools/program_output.h"
#ifdef HAVE_HTTP
#include "pipelines/web/http.h"
#endif

// After SIGTERM, for what is in flight and for pipelines to end.
#define CLOSE_TIME (4 * G_USEC_PER_SEC)
#define LOOK_PERIOD_MS 50

static Options options;
static LiveConfig live_config;

typedef struct {
    GMainLoop *loop;
    Report report;
    Streams *streams;
    Control *control;
    EventFiles *event_files; // NULL: not asked for
    Recorder *recorder;      // NULL: not asked for
    Search *search;
    Index *index;   // NULL: not asked for
    Window *window; // NULL: not asked for, or over
    Commands commands;
#ifdef HAVE_HTTP
    Http *http; // NULL: not asked for
#endif
    PeEngine *engine;
    bool window_hangs; // its thread is left alone
    bool index_hangs;  // and here, too
    bool stopping;
    gint64 stop_limit;
    int n_signals;
} App;

// ---- Streams ----------------------------------------------------------------

static void
add_stream(StreamConfig *stream, const char *name, const GError *problem,
           void *data)
{
    App *app = data;
    g_autoptr(GError) error = NULL;
    if (stream && streams_add(app->streams, stream, true, &error))
        return;
    const char *message = problem ? problem->message : error->message;
    g_autofree char *text = g_strdup_printf("%s: %s", name, message);
    program_fail(text);
    streams_add_wrong(app->streams, name, message);
}

// The length of NAME in NAME=URI, or 0.
static size_t
find_name(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    bool is_file = g_file_test(text, G_FILE_TEST_EXISTS);
    return text[length] == '=' && !is_file ? length : 0;
}

static void
add_argument(App *app, const char *text)
{
    g_autoptr(GError) error = NULL;
    size_t length = find_name(text);
    const char *uri = length ? text + length + 1 : text;
    g_autofree char *name = length ? g_strndup(text, length) : NULL;
    Address *address = address_parse(uri, &error);
    if (address) {
        StreamConfig *config = stream_config_new(&live_config, address);
        config->name = g_strdup(name ? name : address->name);
        if (streams_add(app->streams, config, name != NULL, &error))
            return;
    }
    g_autofree char *shown = name ? g_strdup(name) : address_redact(NULL, uri);
    add_stream(NULL, shown, error, app);
}

// Nobody needs to see a password in the list of processes.
static void
hide_argument(char *text)
{
    char *authority = strstr(text, "://");
    char *at = authority ? strrchr(authority, '@') : NULL;
    for (char *p = authority ? authority + 3 : text; at && p < at; p++)
        *p = '*';
}

// A URI of a database may also have one behind the host. Before the options are
// taken out of the arguments: returns those, for hide_databases().
static GPtrArray *
find_databases(int argc, char **argv)
{
    GPtrArray *found = g_ptr_array_new();
    for (int i = 1; i < argc; i++) {
        bool is_value = i > 1 && g_str_equal(argv[i - 1], "--index");
        if (is_value || g_str_has_prefix(argv[i], "--index="))
            g_ptr_array_add(found, argv[i]);
    }
    return found;
}

static void
hide_databases(GPtrArray *found)
{
    for (guint i = 0; i < found->len; i++) {
        char *authority = strstr(found->pdata[i], "://");
        if (authority)
            memset(authority + 3, '*', strlen(authority + 3));
    }
    g_ptr_array_unref(found);
}

// ---- The end ---------------------------------------------------------------

static void
stop(App *app)
{
    if (app->stopping)
        return;
    app->stopping = true;
    app->stop_limit = g_get_monotonic_time() + CLOSE_TIME;
#ifdef HAVE_HTTP
    if (app->http)
        http_set_stopping(app->http);
#endif
    streams_stop(app->streams);
}

static gboolean
on_signal(gpointer data)
{
    App *app = data;
    stop(app);
    if (++app->n_signals > 1)
        g_main_loop_quit(app->loop);
    return G_SOURCE_CONTINUE;
}

static void
on_broken(void *data)
{
    stop(data);
}

// A window that was closed is over; the streams go on.
static void
look_at_window(App *app)
{
    g_autofree char *end = window_get_end(app->window);
    if (!end) {
        show_streams(app->window, app->streams);
        return;
    }
    g_autofree char *text = g_strdup_printf(
        "the window is over, and everything else goes on: %s", end);
    program_fail(text);
    app->window_hangs |= !window_free(g_steal_pointer(&app->window));
}

static gboolean
look(gpointer data)
{
    App *app = data;
    if (app->window)
        look_at_window(app);
    if (!app->stopping && streams_are_done(app->streams))
        stop(app);
    if (app->stopping && (streams_count_alive(app->streams) == 0 ||
                          g_get_monotonic_time() > app->stop_limit))
        g_main_loop_quit(app->loop);
    return G_SOURCE_CONTINUE;
}

static void
send_answer(char *answer, void *reply)
{
    control_reply_send(reply, answer);
}

static void
on_request(const char *request, ControlReply *reply, void *data)
{
    App *app = data;
    commands_answer(&app->commands, request, send_answer, reply);
}

// ---- The program -----------------------------------------------------------

// Held as long as the program runs, so that the model stays loaded while every
// camera is away. What is wrong with it is told before anything starts.
static PeEngine *
open_engine(GError **error)
{
    PeEngineParams params = {
        .device = live_config.device,
        .batch_size = live_config.batch,
        .n_threads = live_config.threads,
        .precision = PE_PRECISION_AUTO,
    };
    if (live_config.precision &&
        !pe_precision_parse(live_config.precision, &params.precision)) {
        g_set_error(
            error, PE_ERROR, PE_ERROR_FORMAT,
            "the precision must be auto, fp32, bf16, fp16, int8 or fp8");
        return NULL;
    }
    params.model = live_config.model ? pe_model_open(live_config.model, error)
                                     : pe_model_open_default(error);
    if (!params.model)
        return NULL;
    PeEngine *engine = pe_engine_get(&params, error);
    pe_model_unref(params.model);
    return engine;
}

static bool
check_elements(GError **error)
{
    static const char *const names[] = {"peinference", "pemetaconvert"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GstElementFactory) factory =
            gst_element_factory_find(names[i]);
        if (factory)
            continue;
        g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                    "GStreamer does not find the element \"%s\"; "
                    "export GST_PLUGIN_PATH=$PWD/build/gst",
                    names[i]);
        return false;
    }
    return true;
}

// A socket that was asked for must be there; the usual one may be in use.
static bool
open_control(App *app, GError **error)
{
    if (options.no_control)
        return true;
    g_autofree char *path =
        options.control ? g_strdup(options.control) : control_default_path();
    if (!path)
        return true;
    app->control = control_new(path, on_request, app, error);
    if (app->control || options.control)
        return app->control != NULL;
    program_fail((*error)->message);
    g_clear_error(error);
    return true;
}

static bool
open_http(App *app, GError **error)
{
    if (!options.http)
        return true;
#ifdef HAVE_HTTP
    app->http = http_new(options.http, options.token_file, options.remote,
                         &app->commands, error);
    return app->http != NULL;
#else
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "this pe-live was built without libsoup, which --http needs");
    return false;
#endif
}

// Before anything starts.
static bool
open_window(App *app, GError **error)
{
    const char *sink = options.overlay_sink;
    if (!sink && !options.overlay)
        return true;
    g_autoptr(GstElementFactory) factory =
        gst_element_factory_find("peoverlay");
    if (!factory) {
        g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                    "the element \"peoverlay\", which --overlay needs, is not "
                    "there: this was built without Pango");
        return false;
    }
    live_config.overlay = true;
    app->window = window_new(sink, error);
    return app->window != NULL;
}

static void
on_files_note(const char *text, void *data)
{
    program_fail(text);
}

static bool
open_event_files(App *app, GError **error)
{
    if (!options.events)
        return true;
    app->event_files =
        event_files_new(options.events, options_get_bytes(options.events_limit),
                        on_files_note, app, error);
    if (!app->event_files)
        return false;
    StreamListener listener = event_files_get_listener(app->event_files);
    streams_listen(app->streams, &listener);
    return true;
}

// Events are told some time after they began.
#define LATEST_EVENT 30 // s

static bool
open_recorder(App *app, GError **error)
{
    if (!options.record)
        return true;
    app->recorder = recorder_new(
        options.record, options_get_bytes(options.record_limit),
        options.record_before, options.record_after, on_files_note, app, error);
    if (!app->recorder)
        return false;
    live_config.kept = options.record_before + LATEST_EVENT;
    StreamListener listener = recorder_get_listener(app->recorder);
    streams_listen(app->streams, &listener);
    return true;
}

static void
open_search(App *app)
{
    app->search = search_new(app->engine, live_config.vocab,
                             options_get_bytes(options.search_memory));
    app->commands = (Commands){app->streams, app->search, app->engine};
    StreamListener listener = search_get_listener(app->search);
    streams_listen(app->streams, &listener);
}

static bool
open_index(App *app, GError **error)
{
    if (!options.index)
        return true;
    app->index = index_new(options.index, app->engine, live_config.vocab,
                           options_get_bytes(options.index_memory),
                           on_files_note, app, error);
    if (!app->index)
        return false;
    StreamListener listener = index_get_listener(app->index);
    streams_listen(app->streams, &listener);
    return true;
}

// Returns false when some of standard output, or of what was for the database,
// could not be written. A reader that has gone away is no failure.
static bool
close_app(App *app)
{
#ifdef HAVE_HTTP
    if (app->http)
        http_free(app->http);
#endif
    if (app->control)
        control_free(app->control);
    if (app->window)
        app->window_hangs |= !window_free(app->window);
    if (app->window_hangs)
        program_fail("the window does not close; it is left alone");
    bool hangs = streams_count_alive(app->streams) > 0;
    int code = report_end(&app->report);
    if (code && code != EPIPE) {
        g_autofree char *message =
            g_strdup_printf("standard output: %s", g_strerror(code));
        program_fail(message);
    }
    bool is_stored = !app->index || index_close(app->index, &app->index_hangs);
    if (app->recorder)
        recorder_close(app->recorder);
    if (app->event_files)
        event_files_close(app->event_files);
    if (!hangs) {
        search_free(app->search);
        streams_free(app->streams);
        pe_engine_unref(app->engine);
        live_config_clear(&live_config);
        g_main_loop_unref(app->loop);
    } else {
        program_fail("some pipelines did not end in time");
    }
    return is_stored && (!code || code == EPIPE);
}

static int
run(int n_arguments, char **arguments)
{
    g_autoptr(GError) error = NULL;
    App app = {.loop = g_main_loop_new(NULL, FALSE)};
    ReportKind kind = options.json            ? REPORT_JSON
                      : isatty(STDOUT_FILENO) ? REPORT_VIEW
                                              : REPORT_LINES;
    report_start(&app.report, kind, on_broken, &app);
    StreamListener listener = report_get_listener(&app.report);
    app.streams = streams_new(&live_config);
    streams_listen(app.streams, &listener);
    report_set_streams(&app.report, app.streams);
    if (!open_window(&app, &error))
        return g_error_matches(error, PE_ERROR, PE_ERROR_DEVICE)
                   ? program_fail(error->message)
                   : program_fail_usage(NULL, error->message);
    if (!open_event_files(&app, &error) || !open_recorder(&app, &error))
        return program_fail(error->message);
    if (options.config && !live_config_load(&live_config, options.config,
                                            add_stream, &app, &error))
        return program_fail_usage(NULL, error->message);
    app.engine = open_engine(&error);
    if (app.engine)
        open_search(&app);
    if (!app.engine || !open_index(&app, &error) || !open_control(&app, &error))
        return program_fail(error->message);
    if (!open_http(&app, &error))
        return g_error_matches(error, PE_ERROR, PE_ERROR_FORMAT)
                   ? program_fail_usage(NULL, error->message)
                   : program_fail(error->message);
    for (int i = 0; i < n_arguments; i++) {
        add_argument(&app, arguments[i]);
        hide_argument(arguments[i]);
    }
    if (app.streams->list->len == 0 && !app.control && !options.http)
        return program_fail_usage(NULL, "there is no stream, and no socket by "
                                        "which one could be added; give one");
    signal(SIGPIPE, SIG_IGN);
    g_unix_signal_add(SIGTERM, on_signal, &app);
    g_unix_signal_add(SIGINT, on_signal, &app);
    if (app.streams->list->len == 0)
        program_fail("there is no stream yet; waiting for \"pe-live ctl add\"");
    g_timeout_add(LOOK_PERIOD_MS, look, &app);
    g_main_loop_run(app.loop);
    int status = streams_have_failed(app.streams);
    bool hangs = streams_count_alive(app.streams) > 0;
    if (!close_app(&app))
        status = 1;
    if (hangs || app.index_hangs ||
        app.window_hangs) // what ends a process would run into their threads
        _exit(status);
    return status;
}

// Pipelines come and go with their threads, each of which would leave free
// memory in an arena of its own. Frames are in pools, so few are enough.
static void
share_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 2);
#endif
}

int
main(int argc, char **argv)
{
    share_memory();
    if (program_output_begin("pe-live", argc, argv))
        return 0;
    if (argc > 1 && g_str_equal(argv[1], "ctl"))
        return ctl_main(argc - 1, argv + 1);
    g_autoptr(GError) error = NULL;
    live_config_init(&live_config);
    GPtrArray *databases = find_databases(argc, argv);
    bool is_read = options_parse(&options, &live_config, &argc, &argv, &error);
    hide_databases(databases);
    if (!is_read)
        return program_fail_usage(NULL, error->message);
    gst_init(NULL, NULL);
    if (!check_elements(&error))
        return program_fail(error->message);
    if (!options_apply(&options, &live_config, &error))
        return program_fail_usage(NULL, error->message);
    return run(argc - 1, argv + 1);
}
