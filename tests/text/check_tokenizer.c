// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_tokenizer.c - texts become the ids that CLIP's own tokenizer gives
// them.
//
//     check_tokenizer                         unit tests (TAP)
//     check_tokenizer --vocab F --cases FILE  compare with any list of
//                                             {"text", "clean", "ids"}
//
// The real vocabulary is not in the tree; what needs it is skipped when it is
// not in a data folder.

#include "core/pe.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

// Texts that were decoded in a wrong encoding before they reached us. ftfy
// guesses the right one; we do not. They must still be encoded.
static const char *const known_differences[] = {
    "schÃ¶n mojibake",
};

static char *folder; // for the files that the tests write

// ---- Comparison with the reference ----------------------------------------

static bool
is_known_difference(const char *text)
{
    for (size_t i = 0; i < G_N_ELEMENTS(known_differences); i++) {
        if (strcmp(text, known_differences[i]) == 0)
            return true;
    }
    return false;
}

static void
print_ids(const char *what, const int *ids, int n)
{
    printf("#   %s", what);
    for (int i = 0; i < n; i++)
        printf(" %d", ids[i]);
    printf("\n");
}

// False when the case came out differently; says how.
static bool
check_case(const PeTokenizer *tokenizer, JsonObject *entry)
{
    const char *text = json_object_get_string_member(entry, "text");
    const char *clean =
        json_object_get_string_member_with_default(entry, "clean", NULL);
    JsonArray *list = json_object_get_array_member(entry, "ids");
    int n = (int)json_array_get_length(list);
    g_autofree int *expected = g_new(int, n);
    g_autofree int *ids = g_new(int, n);
    for (int i = 0; i < n; i++)
        expected[i] = (int)json_array_get_int_element(list, (guint)i);

    g_autofree char *ours = pe_tokenizer_clean(text);
    int used = pe_tokenizer_encode(tokenizer, text, n, ids, NULL);
    bool same_ids = memcmp(ids, expected, sizeof *ids * (size_t)n) == 0;
    bool same_text = !clean || strcmp(ours, clean) == 0;
    if (same_ids && same_text)
        return true;
    bool known = is_known_difference(text);
    printf("# %s: \"%s\"\n", known ? "known difference" : "differs", text);
    if (!same_text)
        printf("#   clean \"%s\", expected \"%s\"\n", ours, clean);
    if (!same_ids) {
        print_ids("ids     ", ids, n);
        print_ids("expected", expected, n);
    }
    return known && used >= 2 && ids[used - 1] == expected[0] + 1;
}

// The number of cases that differ; -1 when the files cannot be read.
static int
compare_cases(const char *vocab, const char *path, int *n_cases)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonParser) parser = json_parser_new();
    PeTokenizer *tokenizer = pe_tokenizer_open(vocab, &error);
    if (!tokenizer || !json_parser_load_from_file(parser, path, &error)) {
        g_printerr("%s\n", error->message);
        pe_tokenizer_unref(tokenizer);
        return -1;
    }
    JsonArray *cases = json_node_get_array(json_parser_get_root(parser));
    int differences = 0;
    *n_cases = (int)json_array_get_length(cases);
    for (int i = 0; i < *n_cases; i++) {
        JsonObject *entry = json_array_get_object_element(cases, (guint)i);
        differences += !check_case(tokenizer, entry);
    }
    pe_tokenizer_unref(tokenizer);
    return differences;
}

static char *
find_real_vocabulary(void)
{
    static const char name[] =
        "gst-perception-encoder/bpe_simple_vocab_16e6.txt.gz";
    char *path = g_build_filename(g_get_user_data_dir(), name, NULL);
    const char *const *dirs = g_get_system_data_dirs();
    for (; !g_file_test(path, G_FILE_TEST_EXISTS) && *dirs; dirs++) {
        g_free(path);
        path = g_build_filename(*dirs, name, NULL);
    }
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        g_clear_pointer(&path, g_free);
    return path;
}

static void
agrees_with_the_reference(void)
{
    g_autofree char *vocab = find_real_vocabulary();
    if (!vocab) {
        g_test_skip("no bpe_simple_vocab_16e6.txt.gz in the data folders");
        return;
    }
    g_autofree char *path = g_build_filename(g_getenv("PE_TEST_DATA"),
                                             "tokenizer_cases.json", NULL);
    int n = 0;
    int differences = compare_cases(vocab, path, &n);
    g_test_message("%d of %d cases differ, limit 0", differences, n);
    g_assert_cmpint(n, >, 300);
    g_assert_cmpint(differences, ==, 0);
}

// ---- A vocabulary of our own ----------------------------------------------

// "cat", "dog" and parts: enough to see merges at work.
static const char tiny[] = "\"tiny\"#version: 0.2\n"
                           "c a\nca t</w>\nd o\ndo g</w>\na t</w>\no o\n";
enum {
    TINY_MERGES = 6,
    TINY_START = 512 + TINY_MERGES,
    TINY_END,
    CAT = 513,
    DOG = 515,
};

static char *
write_file(const char *name, const char *content, size_t size)
{
    char *path = g_build_filename(folder, name, NULL);
    g_assert_true(g_file_set_contents(path, content, (gssize)size, NULL));
    return path;
}

static PeTokenizer *
open_tiny(void)
{
    g_autofree char *path = write_file("tiny.txt", tiny, strlen(tiny));
    g_autoptr(GError) error = NULL;
    PeTokenizer *tokenizer = pe_tokenizer_open(path, &error);
    g_assert_no_error(error);
    return tokenizer;
}

static void
derives_special_ids_from_the_size(void)
{
    PeTokenizer *tokenizer = open_tiny();
    int ids[6];
    g_assert_cmpint(pe_tokenizer_get_vocab_size(tokenizer), ==, TINY_END + 1);
    int n = pe_tokenizer_encode(tokenizer, " Cat  DOG ", 6, ids, NULL);
    static const int expected[6] = {TINY_START, CAT, DOG, TINY_END, 0, 0};
    g_assert_cmpint(n, ==, 4);
    g_assert_cmpmem(ids, sizeof ids, expected, sizeof expected);
    pe_tokenizer_unref(tokenizer);
}

static void
parses_an_unchanged_file_once_while_it_is_in_use(void)
{
    PeTokenizer *first = open_tiny();
    g_autofree char *path = g_strdup(pe_tokenizer_get_path(first));
    PeTokenizer *same = pe_tokenizer_open(path, NULL);
    g_assert_true(same == first);
    pe_tokenizer_unref(same);

    // Another file of the same name does not change what is in use.
    static const char other[] = "\"other\"#version: 0.2\nc a\n";
    g_free(write_file("tiny.txt", other, strlen(other)));
    PeTokenizer *changed = pe_tokenizer_open(path, NULL);
    g_assert_true(changed != first);
    g_assert_cmpint(pe_tokenizer_get_vocab_size(first), ==, TINY_END + 1);
    g_assert_cmpint(pe_tokenizer_get_vocab_size(changed), ==, 515);
    pe_tokenizer_unref(first);
    same = pe_tokenizer_open(path, NULL);
    g_assert_true(same == changed);
    pe_tokenizer_unref(same);
    pe_tokenizer_unref(changed);
}

static char *
write_gzip(const char *name, const char *content)
{
    char *path = g_build_filename(folder, name, NULL);
    gzFile file = gzopen(path, "wb");
    g_assert_cmpint(gzputs(file, content), >, 0);
    g_assert_cmpint(gzclose(file), ==, Z_OK);
    return path;
}

static gunichar
symbol_of_byte(int byte)
{
    if ((byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173))
        return (gunichar)byte;
    int below = byte < 33 ? byte : byte < 161 ? byte - 94 : byte - 106;
    return (gunichar)(256 + below);
}

static const char *const tiny_merges[TINY_MERGES][2] = {
    {"c", "a"},      {"ca", "t</w>"}, {"d", "o"},
    {"do", "g</w>"}, {"a", "t</w>"},  {"o", "o"},
};

// The ids of the tiny vocabulary as Hugging Face writes them, an object.
static char *
make_ids(void)
{
    GString *vocab = g_string_new("{");
    int id = 0;
    for (int other = 0; other < 2; other++) {
        for (int b = 0; b < 256; b++) {
            gunichar c = symbol_of_byte(b);
            if ((c >= 256) != other)
                continue;
            char utf8[8] = {0};
            g_unichar_to_utf8(c, utf8);
            g_autofree char *quoted =
                g_strescape(utf8, utf8[0] < 0 ? utf8 : "");
            g_string_append_printf(vocab, "\"%s\":%d,\"%s</w>\":%d,", quoted,
                                   id, quoted, id + 256);
            id++;
        }
    }
    for (int i = 0; i < TINY_MERGES; i++)
        g_string_append_printf(vocab, "\"%s%s\":%d,", tiny_merges[i][0],
                               tiny_merges[i][1], 512 + i);
    g_string_append_printf(vocab,
                           "\"<|startoftext|>\":%d,\"<|endoftext|>\":%d}",
                           TINY_START, TINY_END);
    return g_string_free(vocab, FALSE);
}

// A tokenizer.json.
static char *
write_json(const char *name, bool pairs)
{
    g_autoptr(GString) list = g_string_new(NULL);
    for (int i = 0; i < TINY_MERGES; i++)
        g_string_append_printf(
            list, pairs ? "%s[\"%s\",\"%s\"]" : "%s\"%s %s\"", i ? "," : "",
            tiny_merges[i][0], tiny_merges[i][1]);
    g_autofree char *ids = make_ids();
    g_autofree char *text = g_strdup_printf(
        "{\"model\":{\"type\":\"BPE\",\"vocab\":%s,\"merges\":[%s]}}", ids,
        list->str);
    return write_file(name, text, strlen(text));
}

static void
reads_every_format_alike(void)
{
    PeTokenizer *reference = open_tiny();
    g_autofree char *ids = make_ids();
    char *paths[] = {
        write_gzip("tiny.txt.gz", tiny),
        write_json("strings.json", false),
        write_json("pairs.json", true),
        write_file("merges.txt", tiny, strlen(tiny)),
        write_file("vocab.json", ids, strlen(ids)),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(GError) error = NULL;
        PeTokenizer *tokenizer = pe_tokenizer_open(paths[i], &error);
        g_assert_no_error(error);
        g_assert_cmpstr(pe_tokenizer_get_path(tokenizer), ==, paths[i]);
        g_assert_cmpstr(pe_tokenizer_get_fingerprint(tokenizer), ==,
                        pe_tokenizer_get_fingerprint(reference));
        g_assert_cmpint(strlen(pe_tokenizer_get_fingerprint(tokenizer)), ==,
                        16);
        pe_tokenizer_unref(tokenizer);
        g_free(paths[i]);
    }
    pe_tokenizer_unref(reference);
}

// Other ids than CLIP's count, and ids alone are no vocabulary.
static void
takes_ids_and_merges_together(void)
{
    g_autofree char *ids = make_ids();
    g_autofree char *merges = write_file("merges.txt", tiny, strlen(tiny));
    g_autofree char *path = write_file("vocab.json", ids, strlen(ids));
    // The ids of "cat" and "dog" change places.
    strstr(ids, "\"cat</w>\":513")[strlen("\"cat</w>\":51")] = '5';
    strstr(ids, "\"dog</w>\":515")[strlen("\"dog</w>\":51")] = '3';
    g_free(write_file("vocab.json", ids, strlen(ids)));
    g_autoptr(GError) error = NULL;
    PeTokenizer *tokenizer = pe_tokenizer_open(merges, &error);
    g_assert_no_error(error);
    int found[4];
    pe_tokenizer_encode(tokenizer, "cat dog", 4, found, NULL);
    static const int expected[4] = {TINY_START, DOG, CAT, TINY_END};
    g_assert_cmpmem(found, sizeof found, expected, sizeof expected);
    pe_tokenizer_unref(tokenizer);

    g_remove(merges);
    g_assert_null(pe_tokenizer_open(path, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "merges.txt"));
    g_remove(path);
}

// ---- Merges ---------------------------------------------------------------

// Merges whose rounds are not what a plain priority queue does: in "abcdabc" a
// queue goes on with "abc d" once it has made the first "abc".
static const char *const odd_merges[][2] = {
    {"b", "c"},  {"d", "abc"},   {"abc", "d"},     {"a", "bc"},
    {"a", "b"},  {"ab", "c"},    {"c", "d</w>"},   {"a", "a"},
    {"aa", "a"}, {"a", "a</w>"}, {"aa", "aa</w>"},
};

static int
odd_rank(const char *left, const char *right)
{
    for (int i = 0; i < (int)G_N_ELEMENTS(odd_merges); i++) {
        if (strcmp(left, odd_merges[i][0]) == 0 &&
            strcmp(right, odd_merges[i][1]) == 0)
            return i;
    }
    return G_MAXINT;
}

// The id of a symbol over "abcd"; the last merge that makes it counts.
static int
odd_id(const char *symbol)
{
    for (int i = (int)G_N_ELEMENTS(odd_merges) - 1; i >= 0; i--) {
        g_autofree char *merged =
            g_strconcat(odd_merges[i][0], odd_merges[i][1], NULL);
        if (strcmp(merged, symbol) == 0)
            return 512 + i;
    }
    return symbol[0] - '!' + (symbol[1] ? 256 : 0);
}

// The definition, word for word: look at all pairs, merge every occurrence of
// the best, until none is left. Symbols are strings.
static GPtrArray *
merge_plainly(const char *word)
{
    GPtrArray *symbols = g_ptr_array_new_with_free_func(g_free);
    for (; *word; word++)
        g_ptr_array_add(symbols,
                        g_strdup_printf("%c%s", *word, word[1] ? "" : "</w>"));
    for (;;) {
        int best = G_MAXINT;
        for (guint i = 0; i + 1 < symbols->len; i++)
            best =
                MIN(best, odd_rank(symbols->pdata[i], symbols->pdata[i + 1]));
        if (best == G_MAXINT)
            return symbols;
        for (guint i = 0; i + 1 < symbols->len; i++) {
            char *left = symbols->pdata[i], *right = symbols->pdata[i + 1];
            if (odd_rank(left, right) != best)
                continue;
            symbols->pdata[i] = g_strconcat(left, right, NULL);
            g_free(left);
            g_ptr_array_remove_index(symbols, i + 1);
        }
    }
}

static void
merges_as_the_definition_does(void)
{
    enum { WORDS = 5000, LONGEST = 24, CONTEXT = LONGEST + 2 };
    g_autoptr(GString) content = g_string_new("#version: 0.2\n");
    for (size_t i = 0; i < G_N_ELEMENTS(odd_merges); i++)
        g_string_append_printf(content, "%s %s\n", odd_merges[i][0],
                               odd_merges[i][1]);
    g_autofree char *path = write_file("odd.txt", content->str, content->len);
    g_autoptr(GError) error = NULL;
    PeTokenizer *tokenizer = pe_tokenizer_open(path, &error);
    g_assert_no_error(error);
    for (int w = 0; w < WORDS; w++) {
        char word[LONGEST + 1] = {0};
        int length = g_test_rand_int_range(1, LONGEST + 1);
        for (int i = 0; i < length; i++)
            word[i] = "abcd"[g_test_rand_int_range(0, 4)];
        g_autoptr(GPtrArray) symbols = merge_plainly(word);
        int ids[CONTEXT];
        int n = pe_tokenizer_encode(tokenizer, word, CONTEXT, ids, NULL);
        g_assert_cmpint(n, ==, (int)symbols->len + 2);
        for (guint i = 0; i < symbols->len; i++)
            g_assert_cmpint(ids[i + 1], ==, odd_id(symbols->pdata[i]));
    }
    pe_tokenizer_unref(tokenizer);
}

// ---- Long and odd texts ---------------------------------------------------

static void
cuts_long_texts_and_says_what_is_lost(void)
{
    PeTokenizer *tokenizer = open_tiny();
    int ids[4];
    char *cut;
    int n = pe_tokenizer_encode(tokenizer, "cat dog", 4, ids, &cut);
    g_assert_cmpint(n, ==, 4);
    g_assert_null(cut);

    n = pe_tokenizer_encode(tokenizer, "cat dog Cat  dog!", 4, ids, &cut);
    static const int expected[4] = {TINY_START, CAT, DOG, TINY_END};
    g_assert_cmpint(n, ==, 4);
    g_assert_cmpmem(ids, sizeof ids, expected, sizeof expected);
    g_assert_cmpstr(cut, ==, "cat dog!");
    g_free(cut);

    // "é" is two tokens here; half of it is lost, so all of it is reported.
    pe_tokenizer_encode(tokenizer, "catéx", 4, ids, &cut);
    g_assert_true(g_utf8_validate(cut, -1, NULL));
    g_free(cut);
    pe_tokenizer_encode(tokenizer, "é", 3, ids, &cut);
    g_assert_cmpstr(cut, ==, "é");
    g_free(cut);
    pe_tokenizer_unref(tokenizer);
}

static void
writes_special_tokens_only_where_they_are_spelled_out(void)
{
    PeTokenizer *tokenizer = open_tiny();
    int ids[8];
    int n =
        pe_tokenizer_encode(tokenizer, "cat <END_of_text> dog", 8, ids, NULL);
    static const int expected[8] = {TINY_START, CAT, TINY_END, DOG, TINY_END};
    g_assert_cmpint(n, ==, 5);
    g_assert_cmpmem(ids, sizeof ids, expected, sizeof expected);
    pe_tokenizer_unref(tokenizer);
}

static void
repairs_invalid_utf8(void)
{
    static const char *const texts[] = {
        "cat \xff dog", "\xc3",        "\xed\xa0\x80", "\xf8\x88\x80\x80\x80",
        "\xe2\x82",     "cat\xc0\x80", "\x80\x80\x80",
    };
    PeTokenizer *tokenizer = open_tiny();
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        int ids[32];
        g_autofree char *clean = pe_tokenizer_clean(texts[i]);
        int n = pe_tokenizer_encode(tokenizer, texts[i], 32, ids, NULL);
        g_assert_true(g_utf8_validate(clean, -1, NULL));
        g_assert_nonnull(strstr(clean, "\xef\xbf\xbd"));
        g_assert_cmpint(n, >, 2);
    }
    pe_tokenizer_unref(tokenizer);
}

static void
encodes_megabytes_quickly(void)
{
    static const double limit = 2.0; // seconds of the processor
    static const size_t size = 1 << 20;
    PeTokenizer *tokenizer = open_tiny();
    g_autofree char *letters = g_strnfill(size, 'o');
    g_autofree char *entities = g_strnfill(size, 'a');
    for (size_t i = 0; i + 4 < size; i += 4)
        memcpy(entities + i, i ? "amp;" : "&ddd", 4);
    const char *texts[] = {letters, entities};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        int ids[72];
        clock_t start = clock();
        int n = pe_tokenizer_encode(tokenizer, texts[i], 72, ids, NULL);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        g_test_message("%.3f s, limit %.1f s", seconds, limit);
        g_assert_cmpint(n, ==, 72);
        g_assert_cmpfloat(seconds, <, limit);
    }
    pe_tokenizer_unref(tokenizer);
}

int
main(int argc, char **argv)
{
    g_autofree char *vocab = NULL, *cases = NULL;
    GOptionEntry options[] = {
        {"vocab", 0, 0, G_OPTION_ARG_FILENAME, &vocab, "vocabulary", "F"},
        {"cases", 0, 0, G_OPTION_ARG_FILENAME, &cases, "cases", "FILE"},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_set_ignore_unknown_options(context, TRUE);
    g_autoptr(GError) error = NULL;
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        !vocab != !cases) {
        g_printerr("%s\n",
                   error ? error->message : "--vocab and --cases go together");
        return 2;
    }
    if (cases) {
        int n = 0;
        int differences = compare_cases(vocab, cases, &n);
        printf("%d cases, %d differ, limit 0\n", n, differences);
        return differences != 0;
    }

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("check-tokenizer-XXXXXX", NULL);
    g_test_add_func("/tokenizer/reference", agrees_with_the_reference);
    g_test_add_func("/tokenizer/ids", derives_special_ids_from_the_size);
    g_test_add_func("/tokenizer/once",
                    parses_an_unchanged_file_once_while_it_is_in_use);
    g_test_add_func("/tokenizer/formats", reads_every_format_alike);
    g_test_add_func("/tokenizer/pair", takes_ids_and_merges_together);
    g_test_add_func("/tokenizer/merges", merges_as_the_definition_does);
    g_test_add_func("/tokenizer/cut", cuts_long_texts_and_says_what_is_lost);
    g_test_add_func("/tokenizer/special",
                    writes_special_tokens_only_where_they_are_spelled_out);
    g_test_add_func("/tokenizer/utf8", repairs_invalid_utf8);
    g_test_add_func("/tokenizer/speed", encodes_megabytes_quickly);
    int status = g_test_run();
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_remove(path);
    }
    g_dir_close(dir);
    g_rmdir(folder);
    g_free(folder);
    return status;
}
