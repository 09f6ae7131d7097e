// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_file.c - label sets as the user writes them: labels between bars, or a
// file with a label a line, or JSON in either.

#include <string.h>

#include "core/base/json.h"
#include "core/base/read_file.h"
#include "label_json.h"

#define MAX_FILE_SIZE ((size_t)16 << 20)

static bool
is_json(const char *text)
{
    char first = text[strspn(text, " \t\r\n")];
    return first == '[' || first == '{';
}

static bool
read_json(PeLabelSpec *spec, const char *where, const char *text, size_t size,
          GError **error)
{
    g_autoptr(JsonNode) root = pe_json_parse(text, size, where, error);
    return root && pe_label_spec_read_json(spec, where, root, error);
}

// ---- Text -----------------------------------------------------------------

static bool
read_text(PeLabelSpec *spec, const char *text, GError **error)
{
    if (is_json(text))
        return read_json(spec, "labels", text, strlen(text), error);
    bool blank = !text[strspn(text, " \t\r\n")];
    return blank || pe_label_list_add_bars(spec->labels, text, "label", error);
}

PeLabelSpec *
pe_label_spec_parse(const char *text, GError **error)
{
    g_return_val_if_fail(text, NULL);
    PeLabelSpec *spec = pe_label_spec_new();
    if (!read_text(spec, text, error) ||
        !pe_label_spec_complete(spec, "labels", error))
        g_clear_pointer(&spec, pe_label_spec_free);
    return spec;
}

// ---- Files ----------------------------------------------------------------

static bool
read_lines(GPtrArray *labels, const char *path, const char *text,
           GError **error)
{
    const char *end;
    for (int number = 1; *text; number++, text = *end ? end + 1 : end) {
        end = strchrnul(text, '\n');
        g_autofree char *line = g_strndup(text, (gsize)(end - text));
        g_strstrip(line);
        if (!*line || *line == '#')
            continue;
        g_autofree char *where = g_strdup_printf("%s:%d", path, number);
        if (!pe_label_list_add(labels, pe_label_new(line), where, error))
            return false;
    }
    return true;
}

static bool
read_file(PeLabelSpec *spec, const char *path, GError **error)
{
    size_t size;
    g_autofree char *content = pe_read_file(path, MAX_FILE_SIZE, &size, error);
    if (!content)
        return false;
    const char *text = content;
    if (g_str_has_prefix(text, "\xef\xbb\xbf")) // a byte order mark
        text += 3;
    const char *invalid;
    size -= (size_t)(text - content);
    if (!g_utf8_validate_len(text, size, &invalid)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: not UTF-8 text at offset %zu", path,
                    (size_t)(invalid - content));
        return false;
    }

    return is_json(text) ? read_json(spec, path, text, size, error)
                         : read_lines(spec->labels, path, text, error);
}

PeLabelSpec *
pe_label_spec_load(const char *path, GError **error)
{
    g_return_val_if_fail(path, NULL);
    PeLabelSpec *spec = pe_label_spec_new();
    if (!read_file(spec, path, error) ||
        !pe_label_spec_complete(spec, path, error))
        g_clear_pointer(&spec, pe_label_spec_free);
    return spec;
}
