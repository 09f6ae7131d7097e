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

static int
measure_depth(const char *text)
{
    int depth = 0, deepest = 0;
    bool in_string = false;
    for (const char *p = text; *p; p++) {
        if (in_string && *p == '\\' && p[1])
            p++;
        else if (*p == '"')
            in_string = !in_string;
        else if (!in_string && (*p == '[' || *p == '{'))
            deepest = MAX(deepest, ++depth);
        else if (!in_string && (*p == ']' || *p == '}'))
            depth--;
    }
    return deepest;
}

JsonNode *
pe_parse_json(const char *path, const char *text, size_t size, GError **error)
{
    if (strlen(text) != size) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: not text: zero byte at offset %zu", path,
                    strlen(text));
        return NULL;
    }
    int depth = measure_depth(text);
    if (depth > MAX_JSON_DEPTH) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: JSON nested %d levels deep, expected at most %d", path,
                    depth, MAX_JSON_DEPTH);
        return NULL;
    }

    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) reason = NULL;
    if (!json_parser_load_from_data(parser, text, (gssize)size, &reason)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: not JSON: %s", path,
                    reason->message);
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
    static const int max_chars = 40;
    const char *end = text;
    for (int i = 0; i < max_chars && *end; i++)
        end = g_utf8_next_char(end);
    return g_strdup_printf("\"%.*s%s\"", (int)(end - text), text,
                           *end ? "..." : "");
}
