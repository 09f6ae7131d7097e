// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_file.c - label files: a label a line, or JSON.

#include <string.h>

#include "core/base/json.h"
#include "core/base/read_file.h"
#include "label_json.h"

#define MAX_FILE_SIZE ((size_t)16 << 20)

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

    char first = text[strspn(text, " \t\r\n")];
    if (first != '[' && first != '{')
        return read_lines(spec->labels, path, text, error);
    g_autoptr(JsonNode) root = pe_json_parse(text, size, path, error);
    return root && pe_label_spec_read_json(spec, path, root, error);
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
