// SPDX-License-Identifier: LGPL-2.1-or-later
//
// report.c - see report.h.

#include "report.h"

#include <string.h>

#include "tools/json_line.h"
#include "tools/program_output.h"

#define SCHEMA "pe-archive-1"

static double
to_seconds(gint64 time)
{
    return (double)time / 1e9;
}

static void
add_name(JsonLine *j, const char *name)
{
    g_autofree char *valid = g_utf8_make_valid(name, -1);
    json_line_string(j, "name", valid);
}

// "reason: detail" as two members.
static void
add_problem(JsonLine *j, const char *problem, gint64 position, bool is_kept)
{
    const char *colon = strstr(problem, ": ");
    g_autofree char *reason = colon
                                  ? g_strndup(problem, (gsize)(colon - problem))
                                  : g_strdup("unknown");
    json_line_string(j, "reason", reason);
    json_line_string(j, "detail", colon ? colon + 2 : problem);
    if (position >= 0)
        json_line_number(j, "position", to_seconds(position));
    json_line_bool(j, "kept", is_kept);
}

// ---- A file ---------------------------------------------------------------

static char *
list_labels(const ArchiveSegment *segment)
{
    GString *text = g_string_new("[");
    for (guint i = 0; i < segment->labels->len; i++) {
        const ArchiveLabel *label =
            &g_array_index(segment->labels, ArchiveLabel, i);
        JsonLine j;
        json_line_begin(&j);
        json_line_string(&j, "label", label->name);
        json_line_number(&j, "score", label->score);
        g_autofree char *object = json_line_steal(&j);
        g_string_append_printf(text, "%s%s", i ? "," : "", object);
    }
    return g_string_free(g_string_append_c(text, ']'), FALSE);
}

static char *
list_segments(const ArchiveContent *content)
{
    GString *text = g_string_new("[");
    for (guint i = 0; i < content->segments->len; i++) {
        const ArchiveSegment *segment = content->segments->pdata[i];
        JsonLine j;
        g_autofree char *labels = list_labels(segment);
        json_line_begin(&j);
        json_line_number(&j, "start", to_seconds(segment->start));
        json_line_number(&j, "end", to_seconds(segment->end));
        json_line_int(&j, "frames", segment->n);
        json_line_json(&j, "labels", labels);
        g_autofree char *object = json_line_steal(&j);
        g_string_append_printf(text, "%s%s", i ? "," : "", object);
    }
    return g_string_free(g_string_append_c(text, ']'), FALSE);
}

static void
add_wall(JsonLine *j, const ArchiveFile *file)
{
    if (file->wall_start < 0)
        return;
    g_autoptr(GDateTime) time =
        g_date_time_new_from_unix_utc(file->wall_start / 1000000000);
    g_autofree char *text = time ? g_date_time_format_iso8601(time) : NULL;
    json_line_string(j, "recorded", text ? text : "");
    json_line_string(j, "recorded-by", file->wall_source);
}

static gint64
count_samples(const ArchiveContent *content)
{
    gint64 n = 0;
    for (guint i = 0; i < content->frames->len; i++)
        n += g_array_index(content->frames, ArchiveFrame, i).n_samples;
    return n;
}

char *
report_file(const ArchiveFile *file, const ArchiveContent *content,
            const char *status)
{
    JsonLine j;
    g_autofree char *segments = list_segments(content);
    json_line_begin(&j);
    json_line_string(&j, "schema", SCHEMA);
    json_line_string(&j, "type", "file");
    add_name(&j, file->name);
    if (status)
        json_line_string(&j, "status", status);
    json_line_number(&j, "duration", to_seconds(content->duration));
    json_line_int(&j, "width", content->width);
    json_line_int(&j, "height", content->height);
    if (content->codec)
        json_line_string(&j, "codec", content->codec);
    add_wall(&j, file);
    json_line_int(&j, "samples", count_samples(content));
    json_line_int(&j, "frames", content->frames->len);
    if (content->problem)
        add_problem(&j, content->problem, content->problem_at,
                    content->frames->len > 0);
    json_line_json(&j, "segments", segments);
    return json_line_steal(&j);
}

// ---- WebVTT ---------------------------------------------------------------

static void
append_time(GString *text, gint64 time)
{
    gint64 ms = time / 1000000;
    g_string_append_printf(text, "%02d:%02d:%02d.%03d", (int)(ms / 3600000),
                           (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
                           (int)(ms % 1000));
}

char *
report_webvtt(const ArchiveContent *content)
{
    GString *text = g_string_new("WEBVTT\n");
    for (guint i = 0; i < content->segments->len; i++) {
        const ArchiveSegment *segment = content->segments->pdata[i];
        const char *label =
            segment->labels->len
                ? g_array_index(segment->labels, ArchiveLabel, 0).name
                : "";
        // A chapter's title is text with markup, on one line.
        g_autofree char *escaped = g_markup_escape_text(label, -1);
        g_string_append_c(text, '\n');
        append_time(text, segment->start);
        g_string_append(text, " --> ");
        append_time(text, MAX(segment->end, segment->start + 1000000));
        g_string_append_printf(text, "\n%s\n",
                               g_strdelimit(escaped, "\r\n", ' '));
    }
    return g_string_free(text, FALSE);
}

// ---- Errors ---------------------------------------------------------------

static void
append_error(const char *name, const char *problem, gint64 position,
             bool has_frames, void *data)
{
    JsonLine j;
    json_line_begin(&j);
    add_name(&j, name);
    add_problem(&j, problem, position, has_frames);
    g_autofree char *line = json_line_steal(&j);
    g_string_append_printf(data, "%s\n", line);
}

bool
report_write_errors(Archive *archive, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *path =
        g_build_filename(archive_get_folder(archive), "errors.jsonl", NULL);
    if (!archive_list_problems(archive, append_error, text, error))
        return false;
    return program_output_write(path, text->str, (gssize)text->len, error);
}
