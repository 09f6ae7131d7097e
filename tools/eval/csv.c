// SPDX-License-Identifier: LGPL-2.1-or-later
//
// csv.c - see csv.h.

#include "csv.h"

#include <string.h>

typedef struct {
    const char *p;
    guint line;
} Reader;

static void
row_free(CsvRow *row)
{
    g_ptr_array_unref(row->fields);
    g_free(row);
}

// One line end, of whatever kind; false when there is none.
static bool
skip_line_end(Reader *r)
{
    if (*r->p != '\r' && *r->p != '\n')
        return false;
    r->p += r->p[0] == '\r' && r->p[1] == '\n' ? 2 : 1;
    r->line++;
    return true;
}

// A field in quotes; "" in it is a quote. false: the file ends before it does.
static bool
read_quoted(Reader *r, GString *field)
{
    for (r->p++; *r->p; r->p++) {
        if (*r->p == '"' && r->p[1] != '"') {
            r->p++;
            return true;
        }
        r->p += *r->p == '"';
        r->line += *r->p == '\n';
        g_string_append_c(field, *r->p);
    }
    return false;
}

static bool
read_field(const char *path, Reader *r, CsvRow *row, GError **error)
{
    g_autoptr(GString) field = g_string_new(NULL);
    if (*r->p == '"' && !read_quoted(r, field)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: line %u: a quotation mark is never closed", path,
                    row->line);
        return false;
    }
    size_t n = strcspn(r->p, ",\r\n");
    g_string_append_len(field, r->p, (gssize)n);
    r->p += n;
    g_ptr_array_add(row->fields, g_strdup(field->str));
    return true;
}

static bool
read_row(Csv *csv, Reader *r, GError **error)
{
    CsvRow *row = g_new0(CsvRow, 1);
    row->line = r->line;
    row->fields = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(csv->rows, row);
    do {
        if (!read_field(csv->path, r, row, error))
            return false;
    } while (*r->p == ',' && r->p++);
    skip_line_end(r);
    return true;
}

static bool
read_rows(Csv *csv, const char *text, GError **error)
{
    Reader r = {text, 1};
    if (g_str_has_prefix(text, "\xef\xbb\xbf"))
        r.p += 3;
    while (*r.p) {
        if (!skip_line_end(&r) && !read_row(csv, &r, error))
            return false;
    }
    if (csv->rows->len > 0)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: the file is empty; expected a line with the names of the "
                "columns",
                csv->path);
    return false;
}

Csv *
csv_open(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    size_t size;
    GError *cause = NULL;
    if (!g_file_get_contents(path, &text, &size, &cause)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s", cause->message);
        g_error_free(cause);
        return NULL;
    }
    if (!g_utf8_validate(text, (gssize)size, NULL)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: is not a CSV file in UTF-8", path);
        return NULL;
    }
    Csv *csv = g_new0(Csv, 1);
    csv->path = g_strdup(path);
    csv->rows = g_ptr_array_new_with_free_func((GDestroyNotify)row_free);
    if (read_rows(csv, text, error))
        return csv;
    csv_free(csv);
    return NULL;
}

void
csv_free(Csv *csv)
{
    if (!csv)
        return;
    g_ptr_array_unref(csv->rows);
    g_free(csv->path);
    g_free(csv);
}

int
csv_find_column(const Csv *csv, const char *names)
{
    const CsvRow *header = csv->rows->pdata[0];
    g_auto(GStrv) wanted = g_strsplit(names, "|", -1);
    for (guint i = 0; i < header->fields->len; i++) {
        g_autofree char *name = g_strdup(header->fields->pdata[i]);
        if (g_strv_contains((const char *const *)wanted, g_strstrip(name)))
            return (int)i;
    }
    return -1;
}

int
csv_need_column(const Csv *csv, const char *names, GError **error)
{
    int column = csv_find_column(csv, names);
    if (column >= 0)
        return column;
    const CsvRow *header = csv->rows->pdata[0];
    g_autoptr(GString) found = g_string_new(NULL);
    for (guint i = 0; i < header->fields->len; i++)
        g_string_append_printf(found, "%s\"%s\"", i ? ", " : "",
                               (char *)header->fields->pdata[i]);
    g_auto(GStrv) wanted = g_strsplit(names, "|", -1);
    g_autofree char *expected = g_strjoinv("\" or \"", wanted);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: line %u: found the columns %s; expected one named \"%s\"",
                csv->path, header->line, found->str, expected);
    return -1;
}

const char *
csv_get(const Csv *csv, guint row, int column, GError **error)
{
    const CsvRow *header = csv->rows->pdata[0];
    const CsvRow *r = csv->rows->pdata[row];
    if ((guint)column < r->fields->len)
        return r->fields->pdata[column];
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: line %u: found %u field(s); expected %u, as the header "
                "has",
                csv->path, r->line, r->fields->len, header->fields->len);
    return NULL;
}
