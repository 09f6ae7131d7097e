// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_spool.c - the spool: order, what survives, limits, and files that are
// broken, foreign, read-only or on a disk without room.

#include "gst/spool/gstpespool.h"

#include "core/pe.h"
#include "tests/archive/broken_disk.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

typedef struct {
    char *folder, *path;
    GstPeSpoolOptions options;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->folder = g_dir_make_tmp("spool-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "spool.db", NULL);
    fixture->options = (GstPeSpoolOptions){
        .path = fixture->path, .limit = 1 << 20, .max_size = 1 << 20};
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    GDir *dir = g_dir_open(fixture->folder, 0, NULL);
    const char *name;

    disk_set(DISK_WORKS, 0);
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(fixture->folder, name, NULL);
        g_unlink(path);
    }
    g_dir_close(dir);
    g_rmdir(fixture->folder);
    g_free(fixture->path);
    g_free(fixture->folder);
}

static GstPeSpool *
open_spool(Fixture *fixture)
{
    g_autofree char *aside = NULL;
    g_autoptr(GError) error = NULL;
    GstPeSpool *spool = gst_pe_spool_open(&fixture->options, &aside, &error);

    g_assert_no_error(error);
    g_assert_null(aside);
    return spool;
}

// Record `number`, as text, of `size` bytes.
static GstPeSpoolResult
add(GstPeSpool *spool, int number, gsize size, GError **error)
{
    g_autofree char *data = g_malloc0(MAX(size, 16));

    g_snprintf(data, 16, "%d", number);
    GstPeRecord record = {0, "topic", "key", data, size};
    return gst_pe_spool_add(spool, &record, 1, error);
}

static void
must_add(GstPeSpool *spool, int first, int n, gsize size)
{
    g_autoptr(GError) error = NULL;

    for (int i = first; i < first + n; i++) {
        g_assert_cmpint(add(spool, i, size, &error), ==, GST_PE_SPOOL_ADDED);
        g_assert_no_error(error);
    }
}

// The numbers of what waits are first .. first + n - 1.
static gint64
expect(GstPeSpool *spool, int first, int n)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) records = gst_pe_spool_peek(spool, 0, 1000, &error);
    gint64 last = 0;

    g_assert_no_error(error);
    g_assert_cmpuint(records->len, ==, (guint)n);
    for (int i = 0; i < n; i++) {
        const GstPeRecord *record = records->pdata[i];
        g_assert_cmpint(atoi(record->data), ==, first + i);
        g_assert_cmpint(record->id, >, last);
        g_assert_cmpstr(record->topic, ==, "topic");
        g_assert_cmpstr(record->key, ==, "key");
        last = record->id;
    }
    g_assert_cmpuint(gst_pe_spool_get_counts(spool).n_waiting, ==, (guint)n);
    return last;
}

static void
must_acknowledge(GstPeSpool *spool, gint64 id)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(gst_pe_spool_acknowledge(spool, id, &error));
    g_assert_no_error(error);
}

// ---- What it keeps --------------------------------------------------------

static void
keeps_order_until_acknowledged(Fixture *fixture, gconstpointer in_memory)
{
    if (in_memory)
        fixture->options.path = NULL;
    g_autoptr(GstPeSpool) spool = open_spool(fixture);
    must_add(spool, 0, 10, 100);
    gint64 last = expect(spool, 0, 10);
    must_acknowledge(spool, last - 4);
    expect(spool, 6, 4);
    must_add(spool, 10, 2, 100);
    must_acknowledge(spool, expect(spool, 6, 6));
    GstPeSpoolCounts counts = gst_pe_spool_get_counts(spool);
    g_assert_cmpuint(counts.n_added, ==, 12);
    g_assert_cmpuint(counts.n_acknowledged, ==, 12);
    g_assert_cmpuint(counts.size, ==, 0);
}

static void
keeps_records_when_closed(Fixture *fixture, gconstpointer data)
{
    gint64 last;
    {
        g_autoptr(GstPeSpool) spool = open_spool(fixture);
        must_add(spool, 0, 300, 50);
        last = expect(spool, 0, 300);
        must_acknowledge(spool, last - 200);
    }
    g_autoptr(GstPeSpool) spool = open_spool(fixture);
    expect(spool, 100, 200);
    must_add(spool, 300, 1, 50);
    // Also when all that had the older ids has gone.
    g_assert_cmpint(expect(spool, 100, 201), >, last);
    g_assert_cmpuint(gst_pe_spool_get_counts(spool).size, ==, 201 * (50 + 72));
}

// The process ends in the middle of a write, by SIGKILL, at each of many.
static void
keeps_what_it_has_accepted_when_killed(Fixture *fixture, gconstpointer data)
{
    for (int at = 0; at < 60; at++) {
        int pipe_fds[2], accepted = -1, number, status;
        g_unlink(fixture->path);
        g_assert_cmpint(pipe(pipe_fds), ==, 0);
        pid_t child = fork();
        if (child == 0) {
            GstPeSpool *spool = open_spool(fixture);
            disk_set(DISK_KILLS, at);
            for (int i = 0; i < 100; i++) {
                must_add(spool, i, 1, 3000);
                if (write(pipe_fds[1], &i, sizeof i) != sizeof i)
                    _exit(1);
            }
            _exit(0);
        }
        close(pipe_fds[1]);
        while (read(pipe_fds[0], &number, sizeof number) == sizeof number)
            accepted = number;
        close(pipe_fds[0]);
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        g_autoptr(GstPeSpool) spool = open_spool(fixture);
        guint64 n = gst_pe_spool_get_counts(spool).n_waiting;
        g_assert_cmpuint(n, >=, (guint64)(accepted + 1));
        g_assert_cmpuint(n, <=, (guint64)(accepted + 2));
        expect(spool, 0, (int)n);
    }
}

// ---- Limits ---------------------------------------------------------------

static void
takes_no_more_than_its_limit(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    fixture->options.limit = 10 * (1000 + 72);
    g_autoptr(GstPeSpool) spool = open_spool(fixture);

    must_add(spool, 0, 10, 1000);
    g_assert_cmpint(add(spool, 10, 1000, &error), ==, GST_PE_SPOOL_FULL);
    g_assert_no_error(error);
    gint64 last = expect(spool, 0, 10);
    must_acknowledge(spool, last - 9);
    must_add(spool, 10, 1, 1000);
    expect(spool, 1, 10);
    g_assert_cmpuint(gst_pe_spool_get_counts(spool).n_dropped, ==, 0);
}

static void
drops_the_oldest_that_are_not_on_their_way(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    fixture->options.limit = 10 * (1000 + 72);
    fixture->options.drop_oldest = true;
    g_autoptr(GstPeSpool) spool = open_spool(fixture);

    must_add(spool, 0, 25, 1000);
    expect(spool, 15, 10); // all are on their way now
    g_assert_cmpint(add(spool, 25, 1000, &error), ==, GST_PE_SPOOL_FULL);
    gst_pe_spool_rewind(spool);
    must_add(spool, 25, 1, 1000);
    g_autoptr(GPtrArray) first = gst_pe_spool_peek(spool, 0, 3, &error);
    g_assert_cmpuint(first->len, ==, 3);
    must_add(spool, 26, 1, 1000); // the fourth goes
    g_autoptr(GPtrArray) all = gst_pe_spool_peek(spool, 0, 100, &error);
    int wanted[] = {16, 17, 18, 20, 21, 22, 23, 24, 25, 26};
    g_assert_cmpuint(all->len, ==, G_N_ELEMENTS(wanted));
    for (guint i = 0; i < all->len; i++)
        g_assert_cmpint(atoi(((GstPeRecord *)all->pdata[i])->data), ==,
                        wanted[i]);
    GstPeSpoolCounts counts = gst_pe_spool_get_counts(spool);
    g_assert_cmpuint(counts.n_dropped, ==, 17);
    g_assert_cmpuint(counts.size, <=, fixture->options.limit);
}

static void
parks_what_is_too_large(Fixture *fixture, gconstpointer data)
{
    fixture->options.max_size = 1000;
    g_autoptr(GstPeSpool) spool = open_spool(fixture);

    must_add(spool, 0, 2, 100);
    must_add(spool, 99, 1, 1001);
    must_add(spool, 2, 2, 100);
    must_acknowledge(spool, expect(spool, 0, 4));
    GstPeSpoolCounts counts = gst_pe_spool_get_counts(spool);
    g_assert_cmpuint(counts.n_parked, ==, 1);
    g_assert_cmpuint(counts.n_added, ==, 5);
    g_assert_cmpuint(counts.size, ==, 1001 + 72);
    // Only the newest are kept, and not too many bytes.
    must_add(spool, 100, 300, 1001);
    g_assert_cmpuint(gst_pe_spool_get_counts(spool).size, <=,
                     100 * (1001 + 72));
    g_assert_cmpuint(gst_pe_spool_get_counts(spool).n_parked, ==, 301);
}

static void
parks_one_in_the_middle(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GstPeSpool) spool = open_spool(fixture);

    must_add(spool, 0, 3, 100);
    gint64 last = expect(spool, 0, 3);
    g_assert_true(gst_pe_spool_park(spool, last - 2, "refused", &error));
    g_assert_no_error(error);
    must_acknowledge(spool, expect(spool, 1, 2));
    g_assert_cmpuint(gst_pe_spool_get_counts(spool).n_parked, ==, 1);
    // What was dropped or has arrived is no more.
    g_assert_true(gst_pe_spool_park(spool, last, "refused", &error));
    g_assert_cmpuint(gst_pe_spool_get_counts(spool).n_parked, ==, 1);
}

// ---- Files that are wrong -------------------------------------------------

static void
expect_failure(Fixture *fixture, const char *words)
{
    g_autofree char *aside = NULL;
    g_autoptr(GError) error = NULL;
    GstPeSpool *spool = gst_pe_spool_open(&fixture->options, &aside, &error);

    g_assert_null(spool);
    g_assert_nonnull(error);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, fixture->path));
    g_assert_nonnull(strstr(error->message, words));
}

static void
puts_a_broken_file_aside(Fixture *fixture, gconstpointer data)
{
    g_autofree char *aside = NULL, *text = NULL;
    g_autoptr(GError) error = NULL;
    gsize size;

    g_file_set_contents(fixture->path, "this is no database at all, is it", -1,
                        NULL);
    g_autoptr(GstPeSpool) spool =
        gst_pe_spool_open(&fixture->options, &aside, &error);
    g_assert_no_error(error);
    g_assert_nonnull(strstr(aside, ".corrupt-"));
    g_assert_true(g_file_get_contents(aside, &text, &size, NULL));
    g_assert_cmpstr(text, ==, "this is no database at all, is it");
    must_add(spool, 0, 3, 100);
    expect(spool, 0, 3);
}

// Found only when the records are read: the pages of the second half.
static void
replaces_a_file_that_breaks(Fixture *fixture, gconstpointer data)
{
    g_autofree char *aside = NULL;
    g_autoptr(GError) error = NULL;
    gint64 last;
    {
        g_autoptr(GstPeSpool) spool = open_spool(fixture);
        must_add(spool, 0, 500, 1000);
        last = expect(spool, 0, 500);
    }
    FILE *file = g_fopen(fixture->path, "r+b");
    g_assert_nonnull(file);
    fseek(file, 5 * 4096, SEEK_SET);
    for (int i = 0; i < 64 * 4096; i++)
        fputc(0xa5, file);
    fclose(file);
    GstPeSpool *spool = gst_pe_spool_open(&fixture->options, &aside, &error);
    g_assert_no_error(error);
    if (!aside) {
        g_autoptr(GPtrArray) records = gst_pe_spool_peek(spool, 0, 500, &error);
        g_assert_null(records);
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        g_clear_error(&error);
        g_assert_true(gst_pe_spool_replace(spool, &aside, &error));
        g_assert_no_error(error);
        must_add(spool, 0, 3, 100);
        g_assert_cmpint(expect(spool, 0, 3), >, last);
    }
    g_assert_true(g_file_test(aside, G_FILE_TEST_EXISTS));
    gst_pe_spool_close(spool);
}

static void
names_a_disk_without_room(Fixture *fixture, gconstpointer data)
{
    disk_set(DISK_FULL, 0);
    expect_failure(fixture, "no space left");
    disk_set(DISK_WORKS, 0);
    g_autoptr(GstPeSpool) spool = open_spool(fixture);
    must_add(spool, 0, 3, 100);

    g_autoptr(GError) error = NULL;
    disk_set(DISK_FULL, 0);
    g_assert_cmpint(add(spool, 3, 100000, &error), ==, GST_PE_SPOOL_FAILED);
    g_assert_nonnull(strstr(error->message, "no space left"));
    disk_set(DISK_WORKS, 0);
    expect(spool, 0, 3);
    must_add(spool, 3, 1, 100000);
    expect(spool, 0, 4);
}

static void
names_a_file_that_may_not_be_written(Fixture *fixture, gconstpointer data)
{
    {
        g_autoptr(GstPeSpool) spool = open_spool(fixture);
        must_add(spool, 0, 1, 100);
    }
    g_chmod(fixture->path, 0444);
    g_chmod(fixture->folder, 0555);
    bool was_root = geteuid() == 0;
    if (was_root)
        g_assert_cmpint(seteuid(NOBODY), ==, 0);
    expect_failure(fixture, "Permission denied");
    g_assert_cmpint(seteuid(was_root ? 0 : geteuid()), ==, 0);
    g_chmod(fixture->folder, 0755);
    g_unlink(fixture->path);
    g_chmod(fixture->folder, 0555);
    if (was_root)
        g_assert_cmpint(seteuid(NOBODY), ==, 0);
    expect_failure(fixture, "Permission denied");
    if (was_root)
        g_assert_cmpint(seteuid(0), ==, 0);
    g_chmod(fixture->folder, 0755);
}

#define ADD(test, data) \
    g_test_add("/spool/" #test, Fixture, data, set_up, test, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(keeps_order_until_acknowledged, NULL);
    g_test_add("/spool/keeps_order_in_memory", Fixture, "", set_up,
               keeps_order_until_acknowledged, tear_down);
    ADD(keeps_records_when_closed, NULL);
    ADD(keeps_what_it_has_accepted_when_killed, NULL);
    ADD(takes_no_more_than_its_limit, NULL);
    ADD(drops_the_oldest_that_are_not_on_their_way, NULL);
    ADD(parks_what_is_too_large, NULL);
    ADD(parks_one_in_the_middle, NULL);
    ADD(puts_a_broken_file_aside, NULL);
    ADD(replaces_a_file_that_breaks, NULL);
    ADD(names_a_disk_without_room, NULL);
    ADD(names_a_file_that_may_not_be_written, NULL);
    return g_test_run();
}
