// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_cuda_parts.c - what of the CUDA backend is arithmetic and files: batch
// sizes, and the table of measured algorithms.

#include "cuda/algos.h"
#include "cuda/bucket.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

// ---- Batch sizes ------------------------------------------------------------

// Some of what there is: an H200, an L4, a GeForce RTX 4090, an A100 and a T4.
static const PeCudaRates h200 = {90, 132, 1.98e9, 4.8e12, 60 << 20};
static const PeCudaRates l4 = {89, 58, 2.04e9, 0.3e12, 48 << 20};
static const PeCudaRates rtx4090 = {89, 128, 2.52e9, 1.0e12, 72 << 20};
static const PeCudaRates a100 = {80, 108, 1.41e9, 1.94e12, 40 << 20};
static const PeCudaRates t4 = {75, 40, 1.59e9, 0.32e12, 4 << 20};
static const PeCudaRates *const devices[] = {&h200, &l4, &rtx4090, &a100, &t4};

static void
check_buckets(const char *what, int tokens, int width, int mlp_width,
              const int *expected, int n)
{
    int buckets[PE_CUDA_MAX_BUCKETS];
    int count = pe_cuda_list_buckets(&h200, tokens, width, mlp_width, buckets);
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
    static const int b[] = {1, 2, 4, 8, 14, 28, 55};
    static const int l[] = {1, 2, 4, 7, 14, 21, 29, 36};
    static const int g[] = {1, 2, 4, 8, 11, 22};
    check_buckets("B/16", 197, 768, 3072, b, G_N_ELEMENTS(b));
    check_buckets("L/14", 577, 1024, 4096, l, G_N_ELEMENTS(l));
    check_buckets("G/14", 1024, 1536, 8960, g, G_N_ELEMENTS(g));
}

// Whatever waits is worked off by a few batch sizes, on any device.
static void
every_number_of_images_is_split(void)
{
    for (size_t d = 0; d < G_N_ELEMENTS(devices); d++) {
        for (int max = 1; max <= 80; max++) {
            bool used[81] = {false};
            int n_used = 0;
            for (int n = 1; n <= 80; n++) {
                int size =
                    pe_cuda_batch_bucket(devices[d], n, max, 577, 1024, 4096);
                g_assert_cmpint(size, >=, 1);
                g_assert_cmpint(size, <=, max);
                g_assert_cmpint(size, <, 2 * n + (n == 1));
                n_used += !used[size];
                used[size] = true;
            }
            g_assert_cmpint(n_used, <=, PE_CUDA_MAX_BUCKETS);
        }
    }
}

// As many as are asked for, where the device has room for more.
static void
a_batch_size_that_is_asked_for_is_used(void)
{
    int buckets[PE_CUDA_MAX_BUCKETS];
    int count = pe_cuda_list_buckets(&h200, 577, 1024, 4096, buckets);
    for (int max = 1; max <= buckets[count - 1]; max++) {
        int size = pe_cuda_batch_bucket(&h200, max, max, 577, 1024, 4096);
        int after = pe_cuda_batch_bucket(&h200, MAX(max - size, 1), max, 577,
                                         1024, 4096);
        g_assert_true(size == max || after >= max - size);
    }
    g_assert_cmpint(pe_cuda_batch_bucket(&h200, 3, 3, 577, 1024, 4096), ==, 3);
}

static int
best_batch(const PeCudaRates *device, const int shape[3])
{
    return pe_cuda_batch_bucket(device, 1000, 1000, shape[0], shape[1],
                                shape[2]);
}

static const int shape_b[] = {197, 768, 3072};
static const int shape_l[] = {577, 1024, 4096};
static const int shape_g[] = {1024, 1536, 8960};

static void
many_images_run_in_full_waves(void)
{
    g_assert_cmpint(best_batch(&h200, shape_b), ==, 55);
    g_assert_cmpint(best_batch(&h200, shape_l), ==, 29);
    g_assert_cmpint(best_batch(&h200, shape_g), ==, 22);
    // A batch for one image more would cost more than a part of a wave.
    g_assert_cmpint(pe_cuda_batch_bucket(&h200, 7, 36, 577, 1024, 4096), ==, 7);
}

// A card whose memory is slow is faster with what its cache holds: the hidden
// layer of a batch, and of L/14 it is 4.7 MB an image.
static void
slow_memory_asks_for_small_batches(void)
{
    static const PeCudaRates *const slow[] = {&l4, &rtx4090};
    for (size_t i = 0; i < G_N_ELEMENTS(slow); i++) {
        int b = best_batch(slow[i], shape_b), l = best_batch(slow[i], shape_l);
        g_test_message("B/16 by %d, L/14 by %d", b, l);
        size_t hidden = 2 * 577 * 4096;
        g_assert_cmpuint((size_t)l * hidden, <=, slow[i]->l2_size);
        g_assert_cmpuint((size_t)b * 2 * 197 * 3072, <=, slow[i]->l2_size);
        // The same card with the memory of a data centre's.
        PeCudaRates fast = *slow[i];
        fast.bandwidth = 20e12;
        g_assert_cmpint(best_batch(&fast, shape_l), >, 2 * l);
        g_assert_cmpint(best_batch(&fast, shape_b), >, b);
    }
}

// ---- Algorithms -------------------------------------------------------------

static const PeAlgoKey key_a = {1, 2, 0, 1, 1, 256, 768, 3072, 64};
static const PeAlgoKey key_b = {1, 1, 1, 0, 1, 256, 3072, 768, 256};
static const PeAlgo algo_a = {{1, 2, 3, 4, 5, 6, 7, UINT64_MAX}, 81250};
static const PeAlgo algo_b = {{9, 0, 0, 0, 0, 0, 0, 1}, 5};

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
    g_autofree char *lock = g_strconcat(path, ".lock", NULL);
    g_unlink(path);
    g_unlink(lock);
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
    PeAlgo got;
    bool checked = true;
    g_assert_true(pe_algos_get(algos, &key_a, &got, &checked));
    g_assert_cmpmem(&got, sizeof got, &algo_a, sizeof algo_a);
    g_assert_false(checked);
    pe_algos_set_checked(algos, &key_a);
    g_assert_true(pe_algos_get(algos, &key_a, &got, &checked) && checked);
    PeAlgoKey other = key_a;
    other.m = 257;
    g_assert_false(pe_algos_get(algos, &other, &got, &checked));
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
        PeAlgo a, b;
        bool checked;
        bool has_a = pe_algos_get(algos, &key_a, &a, &checked);
        bool has_b = pe_algos_get(algos, &key_b, &b, &checked);
        g_assert_cmpint(has_a + has_b, ==, count);
        g_assert_true(!has_a || memcmp(&a, &algo_a, sizeof a) == 0);
        g_assert_true(!has_b || memcmp(&b, &algo_b, sizeof b) == 0);
        pe_algos_free(algos);
    }
    g_test_message("of %d damaged files %d kept none, %d one, %d both lines",
                   (int)(2 * size), n_kept[0], n_kept[1], n_kept[2]);
    // Only the last newline is not needed.
    g_assert_cmpint(n_kept[2], <=, 1);
    remove_path(path);
}

// Each process has begun with an empty file.
static void
processes_keep_what_others_have_written(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = new_path();
    PeAlgos *first = pe_algos_new(path), *second = pe_algos_new(path);
    PeAlgo newer = algo_a;
    newer.ns = 3;
    pe_algos_set(first, &key_a, &algo_a);
    pe_algos_set(first, &key_b, &algo_b);
    pe_algos_set(second, &key_a, &newer);
    g_assert_true(pe_algos_save(first, &error));
    g_assert_true(pe_algos_save(second, &error));
    g_assert_no_error(error);
    pe_algos_free(first);
    pe_algos_free(second);
    PeAlgos *algos = pe_algos_new(path);
    PeAlgo got;
    bool checked;
    g_assert_true(pe_algos_get(algos, &key_a, &got, &checked));
    g_assert_cmpuint(got.ns, ==, 3);
    g_assert_true(pe_algos_get(algos, &key_b, &got, &checked));
    pe_algos_free(algos);
    remove_path(path);
}

// Writers that take turns as they like, each with keys of its own.
static void *
write_many(void *data)
{
    static int last_m;
    g_autoptr(GError) error = NULL;
    PeAlgos *algos = pe_algos_new(data);
    for (int i = 0; i < 20; i++) {
        PeAlgoKey key = key_a;
        key.m = g_atomic_int_add(&last_m, 1) + 1;
        pe_algos_set(algos, &key, &algo_a);
        g_assert_true(pe_algos_save(algos, &error));
        g_assert_no_error(error);
    }
    pe_algos_free(algos);
    return NULL;
}

static void
no_line_is_lost_among_writers(void)
{
    g_autofree char *path = new_path();
    GThread *threads[4];
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("writer", write_many, path);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    PeAlgos *algos = pe_algos_new(path);
    g_assert_cmpint(pe_algos_count(algos), ==, 20 * G_N_ELEMENTS(threads));
    pe_algos_free(algos);
    remove_path(path);
}

static void
a_lock_that_is_never_given_back_is_named(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = new_path();
    save_two(path);
    g_autofree char *lock = g_strconcat(path, ".lock", NULL);
    int fd = g_open(lock, O_RDWR | O_CLOEXEC, 0);
    g_assert_cmpint(flock(fd, LOCK_EX), ==, 0);
    PeAlgos *algos = pe_algos_new(path);
    pe_algos_set(algos, &key_a, &algo_b);
    g_assert_false(pe_algos_save(algos, &error));
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "algos.txt.lock"));
    pe_algos_free(algos);
    close(fd);
    remove_path(path);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cuda/buckets/waves", batch_sizes_end_before_a_wave_does);
    g_test_add_func("/cuda/buckets/split", every_number_of_images_is_split);
    g_test_add_func("/cuda/buckets/asked",
                    a_batch_size_that_is_asked_for_is_used);
    g_test_add_func("/cuda/buckets/many", many_images_run_in_full_waves);
    g_test_add_func("/cuda/buckets/memory", slow_memory_asks_for_small_batches);
    g_test_add_func("/cuda/algos/disk", algorithms_survive_on_disk);
    g_test_add_func("/cuda/algos/damaged", damaged_lines_are_left_out);
    g_test_add_func("/cuda/algos/others",
                    processes_keep_what_others_have_written);
    g_test_add_func("/cuda/algos/writers", no_line_is_lost_among_writers);
    g_test_add_func("/cuda/algos/lock",
                    a_lock_that_is_never_given_back_is_named);
    return g_test_run();
}
