// SPDX-License-Identifier: LGPL-2.1-or-later
//
// read_file.c - see read_file.h. Knows gzip and JSON, not what the files mean.

#include "read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "pe.h"

// Deeper than any file we understand; json-glib recurses once a level.
#define MAX_JSON_DEPTH 16

// Read until the end or until more than `max_size` bytes came.
static bool
read_all(gzFile file, const char *path, size_t max_size, GByteArray *out,
         GError **error)
{
    static const unsigned step = 1 << 16;
    int n;
    do {
        size_t old = out->len;
        g_byte_array_set_size(out, (guint)(old + step));
        n = gzread(file, out->data + old, step);
        g_byte_array_set_size(out, (guint)(old + (n > 0 ? (size_t)n : 0)));
        if (out->len > max_size) {
            g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                        "%s: more than %zu MiB, too large for a file of its "
                        "kind",
                        path, max_size >> 20);
            return false;
        }
    } while (n > 0);

    // A truncated stream ends quietly and says so only here.
    int status;
    const char *reason = gzerror(file, &status);
    if (status == Z_ERRNO) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: cannot be read: %s",
                    path, g_strerror(errno));
        return false;
    }
    if (status != Z_OK && status != Z_STREAM_END) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: damaged or truncated gzip data (%s); get the file "
                    "again",
                    path, status == Z_BUF_ERROR ? "unexpected end" : reason);
        return false;
    }
    return true;
}

char *
pe_read_file(const char *path, size_t max_size, size_t *size, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    gzFile file = fd >= 0 ? gzdopen(fd, "rb") : NULL;
    if (!file) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: cannot be opened: %s",
                    path, g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }

    GByteArray *content = g_byte_array_new();
    bool ok = read_all(file, path, max_size, content, error);
    gzclose_r(file);
    if (!ok) {
        g_byte_array_unref(content);
        return NULL;
    }
    *size = content->len;
    g_byte_array_append(content, (const uint8_t *)"", 1);
    return (char *)g_byte_array_free(content, FALSE);
}

// What is wrong with `text` before the parser sees it, or NULL. Outside of
// strings only the characters of strict JSON pass, so that the parser, which
// also takes comments, cannot disagree about where strings and lists begin.
static const char *
find_fault(const char *text, size_t size)
{
    static const char others[] = " \t\r\n:,-+.0123456789eEtrufalsn";
    int depth = 0;
    bool in_string = false;
    for (const char *p = text; p < text + size; p++) {
        if (in_string && *p == '\\')
            p++;
        else if (*p == '"')
            in_string = !in_string;
        else if (in_string)
            continue;
        else if (*p == '[' || *p == '{')
            depth++;
        else if (*p == ']' || *p == '}')
            depth--;
        else if (!*p || !strchr(others, *p))
            return "not JSON: a character outside of strings that has no place";
        if (depth > MAX_JSON_DEPTH)
            return "JSON nested too deeply";
    }
    return in_string || depth != 0 ? "not JSON: it ends too early" : NULL;
}

JsonNode *
pe_parse_json(const char *path, const char *text, size_t size, GError **error)
{
    const char *fault = find_fault(text, size);
    if (fault) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: %s", path, fault);
        return NULL;
    }
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) reason = NULL;
    if (!json_parser_load_from_data(parser, text, (gssize)size, &reason)) {
        g_autofree char *message = g_utf8_make_valid(reason->message, -1);
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: not JSON: %s", path,
                    message);
        return NULL;
    }
    JsonNode *root = json_parser_steal_root(parser);
    if (!root)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: empty", path);
    return root;
}

const char *
pe_json_describe(JsonNode *node)
{
    if (!node)
        return "nothing";
    switch (json_node_get_node_type(node)) {
    case JSON_NODE_OBJECT:
        return "an object";
    case JSON_NODE_ARRAY:
        return "a list";
    case JSON_NODE_NULL:
        return "null";
    default:
        break;
    }
    switch (json_node_get_value_type(node)) {
    case G_TYPE_STRING:
        return "a string";
    case G_TYPE_BOOLEAN:
        return "a truth value";
    default:
        return "a number";
    }
}

const char *
pe_json_get_string(JsonNode *node)
{
    return JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;
}

char *
pe_quote(const char *text)
{
    static const int max_chars = 40, max_char_size = 4;
    // JSON's escapes can smuggle in what is not UTF-8.
    g_autofree char *start = g_strndup(text, (gsize)max_chars * max_char_size);
    g_autofree char *valid = g_utf8_make_valid(start, -1);
    if (g_utf8_strlen(valid, -1) <= max_chars)
        return g_strdup_printf("\"%s\"", valid);
    g_autofree char *first = g_utf8_substring(valid, 0, max_chars);
    return g_strdup_printf("\"%s...\"", first);
}
