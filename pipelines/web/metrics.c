// SPDX-License-Identifier: LGPL-2.1-or-later
//
// metrics.c - see metrics.h.

#include "metrics.h"

#include "pipelines/live/report/describe.h"

static void
begin(GString *out, const char *name, const char *type, const char *help)
{
    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help,
                           name, type);
}

// As the format wants it between quotes.
static void
put_quoted(GString *out, const char *text)
{
    g_string_append_c(out, '"');
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_c(out, '\\');
        if (*p == '\n')
            g_string_append(out, "\\n");
        else
            g_string_append_c(out, *p);
    }
    g_string_append_c(out, '"');
}

static void
put_number(GString *out, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append_printf(out, " %s\n",
                           g_ascii_formatd(text, sizeof text, "%.15g", value));
}

static void
put(GString *out, const char *name, const Stream *stream, double value)
{
    g_string_append_printf(out, "%s{stream=", name);
    put_quoted(out, stream->name);
    g_string_append_c(out, '}');
    put_number(out, value);
}

static void
put_with(GString *out, const char *name, const Stream *stream, const char *key,
         const char *text, double value)
{
    g_string_append_printf(out, "%s{stream=", name);
    put_quoted(out, stream->name);
    g_string_append_printf(out, ",%s=", key);
    put_quoted(out, text);
    g_string_append_c(out, '}');
    put_number(out, value);
}

// ---- Of each stream --------------------------------------------------------

static double
get_frames(const Stream *stream)
{
    return (double)stream_get_n_frames(stream);
}

static double
get_results(const Stream *stream)
{
    return (double)stream->n_results;
}

static double
get_attempts(const Stream *stream)
{
    return stream->supervisor.n_attempts;
}

static double
get_hung(const Stream *stream)
{
    return stream->supervisor.n_hung;
}

static double
get_running(const Stream *stream)
{
    return stream->supervisor.status == STATUS_RUNNING;
}

static const struct {
    const char *name, *type, *help;
    double (*get)(const Stream *);
} rows[] = {
    {"pe_stream_frames_total", "counter", "Pictures that the decoder gave.",
     get_frames},
    {"pe_stream_results_total", "counter", "Results.", get_results},
    {"pe_stream_attempts_total", "counter", "Pipelines that were started.",
     get_attempts},
    {"pe_stream_hung_pipelines_total", "counter",
     "Pipelines that did not stop when they were told to.", get_hung},
    {"pe_stream_running", "gauge", "1 while pictures come.", get_running},
};

static void
put_restarts(GString *out, const GPtrArray *list)
{
    begin(out, "pe_stream_restarts_total", "counter",
          "Restarts, by what ended the pipeline before.");
    for (guint i = 0; i < list->len; i++) {
        const Stream *stream = list->pdata[i];
        for (int r = REASON_NONE + 1; r < N_REASONS; r++)
            put_with(out, "pe_stream_restarts_total", stream, "reason",
                     reason_nick((Reason)r), stream->supervisor.n_restarts[r]);
    }
}

static void
put_status(GString *out, const GPtrArray *list)
{
    begin(out, "pe_stream_status", "gauge", "1 for the status that it has.");
    for (guint i = 0; i < list->len; i++) {
        const Stream *stream = list->pdata[i];
        for (int s = STATUS_STOPPED; s <= STATUS_RUNNING; s++)
            put_with(out, "pe_stream_status", stream, "status",
                     status_nick((Status)s),
                     stream->supervisor.status == (Status)s);
    }
}

static void
put_ages(GString *out, const GPtrArray *list)
{
    begin(out, "pe_stream_result_age_seconds", "gauge",
          "How long ago the newest result came.");
    for (guint i = 0; i < list->len; i++) {
        const Stream *stream = list->pdata[i];
        if (stream->last_result)
            put(out, "pe_stream_result_age_seconds", stream,
                (double)(g_get_monotonic_time() - stream->last_result) / 1e6);
    }
}

static void
put_intervals(GString *out, const GPtrArray *list)
{
    const char *name = "pe_stream_result_interval_seconds";
    begin(out, name, "histogram", "Time from a result to the next.");
    for (guint i = 0; i < list->len; i++) {
        const Stream *stream = list->pdata[i];
        const Histogram *h = &stream->intervals;
        guint64 n = 0;
        for (int b = 0; b <= HISTOGRAM_BOUNDS; b++) {
            char text[G_ASCII_DTOSTR_BUF_SIZE] = "+Inf";
            if (b < HISTOGRAM_BOUNDS)
                g_ascii_formatd(text, sizeof text, "%g", histogram_bounds[b]);
            n += h->counts[b];
            put_with(out, "pe_stream_result_interval_seconds_bucket", stream,
                     "le", text, (double)n);
        }
        put(out, "pe_stream_result_interval_seconds_sum", stream, h->sum);
        put(out, "pe_stream_result_interval_seconds_count", stream, (double)n);
    }
}

// ---- Of each stream's peinference -------------------------------------------

static guint64
get_count(const GstStructure *stats, const char *field)
{
    guint64 n = 0;
    gst_structure_get_uint64(stats, field, &n);
    return n;
}

static const struct {
    const char *reason, *field;
} drops[] = {
    {"corrupted", "corrupted"},
    {"timestamp", "stray-timestamps"},
    {"overload", "skipped"},
};

static void
put_drops(GString *out, const GPtrArray *list, GstStructure *const *stats)
{
    begin(out, "pe_stream_dropped_pictures_total", "counter",
          "Pictures that were not embedded although they were due, by reason, "
          "since the pipeline started.");
    for (guint i = 0; i < list->len; i++) {
        for (size_t r = 0; stats[i] && r < G_N_ELEMENTS(drops); r++)
            put_with(out, "pe_stream_dropped_pictures_total", list->pdata[i],
                     "reason", drops[r].reason,
                     (double)get_count(stats[i], drops[r].field));
    }
}

static bool
read_histogram(const GstStructure *stats, const char *stage,
               PeHistogram *histogram)
{
    g_autofree char *sum = g_strdup_printf("%s-seconds", stage);
    g_autofree char *buckets = g_strdup_printf("%s-buckets", stage);
    const GValue *array = gst_structure_get_value(stats, buckets);
    if (!gst_structure_get_double(stats, sum, &histogram->sum) || !array ||
        gst_value_array_get_size(array) != PE_HISTOGRAM_BUCKETS)
        return false;
    for (int b = 0; b < PE_HISTOGRAM_BUCKETS; b++)
        histogram->counts[b] =
            g_value_get_uint64(gst_value_array_get_value(array, (guint)b));
    return true;
}

// labels  such as `stream="gate"`, or NULL
static void
put_histogram(GString *out, const char *name, const char *labels,
              const PeHistogram *histogram)
{
    guint64 n = 0;
    const char *before = labels ? labels : "";
    for (int b = 0; b < PE_HISTOGRAM_BUCKETS; b++) {
        char text[G_ASCII_DTOSTR_BUF_SIZE] = "+Inf";
        if (b < PE_HISTOGRAM_BUCKETS - 1)
            g_ascii_formatd(text, sizeof text, "%g", pe_histogram_get_bound(b));
        n += histogram->counts[b];
        g_string_append_printf(out, "%s_bucket{%s%sle=\"%s\"}", name, before,
                               labels ? "," : "", text);
        put_number(out, (double)n);
    }
    const char *open = labels ? "{" : "", *close = labels ? "}" : "";
    g_string_append_printf(out, "%s_sum%s%s%s", name, open, before, close);
    put_number(out, histogram->sum);
    g_string_append_printf(out, "%s_count%s%s%s", name, open, before, close);
    put_number(out, (double)n);
}

static void
put_stages(GString *out, const GPtrArray *list, GstStructure *const *stats)
{
    static const char *const stages[] = {"preprocess", "queue", "infer",
                                         "push"};
    begin(out, "pe_stream_stage_seconds", "histogram",
          "What a picture took in each stage, one behind the other, from its "
          "arrival until the result left, since the pipeline started.");
    for (guint i = 0; i < list->len; i++) {
        const Stream *stream = list->pdata[i];
        for (size_t s = 0; stats[i] && s < G_N_ELEMENTS(stages); s++) {
            PeHistogram histogram = {0};
            if (!read_histogram(stats[i], stages[s], &histogram))
                continue;
            g_autoptr(GString) labels = g_string_new("stream=");
            put_quoted(labels, stream->name);
            g_string_append_printf(labels, ",stage=\"%s\"", stages[s]);
            put_histogram(out, "pe_stream_stage_seconds", labels->str,
                          &histogram);
        }
    }
}

static void
put_elements(GString *out, const GPtrArray *list)
{
    g_autofree GstStructure **stats = g_new0(GstStructure *, list->len);
    for (guint i = 0; i < list->len; i++) {
        const Stream *stream = list->pdata[i];
        if (stream->attempt)
            stats[i] = attempt_get_stats(stream->attempt);
    }
    put_drops(out, list, stats);
    put_stages(out, list, stats);
    for (guint i = 0; i < list->len; i++)
        g_clear_pointer(&stats[i], gst_structure_free);
}

// ---- Of the engine ---------------------------------------------------------

static void
put_engine(GString *out, PeEngine *engine)
{
    PeEngineStats stats;
    pe_engine_get_stats(engine, &stats);
    const struct {
        const char *name, *type, *help;
        double value;
    } numbers[] = {
        {"pe_engine_images_total", "counter", "Pictures that were embedded.",
         (double)stats.images},
        {"pe_engine_batches_total", "counter", "Batches of them.",
         (double)stats.batches},
        {"pe_engine_texts_total", "counter", "Texts that were embedded.",
         (double)stats.texts},
        {"pe_engine_batch_size", "gauge", "Pictures of a full batch.",
         stats.batch_size},
        {"pe_engine_batch_fill_ratio", "gauge",
         "Mean share of a batch that is full.", stats.batch_fill},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        begin(out, numbers[i].name, numbers[i].type, numbers[i].help);
        g_string_append(out, numbers[i].name);
        put_number(out, numbers[i].value);
    }
    begin(out, "pe_engine_wait_seconds", "histogram",
          "Time of a picture in the queue.");
    put_histogram(out, "pe_engine_wait_seconds", NULL, &stats.wait);
    begin(out, "pe_engine_batch_seconds", "histogram", "Time of a batch.");
    put_histogram(out, "pe_engine_batch_seconds", NULL, &stats.compute);
}

// ---- Of the process --------------------------------------------------------

static void
put_process(GString *out, const Streams *streams)
{
    const ProcessUse use = describe_process();
    const struct {
        const char *name, *help;
        double value;
    } gauges[] = {
        {"pe_streams", "Streams.", streams->list->len},
        {"pe_pipelines", "Pipelines that are not gone.",
         streams_count_alive(streams)},
        {"pe_process_resident_memory_bytes", "Resident memory.",
         (double)use.resident_bytes},
        {"pe_process_threads", "Threads.", use.n_threads},
        {"pe_process_open_fds", "Open file descriptors.", use.n_fds},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(gauges); i++) {
        begin(out, gauges[i].name, "gauge", gauges[i].help);
        g_string_append(out, gauges[i].name);
        put_number(out, gauges[i].value);
    }
}

char *
metrics_write(const Streams *streams, PeEngine *engine)
{
    GString *out = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        begin(out, rows[i].name, rows[i].type, rows[i].help);
        for (guint j = 0; j < streams->list->len; j++)
            put(out, rows[i].name, streams->list->pdata[j],
                rows[i].get(streams->list->pdata[j]));
    }
    put_restarts(out, streams->list);
    put_status(out, streams->list);
    put_ages(out, streams->list);
    put_intervals(out, streams->list);
    put_elements(out, streams->list);
    put_engine(out, engine);
    put_process(out, streams);
    return g_string_free(out, FALSE);
}
