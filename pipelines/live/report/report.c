// SPDX-License-Identifier: LGPL-2.1-or-later
//
// report.c - see report.h.

#include "report.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "pipelines/live/report/describe.h"

#define VIEW_PERIOD_MS 500
#define CLOSE_SECONDS 2
// Of the view.
#define MAX_EVENTS 5

typedef struct {
    const Stream *stream;
    const LoggedEvent *event;
} Shown;

static char *
make_lost_line(guint n)
{
    JsonBuilder *builder = describe_begin("lost");
    describe_int(builder, "lines", n);
    return describe_end(builder);
}

static char *
make_lost_text(guint n)
{
    return g_strdup_printf("(%u lines were lost: nobody read them in time)\n",
                           n);
}

// ---- What happens, as lines ------------------------------------------------

static char *
make_status_text(const Stream *stream)
{
    const Supervisor *supervisor = &stream->supervisor;
    GString *text = g_string_new(NULL);
    g_string_printf(text, "%s: %s", stream->name,
                    status_nick(supervisor->status));
    if (supervisor->reason && supervisor->status != STATUS_RUNNING)
        g_string_append_printf(text, " (%s: %s)",
                               reason_nick(supervisor->reason),
                               stream->detail ? stream->detail : "");
    g_string_append_c(text, '\n');
    return g_string_free(text, FALSE);
}

static void
on_status(Stream *stream, void *data)
{
    Report *report = data;
    if (report->kind == REPORT_JSON) {
        JsonBuilder *builder = describe_begin("status");
        describe_status(builder, stream);
        writer_put(report->writer, describe_end(builder));
    } else if (report->kind == REPORT_LINES) {
        writer_put(report->writer, make_status_text(stream));
    }
}

static char *
make_result_text(const Stream *stream)
{
    double score;
    g_autofree char *label = describe_top_label(stream, &score);
    return label ? g_strdup_printf("%s: %s %.0f %%\n", stream->name, label,
                                   score * 100)
                 : NULL;
}

static void
on_result(Stream *stream, GstPeResult *result, void *data)
{
    Report *report = data;
    if (report->kind != REPORT_LINES || gst_pe_result_get_n_frames(result) == 0)
        return;
    char *text = make_result_text(stream);
    if (text)
        writer_put(report->writer, text);
}

static void
on_line(Stream *stream, const char *line, void *data)
{
    Report *report = data;
    if (report->kind == REPORT_JSON)
        writer_put(report->writer, g_strdup(line));
}

// "14:03:07 gate: a car, 12 s, 87 %", in local time.
static char *
make_event_text(const Stream *stream, const LoggedEvent *event)
{
    g_autoptr(GDateTime) start =
        g_date_time_new_from_unix_local(event->start / G_USEC_PER_SEC);
    g_autofree char *time = g_date_time_format(start, "%H:%M:%S");
    return g_strdup_printf(
        "%s %s: %s, %s %.0f s, %.0f %%", time, stream->name, event->title,
        event_log_is_over(event) ? "was there for" : "is there since",
        (double)(event->end - event->start) / G_USEC_PER_SEC,
        100 * event->peak_score);
}

static void
on_event(Stream *stream, const LoggedEvent *event, void *data)
{
    Report *report = data;
    if (report->kind != REPORT_LINES || event->phase == GST_PE_EVENT_UPDATE)
        return;
    g_autofree char *text = make_event_text(stream, event);
    writer_put(report->writer, g_strdup_printf("event at %s\n", text));
}

static void
on_note(Stream *stream, const char *text, void *data)
{
    Report *report = data;
    if (report->kind == REPORT_JSON) {
        JsonBuilder *builder = describe_begin("note");
        describe_text(builder, "stream", stream->name);
        describe_text(builder, "text", text);
        writer_put(report->writer, describe_end(builder));
    } else if (report->kind == REPORT_LINES) {
        writer_put(report->writer,
                   g_strdup_printf("%s: %s\n", stream->name, text));
    }
}

// ---- The view --------------------------------------------------------------

static int
get_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

// `text` with exactly `width` columns. What could move the cursor is not
// printed as it is.
static void
put_column(GString *out, const char *text, int width)
{
    int used = 0;
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (!g_unichar_isprint(c))
            c = '?';
        int columns = g_unichar_iszerowidth(c) ? 0
                      : g_unichar_iswide(c)    ? 2
                                               : 1;
        if (used + columns > width)
            break;
        g_string_append_unichar(out, c);
        used += columns;
    }
    for (; used < width; used++)
        g_string_append_c(out, ' ');
}

// Name, status, pictures a second, age of the newest result, label or trouble.
static void
put_stream(GString *out, const Stream *stream, int width)
{
    enum { NAME = 20, STATUS = 10, NUMBERS = 20 };
    double score;
    g_autofree char *label = describe_top_label(stream, &score);
    g_autofree char *last = NULL;
    g_autofree char *age = g_strdup("-");
    if (stream->last_result) {
        g_free(age);
        age = g_strdup_printf(
            "%.1f s",
            (double)(g_get_monotonic_time() - stream->last_result) / 1e6);
    }
    g_autofree char *numbers =
        g_strdup_printf(" %5.1f fps %7s ", stream->fps, age);
    if (stream->supervisor.status == STATUS_RUNNING && label)
        last = g_strdup_printf("%3.0f %% %s", score * 100, label);
    else if (stream->supervisor.reason)
        last = g_strdup_printf("%s: %s", reason_nick(stream->supervisor.reason),
                               stream->detail ? stream->detail : "");
    put_column(out, stream->name, NAME);
    g_string_append_c(out, ' ');
    put_column(out, status_nick(stream->supervisor.status), STATUS);
    put_column(out, numbers, NUMBERS);
    put_column(out, last ? last : "",
               MAX(width - NAME - STATUS - NUMBERS - 2, 10));
    g_string_append(out, "\033[K\n");
}

static gint
compare_starts(gconstpointer a, gconstpointer b)
{
    const Shown *x = a, *y = b;
    return (x->event->start < y->event->start) -
           (x->event->start > y->event->start);
}

// The newest events of all streams. Returns how many lines these are.
static int
put_events(GString *out, const Streams *streams, int width)
{
    g_autoptr(GArray) newest = g_array_new(FALSE, FALSE, sizeof(Shown));
    for (guint i = 0; i < streams->list->len; i++) {
        const Stream *stream = streams->list->pdata[i];
        const GList *l = stream->events.events.tail;
        for (int n = 0; l && n < MAX_EVENTS; n++, l = l->prev) {
            Shown shown = {stream, l->data};
            g_array_append_val(newest, shown);
        }
    }
    g_array_sort(newest, compare_starts);
    int n = MIN((int)newest->len, MAX_EVENTS);
    for (int i = 0; i < n; i++) {
        const Shown *shown = &g_array_index(newest, Shown, i);
        g_autofree char *text = make_event_text(shown->stream, shown->event);
        put_column(out, text, width - 1);
        g_string_append(out, "\033[K\n");
    }
    return n;
}

static gboolean
draw(gpointer data)
{
    Report *report = data;
    if (!report->streams || !writer_is_idle(report->writer))
        return G_SOURCE_CONTINUE;
    GString *out = g_string_new("\r");
    if (report->n_drawn)
        g_string_append_printf(out, "\033[%dA", report->n_drawn);
    int width = get_width();
    for (guint i = 0; i < report->streams->list->len; i++)
        put_stream(out, report->streams->list->pdata[i], width);
    int n_events = put_events(out, report->streams, width);
    g_string_append(out, "\033[J");
    report->n_drawn = (int)report->streams->list->len + n_events;
    writer_put(report->writer, g_string_free(out, FALSE));
    return G_SOURCE_CONTINUE;
}

// ---- Start and end ---------------------------------------------------------

void
report_start(Report *report, ReportKind kind,
             void (*on_broken)(void *user_data), void *user_data)
{
    *report = (Report){.kind = kind};
    report->writer = writer_new(
        STDOUT_FILENO, kind == REPORT_JSON ? make_lost_line : make_lost_text,
        on_broken, user_data);
    if (kind == REPORT_VIEW)
        report->timer = g_timeout_add(VIEW_PERIOD_MS, draw, report);
}

void
report_set_streams(Report *report, const Streams *streams)
{
    report->streams = streams;
}

int
report_end(Report *report)
{
    if (report->timer)
        g_source_remove(report->timer);
    return writer_close(report->writer, CLOSE_SECONDS);
}

StreamListener
report_get_listener(Report *report)
{
    return (StreamListener){
        .status = on_status,
        .result = on_result,
        .line = on_line,
        .event = on_event,
        .note = on_note,
        .user_data = report,
    };
}
