// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_outbox.c - what waits for a database that is away: how much is kept,
// and that all else is counted. check_live_index.py has one that is there.

#include "pipelines/live/index/outbox.h"

#include <stdio.h>
#include <string.h>

enum { DIM = 1024, MEGABYTE = 1000 * 1000 };

// What was told.
typedef struct {
    guint64 n_lost, n_left;
    int n_away;
} Told;

static void
on_note(const char *text, void *data)
{
    Told *told = data;
    guint64 n = 0;
    g_test_message("%s", text);
    if (strstr(text, "is kept here"))
        told->n_away++;
    else if (sscanf(text, "%" G_GUINT64_FORMAT " frames were lost", &n) == 1)
        told->n_lost += n;
    else if (sscanf(text, "the end: %" G_GUINT64_FORMAT " frames are", &n) == 1)
        told->n_left += n;
    else
        g_assert_not_reached();
}

// Nothing listens at port 1.
static Outbox *
open_outbox(Told *told)
{
    static const float probe[DIM] = {1};
    const ArchiveModel model = {"a model", "its fingerprint", DIM, probe, 1};
    *told = (Told){0};
    return outbox_new("postgresql://127.0.0.1:1/x", &model, MEGABYTE, on_note,
                      told);
}

static Snapshot *
make_snapshot(const char *key, int n_frames, bool is_closed)
{
    Snapshot *snapshot = g_new0(Snapshot, 1);
    snapshot->key = g_strdup(key);
    snapshot->is_closed = is_closed;
    snapshot->content = archive_content_new();
    snapshot->vectors = g_new0(uint16_t, (size_t)n_frames * (size_t)DIM);
    snapshot->file = g_new0(ArchiveFile, 1);
    snapshot->file->name = g_strdup(key);
    for (int i = 0; i < n_frames; i++) {
        ArchiveFrame frame = {i, i + 1, 1};
        g_array_append_val(snapshot->content->frames, frame);
    }
    return snapshot;
}

static void
close_outbox(Outbox *outbox, bool is_all)
{
    bool hangs;
    g_assert_true(outbox_close(outbox, &hangs) == is_all);
    g_assert_false(hangs);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void
counts_what_it_cannot_keep(void)
{
    Told told;
    Outbox *outbox = open_outbox(&told);
    for (int i = 0; i < 40; i++) {
        g_autofree char *key = g_strdup_printf("key %d", i);
        outbox_put(outbox, make_snapshot(key, 100, true));
    }
    close_outbox(outbox, false);
    g_assert_cmpuint(told.n_lost + told.n_left, ==, 4000);
    g_assert_cmpint(told.n_away, <=, 1);
}

static void
keeps_one_of_each_content(void)
{
    Told told;
    Outbox *outbox = open_outbox(&told);
    // Too much, but all of it goes on, so that nothing is lost yet.
    for (int n = 1; n <= 300; n++) {
        outbox_put(outbox, make_snapshot("gate", n, false));
        outbox_put(outbox, make_snapshot("yard", 2 * n, false));
    }
    close_outbox(outbox, false);
    g_assert_cmpuint(told.n_lost, ==, 0);
    g_assert_cmpuint(told.n_left, ==, 900);
}

static void
loses_nothing_that_was_not_there(void)
{
    Told told;
    close_outbox(open_outbox(&told), true);
    g_assert_cmpuint(told.n_lost + told.n_left, ==, 0);
    g_assert_cmpint(told.n_away, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_main_context_acquire(NULL); // notes are told on this thread
    g_test_add_func("/outbox/bounds", counts_what_it_cannot_keep);
    g_test_add_func("/outbox/replaces", keeps_one_of_each_content);
    g_test_add_func("/outbox/empty", loses_nothing_that_was_not_there);
    return g_test_run();
}
