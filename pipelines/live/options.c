// SPDX-License-Identifier: LGPL-2.1-or-later
//
// options.c - see options.h.

#include "options.h"

#include "core/pe.h"
#include "pipelines/postgres/postgres.h"
#include "tools/program_output.h"

#define DEFAULT_LIMIT 1000         // MB
#define DEFAULT_RECORD_LIMIT 10000 // MB
#define DEFAULT_SEARCH_MEMORY 256  // MB
#define DEFAULT_INDEX_MEMORY 256   // MB
// Of events, when they are to be written and nobody said from where on.
#define DEFAULT_THRESHOLD "0.5"

static const char description[] =
    "A stream is rtsp://USER:PASSWORD@HOST/PATH, another URI, "
    "v4l2:/dev/video0,\n"
    "a file, or test: (test:PATTERN), and may be named: gate=rtsp://HOST/1.\n"
    "Each has a pipeline of its own, which is restarted when it fails; all "
    "share\n"
    "one model. \"pe-live ctl --help\" tells how to add, remove and relabel "
    "streams\nof a running pe-live.\n"
    "\n"
    "Examples:\n"
    "  pe-live rtsp://camera-1/live v4l2:/dev/video0 --labels \"a "
    "car|nobody\"\n"
    "  pe-live --config cameras.json --json > results.jsonl\n"
    "\n"
    "Exit status: 0 ended by a signal or with its files, 1 something failed "
    "for\n"
    "good, 2 wrong usage.";

static bool
check(const Options *options, const LiveConfig *config, GError **error)
{
    const char *wrong = NULL;
    if (config->batch < 0 || config->threads < 0)
        wrong = "--batch and --threads must be positive";
    else if (!(options->events_limit >= 1 && options->events_limit <= 1e9))
        wrong = "--events-limit must be megabytes, at least 1";
    else if (!(options->record_limit >= 50 && options->record_limit <= 1e9))
        wrong = "--record-limit must be megabytes, at least 50";
    else if (!(options->record_before >= 0 && options->record_before <= 60 &&
               options->record_after >= 0 && options->record_after <= 60))
        wrong = "--record-before and --record-after must be seconds, from 0 "
                "to 60";
    else if (!(options->search_memory >= 0 && options->search_memory <= 1e9))
        wrong = "--search-memory must be megabytes, at least 0";
    else if (!(options->index_memory >= 1 && options->index_memory <= 1e9))
        wrong = "--index-memory must be megabytes, at least 1";
    else if (options->index && !postgres_is_uri(options->index))
        wrong = "--index must be a URI that begins with postgresql://";
    if (wrong)
        g_set_error_literal(error, PE_ERROR, PE_ERROR_FORMAT, wrong);
    return !wrong;
}

bool
options_parse(Options *o, LiveConfig *config, int *argc, char ***argv,
              GError **error)
{
    *o = (Options){.record_limit = DEFAULT_RECORD_LIMIT,
                   .record_before = 5,
                   .record_after = 5,
                   .events_limit = DEFAULT_LIMIT,
                   .search_memory = DEFAULT_SEARCH_MEMORY,
                   .index_memory = DEFAULT_INDEX_MEMORY};
    // Texts are "file names" so that they stay the bytes that they are.
    const GOptionEntry entries[] = {
        {"health", 0, 0, G_OPTION_ARG_NONE, &o->health,
         "Watch whether cameras still see: events of frozen and flickering "
         "pictures, moved cameras, hunting focus and, where no labels are "
         "given, of black, noisy, foggy and other bad pictures",
         NULL},
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &o->config,
         "JSON file with streams, see docs/pe-live.md", "FILE"},
        {"labels", 'l', 0, G_OPTION_ARG_FILENAME, &o->labels,
         "Labels of all streams that have none of their own", "\"A|B\""},
        {"labels-file", 0, 0, G_OPTION_ARG_FILENAME, &o->labels_file,
         "The same from a file", "FILE"},
        {"set", 's', 0, G_OPTION_ARG_FILENAME_ARRAY, &o->set,
         "Any key of a stream, such as frame-rate=4/1 (may be repeated)",
         "KEY=VALUE"},
        {"watchdog", 'w', 0, G_OPTION_ARG_DOUBLE, &o->watchdog,
         "Seconds without a picture after which a stream is restarted (default "
         "3)",
         "SEC"},
        {"loop", 0, 0, G_OPTION_ARG_NONE, &o->loop,
         "Play files again when they end", NULL},
        {"json", 'j', 0, G_OPTION_ARG_NONE, &o->json,
         "JSON lines on standard output", NULL},
        {"control", 0, 0, G_OPTION_ARG_FILENAME, &o->control,
         "Control socket (default: $XDG_RUNTIME_DIR/pe-live.sock)", "PATH"},
        {"no-control", 0, 0, G_OPTION_ARG_NONE, &o->no_control,
         "No control socket", NULL},
        {"http", 0, 0, G_OPTION_ARG_FILENAME, &o->http,
         "Page, /metrics, /healthz and /readyz, such as on 127.0.0.1:8080",
         "ADDRESS:PORT"},
        {"http-remote", 0, 0, G_OPTION_ARG_NONE, &o->remote,
         "With --http: an address that others reach; needs a token", NULL},
        {"http-token-file", 0, 0, G_OPTION_ARG_FILENAME, &o->token_file,
         "With --http: a file with the token that every request must have",
         "FILE"},
        {"overlay", 'o', 0, G_OPTION_ARG_NONE, &o->overlay,
         "A window with the streams and what they show", NULL},
        {"overlay-sink", 0, 0, G_OPTION_ARG_FILENAME, &o->overlay_sink,
         "The same, shown by another sink, such as kmssink", "SINK"},
        {"events", 'e', 0, G_OPTION_ARG_FILENAME, &o->events,
         "Folder for the events of each stream, as JSON lines and WebVTT by "
         "day",
         "DIR"},
        {"events-limit", 0, 0, G_OPTION_ARG_DOUBLE, &o->events_limit,
         "With --events: megabytes above which the oldest days are removed "
         "(default 1000)",
         "MB"},
        {"record-events", 'r', 0, G_OPTION_ARG_FILENAME, &o->record,
         "Folder for the clip around each event, as the camera sent it", "DIR"},
        {"record-limit", 0, 0, G_OPTION_ARG_DOUBLE, &o->record_limit,
         "With --record-events: megabytes above which the oldest clips are "
         "removed (default 10000)",
         "MB"},
        {"record-before", 0, 0, G_OPTION_ARG_DOUBLE, &o->record_before,
         "Seconds of it before the event (default 5)", "SEC"},
        {"record-after", 0, 0, G_OPTION_ARG_DOUBLE, &o->record_after,
         "And behind it (default 5)", "SEC"},
        {"search-memory", 0, 0, G_OPTION_ARG_DOUBLE, &o->search_memory,
         "Megabytes of vectors and small pictures of the last hour, which "
         "\"ctl search\" looks through (default 256)",
         "MB"},
        {"index", 0, 0, G_OPTION_ARG_FILENAME, &o->index,
         "A database that what the streams show is written into, for "
         "\"pe-search --index\"",
         "postgresql://..."},
        {"index-memory", 0, 0, G_OPTION_ARG_DOUBLE, &o->index_memory,
         "With --index: megabytes that wait while the database is away "
         "(default 256)",
         "MB"},
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &config->model,
         "Checkpoint, or a folder with one (default: the demo model)", "PATH"},
        {"vocab", 0, 0, G_OPTION_ARG_FILENAME, &config->vocab,
         "Vocabulary (default: found beside the model or installed)", "FILE"},
        {"device", 'd', 0, G_OPTION_ARG_FILENAME, &config->device,
         "auto, cpu, cuda or cuda:N (default auto)", "D"},
        {"precision", 'p', 0, G_OPTION_ARG_FILENAME, &config->precision,
         "auto, fp32, bf16, fp16, int8 or fp8 (default auto)", "P"},
        {"batch", 'b', 0, G_OPTION_ARG_INT, &config->batch,
         "Images of a batch (default: chosen for the device)", "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &config->threads,
         "CPU threads (default: all cores)", "N"},
        {NULL},
    };
    g_autoptr(GOptionContext) context =
        g_option_context_new("[STREAM...] - labels for many live streams");
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_description(context, description);
    return program_output_parse(context, NULL, argc, argv, error) &&
           check(o, config, error);
}

// Whoever wants events wants some to begin.
static bool
set_event_threshold(const Options *options, StreamConfig *usual, GError **error)
{
    bool known = g_hash_table_contains(usual->settings, "event-threshold") ||
                 g_hash_table_contains(usual->settings, "alarms-per-day");
    return (!options->events && !options->record && !options->health) ||
           known ||
           stream_config_set(usual, "event-threshold", DEFAULT_THRESHOLD,
                             error);
}

static bool
set_usual(StreamConfig *usual, const char *key, const char *value,
          GError **error)
{
    return !value || stream_config_set(usual, key, value, error);
}

static bool
names_labels(const StreamConfig *usual)
{
    return g_hash_table_contains(usual->settings, "labels") ||
           g_hash_table_contains(usual->settings, "labels-file");
}

// models/demo/labels/pe-camera-alarms.json is part of the program, and without
// another model it is that of its name.
static bool
set_health_labels(StreamConfig *usual, LiveConfig *config, GError **error)
{
    static const char model[] = "pe-camera.safetensors";
    if (names_labels(usual))
        return true;
    g_autoptr(GBytes) labels = g_resources_lookup_data(
        "/gst-perception-encoder/labels/pe-camera-alarms.json",
        G_RESOURCE_LOOKUP_FLAGS_NONE, error);
    if (!labels)
        return false;
    if (!config->model)
        config->model = pe_model_find_installed(model);
    if (!config->model) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "the model for --health, %s, is not installed: name a "
                    "model with --model, or labels",
                    model);
        return false;
    }
    gsize size;
    const char *data = g_bytes_get_data(labels, &size);
    g_autofree char *text = g_strndup(data, size);
    return stream_config_set(usual, "labels", text, error);
}

bool
options_apply(const Options *options, LiveConfig *config, GError **error)
{
    StreamConfig *usual = config->usual;
    g_autofree char *watchdog = options->watchdog != 0
                                    ? g_strdup_printf("%.3f", options->watchdog)
                                    : NULL;
    if (!set_usual(usual, "labels", options->labels, error) ||
        !set_usual(usual, "labels-file", options->labels_file, error) ||
        !set_usual(usual, "watchdog", watchdog, error) ||
        !set_usual(usual, "loop", options->loop ? "true" : NULL, error))
        return false;
    for (char **pair = options->set; pair && *pair; pair++) {
        g_auto(GStrv) parts = g_strsplit(*pair, "=", 2);
        if (!parts[0] || !parts[1]) {
            g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                        "--set takes KEY=VALUE");
            return false;
        }
        if (!set_usual(usual, parts[0], parts[1], error))
            return false;
    }
    config->health = options->health;
    return (!options->health || set_health_labels(usual, config, error)) &&
           set_event_threshold(options, usual, error);
}

guint64
options_get_bytes(double megabytes)
{
    return (guint64)(megabytes * 1e6);
}
