// SPDX-License-Identifier: LGPL-2.1-or-later
//
// output.c - see output.h.

#include "output.h"

#include <math.h>
#include <stdio.h>

#include "tools/json_line.h"

#define SECOND G_GINT64_CONSTANT(1000000000)

static const Moment *
get(const GPtrArray *moments, guint i)
{
    return moments->pdata[i];
}

char *
output_time(gint64 time)
{
    gint64 tenths = (time + SECOND / 20) / (SECOND / 10);
    int s = (int)(tenths / 10);
    return g_strdup_printf("%d:%02d:%02d.%d", s / 3600, s / 60 % 60, s % 60,
                           (int)(tenths % 10));
}

char *
output_wall_time(const Moment *moment)
{
    if (moment->file->wall_start < 0)
        return NULL;
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(
        (moment->file->wall_start + moment->start) / SECOND);
    return time ? g_date_time_format_iso8601(time) : NULL;
}

// ---- Table ----------------------------------------------------------------

char *
output_printable(const char *name)
{
    char *text = g_utf8_make_valid(name, -1);
    for (char *p = text; *p; p++) {
        if ((guchar)*p < ' ' || *p == 127)
            *p = '?';
    }
    return text;
}

static void
print_part(const QueryPart *part, const Measure *m)
{
    printf("            %s%s: cosine %.3f, %.1f sigmas above what is not "
           "there",
           part->is_unwanted ? "not " : "", part->text, (double)m->cosine,
           m->sigmas);
    if (!isnan(m->odds))
        printf(", log-odds %.1f against everyday texts: score %.1f", m->odds,
               m->score);
    printf("\n");
}

void
output_table(const GPtrArray *moments, const Query *query, bool with_parts)
{
    for (guint i = 0; i < moments->len; i++) {
        const Moment *m = get(moments, i);
        g_autofree char *name = output_printable(m->file->name);
        g_autofree char *start = output_time(m->start);
        g_autofree char *end = output_time(m->end);
        g_autofree char *wall = output_wall_time(m);
        printf("%3u  %5.1f  %s - %s  %s%s%s", i + 1, m->score, start, end, name,
               wall ? "  " : "", wall ? wall : "");
        if (m->n_copies)
            printf("  (+%u copies)", m->n_copies);
        printf("%s%s\n", m->label ? "  " : "", m->label ? m->label : "");
        for (guint k = 0; with_parts && k < query->parts->len; k++) {
            const QueryPart *part = &g_array_index(query->parts, QueryPart, k);
            print_part(part, &m->parts[k]);
        }
    }
    if (moments->len == 0)
        printf("no match\n");
}

// ---- JSON -----------------------------------------------------------------

static char *
list_parts(const Moment *m, const Query *query)
{
    GString *text = g_string_new("[");
    for (guint k = 0; k < query->parts->len; k++) {
        const QueryPart *part = &g_array_index(query->parts, QueryPart, k);
        JsonLine j;
        json_line_begin(&j);
        json_line_string(&j, "part", part->text);
        json_line_bool(&j, "unwanted", part->is_unwanted);
        json_line_number(&j, "cosine", (double)m->parts[k].cosine);
        json_line_number(&j, "sigmas", m->parts[k].sigmas);
        if (!isnan(m->parts[k].odds))
            json_line_number(&j, "log-odds", m->parts[k].odds);
        json_line_number(&j, "score", m->parts[k].score);
        g_autofree char *object = json_line_steal(&j);
        g_string_append_printf(text, "%s%s", k ? "," : "", object);
    }
    return g_string_free(g_string_append_c(text, ']'), FALSE);
}

char *
output_describe(const Moment *m, const Query *query, guint rank)
{
    JsonLine j;
    g_autofree char *name = g_utf8_make_valid(m->file->name, -1);
    g_autofree char *wall = output_wall_time(m);
    g_autofree char *parts = list_parts(m, query);
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-archive-1");
    json_line_string(&j, "type", "moment");
    json_line_int(&j, "rank", rank);
    json_line_string(&j, "name", name);
    json_line_number(&j, "start", (double)m->start / SECOND);
    json_line_number(&j, "end", (double)m->end / SECOND);
    json_line_number(&j, "peak", (double)m->peak / SECOND);
    json_line_number(&j, "score", m->score);
    if (wall)
        json_line_string(&j, "time", wall);
    if (wall)
        json_line_string(&j, "time-by", m->file->wall_source);
    if (m->label)
        json_line_string(&j, "label", m->label);
    json_line_int(&j, "copies", m->n_copies);
    json_line_int(&j, "row", m->row);
    json_line_json(&j, "parts", parts);
    if (m->line) {
        json_line_int(&j, "first-row", m->first);
        json_line_int(&j, "last-row", m->last);
        json_line_number(&j, "duration", (double)m->duration / SECOND);
        json_line_bool(&j, "picture", m->thumbnail != NULL);
        json_line_floats(&j, "scores", m->line, MOMENT_LINE);
    }
    return json_line_steal(&j);
}

void
output_json(const GPtrArray *moments, const Query *query)
{
    JsonLine j;
    for (guint i = 0; i < moments->len; i++) {
        g_autofree char *line = output_describe(get(moments, i), query, i + 1);
        puts(line);
    }
    json_line_begin(&j);
    json_line_string(&j, "schema", "pe-archive-1");
    json_line_string(&j, "type", "summary");
    json_line_int(&j, "moments", moments->len);
    json_line_bool(&j, "match", moments->len > 0);
    json_line_end(&j);
}
