// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_archive.c - an archive is whole or not at all: whatever is written, and
// wherever a process is killed or a disk is full meanwhile.

#include "pipelines/index/archive.h"

#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broken_disk.h"
#include "folder.h"
#include "pipelines/index/identity.h"
#include "pipelines/index/packs.h"

enum { DIM = 48 }; // rows are padded to 64

// ---- What is written ------------------------------------------------------

static float probes[2 * DIM];

static ArchiveModel
make_model(float angle)
{
    memset(probes, 0, sizeof probes);
    probes[0] = cosf(angle);
    probes[1] = sinf(angle);
    probes[DIM + 2] = 1;
    return (ArchiveModel){"a model", "0123456789abcdef", DIM, probes, 2};
}

static Archive *
open_to_write(const char *folder)
{
    g_autoptr(GError) error = NULL;
    ArchiveModel model = make_model(0);
    Archive *archive = archive_open_to_write(folder, &model, &error);
    g_assert_no_error(error);
    return archive;
}

// A file with n frames that nothing but `seed` decides.
static ArchiveContent *
make_content(int seed, int n)
{
    ArchiveContent *content = archive_content_new();
    content->key = g_strdup_printf("key %d", seed);
    content->settings = g_strdup("2/1");
    content->duration = n * (gint64)500000000;
    content->width = 320;
    content->height = 240;
    for (int i = 0; i < n; i++) {
        ArchiveFrame frame = {i * 500, i * 500 + 500, 1 + (i + seed) % 3};
        g_array_append_val(content->frames, frame);
    }
    for (int i = 0; i < n; i += 4) {
        ArchiveSegment *segment = archive_segment_new();
        segment->first = segment->peak = i;
        segment->n = MIN(4, n - i);
        segment->start = i * 500;
        segment->end = (i + segment->n) * 500;
        segment->thumbnail = g_bytes_new(&seed, sizeof seed);
        archive_segment_add_label(segment, i ? "a dog" : "a cat", 0.75);
        g_ptr_array_add(content->segments, segment);
    }
    return content;
}

static uint16_t *
make_vectors(int seed, int n)
{
    uint16_t *vectors = g_new(uint16_t, (size_t)MAX(n, 1) * DIM);
    for (int i = 0; i < n * DIM; i++)
        vectors[i] = (uint16_t)((i * 31 + seed * 977) & 0x3bff);
    return vectors;
}

static bool
add(Archive *archive, const char *name, int seed, int n, GError **error)
{
    g_autoptr(ArchiveContent) content = make_content(seed, n);
    g_autofree uint16_t *vectors = make_vectors(seed, n);
    ArchiveFile file = {.name = (char *)name, .size = seed, .wall_start = -1};
    return archive_add(archive, &file, content, vectors, error);
}

// ---- Steps, any of which may be the last ----------------------------------

enum { N_STEPS = 5 };

static bool
take_step(Archive *archive, int step, GError **error)
{
    g_autoptr(ArchiveFile) file = NULL;
    switch (step) {
    case 0:
        return add(archive, "/a.mp4", 1, 9, error);
    case 1:
        return add(archive, "/b.mp4", 2, 400, error);
    case 2: // replaces the first
        return add(archive, "/a.mp4", 3, 12, error);
    case 3: // the same bytes once more
        file = archive_find(archive, "/b.mp4", error);
        g_assert_nonnull(file);
        g_free(file->name);
        file->name = g_strdup("/copy of b.mp4");
        return archive_link(archive, file, "all of it", error);
    default:
        return archive_remove(archive, "/b.mp4", error);
    }
}

static char *
dump(Archive *archive)
{
    g_autoptr(GError) error = NULL;
    GString *text = g_string_new(NULL);
    archive_dump(archive, text, &error);
    g_assert_no_error(error);
    return g_string_free(text, FALSE);
}

static char *
dump_folder(const char *folder)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Archive) archive = archive_open(folder, &error);
    g_assert_no_error(error);
    return dump(archive);
}

// What an archive is after each number of steps.
static char **
make_dumps(int *n_calls)
{
    char *folder = folder_make("pe-archive-XXXXXX");
    char **dumps = g_new0(char *, N_STEPS + 2);
    disk_set(DISK_WORKS, 0);
    Archive *archive = open_to_write(folder);
    dumps[0] = dump(archive);
    for (int i = 0; i < N_STEPS; i++) {
        g_autoptr(GError) error = NULL;
        take_step(archive, i, &error);
        g_assert_no_error(error);
        dumps[i + 1] = dump(archive);
        if (i > 0)
            g_assert_cmpstr(dumps[i + 1], !=, dumps[i]);
    }
    archive_close(archive);
    *n_calls = disk_count();
    folder_remove(folder);
    return dumps;
}

// How many steps an archive has behind it; it must be exactly some number.
static int
count_steps(char **dumps, const char *text)
{
    for (int i = 0; i <= N_STEPS; i++) {
        if (g_str_equal(dumps[i], text))
            return i;
    }
    g_test_message("neither before nor behind any step:\n%.600s", text);
    g_test_fail();
    return N_STEPS;
}

// Vectors that do not count must be gone.
static void
check_size_of_packs(Archive *archive)
{
    g_autofree char *path = g_build_filename(archive_get_folder(archive),
                                             "vectors", "000000.pack", NULL);
    struct stat info = {0};
    const PeRows *rows = archive_map(archive, NULL);
    g_assert_nonnull(rows);
    g_assert_true(stat(path, &info) == 0 || rows->n == 0);
    g_assert_cmpint(info.st_size, ==, (gint64)(rows->n * 64 * 2));
}

// Go on where it was, and compare.
static void
finish(const char *folder, char **dumps)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Archive) archive = open_to_write(folder);
    check_size_of_packs(archive);
    g_autofree char *found = dump(archive);
    for (int i = count_steps(dumps, found); i < N_STEPS; i++) {
        take_step(archive, i, &error);
        g_assert_no_error(error);
    }
    g_autofree char *end = dump(archive);
    g_assert_cmpstr(end, ==, dumps[N_STEPS]);
    g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func(g_free);
    archive_verify(archive, faults, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(faults->len, ==, 0);
}

// ---- Tests ----------------------------------------------------------------

static void
is_whole_wherever_it_is_killed(void)
{
    int n_calls;
    g_auto(GStrv) dumps = make_dumps(&n_calls);
    g_assert_cmpint(n_calls, >, 40);
    for (int at = 0; at < n_calls; at++) {
        char *folder = folder_make("pe-archive-XXXXXX");
        pid_t child = fork();
        if (child == 0) {
            disk_set(DISK_KILLS, at);
            Archive *archive = open_to_write(folder);
            for (int i = 0; i < N_STEPS; i++)
                take_step(archive, i, NULL);
            archive_close(archive);
            _exit(0);
        }
        int status;
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        finish(folder, dumps);
        folder_remove(folder);
    }
    g_test_message("killed at each of %d calls", n_calls);
}

// The steps until the disk is full; what is there must stay readable.
static void
fill_disk(const char *folder, char **dumps, int at)
{
    g_autoptr(GError) error = NULL;
    ArchiveModel model = make_model(0);
    disk_set(DISK_FULL, at);
    Archive *archive = archive_open_to_write(folder, &model, &error);
    int n = 0;
    while (archive && n < N_STEPS && take_step(archive, n, &error))
        n++;
    if (error) {
        g_assert_true(g_error_matches(error, PE_ERROR, PE_ERROR_FILE));
        g_assert_nonnull(strstr(error->message, folder));
    }
    if (archive) {
        g_autofree char *text = dump(archive);
        g_assert_cmpint(count_steps(dumps, text), ==, n);
        archive_close(archive);
    }
    disk_set(DISK_WORKS, 0);
}

static void
stays_readable_when_the_disk_is_full(void)
{
    int n_calls;
    g_auto(GStrv) dumps = make_dumps(&n_calls);
    for (int at = 0; at < n_calls; at++) {
        char *folder = folder_make("pe-archive-XXXXXX");
        fill_disk(folder, dumps, at);
        finish(folder, dumps);
        folder_remove(folder);
    }
}

static void
writes_vectors_before_they_count(void)
{
    int n_calls;
    g_auto(GStrv) dumps = make_dumps(&n_calls);
    g_assert_false(disk_saw_wrong_order());
}

static void
lets_one_process_write_and_others_read(void)
{
    char *folder = folder_make("pe-archive-XXXXXX");
    g_autoptr(Archive) writer = open_to_write(folder);
    g_assert_true(add(writer, "/a.mp4", 1, 5, NULL));
    pid_t child = fork();
    if (child == 0) {
        g_autoptr(GError) error = NULL;
        ArchiveModel model = make_model(0);
        Archive *second = archive_open_to_write(folder, &model, &error);
        g_autofree char *owner = g_strdup_printf("(%d)", (int)getppid());
        bool ok = !second && g_error_matches(error, PE_ERROR, PE_ERROR_FILE) &&
                  strstr(error->message, owner);
        _exit(ok ? 0 : 1);
    }
    int status;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    g_autofree char *seen = dump_folder(folder);
    g_assert_nonnull(strstr(seen, "/a.mp4"));
    folder_remove(folder);
}

static void
tells_models_apart_by_what_they_answer(void)
{
    char *folder = folder_make("pe-archive-XXXXXX");
    g_autoptr(GError) error = NULL;
    archive_close(open_to_write(folder));
    ArchiveModel near = make_model(0.04f); // a cosine of 0.9992
    near.fingerprint = "another copy";
    Archive *archive = archive_open_to_write(folder, &near, &error);
    g_assert_no_error(error);
    near.n_probes = 1; // without a text tower
    g_assert_true(archive_check_model(archive, &near, NULL));
    archive_close(archive);
    ArchiveModel far = make_model(0.06f); // 0.9982
    far.name = "another model";
    g_assert_null(archive_open_to_write(folder, &far, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "a model"));
    g_assert_nonnull(strstr(error->message, "another model"));
    folder_remove(folder);
}

static void
gives_back_what_was_put_in(void)
{
    char *folder = folder_make("pe-archive-XXXXXX");
    g_autoptr(GError) error = NULL;
    g_autoptr(Archive) archive = open_to_write(folder);
    g_assert_true(add(archive, "/\xff strange\n.mp4", 7, 9, &error));
    g_autoptr(ArchiveFile) file =
        archive_find(archive, "/\xff strange\n.mp4", &error);
    g_assert_nonnull(file);
    g_autoptr(ArchiveContent) content =
        archive_read_content(archive, file->content, &error);
    g_assert_cmpint(content->frames->len, ==, 9);
    g_assert_cmpint(content->segments->len, ==, 3);
    ArchiveSegment *segment = content->segments->pdata[2];
    g_assert_cmpint(segment->n, ==, 1);
    g_assert_cmpstr(g_array_index(segment->labels, ArchiveLabel, 0).name, ==,
                    "a dog");
    g_autoptr(GArray) list = archive_list_rows(archive, &error);
    const PeRows *rows = archive_map(archive, &error);
    g_assert_cmpint(rows->dim, ==, 64);
    g_assert_cmpint(rows->n, ==, 9);
    g_assert_true((uintptr_t)rows->values % 64 == 0);
    g_autofree uint16_t *vectors = make_vectors(7, 9);
    for (int i = 0; i < 9; i++)
        g_assert_cmpmem(rows->values + i * 64, DIM * sizeof(uint16_t),
                        vectors + i * DIM, DIM * sizeof(uint16_t));
    g_assert_cmpint(rows->values[DIM], ==, 0);
    folder_remove(folder);
}

static void
notices_changed_vectors(void)
{
    char *folder = folder_make("pe-archive-XXXXXX");
    g_autoptr(GError) error = NULL;
    Archive *archive = open_to_write(folder);
    g_assert_true(add(archive, "/a.mp4", 7, 9, &error));
    archive_close(archive);
    g_autofree char *path =
        g_build_filename(folder, "vectors", "000000.pack", NULL);
    FILE *file = fopen(path, "r+b");
    fseek(file, 200, SEEK_SET);
    fputc(0x5a, file);
    fclose(file);
    archive = archive_open(folder, &error);
    g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func(g_free);
    g_assert_true(archive_verify(archive, faults, &error));
    g_assert_cmpint(faults->len, ==, 1);
    archive_close(archive);
    g_assert_cmpint(truncate(path, 100), ==, 0);
    ArchiveModel model = make_model(0);
    g_assert_null(archive_open_to_write(folder, &model, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, path));
    folder_remove(folder);
}

static void
goes_on_in_a_next_pack(void)
{
    enum { N = 2500, PACK = 1024 };
    char *folder = folder_make("pe-archive-XXXXXX");
    g_autoptr(GError) error = NULL;
    Packs packs = {folder, 64, PACK};
    g_autofree uint32_t *rows = g_new0(uint32_t, N * 16);
    for (uint32_t i = 0; i < N; i++)
        rows[i * 16] = i;
    g_assert_true(packs_append(&packs, 0, rows, 1000, &error));
    g_assert_true(packs_append(&packs, 1000, rows + 1000 * 16, N - 1000, NULL));
    for (gint64 n = N; n >= 0; n -= 500) {
        PackMap map;
        packs_cut(&packs, n, &error);
        g_assert_no_error(error);
        packs_map(&packs, n, &map, &error);
        g_assert_no_error(error);
        g_assert_cmpmem(map.rows, (gsize)n * 64, rows, (gsize)n * 64);
        packs_unmap(&map);
    }
    g_assert_false(packs_cut(&packs, 1, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
    folder_remove(folder);
}

static gint64
count_bytes(const char *folder)
{
    gint64 size = 0;
    for (int i = 0; i < 2; i++) {
        g_autofree char *path =
            i ? g_build_filename(folder, "vectors", "000000.pack", NULL)
              : g_build_filename(folder, "index.sqlite", NULL);
        struct stat info;
        g_assert_cmpint(stat(path, &info), ==, 0);
        size += info.st_size;
    }
    return size;
}

static void
is_small(void)
{
    enum { WIDE = 1024, N = 5000 };
    char *folder = folder_make("pe-archive-XXXXXX");
    g_autofree float *wide = g_new0(float, WIDE);
    wide[0] = 1;
    ArchiveModel model = {"a model", "0123456789abcdef", WIDE, wide, 1};
    g_autoptr(GError) error = NULL;
    Archive *archive = archive_open_to_write(folder, &model, &error);
    g_assert_no_error(error);
    g_autoptr(ArchiveContent) content = archive_content_new();
    for (int i = 0; i < N; i++) {
        ArchiveFrame frame = {i * (gint64)500000000,
                              (i + 1) * (gint64)500000000, 1};
        g_array_append_val(content->frames, frame);
    }
    g_autofree uint16_t *vectors = g_new0(uint16_t, (size_t)N * WIDE);
    ArchiveFile file = {.name = (char *)"/a.mp4"};
    g_assert_true(archive_add(archive, &file, content, vectors, &error));
    archive_close(archive);
    double each = (double)count_bytes(folder) / N;
    g_test_message("%.0f bytes a stored frame of 1024 values, limit 2300",
                   each);
    g_assert_cmpfloat(each, <=, 2300);
    folder_remove(folder);
}

static void
tells_files_apart_that_begin_and_end_alike(void)
{
    enum { MIB = 1 << 20, SIZE = 5 * MIB };
    char *folder = folder_make("pe-archive-XXXXXX");
    g_autofree char *data = g_malloc0(SIZE);
    char *keys[2], *hashes[2], *paths[2];
    for (int i = 0; i < 2; i++) {
        paths[i] = g_strdup_printf("%s/%d", folder, i);
        data[2 * MIB + 100000] = (char)i; // between two blocks of the key
        g_assert_true(g_file_set_contents(paths[i], data, SIZE, NULL));
        keys[i] = identity_key(paths[i], NULL);
        hashes[i] = identity_hash(paths[i], NULL);
    }
    g_assert_cmpstr(keys[0], ==, keys[1]);
    g_assert_cmpstr(hashes[0], !=, hashes[1]);
    for (int i = 0; i < 2; i++) {
        g_free(keys[i]);
        g_free(hashes[i]);
        g_free(paths[i]);
    }
    folder_remove(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder_use_memory();
    g_test_add_func("/archive/round-trip", gives_back_what_was_put_in);
    g_test_add_func("/archive/killed", is_whole_wherever_it_is_killed);
    g_test_add_func("/archive/full", stays_readable_when_the_disk_is_full);
    g_test_add_func("/archive/order", writes_vectors_before_they_count);
    g_test_add_func("/archive/lock", lets_one_process_write_and_others_read);
    g_test_add_func("/archive/model", tells_models_apart_by_what_they_answer);
    g_test_add_func("/archive/changed", notices_changed_vectors);
    g_test_add_func("/archive/packs", goes_on_in_a_next_pack);
    g_test_add_func("/archive/size", is_small);
    g_test_add_func("/archive/identity",
                    tells_files_apart_that_begin_and_end_alike);
    return g_test_run();
}
