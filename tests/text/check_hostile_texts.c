// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_hostile_texts.c - damaged, wrong and hostile vocabularies and label
// files end in an error that names the file: no abort, no leak, no hang.

#include "core/pe.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define GZIP 1      // the content is written as gzip
#define GZIP_HALF 2 // as the first half of one

static const char header[] = "#version: 0.2\n";
static char *folder;

// ---- Contents -------------------------------------------------------------

static GBytes *
text(const char *content)
{
    return g_bytes_new(content, strlen(content));
}

static GBytes *
repeated(const char *before, const char *unit, size_t n, const char *after)
{
    GString *s = g_string_new(before);
    for (size_t i = 0; i < n; i++)
        g_string_append(s, unit);
    g_string_append(s, after);
    return g_string_free_to_bytes(s);
}

static GBytes *
zeros(size_t size)
{
    return g_bytes_new_take(g_malloc0(size), size);
}

static GBytes *
noise(size_t size)
{
    uint8_t *content = g_malloc(size);
    for (size_t i = 0; i < size; i++)
        content[i] = (uint8_t)g_test_rand_int();
    return g_bytes_new_take(content, size);
}

// A tokenizer.json whose model has these members.
static GBytes *
tokenizer_json(const char *vocab, const char *merges)
{
    g_autofree char *s =
        g_strdup_printf("{\"model\": {\"type\": \"BPE\", \"vocab\": %s, "
                        "\"merges\": %s}}",
                        vocab, merges);
    return text(s);
}

static void
write_content(const char *path, GBytes *content, int packing)
{
    gsize size;
    const char *data = g_bytes_get_data(content, &size);
    if (packing == 0) {
        g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
        return;
    }
    gzFile file = gzopen(path, "wb1");
    g_assert_cmpint(gzwrite(file, data, (unsigned)size), ==, (int)size);
    g_assert_cmpint(gzclose(file), ==, Z_OK);
    if (packing == GZIP_HALF) {
        g_autofree char *packed = NULL;
        g_assert_true(g_file_get_contents(path, &packed, &size, NULL));
        g_assert_true(
            g_file_set_contents(path, packed, (gssize)(size / 2), NULL));
    }
}

// ---- Opening --------------------------------------------------------------

typedef GError *(*OpenFunc)(const char *path);

static GError *
open_vocabulary(const char *path)
{
    GError *error = NULL;
    PeTokenizer *tokenizer = pe_tokenizer_open(path, &error);
    g_assert_true(!tokenizer == (error != NULL));
    pe_tokenizer_unref(tokenizer);
    return error;
}

static GError *
open_labels(const char *path)
{
    GError *error = NULL;
    PeLabelSpec *spec = pe_label_spec_load(path, &error);
    g_assert_true(!spec == (error != NULL));
    pe_label_spec_free(spec);
    return error;
}

// One file; the content is taken.
typedef struct {
    const char *what;
    GBytes *content;
    const char *expected; // in the message
    int packing;
} Case;

static void
assert_refused(OpenFunc open_file, const Case *c)
{
    g_autofree char *path = g_build_filename(folder, "hostile", NULL);
    write_content(path, c->content, c->packing);
    g_bytes_unref(c->content);
    g_autoptr(GError) error = open_file(path);
    g_test_message("%s: %s", c->what, error ? error->message : "accepted");
    g_assert_nonnull(error);
    g_assert_true(error->domain == PE_ERROR);
    g_assert_cmpint(strlen(error->message), <, 512 + strlen(path));
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message, c->expected));
    g_remove(path);
}

static void
refuses_broken_text_vocabularies(void)
{
    const Case cases[] = {
        {"empty", text(""), "#version"},
        {"empty gzip", text(""), "#version", GZIP},
        {"header only", text(header), "no merges"},
        {"no header", text("c a\nca t</w>\n"), "#version"},
        {"another kind of text", text("hello\nworld\n"), "#version"},
        {"one symbol", text("#version\nc a\nt\n"), "merge 1"},
        {"three symbols", text("#version\nc a t\n"), "merge 0"},
        {"blank line", text("#version\n\nc a\n"), "merge 0"},
        {"blank first", text("#version\n c\n"), "merge 0"},
        {"unknown symbol", text("#version\nc ab\n"), "\"ab\""},
        {"unknown character", text("#version\nc \xe6\xbc\xa2\n"), "merge 0"},
        {"merge twice", text("#version\nc a\nc a\n"), "repeats merge 0"},
        {"not UTF-8", text("#version\nc \xff\n"), "offset 11"},
        {"zeros", zeros(4096), "offset 0"},
        {"noise", noise(4096), ""},
        {"noise in gzip", noise(4096), "", GZIP},
        {"half a gzip", repeated(header, "c a\n", 1000, ""), "truncated gzip",
         GZIP_HALF},
        {"gzip magic only", text("\x1f\x8b"), ""},
        {"damaged gzip",
         text("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03garbage"), "gzip"},
        {"gzip bomb", zeros(64 << 20), "too large", GZIP},
        {"one long line", repeated(header, "abcdefgh", 2 << 20, ""),
         "too large"},
        {"one long word", repeated(header, "abcdefgh", 100000, "\n"),
         "merge 0"},
        {"one long symbol", repeated(header, "abcdefgh", 100000, " x\n"),
         "merge 0"},
        {"only line ends", repeated(header, "\n", 100000, ""), "merge 0"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_refused(open_vocabulary, &cases[i]);
}

static void
refuses_broken_json_vocabularies(void)
{
    const Case cases[] = {
        {"empty object", text("{}"), "model.vocab"},
        {"half", text("{\"model\": {\"vocab\": {"), "too early"},
        {"model is a list", text("{\"model\": []}"), "model.vocab"},
        {"no merges", text("{\"model\": {\"vocab\": {}}}"), "nothing"},
        {"vocab is a list", tokenizer_json("[]", "[]"), "found a list"},
        {"merges is text", tokenizer_json("{}", "\"a b\""), "a string"},
        {"nothing in it", tokenizer_json("{}", "[]"), "<|startoftext|>"},
        {"id is text", tokenizer_json("{\"a\": \"0\"}", "[]"), "a string"},
        {"id is a fraction", tokenizer_json("{\"a\": 0.5}", "[]"), "\"a\""},
        {"id below 0", tokenizer_json("{\"a\": -1}", "[]"), "\"a\""},
        {"id too large", tokenizer_json("{\"a\": 2147483647}", "[]"), "\"a\""},
        {"id beyond 64 bits",
         tokenizer_json("{\"a\": 99999999999999999999}", "[]"), "\"a\""},
        {"id twice", tokenizer_json("{\"a\": 0, \"b\": 0}", "[]"), "\"b\""},
        {"merge is a number", tokenizer_json("{\"a\": 0}", "[1]"), "merge 0"},
        {"merge is null", tokenizer_json("{\"a\": 0}", "[null]"), "merge 0"},
        {"merge of lists", tokenizer_json("{\"a\": 0}", "[[[], {}]]"),
         "merge 0"},
        {"merge of three", tokenizer_json("{\"a\": 0}", "[[\"a\"]]"),
         "merge 0"},
        {"end is not last",
         tokenizer_json("{\"<|endoftext|>\": 0, \"<|startoftext|>\": 1}", "[]"),
         "largest"},
        {"no bytes",
         tokenizer_json("{\"<|endoftext|>\": 1, \"<|startoftext|>\": 0}",
                        "[\"a b\"]"),
         "byte"},
        {"deep lists", repeated("{\"model\": ", "[", 1000000, ""), "deeply"},
        {"deep objects", repeated("{\"a\":", "{\"a\":", 1000000, ""), "deeply"},
        {"comment hides depth", repeated("{/*\"*/", "[", 1000000, ""), ""},
        {"not UTF-8", text("{\"\xff\": 1}"), "offset 2"},
        {"huge number", text("{\"model\": 1e999999}"), "model.vocab"},
        {"list of numbers", repeated("{\"a\": [", "1,", 1000000, "1]}"),
         "model.vocab"},
        {"odd escapes", text("{\"\\ud800\": \"\\u0000\", \"model\": \"\\q\"}"),
         ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_refused(open_vocabulary, &cases[i]);
}

static void
refuses_broken_label_files(void)
{
    const Case cases[] = {
        {"empty", text(""), "no labels"},
        {"zeros", zeros(4096), "offset 0"},
        {"noise", noise(4096), ""},
        {"UTF-16",
         text("\xff\xfe"
              "a"),
         "offset 0"},
        {"half a gzip", repeated("", "label\n", 1000, ""), "gzip", GZIP_HALF},
        {"gzip bomb", zeros(65 << 20), "too large", GZIP},
        {"deep lists", repeated("", "[", 1000000, ""), "deeply"},
        {"deep prompts",
         repeated("[{\"name\": \"a\", \"prompts\": ", "[", 1000000, ""),
         "deeply"},
        {"same line a million times", repeated("", "a\n", 1000000, ""),
         "at most 100000 labels"},
        {"key of a megabyte", repeated("{\"", "key ", 262144, "\": 1}"),
         "unknown key"},
        {"infinite threshold",
         text("[{\"name\": \"a\", \"threshold\": 1e999}]"), "threshold"},
        {"half a surrogate in a name", text("[\"\\ud800\"]"), ""},
        {"half a surrogate in a prompt",
         text("[{\"name\": \"a\", \"prompts\": [\"\\udc00 \"]}]"), ""},
        {"zero byte in a name", text("[\"\\u0000\"]"), ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_refused(open_labels, &cases[i]);
}

static void
refuses_a_gigabyte_without_reading_it(void)
{
    g_autofree char *path = g_build_filename(folder, "large", NULL);
    g_assert_true(g_file_set_contents(path, header, -1, NULL));
    g_assert_cmpint(truncate(path, (off_t)1 << 30), ==, 0); // sparse
    OpenFunc functions[] = {open_vocabulary, open_labels};
    for (size_t i = 0; i < G_N_ELEMENTS(functions); i++) {
        g_autoptr(GError) error = functions[i](path);
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        g_assert_nonnull(strstr(error->message, "too large"));
    }
    g_remove(path);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("check-hostile-XXXXXX", NULL);
    g_test_add_func("/hostile/text", refuses_broken_text_vocabularies);
    g_test_add_func("/hostile/json", refuses_broken_json_vocabularies);
    g_test_add_func("/hostile/labels", refuses_broken_label_files);
    g_test_add_func("/hostile/size", refuses_a_gigabyte_without_reading_it);
    int status = g_test_run();
    g_rmdir(folder);
    g_free(folder);
    return status;
}
