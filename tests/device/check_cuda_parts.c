// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_cuda_parts.c - what of the CUDA backend is arithmetic and files: batch
// sizes, and the table of measured algorithms.

#include "cuda/algos.h"
#include "cuda/bucket.h"

#include <glib/gstdio.h>
#include <string.h>

// ---- Batch sizes ------------------------------------------------------------

static void
check_buckets(const char *what, int tokens, int width, int mlp_width,
              const int *expected, int n)
{
    int buckets[PE_CUDA_MAX_BUCKETS];
    int count = pe_cuda_list_buckets(132, tokens, width, mlp_width, buckets);
    g_autoptr(GString) got = g_string_new(NULL);
    for (int i = 0; i < count; i++)
        g_string_append_printf(got, " %d", buckets[i]);
    g_test_message("%s:%s", what, got->str);
    g_assert_cmpmem(buckets, (size_t)count * sizeof *buckets, expected,
                    (size_t)n * sizeof *expected);
}

static void
batch_sizes_end_before_a_wave_does(void)
{
    static const int b[] = {1, 2, 4, 8, 14, 28, 56};
    static const int l[] = {1, 2, 4, 7, 14, 21, 29, 36};
    static const int g[] = {1, 2, 4, 8, 11, 22};
    check_buckets("B/16", 197, 768, 3072, b, G_N_ELEMENTS(b));
    check_buckets("L/14", 577, 1024, 4096, l, G_N_ELEMENTS(l));
    check_buckets("G/14", 1024, 1536, 8960, g, G_N_ELEMENTS(g));
}

// Whatever waits is worked off by batches that fit, on any device.
static void
every_number_of_images_is_split(void)
{
    static const int devices[] = {1, 20, 40, 84, 108, 132, 188};
    for (size_t d = 0; d < G_N_ELEMENTS(devices); d++) {
        int most = pe_cuda_batch_bucket(devices[d], 1000, 577, 1024, 4096);
        g_test_message("%d multiprocessors: at most %d of L/14", devices[d],
                       most);
        for (int n = 1; n <= 80; n++) {
            int size = pe_cuda_batch_bucket(devices[d], n, 577, 1024, 4096);
            g_assert_cmpint(size, >=, 1);
            g_assert_cmpint(size, <=, n);
        }
    }
}

static void
many_images_run_in_full_waves(void)
{
    g_assert_cmpint(pe_cuda_batch_bucket(132, 1000, 197, 768, 3072), ==, 56);
    g_assert_cmpint(pe_cuda_batch_bucket(132, 1000, 577, 1024, 4096), ==, 29);
    g_assert_cmpint(pe_cuda_batch_bucket(132, 1000, 1024, 1536, 8960), ==, 22);
    // A batch for one image more would cost more than a part of a wave.
    g_assert_cmpint(pe_cuda_batch_bucket(132, 7, 577, 1024, 4096), ==, 7);
    g_assert_cmpint(pe_cuda_batch_bucket(132, 8, 577, 1024, 4096), ==, 8);
}

// ---- Algorithms -------------------------------------------------------------

static const PeAlgoKey key_a = {1, 2, 0, 1, 1, 256, 768, 3072, 64};
static const PeAlgoKey key_b = {1, 1, 1, 0, 1, 256, 3072, 768, 256};
static const PeAlgo algo_a = {{1, 2, 3, 4, 5, 6, 7, UINT64_MAX}};
static const PeAlgo algo_b = {{9, 0, 0, 0, 0, 0, 0, 1}};

static char *
new_path(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp("pe-algos-XXXXXX", &error);
    g_assert_no_error(error);
    return g_build_filename(dir, "sub", "algos.txt", NULL);
}

static void
remove_path(const char *path)
{
    g_autofree char *sub = g_path_get_dirname(path);
    g_autofree char *dir = g_path_get_dirname(sub);
    g_unlink(path);
    g_rmdir(sub);
    g_rmdir(dir);
}

static void
save_two(const char *path)
{
    g_autoptr(GError) error = NULL;
    PeAlgos *algos = pe_algos_new(path);
    g_assert_cmpint(pe_algos_count(algos), ==, 0);
    pe_algos_set(algos, &key_a, &algo_a);
    pe_algos_set(algos, &key_b, &algo_b);
    g_assert_true(pe_algos_save(algos, &error));
    g_assert_no_error(error);
    pe_algos_free(algos);
}

static void
algorithms_survive_on_disk(void)
{
    g_autofree char *path = new_path();
    save_two(path);
    PeAlgos *algos = pe_algos_new(path);
    g_assert_cmpint(pe_algos_count(algos), ==, 2);
    const PeAlgo *got = pe_algos_get(algos, &key_a);
    g_assert_nonnull(got);
    g_assert_cmpmem(got, sizeof *got, &algo_a, sizeof algo_a);
    PeAlgoKey other = key_a;
    other.m = 320;
    g_assert_null(pe_algos_get(algos, &other));
    pe_algos_free(algos);
    remove_path(path);
}

// Every single character of the file changed, and every shorter file.
static void
damaged_lines_are_left_out(void)
{
    g_autofree char *path = new_path();
    g_autofree char *text = NULL;
    gsize size;
    save_two(path);
    g_assert_true(g_file_get_contents(path, &text, &size, NULL));
    int n_kept[3] = {0};
    for (gsize i = 0; i < 2 * size; i++) {
        g_autofree char *damaged = g_strndup(text, i < size ? size : i - size);
        if (i < size)
            damaged[i] = (char)(damaged[i] ^ 1);
        g_assert_true(g_file_set_contents(path, damaged, -1, NULL));
        PeAlgos *algos = pe_algos_new(path);
        int count = pe_algos_count(algos);
        g_assert_cmpint(count, <=, 2);
        n_kept[count]++;
        const PeAlgo *a = pe_algos_get(algos, &key_a);
        const PeAlgo *b = pe_algos_get(algos, &key_b);
        g_assert_cmpint((a != NULL) + (b != NULL), ==, count);
        g_assert_true(!a || memcmp(a, &algo_a, sizeof *a) == 0);
        g_assert_true(!b || memcmp(b, &algo_b, sizeof *b) == 0);
        pe_algos_free(algos);
    }
    g_test_message("of %d damaged files %d kept none, %d one, %d both lines",
                   (int)(2 * size), n_kept[0], n_kept[1], n_kept[2]);
    // Only the last newline is not needed.
    g_assert_cmpint(n_kept[2], <=, 1);
    remove_path(path);
}

static void
sizes_share_algorithms_in_steps(void)
{
    static const struct {
        int m, bucket;
    } rows[] = {{1, 1},     {2, 2},     {8, 8},       {9, 10},
                {16, 16},   {17, 20},   {197, 224},   {224, 224},
                {225, 256}, {577, 640}, {5516, 6144}, {22528, 24576}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpint(pe_algos_bucket(rows[i].m), ==, rows[i].bucket);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cuda/buckets/waves", batch_sizes_end_before_a_wave_does);
    g_test_add_func("/cuda/buckets/split", every_number_of_images_is_split);
    g_test_add_func("/cuda/buckets/many", many_images_run_in_full_waves);
    g_test_add_func("/cuda/algos/disk", algorithms_survive_on_disk);
    g_test_add_func("/cuda/algos/damaged", damaged_lines_are_left_out);
    g_test_add_func("/cuda/algos/steps", sizes_share_algorithms_in_steps);
    return g_test_run();
}
