// SPDX-License-Identifier: LGPL-2.1-or-later
//
// finding.c - see finding.h.

#include "finding.h"

#include <math.h>
#include <stdio.h>

#define MAX_QUOTED 120 // characters

static const char *const level_nicks[] = {
    [FINDING_ERROR] = "error",
    [FINDING_WARNING] = "warning",
    [FINDING_ADVICE] = "advice",
};

static void
finding_free(Finding *finding)
{
    g_clear_pointer(&finding->texts, g_ptr_array_unref);
    g_free(finding->message);
    g_free(finding->label);
    g_free(finding->other);
    g_free(finding);
}

GPtrArray *
findings_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
}

Finding *
findings_add(GPtrArray *findings, FindingLevel level, const char *kind,
             const char *format, ...)
{
    Finding *finding = g_new0(Finding, 1);
    va_list args;
    va_start(args, format);
    finding->message = g_strdup_vprintf(format, args);
    va_end(args);
    finding->level = level;
    finding->kind = kind;
    finding->cosine = NAN;
    g_ptr_array_add(findings, finding);
    return finding;
}

guint
findings_count(const GPtrArray *findings, FindingLevel level)
{
    guint n = 0;
    for (guint i = 0; i < findings->len; i++)
        n += ((const Finding *)findings->pdata[i])->level == level;
    return n;
}

void
findings_print(const GPtrArray *findings)
{
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];
        printf("%s: %s: %s\n", level_nicks[finding->level], finding->kind,
               finding->message);
    }
}

static void
add_texts(JsonLine *j, const GPtrArray *texts)
{
    g_autoptr(GString) list = g_string_new("[");
    for (guint i = 0; i < texts->len; i++) {
        g_string_append(list, i ? ", " : "");
        json_append_quoted(list, texts->pdata[i]);
    }
    g_string_append_c(list, ']');
    json_line_json(j, "texts", list->str);
}

void
findings_add_to_json(const GPtrArray *findings, JsonLine *j)
{
    g_autoptr(GString) list = g_string_new("[");
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];
        JsonLine o;
        json_line_begin(&o);
        json_line_string(&o, "level", level_nicks[finding->level]);
        json_line_string(&o, "kind", finding->kind);
        json_line_string(&o, "message", finding->message);
        if (finding->label)
            json_line_string(&o, "label", finding->label);
        if (finding->other)
            json_line_string(&o, "other", finding->other);
        if (isfinite(finding->cosine))
            json_line_number(&o, "cosine", finding->cosine);
        if (finding->texts)
            add_texts(&o, finding->texts);
        g_autofree char *object = json_line_steal(&o);
        g_string_append_printf(list, "%s%s", i ? ", " : "", object);
    }
    g_string_append_c(list, ']');
    json_line_json(j, "findings", list->str);
}

char *
finding_quote(const char *text)
{
    glong n = g_utf8_strlen(text, -1);
    g_autofree char *start =
        n > MAX_QUOTED ? g_utf8_substring(text, 0, MAX_QUOTED) : NULL;
    GString *quoted = g_string_new(NULL);
    json_append_quoted(quoted, start ? start : text);
    if (start)
        g_string_insert(quoted, (gssize)quoted->len - 1, "...");
    return g_string_free(quoted, FALSE);
}

char *
finding_quote_all(const GPtrArray *texts)
{
    g_autoptr(GString) all = g_string_new(NULL);
    for (guint i = 0; i < texts->len; i++) {
        g_autofree char *quoted = finding_quote(texts->pdata[i]);
        g_string_append_printf(all, "%s%s", i ? ", " : "", quoted);
    }
    return g_strdup(all->str);
}
