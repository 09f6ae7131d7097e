// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vocabulary.c - the file formats that hold CLIP's vocabulary: merges as a
// text, tokenizer.json, and the pair of vocab.json and merges.txt. Knows how
// symbols and merges are written, not how text is split.

#include "vocabulary.h"

#include <string.h>

#include "core/base/failure.h"
#include "core/base/json.h"
#include "core/base/read_file.h"
#include "core/pe.h"
#include "merge_table.h"

#define MAX_FILE_SIZE ((size_t)8 << 20)
#define MAX_MERGES 48894 // the text file goes on; CLIP uses no more
#define FINAL "</w>"     // marks a symbol that ends a piece

typedef struct {
    const char *path;   // borrowed, for messages
    GHashTable *ids;    // symbol -> id, owns the symbols
    GPtrArray *symbols; // left and right of every merge, owns them
    PeVocabulary *vocabulary;
} Builder;

// ---- Symbols --------------------------------------------------------------

// Both formats write a byte as a printable character, so that a blank can
// separate symbols. order[i] is the byte with CLIP's id i, characters[i] how it
// is written: printable Latin-1 as itself, then the rest from U+0100 on.
// Source: OpenAI CLIP simple_tokenizer.py, bytes_to_unicode.
static void
list_bytes(int order[256], gunichar characters[256])
{
    int n = 0, n_others = 0;
    for (int others = 0; others < 2; others++) {
        for (int b = 0; b < 256; b++) {
            bool printable = (b >= 33 && b <= 126) || (b >= 161 && b != 173);
            if (printable == (bool)others)
                continue;
            order[n] = b;
            characters[n++] = (gunichar)(others ? 0x100 + n_others++ : b);
        }
    }
}

static char *
byte_symbol(gunichar character, const char *suffix)
{
    char buffer[16];
    int n = g_unichar_to_utf8(character, buffer);
    return g_strdup_printf("%.*s%s", n, buffer, suffix);
}

static bool
find_id(const Builder *b, const char *symbol, int *id)
{
    void *value;
    if (!g_hash_table_lookup_extended(b->ids, symbol, NULL, &value))
        return false;
    *id = GPOINTER_TO_INT(value);
    return true;
}

// Add "left right", the merge with number `index` of its file.
static bool
add_merge(Builder *b, const char *text, int index, GError **error)
{
    const char *blank = strchr(text, ' ');
    if (!blank || blank == text || !blank[1] || strchr(blank + 1, ' ')) {
        g_autofree char *quoted = pe_quote(text);
        return pe_fail(error, PE_ERROR_FORMAT, b->path,
                       "merge %d: expected two symbols, found %s; is this a "
                       "CLIP vocabulary?",
                       index, quoted);
    }
    g_ptr_array_add(b->symbols, g_strndup(text, (gsize)(blank - text)));
    g_ptr_array_add(b->symbols, g_strdup(blank + 1));
    return true;
}

// ---- Text format ----------------------------------------------------------

static void
assign_clip_ids(Builder *b)
{
    int order[256];
    gunichar characters[256];
    list_bytes(order, characters);
    for (int i = 0; i < 256; i++) {
        g_hash_table_replace(b->ids, byte_symbol(characters[i], ""),
                             GINT_TO_POINTER(i));
        g_hash_table_replace(b->ids, byte_symbol(characters[i], FINAL),
                             GINT_TO_POINTER(256 + i));
    }
    int n = (int)b->symbols->len / 2;
    for (int i = 0; i < n; i++) {
        char *merged = g_strconcat(b->symbols->pdata[2 * i],
                                   b->symbols->pdata[2 * i + 1], NULL);
        g_hash_table_replace(b->ids, merged, GINT_TO_POINTER(512 + i));
    }
    b->vocabulary->start = 512 + n;
    b->vocabulary->end = 512 + n + 1;
    b->vocabulary->size = 512 + n + 2;
}

// A header line, then a merge a line.
static bool
read_merges(Builder *b, const char *text, GError **error)
{
    const char *end = strchrnul(text, '\n');
    const char *version = strstr(text, "#version");
    if (!version || version > end) {
        return pe_fail(error, PE_ERROR_FORMAT, b->path,
                       "not a CLIP vocabulary: expected \"#version\" in its "
                       "first line");
    }
    for (int i = 0; i < MAX_MERGES && *end; i++) {
        const char *start = end + 1;
        end = strchrnul(start, '\n');
        g_autofree char *line = g_strndup(start, (gsize)(end - start));
        g_strchomp(line);
        bool last = !*end || !end[1];
        if (last && !*line)
            break;
        if (!add_merge(b, line, i, error))
            return false;
    }
    return true;
}

static bool
read_text(Builder *b, const char *text, GError **error)
{
    if (!read_merges(b, text, error))
        return false;
    assign_clip_ids(b);
    return true;
}

// ---- JSON format ----------------------------------------------------------

static bool
read_json_ids(Builder *b, JsonObject *vocab, GError **error)
{
    int size = (int)json_object_get_size(vocab);
    g_autofree bool *seen = g_new0(bool, (size_t)size + 1);
    JsonObjectIter iter;
    const char *symbol;
    JsonNode *node;
    json_object_iter_init_ordered(&iter, vocab);
    while (json_object_iter_next_ordered(&iter, &symbol, &node)) {
        bool is_int = JSON_NODE_HOLDS_VALUE(node) &&
                      json_node_get_value_type(node) == G_TYPE_INT64;
        int64_t id = is_int ? json_node_get_int(node) : -1;
        if (id < 0 || id >= size || seen[id]) {
            g_autofree char *quoted = pe_quote(symbol);
            g_autofree char *found =
                is_int ? g_strdup_printf("%" G_GINT64_FORMAT, id)
                       : g_strdup(pe_json_describe(node));
            return pe_fail(error, PE_ERROR_FORMAT, b->path,
                           "the vocabulary's id of %s must be an unused "
                           "integer from 0 to %d, found %s",
                           quoted, size - 1, found);
        }
        seen[id] = true;
        g_hash_table_replace(b->ids, g_strdup(symbol),
                             GINT_TO_POINTER((int)id));
    }
    b->vocabulary->size = size;
    return true;
}

// An element is "left right" or ["left", "right"].
static bool
read_json_merge(Builder *b, JsonNode *node, int index, GError **error)
{
    const char *text = pe_json_get_string(node);
    g_autofree char *joined = NULL;
    if (JSON_NODE_HOLDS_ARRAY(node) &&
        json_array_get_length(json_node_get_array(node)) == 2) {
        JsonArray *pair = json_node_get_array(node);
        const char *left = pe_json_get_string(json_array_get_element(pair, 0));
        const char *right = pe_json_get_string(json_array_get_element(pair, 1));
        if (left && right)
            text = joined = g_strconcat(left, " ", right, NULL);
    }
    return add_merge(b, text ? text : "", index, error);
}

static bool
find_special(Builder *b, const char *name, const char *alias, int *id,
             GError **error)
{
    if (find_id(b, name, id) || find_id(b, alias, id))
        return true;
    return pe_fail(error, PE_ERROR_FORMAT, b->path,
                   "the vocabulary has no \"%s\", so this is not a CLIP "
                   "tokenizer",
                   name);
}

static bool
find_specials(Builder *b, GError **error)
{
    PeVocabulary *v = b->vocabulary;
    if (!find_special(b, "<|startoftext|>", "<start_of_text>", &v->start,
                      error) ||
        !find_special(b, "<|endoftext|>", "<end_of_text>", &v->end, error))
        return false;
    // The text tower finds the end of the text as the largest id.
    if (v->end != v->size - 1) {
        return pe_fail(error, PE_ERROR_FORMAT, b->path,
                       "the end token has id %d, expected the largest, %d",
                       v->end, v->size - 1);
    }
    return true;
}

static bool
read_json(Builder *b, const char *text, size_t size, GError **error)
{
    g_autoptr(JsonNode) root = pe_json_parse(text, size, b->path, error);
    if (!root)
        return false;
    JsonNode *model =
        JSON_NODE_HOLDS_OBJECT(root)
            ? json_object_get_member(json_node_get_object(root), "model")
            : NULL;
    JsonNode *vocab = NULL, *merges = NULL;
    if (model && JSON_NODE_HOLDS_OBJECT(model)) {
        JsonObject *object = json_node_get_object(model);
        vocab = json_object_get_member(object, "vocab");
        merges = json_object_get_member(object, "merges");
    }
    if (!vocab || !JSON_NODE_HOLDS_OBJECT(vocab) || !merges ||
        !JSON_NODE_HOLDS_ARRAY(merges)) {
        return pe_fail(error, PE_ERROR_FORMAT, b->path,
                       "not a BPE tokenizer: expected an object model.vocab "
                       "and a list model.merges, found %s and %s",
                       pe_json_describe(vocab), pe_json_describe(merges));
    }

    if (!read_json_ids(b, json_node_get_object(vocab), error))
        return false;
    JsonArray *list = json_node_get_array(merges);
    int n = (int)json_array_get_length(list);
    for (int i = 0; i < n; i++) {
        JsonNode *merge = json_array_get_element(list, (guint)i);
        if (!read_json_merge(b, merge, i, error))
            return false;
    }
    return find_specials(b, error);
}

// What transformers keeps in two files: ids in vocab.json, merges beside it.
static bool
read_pair(Builder *b, const char *ids, const char *merges, GError **error)
{
    size_t size;
    const char *path = b->path;
    g_autofree char *text = pe_read_file(ids, MAX_FILE_SIZE, &size, error);
    g_autoptr(JsonNode) root =
        text ? pe_json_parse_object(text, size, ids, error) : NULL;
    if (!root)
        return false;
    b->path = ids;
    bool ok = read_json_ids(b, json_node_get_object(root), error);
    b->path = path;
    return ok && read_merges(b, merges, error) && find_specials(b, error);
}

// ---- Merges ---------------------------------------------------------------

static bool
resolve_merge(Builder *b, int index, GError **error)
{
    const char *left = b->symbols->pdata[2 * index];
    const char *right = b->symbols->pdata[2 * index + 1];
    g_autofree char *joined = g_strconcat(left, right, NULL);
    PeMerge merge = {.rank = index};
    const char *missing = NULL;
    if (!find_id(b, left, &merge.left))
        missing = left;
    else if (!find_id(b, right, &merge.right))
        missing = right;
    else if (!find_id(b, joined, &merge.merged))
        missing = joined;
    if (missing) {
        g_autofree char *quoted = pe_quote(missing);
        return pe_fail(error, PE_ERROR_FORMAT, b->path,
                       "merge %d: %s is neither a byte nor the result of a "
                       "merge",
                       index, quoted);
    }
    const PeMerge *earlier = pe_merge_table_add(b->vocabulary, &merge);
    if (earlier) {
        g_autofree char *quoted = pe_quote(joined);
        return pe_fail(error, PE_ERROR_FORMAT, b->path,
                       "merge %d repeats merge %d (%s)", index, earlier->rank,
                       quoted);
    }
    return true;
}

static bool
resolve_bytes(Builder *b, GError **error)
{
    int order[256];
    gunichar characters[256];
    list_bytes(order, characters);
    for (int i = 0; i < 256; i++) {
        int byte = order[i];
        g_autofree char *inner = byte_symbol(characters[i], "");
        g_autofree char *final = byte_symbol(characters[i], FINAL);
        if (!find_id(b, inner, &b->vocabulary->bytes[byte]) ||
            !find_id(b, final, &b->vocabulary->finals[byte])) {
            return pe_fail(error, PE_ERROR_FORMAT, b->path,
                           "no symbols \"%s\" and \"%s\" for byte 0x%02x, so "
                           "this is not a byte-level CLIP vocabulary",
                           inner, final, (unsigned)byte);
        }
    }
    return true;
}

static bool
resolve(Builder *b, GError **error)
{
    int n = (int)b->symbols->len / 2;
    if (n == 0) {
        return pe_fail(error, PE_ERROR_FORMAT, b->path, "no merges");
    }
    if (n > b->vocabulary->size) {
        return pe_fail(error, PE_ERROR_FORMAT, b->path,
                       "%d merges for %d symbols", n, b->vocabulary->size);
    }
    pe_merge_table_make(b->vocabulary, n);
    if (!resolve_bytes(b, error))
        return false;
    for (int i = 0; i < n; i++) {
        if (!resolve_merge(b, i, error))
            return false;
    }
    pe_merge_table_take_fingerprint(b->vocabulary);
    return true;
}

// ---- Open -----------------------------------------------------------------

// "FOLDER/name" beside a file that is called `own`; NULL when it is called
// otherwise. Returns, g_free().
static char *
get_beside(const char *path, const char *own, const char *name)
{
    g_autofree char *base = g_path_get_basename(path);
    g_autofree char *folder = g_path_get_dirname(path);
    return strcmp(base, own) == 0 ? g_build_filename(folder, name, NULL) : NULL;
}

PeVocabulary *
pe_vocabulary_open(const char *path, GError **error)
{
    size_t size;
    g_autofree char *merges = get_beside(path, "vocab.json", "merges.txt");
    if (merges)
        path = merges;
    // Without the ids, merges have CLIP's.
    g_autofree char *ids = get_beside(path, "merges.txt", "vocab.json");
    if (ids && !g_file_test(ids, G_FILE_TEST_EXISTS))
        g_clear_pointer(&ids, g_free);
    g_autofree char *text = pe_read_file(path, MAX_FILE_SIZE, &size, error);
    if (!text)
        return NULL;
    const char *invalid;
    if (!g_utf8_validate_len(text, size, &invalid)) {
        pe_fail(error, PE_ERROR_FORMAT, path,
                "not a CLIP vocabulary: not UTF-8 text at offset %zu",
                (size_t)(invalid - text));
        return NULL;
    }

    Builder b = {
        .path = path,
        .ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .symbols = g_ptr_array_new_with_free_func(g_free),
        .vocabulary = g_new0(PeVocabulary, 1),
    };
    bool is_json = text[strspn(text, " \t\r\n")] == '{';
    bool ok = (ids       ? read_pair(&b, ids, text, error)
               : is_json ? read_json(&b, text, size, error)
                         : read_text(&b, text, error)) &&
              resolve(&b, error);
    g_hash_table_unref(b.ids);
    g_ptr_array_unref(b.symbols);
    if (!ok)
        g_clear_pointer(&b.vocabulary, pe_vocabulary_free);
    return b.vocabulary;
}

void
pe_vocabulary_free(PeVocabulary *v)
{
    g_free(v->merges);
    g_free(v);
}
