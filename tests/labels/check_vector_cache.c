// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_vector_cache.c - the vectors of labels survive in a cache that may be
// damaged, shared or impossible.

#include "tests/support/label_stand_in.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *
cache_path(void)
{
    g_autofree char *name =
        g_strdup_printf("text-%s-%s-bf16.cache", stand_in.fingerprint,
                        pe_tokenizer_get_fingerprint(stand_in.tokenizer));
    return g_build_filename(stand_in.folder, "gst-pe", name, NULL);
}

static void
takes_cached_vectors_bit_for_bit(void)
{
    stand_in_use("again", 137);
    PeLabels *first = make_labels("a|b", "c", "{}|my {}");
    g_assert_cmpint(stand_in.n_texts, ==, 6);
    // Cleaning makes these the same texts.
    PeLabels *second = make_labels("A| b ", "C", "{}|My  {}");
    g_assert_cmpint(stand_in.n_texts, ==, 6);
    g_assert_cmpmem(pe_labels_get_vector(first, 0), 2 * 137 * sizeof(float),
                    pe_labels_get_vector(second, 0), 2 * 137 * sizeof(float));
    pe_labels_unref(make_labels("a|d", NULL, "{}"));
    g_assert_cmpint(stand_in.n_texts, ==, 7);
    g_assert_cmpuint(stand_in.warnings->len, ==, 0);
    pe_labels_unref(first);
    pe_labels_unref(second);

    stand_in_use("another", 137);
    pe_labels_unref(make_labels("a|b", NULL, "{}"));
    g_assert_cmpint(stand_in.n_texts, ==, 2);
}

typedef void (*Damage)(char *content, gsize *size);

static void
cut_last_byte(char *content, gsize *size)
{
    *size -= 1;
}

static void
cut_to_half_a_header(char *content, gsize *size)
{
    *size = 12;
}

static void
flip_a_vector_bit(char *content, gsize *size)
{
    content[*size - 6] ^= 4;
}

static void
flip_a_header_bit(char *content, gsize *size)
{
    content[20] ^= 1;
}

static void
overwrite_all(char *content, gsize *size)
{
    memset(content, 'x', *size);
}

static void
rebuilds_a_damaged_file(void)
{
    static const Damage damages[] = {
        cut_last_byte,     cut_to_half_a_header, flip_a_vector_bit,
        flip_a_header_bit, overwrite_all,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
        stand_in_use("damaged", 64);
        g_autofree char *path = cache_path();
        g_autofree char *content = NULL;
        gsize size;
        pe_labels_unref(make_labels("a|b", NULL, "{}"));
        g_assert_true(g_file_get_contents(path, &content, &size, NULL));
        damages[i](content, &size);
        g_assert_true(g_file_set_contents(path, content, (gssize)size, NULL));

        stand_in.n_texts = 0;
        pe_labels_unref(make_labels("a|b", NULL, "{}"));
        g_assert_cmpint(stand_in.n_texts, >, 0);
        g_assert_cmpuint(stand_in.warnings->len, ==, 1);
        g_assert_nonnull(strstr(stand_in.warnings->pdata[0], path));

        // What was rebuilt is found; a label lost with the file is not.
        pe_labels_unref(make_labels("a|b", NULL, "{}"));
        stand_in.n_texts = 0;
        pe_labels_unref(make_labels("a|b", NULL, "{}"));
        g_assert_cmpint(stand_in.n_texts, ==, 0);
        g_assert_cmpuint(stand_in.warnings->len, ==, 1);
        g_assert_cmpint(g_remove(path), ==, 0);
    }
}

static void
shares_the_file_with_other_processes(void)
{
    enum { PROCESSES = 4, ROUNDS = 20 };
    stand_in_use("shared", 64);
    pid_t children[PROCESSES];
    for (int c = 0; c < PROCESSES; c++) {
        children[c] = fork();
        if (children[c] != 0)
            continue;
        for (int i = 0; i < ROUNDS; i++) {
            g_autofree char *text =
                g_strdup_printf("common %d|own %d %d", i, c, i);
            pe_labels_unref(make_labels(text, NULL, "{}"));
        }
        _exit(stand_in.warnings->len == 0 ? 0 : 1);
    }
    for (int c = 0; c < PROCESSES; c++) {
        int status;
        g_assert_cmpint(waitpid(children[c], &status, 0), ==, children[c]);
        g_assert_cmpint(status, ==, 0);
    }
    for (int c = 0; c < PROCESSES; c++) {
        for (int i = 0; i < ROUNDS; i++) {
            g_autofree char *text =
                g_strdup_printf("common %d|own %d %d", i, c, i);
            pe_labels_unref(make_labels(text, NULL, "{}"));
        }
    }
    g_assert_cmpint(stand_in.n_texts, ==, 0);
    g_assert_cmpuint(stand_in.warnings->len, ==, 0);
}

// Seconds of the processor.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOAD_LIMIT 5.0
#else
#define LOAD_LIMIT 0.25
#endif

static void
loads_400_labels_in_no_time(void)
{
    stand_in_use("many", MAX_DIM);
    g_autoptr(GString) text = g_string_new("label 0");
    for (int i = 1; i < 400; i++)
        g_string_append_printf(text, "|label number %d of many", i);
    pe_labels_unref(make_labels(text->str, NULL, NULL));
    stand_in.n_texts = 0;
    clock_t start = clock();
    PeLabels *labels = make_labels(text->str, NULL, NULL);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    g_test_message("%.4f s from the cache, limit %.2f s", seconds, LOAD_LIMIT);
    g_assert_cmpint(stand_in.n_texts, ==, 0);
    g_assert_cmpfloat(seconds, <, LOAD_LIMIT);

    float x[MAX_DIM];
    PeScore scores[5];
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(5);
    stand_in_embed("some clip", x);
    pe_embedding_normalize(x, MAX_DIM);
    start = clock();
    for (int i = 0; i < 100; i++)
        g_assert_cmpint(pe_labels_score(labels, x, &params, scores, NULL, NULL),
                        ==, 5);
    seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    g_test_message("%.1f us a score of 400 labels", seconds * 1e4);
    pe_labels_unref(labels);
}

static void
works_without_a_cache(void)
{
    stand_in_use("off", 4);
    g_setenv("GST_PE_CACHE", "off", TRUE);
    pe_labels_unref(make_labels("a", "x", "{}"));
    pe_labels_unref(make_labels("a", "x", "{}"));
    g_unsetenv("GST_PE_CACHE");
    g_assert_cmpint(stand_in.n_texts, ==, 4);
    g_autofree char *path = cache_path();
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));

    // A file where the stand_in.folder should be: nothing can be written, also
    // by root.
    g_autofree char *dir = g_build_filename(stand_in.folder, "gst-pe", NULL);
    g_autofree char *aside = g_build_filename(stand_in.folder, "aside", NULL);
    g_assert_cmpint(g_rename(dir, aside), ==, 0);
    g_assert_true(g_file_set_contents(dir, "x", 1, NULL));
    pe_labels_unref(make_labels("b", "y", "{}"));
    pe_labels_unref(make_labels("b", "y", "{}"));
    g_assert_cmpint(stand_in.n_texts, ==, 8);
    g_assert_cmpuint(stand_in.warnings->len, ==,
                     1); // once, not at every label set
    g_assert_cmpint(g_remove(dir), ==, 0);
    g_assert_cmpint(g_rename(aside, dir), ==, 0);
}

static void
add_tests(void)
{
    g_test_add_func("/cache/again", takes_cached_vectors_bit_for_bit);
    g_test_add_func("/cache/damage", rebuilds_a_damaged_file);
    g_test_add_func("/cache/shared", shares_the_file_with_other_processes);
    g_test_add_func("/cache/speed", loads_400_labels_in_no_time);
    g_test_add_func("/cache/off", works_without_a_cache);
}

int
main(int argc, char **argv)
{
    return stand_in_run(argc, argv, add_tests);
}
