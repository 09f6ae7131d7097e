// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_plan.c - a plan is dealt to shards evenly, and to each its own.

#include "pipelines/tag/shards/plan.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "core/pe.h"

// A file of the test's own. Returns, remove_plan().
static char *
write_plan(const char *text)
{
    char *path;
    g_autoptr(GError) error = NULL;
    int fd = g_file_open_tmp("plan-XXXXXX", &path, &error);
    g_assert_no_error(error);
    g_close(fd, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static void
remove_plan(char *path)
{
    g_remove(path);
    g_free(path);
}

static GPtrArray *
read_shard(const char *path, int shard, int n_shards)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *checksum = NULL;
    GPtrArray *sources = plan_read(path, shard, n_shards, &checksum, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(strlen(checksum), ==, 64);
    return sources;
}

static double
sum_sizes(const GPtrArray *sources)
{
    double sum = 0;
    for (guint i = 0; i < sources->len; i++)
        sum += (double)((const Source *)sources->pdata[i])->size;
    return sum;
}

// Sizes by Zipf's law with exponent `s`: the i-th is 1 / i^s of the largest.
static char *
write_zipf(int n, double s)
{
    g_autoptr(GString) text = g_string_new("uri\tsize\tetag\n");
    for (int i = 1; i <= n; i++)
        g_string_append_printf(text, "file:///v/%05d.mp4\t%.0f\t\n",
                               i * 7919 % n, 4e10 / pow(i, s));
    g_string_append_printf(text, "#end\t%d\n", n);
    return write_plan(text->str);
}

static void
check_balance(const char *path, int n_shards)
{
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    double total = 0, largest = 0;
    for (int i = 0; i < n_shards; i++) {
        g_autoptr(GPtrArray) sources = read_shard(path, i, n_shards);
        total += sum_sizes(sources);
        largest = MAX(largest, sum_sizes(sources));
        for (guint k = 0; k < sources->len; k++) {
            const Source *source = sources->pdata[k];
            g_assert_true(g_hash_table_add(seen, g_strdup(source->name)));
            g_assert_cmpint(source->size, <=,
                            ((const Source *)sources->pdata[0])->size);
        }
    }
    double ratio = largest / (total / n_shards);
    g_test_message("%d shards: largest / mean %.4f, limit 1.1", n_shards,
                   ratio);
    g_assert_cmpfloat(ratio, <=, 1.1);
    g_assert_cmpuint(g_hash_table_size(seen), ==, 10000);
}

static void
balances_a_zipf_archive(void)
{
    // With an exponent of 1 the largest file is a tenth of all, so that no deal
    // of whole files is even for more than nine.
    char *path = write_zipf(10000, 1);
    for (int n = 1; n <= 9; n++)
        check_balance(path, n);
    remove_plan(path);
    path = write_zipf(10000, 0.8);
    for (int n = 10; n <= 27; n++)
        check_balance(path, n);
    remove_plan(path);
}

static void
gives_the_longest_a_shard_of_its_own(void)
{
    char *path = write_plan("file:///a\t1\nfile:///b\t100\nfile:///c\t2\n");
    g_autoptr(GPtrArray) first = read_shard(path, 0, 2);
    g_autoptr(GPtrArray) second = read_shard(path, 1, 2);
    g_assert_cmpuint(first->len, ==, 1);
    g_assert_cmpstr(((Source *)first->pdata[0])->name, ==, "/b");
    g_assert_cmpuint(second->len, ==, 2);
    g_assert_cmpstr(((Source *)second->pdata[0])->name, ==, "/c");
    remove_plan(path);
}

static void
spreads_what_has_no_size(void)
{
    char *path = write_plan("http://h/a\nhttp://h/b\t\t\nhttp://h/c\t\t\"e\"\n"
                            "file:///empty\t0\nfile:///none\t0\r\n\n");
    guint most = 0;
    for (int i = 0; i < 5; i++) {
        g_autoptr(GPtrArray) sources = read_shard(path, i, 5);
        most = MAX(most, sources->len);
    }
    g_assert_cmpuint(most, ==, 1);
    g_autoptr(GPtrArray) all = read_shard(path, 0, 1);
    g_assert_cmpuint(all->len, ==, 5);
    g_assert_cmpstr(((Source *)all->pdata[4])->etag, ==, "\"e\"");
    remove_plan(path);
}

static void
knows_one_file_by_one_name(void)
{
    char *path = write_plan("http://h/a?sign=1\t5\nhttp://h/a?sign=2\t5\n");
    g_autoptr(GPtrArray) all = read_shard(path, 0, 1);
    g_assert_cmpuint(all->len, ==, 1);
    g_assert_cmpstr(((Source *)all->pdata[0])->name, ==, "http://h/a");
    remove_plan(path);
    // RFC 8089 has file URIs with one slash, with a host and without.
    path = write_plan("file:/a%20b\t5\nfile:///a%20b\t5\n");
    g_autoptr(GPtrArray) files = read_shard(path, 0, 1);
    g_assert_cmpuint(files->len, ==, 1);
    g_assert_cmpstr(((Source *)files->pdata[0])->name, ==, "/a b");
    g_assert_true(((Source *)files->pdata[0])->is_local);
    remove_plan(path);
}

static void
names_the_line_that_is_wrong(void)
{
    static const char *const wrong[] = {"file:///a\tlong\n", "file:///a\t-1\n",
                                        "file:///a\t1\te\tmore\n",
                                        "file:///a\t99999999999999999999\n"};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *checksum = NULL;
        g_autofree char *text = g_strconcat("file:///b\t1\n", wrong[i], NULL);
        char *path = write_plan(text);
        g_assert_null(plan_read(path, 0, 1, &checksum, &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        g_autofree char *where = g_strconcat(path, ":2: ", NULL);
        g_assert_true(g_str_has_prefix(error->message, where));
        remove_plan(path);
    }
}

// What a full disk or a lost connection leaves of a plan.
static void
refuses_what_is_not_whole(void)
{
#define HEAD "uri\tsize\tetag\n"
    static const struct {
        const char *text, *what;
    } rows[] = {
        {"", "empty"},
        {"file:///a\t1\nfile:///b", "middle of a line"},
        {HEAD "file:///a\t1\t\n", "no last line"},
        {HEAD "file:///a\t1\t\n#end\t2\n", "lost some"},
        {HEAD "#end\t0\nfile:///a\t1\t\n", "behind the last"},
        {"\t5\t\n", "without a URI"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *checksum = NULL;
        char *path = write_plan(rows[i].text);
        g_assert_null(plan_read(path, 0, 1, &checksum, &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        g_assert_nonnull(strstr(error->message, rows[i].what));
        remove_plan(path);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/balances_a_zipf_archive", balances_a_zipf_archive);
    g_test_add_func("/plan/gives_the_longest_a_shard_of_its_own",
                    gives_the_longest_a_shard_of_its_own);
    g_test_add_func("/plan/spreads_what_has_no_size", spreads_what_has_no_size);
    g_test_add_func("/plan/knows_one_file_by_one_name",
                    knows_one_file_by_one_name);
    g_test_add_func("/plan/names_the_line_that_is_wrong",
                    names_the_line_that_is_wrong);
    g_test_add_func("/plan/refuses_what_is_not_whole",
                    refuses_what_is_not_whole);
    return g_test_run();
}
