// SPDX-License-Identifier: LGPL-2.1-or-later
//
// describe.c - see describe.h.

#include "describe.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA "pe-live-1"

void
describe_text(JsonBuilder *builder, const char *key, const char *value)
{
    if (!value)
        return;
    json_builder_set_member_name(builder, key);
    json_builder_add_string_value(builder, value);
}

void
describe_int(JsonBuilder *builder, const char *key, gint64 value)
{
    json_builder_set_member_name(builder, key);
    json_builder_add_int_value(builder, value);
}

// Microseconds as nanoseconds, like all times in results.
static void
describe_time(JsonBuilder *builder, const char *key, gint64 time)
{
    describe_int(builder, key, time * 1000);
}

// Milliseconds are enough for everything that is measured here.
void
describe_number(JsonBuilder *builder, const char *key, double value)
{
    json_builder_set_member_name(builder, key);
    json_builder_add_double_value(builder, round(value * 1e3) / 1e3);
}

void
describe_wall_time(JsonBuilder *builder, const char *key, gint64 time)
{
    g_autoptr(GDateTime) date =
        g_date_time_new_from_unix_utc(time / G_USEC_PER_SEC);
    g_autofree char *seconds = g_date_time_format(date, "%Y-%m-%dT%H:%M:%S");
    g_autofree char *text =
        g_strdup_printf("%s.%06dZ", seconds, (int)(time % G_USEC_PER_SEC));
    describe_text(builder, key, text);
}

JsonBuilder *
describe_begin(const char *type)
{
    JsonBuilder *builder = json_builder_new();
    json_builder_begin_object(builder);
    describe_text(builder, "schema", SCHEMA);
    describe_text(builder, "type", type);
    describe_wall_time(builder, "time", g_get_real_time());
    describe_time(builder, "monotonic", g_get_monotonic_time());
    return builder;
}

char *
describe_end(JsonBuilder *builder)
{
    json_builder_end_object(builder);
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    g_autofree char *text = json_to_string(root, FALSE);
    g_object_unref(builder);
    return g_strconcat(text, "\n", NULL);
}

void
describe_status(JsonBuilder *builder, const Stream *stream)
{
    const Supervisor *supervisor = &stream->supervisor;
    describe_text(builder, "stream", stream->name);
    describe_text(builder, "uri", stream_get_shown(stream));
    describe_text(builder, "status", status_nick(supervisor->status));
    describe_text(builder, "reason", reason_nick(supervisor->reason));
    if (supervisor->reason)
        describe_text(builder, "detail", stream->detail);
    if (supervisor->status == STATUS_RETRYING)
        describe_time(builder, "retry-in",
                      MAX(supervisor->next_start - g_get_monotonic_time(), 0));
    describe_int(builder, "attempts", supervisor->n_attempts);
}

static int
count_restarts(const Supervisor *supervisor)
{
    int n = 0;
    for (int i = 0; i < N_REASONS; i++)
        n += supervisor->n_restarts[i];
    return n;
}

static void
describe_restarts(JsonBuilder *builder, const Supervisor *supervisor)
{
    json_builder_set_member_name(builder, "restarts-by-reason");
    json_builder_begin_object(builder);
    for (int i = REASON_NONE + 1; i < N_REASONS; i++)
        describe_int(builder, reason_nick((Reason)i),
                     supervisor->n_restarts[i]);
    json_builder_end_object(builder);
}

static gboolean
describe_field(GQuark field, const GValue *value, gpointer data)
{
    JsonBuilder *builder = data;
    const char *key = g_quark_to_string(field);
    g_auto(GValue) number = G_VALUE_INIT;
    g_value_init(&number, G_TYPE_DOUBLE);
    if (G_VALUE_HOLDS_STRING(value)) {
        describe_text(builder, key, g_value_get_string(value));
    } else if (g_value_transform(value, &number) &&
               isfinite(g_value_get_double(&number))) {
        double x = g_value_get_double(&number);
        if (G_VALUE_HOLDS_DOUBLE(value) || G_VALUE_HOLDS_FLOAT(value))
            describe_number(builder, key, x);
        else
            describe_int(builder, key, (gint64)x);
    }
    return TRUE;
}

void
describe_stats(JsonBuilder *builder, const Stream *stream)
{
    const Supervisor *supervisor = &stream->supervisor;
    gint64 now = g_get_monotonic_time();
    describe_status(builder, stream);
    describe_time(builder, "uptime", now - stream->added);
    describe_int(builder, "frames", (gint64)stream_get_n_frames(stream));
    describe_number(builder, "frame-rate", stream->fps);
    describe_int(builder, "results", (gint64)stream->n_results);
    if (stream->last_result)
        describe_time(builder, "result-age", now - stream->last_result);
    describe_int(builder, "restarts", count_restarts(supervisor));
    describe_restarts(builder, supervisor);
    describe_int(builder, "hung", supervisor->n_hung);
    if (!stream->attempt)
        return;
    GstStructure *stats = attempt_get_stats(stream->attempt);
    if (!stats)
        return;
    json_builder_set_member_name(builder, "peinference");
    json_builder_begin_object(builder);
    gst_structure_foreach(stats, describe_field, builder);
    json_builder_end_object(builder);
    gst_structure_free(stats);
}

// ---- The process -----------------------------------------------------------

static int
count_entries(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    int n = 0;
    while (dir && g_dir_read_name(dir))
        n++;
    if (dir)
        g_dir_close(dir);
    return n;
}

static gint64
read_resident_bytes(void)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/proc/self/statm", &text, NULL, NULL))
        return 0;
    const char *blank = strchr(text, ' ');
    return blank ? g_ascii_strtoll(blank, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

ProcessUse
describe_process(void)
{
    return (ProcessUse){
        .resident_bytes = read_resident_bytes(),
        .n_threads = count_entries("/proc/self/task"),
        .n_fds = count_entries("/proc/self/fd"),
    };
}

void
describe_totals(JsonBuilder *builder, const Streams *streams)
{
    guint64 n_frames = 0, n_results = 0;
    int n_restarts = 0, n_running = 0;
    for (guint i = 0; i < streams->list->len; i++) {
        const Stream *stream = streams->list->pdata[i];
        n_frames += stream_get_n_frames(stream);
        n_results += stream->n_results;
        n_restarts += count_restarts(&stream->supervisor);
        n_running += stream->supervisor.status == STATUS_RUNNING;
    }
    json_builder_set_member_name(builder, "totals");
    json_builder_begin_object(builder);
    describe_int(builder, "streams", streams->list->len);
    describe_int(builder, "running", n_running);
    describe_int(builder, "frames", (gint64)n_frames);
    describe_int(builder, "results", (gint64)n_results);
    describe_int(builder, "restarts", n_restarts);
    describe_int(builder, "pipelines", streams_count_alive(streams));
    json_builder_end_object(builder);
    json_builder_set_member_name(builder, "process");
    json_builder_begin_object(builder);
    ProcessUse use = describe_process();
    describe_int(builder, "resident-bytes", use.resident_bytes);
    describe_int(builder, "threads", use.n_threads);
    describe_int(builder, "file-descriptors", use.n_fds);
    json_builder_end_object(builder);
}

// Small ones count too, so they are not rounded.
static void
describe_score(JsonBuilder *builder, const char *key, double score)
{
    json_builder_set_member_name(builder, key);
    json_builder_add_double_value(builder, score);
}

void
describe_labels(JsonBuilder *builder, const Stream *stream)
{
    const GstPeResult *result = stream->newest;
    if (!result)
        return;
    json_builder_set_member_name(builder, "labels");
    json_builder_begin_array(builder);
    for (guint i = 0; i < gst_pe_result_get_n_labels(result); i++) {
        json_builder_begin_object(builder);
        describe_text(builder, "label", gst_pe_result_get_label(result, i));
        describe_score(builder, "score", gst_pe_result_get_score(result, i));
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

char *
describe_top_label(const Stream *stream, double *score)
{
    const GstPeResult *result = stream->newest;
    if (result && gst_pe_result_get_calibration(result) &&
        gst_pe_result_is_unknown(result)) {
        *score = gst_pe_result_get_negative_mass(result);
        return gst_pe_result_title_label(result, "unknown");
    }
    if (!result || gst_pe_result_get_n_labels(result) == 0)
        return NULL;
    *score = gst_pe_result_get_score(result, 0);
    return gst_pe_result_title_label(result,
                                     gst_pe_result_get_label(result, 0));
}

// ---- Events ----------------------------------------------------------------

static void
describe_event(JsonBuilder *builder, const LoggedEvent *event)
{
    json_builder_begin_object(builder);
    describe_text(builder, "label", event->label);
    describe_text(builder, "title", event->title);
    describe_wall_time(builder, "start", event->start);
    describe_wall_time(builder, "end", event->end);
    json_builder_set_member_name(builder, "over");
    json_builder_add_boolean_value(builder, event_log_is_over(event));
    describe_score(builder, "peak-score", event->peak_score);
    json_builder_end_object(builder);
}

void
describe_events(JsonBuilder *builder, const Stream *stream)
{
    gint64 limit = g_get_real_time() - EVENT_LOG_TIME;
    json_builder_set_member_name(builder, "events");
    json_builder_begin_array(builder);
    for (const GList *l = stream->events.events.head; l; l = l->next) {
        const LoggedEvent *event = l->data;
        if (!event_log_is_over(event) || event->end >= limit)
            describe_event(builder, event);
    }
    json_builder_end_array(builder);
}
