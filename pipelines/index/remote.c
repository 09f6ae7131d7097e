// SPDX-License-Identifier: LGPL-2.1-or-later
//
// remote.c - see remote.h.

#include "remote.h"

#include <string.h>
#include <sys/mman.h>

#include "archive_private.h"

// ---- Make -----------------------------------------------------------------

// Addresses for all rows, and memory for those that are looked at.
static bool
reserve(Archive *archive, gint64 n_rows, GError **error)
{
    size_t size = (size_t)MAX(n_rows, 1) * archive->packs.stride;
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM,
                    "%s: no addresses for %" G_GINT64_FORMAT " rows",
                    archive->folder, n_rows);
        return false;
    }
    archive->map = (PackMap){map, size};
    archive->n_rows = n_rows;
    archive->rows = (PeRows){map, (size_t)n_rows, archive_get_row_dim(archive)};
    archive->has_row = g_malloc0((gsize)n_rows / 8 + 1);
    return true;
}

Archive *
archive_open_remote(const char *name, const ArchiveModel *model, gint64 n_rows,
                    const ArchiveRemote *remote, void *data, GError **error)
{
    Archive *archive = archive_create_in_memory(name, model, error);
    if (archive && reserve(archive, n_rows, error)) {
        archive->remote = remote;
        archive->remote_data = data;
        return archive;
    }
    if (archive)
        archive_close(archive);
    remote->close(data);
    return NULL;
}

bool
archive_begin_remote(Archive *archive, GError **error)
{
    return database_execute(archive->database, "BEGIN", error);
}

bool
archive_end_remote(Archive *archive, GError **error)
{
    return database_execute(archive->database, "COMMIT", error);
}

bool
archive_put_remote_content(Archive *archive, const ArchiveRows *rows,
                           const char *sum, GError **error)
{
    return database_run(archive->database, error,
                        "INSERT INTO contents (id, first_row, n_rows, sum) "
                        "VALUES (?, ?, ?, ?)",
                        "iiit", rows->content, rows->first_row, rows->n_rows,
                        sum);
}

bool
archive_put_remote_file(Archive *archive, const ArchiveFile *file,
                        GError **error)
{
    return database_run(archive->database, error,
                        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
                        "tiititi", file->name, file->size, file->mtime,
                        file->etag, file->wall_start, file->wall_source,
                        file->content);
}

bool
archive_put_remote_labels(Archive *archive, gint64 content, const char *labels,
                          GError **error)
{
    return database_run(archive->database, error,
                        "INSERT INTO texts (file, content, labels) "
                        "SELECT name, content, ? FROM files WHERE content = ?",
                        "ti", labels, content);
}

bool
archive_is_current(Archive *archive, GError **error)
{
    bool same;
    archive->remote->release(archive->remote_data);
    return archive->remote->hold(archive->remote_data, &same, error) && same;
}

// ---- Rows -----------------------------------------------------------------

static bool
has_row(const Archive *archive, guint64 row)
{
    return archive->has_row[row / 8] >> row % 8 & 1;
}

static void
mark_row(Archive *archive, guint64 row)
{
    archive->has_row[row / 8] |= (guint8)(1u << row % 8);
}

uint16_t *
archive_put_row(Archive *archive, guint64 row)
{
    mark_row(archive, row);
    return (uint16_t *)archive->rows.values +
           row * (size_t)archive_get_row_dim(archive);
}

bool
archive_fetch(Archive *archive, const guint64 *rows, size_t n, GError **error)
{
    if (!archive->remote)
        return true;
    g_autoptr(GArray) missing = g_array_new(FALSE, FALSE, sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        if (rows[i] < archive->rows.n && !has_row(archive, rows[i]))
            g_array_append_val(missing, rows[i]);
    }
    const guint64 *list = (const guint64 *)(const void *)missing->data;
    if (missing->len > 0 &&
        !archive->remote->read_rows(archive, archive->remote_data, list,
                                    missing->len, error))
        return false;
    // Those that are not there either are not asked for again.
    for (guint i = 0; i < missing->len; i++)
        mark_row(archive, list[i]);
    return true;
}

bool
archive_fetch_around(Archive *archive, guint64 row, GError **error)
{
    guint64 block[64];
    if (!archive->remote || has_row(archive, row))
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(block); i++)
        block[i] = row - row % G_N_ELEMENTS(block) + i;
    return archive_fetch(archive, block, G_N_ELEMENTS(block), error);
}

// ---- Search ---------------------------------------------------------------

static int
compare_rows(gconstpointer a, gconstpointer b)
{
    guint64 x = *(const guint64 *)a, y = *(const guint64 *)b;
    return (x > y) - (x < y);
}

// Ascending, each once.
static void
sort_rows(GArray *rows)
{
    guint n = 0;
    g_array_sort(rows, compare_rows);
    for (guint i = 0; i < rows->len; i++) {
        guint64 row = g_array_index(rows, guint64, i);
        if (n == 0 || g_array_index(rows, guint64, n - 1) != row)
            g_array_index(rows, guint64, n++) = row;
    }
    g_array_set_size(rows, n);
}

// The remote names rows, and what is the nearest of them is computed here, as
// in every archive.
static bool
search_remote(Archive *archive, const PeSearch *search, PeHit *hits,
              int *n_hits, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(guint64));
    if (!archive->remote->find_near(
            archive, archive->remote_data, search->queries, search->n_queries,
            search->top_k, search->selected, search->n_selected, rows, error))
        return false;
    sort_rows(rows);
    static const uint64_t nothing[1]; // an empty array has no address
    PeSearch again = *search;
    again.n_selected = rows->len;
    again.selected =
        rows->len ? (const uint64_t *)(const void *)rows->data : nothing;
    pe_search(&archive->rows, &again, hits, n_hits);
    return true;
}

bool
archive_search(Archive *archive, const PeRows *rows, const PeSearch *search,
               PeHit *hits, int *n_hits, GError **error)
{
    if (archive->remote)
        return search_remote(archive, search, hits, n_hits, error);
    pe_search(rows, search, hits, n_hits);
    return true;
}
