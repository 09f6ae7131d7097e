// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_records.c - what a content's rows hold: it comes back as it was, its
// parts are found without the rest, and damage is noticed.

#include "pipelines/index/records.h"

#include <glib/gstdio.h>
#include <string.h>

#include "folder.h"
#include "gst/database/database.h"
#include "small_archive.h"

enum { N = 200 }; // segments

// Segments of two frames; the sizes of their thumbnails differ, and every third
// has none.
static ArchiveContent *
make_content(void)
{
    ArchiveContent *content = archive_content_new();
    for (int i = 0; i < 2 * N; i++) {
        ArchiveFrame frame = {i * G_GINT64_CONSTANT(5000000000), -1, i + 1};
        g_array_append_val(content->frames, frame);
    }
    for (int i = 0; i < N; i++) {
        ArchiveSegment *segment = archive_segment_new();
        g_autofree char *text = g_strnfill((gsize)(1 + i % 9), (char)(1 + i));
        segment->first = 2 * i;
        segment->n = 2;
        segment->start = segment->first * G_GINT64_CONSTANT(5000000000);
        segment->end = -7;
        segment->peak = 2 * i + 1;
        if (i % 3)
            segment->thumbnail = g_bytes_new(text, strlen(text));
        archive_segment_add_label(segment, "fog", 0.25);
        archive_segment_add_label(segment, i ? "b" : "\303\244", 0.5);
        archive_segment_add_label(segment, "a", 0.5);
        g_ptr_array_add(content->segments, segment);
    }
    return content;
}

static bool
have_same_label(const ArchiveSegment *a, guint i, const char *name,
                double score)
{
    const ArchiveLabel *label = &g_array_index(a->labels, ArchiveLabel, i);
    return g_str_equal(label->name, name) && label->score == score;
}

static void
comes_back_as_it_was(void)
{
    const char *what;
    g_auto(Records) records;
    g_autoptr(ArchiveContent) content = make_content();
    g_autoptr(ArchiveContent) back = archive_content_new();
    records_pack(content, &records);
    g_assert_cmpint(records.n_samples, ==, N * (2 * N + 1));
    g_assert_true(records_unpack(&records, back, &what));
    g_assert_cmpmem(back->frames->data,
                    back->frames->len * sizeof(ArchiveFrame),
                    content->frames->data, 2 * N * sizeof(ArchiveFrame));
    g_assert_cmpuint(back->segments->len, ==, N);
    for (guint i = 0; i < N; i++) {
        const ArchiveSegment *a = content->segments->pdata[i];
        const ArchiveSegment *b = back->segments->pdata[i];
        g_assert_true(a->first == b->first && a->n == b->n &&
                      a->start == b->start && a->end == b->end &&
                      a->peak == b->peak);
        g_assert_true(a->thumbnail ? g_bytes_equal(a->thumbnail, b->thumbnail)
                                   : b->thumbnail == NULL);
        // The best first, and of equal ones the first by name.
        g_assert_cmpuint(b->labels->len, ==, 3);
        g_assert_true(have_same_label(b, 0, "a", 0.5));
        g_assert_true(have_same_label(b, 1, i ? "b" : "\303\244", 0.5));
        g_assert_true(have_same_label(b, 2, "fog", 0.25));
    }
}

static void
keeps_the_last_of_labels_with_one_name(void)
{
    const char *what;
    g_auto(Records) records;
    g_autoptr(ArchiveContent) content = archive_content_new();
    g_autoptr(ArchiveContent) back = archive_content_new();
    ArchiveSegment *segment = archive_segment_new();
    archive_segment_add_label(segment, "fog", 0.75);
    archive_segment_add_label(segment, "fog", 0.5);
    g_ptr_array_add(content->segments, segment);
    records_pack(content, &records);
    g_assert_true(records_unpack(&records, back, &what));
    segment = back->segments->pdata[0];
    g_assert_cmpuint(segment->labels->len, ==, 1);
    g_assert_true(have_same_label(segment, 0, "fog", 0.5));
}

static void
finds_the_thumbnail_of_a_frame(void)
{
    g_auto(Records) records;
    g_autoptr(ArchiveContent) content = make_content();
    RecordsThumbnail place;
    records_pack(content, &records);
    g_assert_cmpuint(records.pieces->len, ==,
                     (N + RECORDS_PIECE - 1) / RECORDS_PIECE);
    for (int i = 0; i < 2 * N; i++) {
        const ArchiveSegment *segment = content->segments->pdata[i / 2];
        bool found = records_find_thumbnail(records.segments, i, &place);
        g_assert_true(found == (segment->thumbnail != NULL));
        if (!found)
            continue;
        g_autoptr(GBytes) part =
            g_bytes_new_from_bytes(records.pieces->pdata[place.piece],
                                   (gsize)place.offset, (gsize)place.size);
        g_assert_true(g_bytes_equal(part, segment->thumbnail));
    }
    g_assert_false(records_find_thumbnail(records.segments, 2 * N, &place));
    g_assert_false(records_find_thumbnail(NULL, 0, &place));
}

static char *
list(const Records *records, double least)
{
    gsize n_names, n_labels;
    const void *names = g_bytes_get_data(records->names, &n_names);
    const void *labels = g_bytes_get_data(records->labels, &n_labels);
    return records_list_names(names, n_names, labels, n_labels, least);
}

static void
lists_names_that_were_seen(void)
{
    g_auto(Records) records;
    g_autoptr(ArchiveContent) content = make_content();
    records_pack(content, &records);
    g_autofree char *some = list(&records, 0.5);
    g_assert_cmpstr(some, ==, "a\nb\n\303\244");
    g_autofree char *all = list(&records, 0);
    g_assert_cmpstr(all, ==, "a\nb\nfog\n\303\244");
    g_assert_null(list(&records, 0.51));
}

// ---- Damage ---------------------------------------------------------------

static const struct {
    const char *sql, *what;
} damages[] = {
    {"UPDATE frames SET records = substr(records, 2)", "frames"},
    {"UPDATE frames SET records = substr(records, 25)", "frames"},
    {"UPDATE segments SET records = substr(records, 2)", "segments"},
    // One less than there are thumbnails of.
    {"UPDATE segments SET records = substr(records, 49)", "thumbnails"},
    {"DELETE FROM thumbnails WHERE piece = 1", "thumbnails"},
    {"UPDATE thumbnails SET bytes = substr(bytes, 2) WHERE piece = 2",
     "thumbnails"},
    // 2^63 bytes of a thumbnail.
    {"UPDATE segments SET records = substr(records, 1, 40) || "
     "x'0000000000000080' || substr(records, 49)",
     "thumbnails"},
    {"UPDATE segments SET labels = substr(labels, 2)", "labels"},
    {"UPDATE segments SET names = substr(names, 1, 5)", "labels"},
    {"UPDATE segments SET names = substr(names, 3)", "labels"},
    {"UPDATE segments SET names = NULL", "labels"},
    // A label of segment -1.
    {"UPDATE segments SET labels = x'ffffffffffffffff' || substr(labels, 9)",
     "labels"},
    {"DELETE FROM segments", "frames"},
};

static void
damage(const char *folder, const char *sql)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, "index.sqlite", NULL);
    g_autoptr(Database) database = database_open(path, true, &error);
    g_assert_no_error(error);
    database_execute(database, sql, &error);
    g_assert_no_error(error);
}

static Archive *
make_archive(const char *folder)
{
    static const uint16_t vectors[2 * N * SMALL_DIM];
    g_autoptr(GError) error = NULL;
    g_autoptr(ArchiveContent) content = make_content();
    ArchiveFile file = {.name = (char *)"/a.mp4"};
    Archive *archive = small_archive_open(folder);
    g_assert_true(archive_add(archive, &file, content, vectors, &error));
    return archive;
}

static void
notices_damage(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
        char *folder = folder_make("pe-records-XXXXXX");
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func(g_free);
        archive_close(make_archive(folder));
        damage(folder, damages[i].sql);
        g_autoptr(Archive) archive = archive_open(folder, &error);
        g_assert_true(archive_verify(archive, faults, &error));
        g_assert_cmpuint(faults->len, >, 0);
        g_test_message("%s", (char *)faults->pdata[faults->len - 1]);
        g_assert_null(archive_read_content(archive, 1, &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        g_assert_nonnull(strstr(error->message, folder));
        g_assert_nonnull(strstr(error->message, damages[i].what));
        folder_remove(folder);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder_use_memory();
    g_test_add_func("/records/round-trip", comes_back_as_it_was);
    g_test_add_func("/records/same-name",
                    keeps_the_last_of_labels_with_one_name);
    g_test_add_func("/records/thumbnail", finds_the_thumbnail_of_a_frame);
    g_test_add_func("/records/names", lists_names_that_were_seen);
    g_test_add_func("/records/damage", notices_damage);
    return g_test_run();
}
