// SPDX-License-Identifier: LGPL-2.1-or-later
//
// dump.c - all that an archive knows as a text, and whether it is sound. See
// archive.h.

#include <inttypes.h>

#include "archive_private.h"
#include "records.h"
#include "words.h"

bool
archive_find_stored(Archive *archive, gint64 content, StoredRows *stored,
                    GError **error)
{
    sqlite3_stmt *row =
        database_query(archive->database, error,
                       "SELECT first_row, n_rows, sum FROM contents "
                       "WHERE id = ?",
                       "i", content);
    if (!row || !database_next(archive->database, row, error))
        return false;
    *stored = (StoredRows){sqlite3_column_int64(row, 0),
                           sqlite3_column_int64(row, 1), database_text(row, 2)};
    database_end(row);
    return true;
}

bool
archive_check_frames(Archive *archive, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(
        archive->database, &e,
        "SELECT id, n_rows, ifnull(length(records), 0) / ? AS n FROM contents "
        "LEFT JOIN frames ON content = id WHERE n_rows <> n LIMIT 1",
        "i", (gint64)RECORDS_FRAME);
    if (row && database_next(archive->database, row, &e)) {
        g_set_error(&e, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: content %" PRId64 " has %" PRId64 " vectors, but "
                    "%" PRId64 " frames; pe-tag verify says more",
                    archive->folder, (gint64)sqlite3_column_int64(row, 0),
                    (gint64)sqlite3_column_int64(row, 1),
                    (gint64)sqlite3_column_int64(row, 2));
        database_end(row);
    }
    return database_is_fine(e, error);
}

// The rows' checksum as they are now, or NULL: they are not all there.
static char *
sum_stored(const PeRows *rows, const StoredRows *stored, size_t stride)
{
    if (stored->first < 0 || stored->n < 0 ||
        (guint64)stored->first + (guint64)stored->n > rows->n)
        return NULL;
    const char *data = (const char *)rows->values;
    return archive_sum_rows(stored->n ? data + (size_t)stored->first * stride
                                      : "",
                            (size_t)stored->n * stride);
}

// Of a remote archive, all rows of a content.
static bool
fetch_stored(Archive *archive, const StoredRows *stored, GError **error)
{
    for (gint64 i = 0; i < stored->n; i++) {
        if (!archive_fetch_around(archive, (guint64)(stored->first + i), error))
            return false;
    }
    return true;
}

// ---- Dump -----------------------------------------------------------------

static void
dump_segments(const ArchiveContent *content, GString *out)
{
    for (guint i = 0; i < content->segments->len; i++) {
        const ArchiveSegment *s = content->segments->pdata[i];
        g_autofree char *sum =
            s->thumbnail
                ? g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, s->thumbnail)
                : NULL;
        g_string_append_printf(out,
                               "  segment %" PRId64 "+%" PRId64 " %" PRId64
                               "-%" PRId64 " peak %" PRId64 " thumbnail %s\n",
                               s->first, s->n, s->start, s->end, s->peak,
                               sum ? sum : "none");
        for (guint k = 0; k < s->labels->len; k++) {
            const ArchiveLabel *label =
                &g_array_index(s->labels, ArchiveLabel, k);
            g_string_append_printf(out, "    label %.9g %s\n", label->score,
                                   label->name);
        }
    }
}

void
archive_dump_content(const ArchiveContent *content, const char *sum,
                     GString *out)
{
    g_string_append_printf(
        out,
        "  key %s\n  settings %s\n  problem %s at %" PRId64
        "\n  duration %" PRId64 " size %dx%d codec %s label-set %s\n"
        "  vectors %s\n",
        content->key ? content->key : "none",
        content->settings ? content->settings : "none",
        content->problem ? content->problem : "none", content->problem_at,
        content->duration, content->width, content->height,
        content->codec ? content->codec : "none",
        content->label_set ? content->label_set : "none", sum);
    for (guint i = 0; i < content->frames->len; i++) {
        const ArchiveFrame *frame =
            &g_array_index(content->frames, ArchiveFrame, i);
        g_string_append_printf(out,
                               "  frame %" PRId64 "-%" PRId64 " x%" PRId64 "\n",
                               frame->start, frame->end, frame->n_samples);
    }
    dump_segments(content, out);
}

static bool
dump_file(Archive *archive, const PeRows *rows, const ArchiveFile *file,
          GString *out, GError **error)
{
    StoredRows stored;
    g_autoptr(ArchiveContent) content =
        archive_read_content(archive, file->content, error);
    if (!content ||
        !archive_find_stored(archive, file->content, &stored, error))
        return false;
    if (!fetch_stored(archive, &stored, error)) {
        g_free(stored.sum);
        return false;
    }
    g_autofree char *sum = sum_stored(rows, &stored, archive->packs.stride);
    g_free(stored.sum);
    g_string_append_printf(out,
                           "file %s\n  size %" PRId64 " mtime %" PRId64
                           " etag %s wall %" PRId64 " by %s\n",
                           file->name, file->size, file->mtime,
                           file->etag ? file->etag : "none", file->wall_start,
                           file->wall_source ? file->wall_source : "none");
    archive_dump_content(content, sum ? sum : "missing", out);
    return true;
}

bool
archive_dump(Archive *archive, GString *out, GError **error)
{
    g_autoptr(GPtrArray) files = archive_list_files(archive, error);
    g_autoptr(GArray) list = files ? archive_list_rows(archive, error) : NULL;
    const PeRows *rows = list ? archive_map(archive, error) : NULL;
    if (!rows)
        return false;
    g_string_append_printf(out, "archive of %s %s, %d values\n", archive->model,
                           archive->fingerprint, archive->dim);
    for (guint i = 0; i < files->len; i++) {
        if (!dump_file(archive, rows, files->pdata[i], out, error))
            return false;
    }
    return true;
}

// ---- Verify ---------------------------------------------------------------

#define N_FRAMES \
    "(SELECT ifnull(sum(length(records)), 0) / " G_STRINGIFY( \
        RECORDS_FRAME) " FROM frames WHERE content = id)"

static bool
verify_database(Archive *archive, GPtrArray *faults, GError **error)
{
    return database_add_texts(
        archive->database, faults, error,
        "SELECT integrity_check FROM pragma_integrity_check "
        "WHERE integrity_check <> 'ok' UNION ALL "
        "SELECT 'the file ' || name || ' has no content' FROM files "
        "WHERE content NOT IN (SELECT id FROM contents) UNION ALL "
        "SELECT 'content ' || id || ' belongs to no file' FROM contents "
        "WHERE id NOT IN (SELECT content FROM files) UNION ALL "
        "SELECT 'content ' || id || ' has ' || n_rows || ' vectors, but ' "
        "|| " N_FRAMES " || ' frames' FROM contents WHERE n_rows <> " N_FRAMES);
}

// Frames, segments and thumbnails: can they be read?
static bool
verify_contents(Archive *archive, GPtrArray *faults, GError **error)
{
    g_autoptr(GArray) ids = archive_list_contents(archive, error);
    for (guint i = 0; ids && i < ids->len; i++) {
        GError *e = NULL;
        ArchiveContent *content =
            archive_read_content(archive, g_array_index(ids, gint64, i), &e);
        if (content) {
            archive_content_free(content);
        } else if (g_error_matches(e, PE_ERROR, PE_ERROR_FORMAT)) {
            g_ptr_array_add(faults, g_strdup(e->message));
            g_error_free(e);
        } else {
            g_propagate_error(error, e);
            return false;
        }
    }
    return ids != NULL;
}

static bool
verify_rows(Archive *archive, const PeRows *rows, const ArchiveRows *part,
            GPtrArray *faults, GError **error)
{
    StoredRows stored;
    if (!archive_find_stored(archive, part->content, &stored, error))
        return false;
    g_autofree char *sum = sum_stored(rows, &stored, archive->packs.stride);
    if (g_strcmp0(sum, stored.sum) != 0)
        g_ptr_array_add(
            faults, g_strdup_printf("content %" PRId64 ": its vectors (rows "
                                    "%" PRId64 " to %" PRId64 ") %s",
                                    part->content, part->first_row,
                                    part->first_row + part->n_rows - 1,
                                    sum ? "are not those that were written"
                                        : "are missing"));
    g_free(stored.sum);
    return true;
}

bool
archive_verify(Archive *archive, GPtrArray *faults, GError **error)
{
    if (!verify_database(archive, faults, error) ||
        !verify_contents(archive, faults, error) ||
        !words_verify(archive, faults, error))
        return false;
    g_autoptr(GArray) list = archive_list_rows(archive, error);
    const PeRows *rows = list ? archive_map(archive, error) : NULL;
    if (!rows)
        return false;
    for (guint i = 0; i < list->len; i++) {
        if (!verify_rows(archive, rows, &g_array_index(list, ArchiveRows, i),
                         faults, error))
            return false;
    }
    return true;
}
