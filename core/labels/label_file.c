// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_file.c - label sets as the user writes them: labels between bars, or a
// file with a label a line, or JSON in either; and banks of texts.

#include <string.h>

#include "core/base/json.h"
#include "core/base/read_file.h"
#include "label_json.h"

#define MAX_FILE_SIZE ((size_t)64 << 20) // 10,000 vectors of 1024 numbers
#define OFF "off"                        // instead of a bank's path

static bool
is_json(const char *text)
{
    char first = text[strspn(text, " \t\r\n")];
    return first == '[' || first == '{';
}

// ---- Files ----------------------------------------------------------------

//   is_prompt  no template is applied to them
static bool
read_lines(GPtrArray *labels, const char *path, const char *text,
           bool is_prompt, GError **error)
{
    const char *end;
    for (int number = 1; *text; number++, text = *end ? end + 1 : end) {
        end = strchrnul(text, '\n');
        g_autofree char *line = g_strndup(text, (gsize)(end - text));
        g_strstrip(line);
        if (!*line || *line == '#')
            continue;
        g_autofree char *where = g_strdup_printf("%s:%d", path, number);
        PeLabel *label = pe_label_new(line);
        if (is_prompt)
            pe_label_use_as_prompt(label);
        if (!pe_label_list_add(labels, label, where, error))
            return false;
    }
    return true;
}

// The text of a file, without a byte order mark. Returns, g_free(), or NULL.
static char *
read_utf8(const char *path, GError **error)
{
    size_t size;
    g_autofree char *content = pe_read_file(path, MAX_FILE_SIZE, &size, error);
    if (!content)
        return NULL;
    size_t mark = g_str_has_prefix(content, "\xef\xbb\xbf") ? 3 : 0;
    const char *invalid;
    if (!g_utf8_validate_len(content + mark, size - mark, &invalid)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: not UTF-8 text at offset %zu", path,
                    (size_t)(invalid - content));
        return NULL;
    }
    return g_strdup(content + mark);
}

// ---- Banks ----------------------------------------------------------------

bool
pe_label_spec_set_bank(PeLabelSpec *spec, const char *path, GError **error)
{
    g_return_val_if_fail(spec, false);
    if (!path || !*path)
        return true;
    g_autoptr(GPtrArray) bank =
        g_ptr_array_new_with_free_func((GDestroyNotify)pe_label_free);
    if (strcmp(path, OFF) != 0) {
        g_autofree char *text = read_utf8(path, error);
        if (!text || !read_lines(bank, path, text, true, error))
            return false;
        if (bank->len == 0) {
            g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                        "%s: expected a bank, a text a line, found no text",
                        path);
            return false;
        }
    }
    g_ptr_array_unref(spec->bank);
    spec->bank = g_steal_pointer(&bank);
    return true;
}

// ---- JSON -----------------------------------------------------------------

// A file is found from the folder of the one that names it. Returns, g_free().
static char *
find_named(const char *where, const char *path)
{
    g_autofree char *folder = g_path_get_dirname(where);
    return g_path_is_absolute(path) ? g_strdup(path)
                                    : g_build_filename(folder, path, NULL);
}

static bool
read_named_bank(PeLabelSpec *spec, const char *where, GError **error)
{
    if (!spec->bank_path)
        return true;
    g_autofree char *path = strcmp(spec->bank_path, OFF) == 0
                                ? g_strdup(OFF)
                                : find_named(where, spec->bank_path);
    return pe_label_spec_set_bank(spec, path, error);
}

static void
find_named_images(GPtrArray *labels, const char *where)
{
    for (guint i = 0; i < labels->len; i++) {
        GPtrArray *images = ((PeLabel *)labels->pdata[i])->images;
        for (guint k = 0; images && k < images->len; k++) {
            char *path = images->pdata[k];
            images->pdata[k] = find_named(where, path);
            g_free(path);
        }
    }
}

static bool
read_json(PeLabelSpec *spec, const char *where, const char *text, size_t size,
          GError **error)
{
    g_autoptr(JsonNode) root = pe_json_parse(text, size, where, error);
    if (!root || !pe_label_spec_read_json(spec, where, root, error))
        return false;
    find_named_images(spec->labels, where);
    find_named_images(spec->negatives, where);
    return read_named_bank(spec, where, error);
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

// ---- Label files ----------------------------------------------------------

static bool
read_file(PeLabelSpec *spec, const char *path, GError **error)
{
    g_autofree char *text = read_utf8(path, error);
    if (!text)
        return false;
    return is_json(text) ? read_json(spec, path, text, strlen(text), error)
                         : read_lines(spec->labels, path, text, false, error);
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
