// SPDX-License-Identifier: LGPL-2.1-or-later
//
// page.c - see page.h.

#include "page.h"

#include "output.h"
#include "pipelines/tag/sources.h"
#include "tools/program_output.h"

// Pictures are in the page; videos are where they were.
static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
    "'none'; img-src data:; media-src file: http: https:; style-src "
    "'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>pe-search</title>\n<style>\n"
    "body { font: 15px sans-serif; margin: 1em; background: #f7f7f5; "
    "color: #222 }\n"
    "main { display: grid; gap: 1em; "
    "grid-template-columns: repeat(auto-fill, minmax(22em, 1fr)) }\n"
    "details { background: #fff; border: 1px solid #ccc; padding: .6em }\n"
    "summary { cursor: pointer; list-style: none }\n"
    "img { width: 160px; min-height: 90px; background: #ddd; float: left; "
    "margin-right: .8em }\n"
    "video { width: 100%; margin-top: .6em }\n"
    "small, code { overflow-wrap: anywhere; color: #555 }\n"
    "svg { clear: both; display: block; width: 100%; height: 24px; "
    "background: #eee }\n"
    "rect { fill: #f0c4b4 }\n"
    "polyline { fill: none; stroke: #b5451b; vector-effect: "
    "non-scaling-stroke }\n"
    "</style></head><body>\n";

static void
append_escaped(GString *page, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autofree char *escaped = g_markup_escape_text(valid, -1);
    g_string_append(page, escaped);
}

static void
append_query(GString *page, const Query *query)
{
    g_string_append(page, "<h1>");
    for (guint i = 0; i < query->parts->len; i++) {
        const QueryPart *part = &g_array_index(query->parts, QueryPart, i);
        g_string_append(page, i ? ", " : "");
        g_string_append(page, part->is_unwanted ? "not " : "");
        append_escaped(page, part->text);
    }
    g_string_append(page, "</h1>\n");
}

static void
append_picture(GString *page, const Moment *moment)
{
    gsize size;
    g_string_append(page, "<img alt=\"\"");
    if (moment->thumbnail) {
        const guchar *data = g_bytes_get_data(moment->thumbnail, &size);
        g_autofree char *text = g_base64_encode(data, size);
        g_string_append_printf(page, " src=\"data:image/jpeg;base64,%s\"",
                               text);
    }
    g_string_append(page, ">");
}

// The scores of all of the file from left to right, and where the moment is.
static void
append_line(GString *page, const Moment *moment)
{
    enum { HEIGHT = 24, TOP = 5 }; // pixels; at least up to this score
    double top = TOP;
    double unit = (double)MOMENT_LINE / (double)MAX(moment->duration, 1);
    char x[G_ASCII_DTOSTR_BUF_SIZE], width[G_ASCII_DTOSTR_BUF_SIZE];
    char y[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(x, sizeof x, "%.2f", unit * (double)moment->start);
    g_ascii_formatd(width, sizeof width, "%.2f",
                    MAX(unit * (double)(moment->end - moment->start), 1));
    g_string_append_printf(page,
                           "<svg viewBox=\"0 0 %d %d\" "
                           "preserveAspectRatio=\"none\"><rect x=\"%s\" "
                           "width=\"%s\" height=\"%d\"/><polyline points=\"",
                           MOMENT_LINE, HEIGHT, x, width, HEIGHT);
    for (int i = 0; moment->line && i < MOMENT_LINE; i++)
        top = MAX(top, (double)moment->line[i]);
    for (int i = 0; moment->line && i < 2 * MOMENT_LINE; i++) {
        double score = (double)moment->line[i / 2];
        g_ascii_formatd(y, sizeof y, "%.1f", HEIGHT * (1 - score / top));
        g_string_append_printf(page, "%d,%s ", (i + 1) / 2, y);
    }
    g_string_append(page, "\"/></svg>");
}

// The part of the file by its media fragment; below it the command, for what a
// browser cannot play.
static void
append_player(GString *page, const Moment *moment)
{
    Source *source = source_new(moment->file->name);
    g_autofree char *quoted = g_shell_quote(moment->file->name);
    char start[G_ASCII_DTOSTR_BUF_SIZE], end[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(start, sizeof start, "%.3f", (double)moment->start / 1e9);
    g_ascii_formatd(end, sizeof end, "%.3f", (double)moment->end / 1e9);
    g_string_append(page, "<video controls preload=\"none\" src=\"");
    append_escaped(page, source->uri);
    g_string_append_printf(page,
                           "#t=%s,%s\"></video>\n<code>gst-play-1.0 "
                           "--start-position=%s ",
                           start, end, start);
    append_escaped(page, quoted);
    g_string_append(page, "</code>");
    source_free(source);
}

static void
append_moment(GString *page, const Moment *moment)
{
    g_autofree char *start = output_time(moment->start);
    g_autofree char *end = output_time(moment->end);
    g_autofree char *wall = output_wall_time(moment);
    g_autofree char *base = g_path_get_basename(moment->file->name);
    g_string_append(page, "<details><summary>");
    append_picture(page, moment);
    g_string_append(page, "<b>");
    append_escaped(page, base);
    g_string_append_printf(page, "</b><br>%s &ndash; %s<br>score %.1f<br>",
                           start, end, moment->score);
    append_escaped(page, moment->label ? moment->label : "");
    g_string_append_printf(page, "<br><small>%s</small>", wall ? wall : "");
    append_line(page, moment);
    g_string_append(page, "</summary>\n");
    append_player(page, moment);
    g_string_append(page, "<br><small>");
    append_escaped(page, moment->file->name);
    g_string_append(page, "</small></details>\n");
}

bool
page_write(const char *path, const GPtrArray *moments, const Query *query,
           GError **error)
{
    g_autoptr(GString) page = g_string_new(head);
    append_query(page, query);
    g_string_append(page, moments->len ? "<main>\n" : "<p>no match</p>\n");
    for (guint i = 0; i < moments->len; i++)
        append_moment(page, moments->pdata[i]);
    g_string_append(page, moments->len ? "</main>\n" : "");
    g_string_append(page, "</body></html>\n");
    return program_output_write(path, page->str, (gssize)page->len, error);
}
