// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpespool.c - see gstpespool.h.

#include "gst/spool/gstpespool.h"

#include "core/pe.h"
#include "gst/spool/gstpespoolfile.h"

#include <string.h>

#define MAX_PARKED 100

struct GstPeSpool {
    GMutex lock; // of everything below
    GstPeSpoolOptions options;
    char *path;
    Database *database; // NULL: it could not be replaced
    gint64 last_id;     // that was given to a record
    gint64 peeked;      // the newest that may be on its way
    guint64 parked_size;
    guint64 n_in_parked; // rows
    GstPeSpoolCounts counts;
};

// ---- Open -----------------------------------------------------------------

static bool
open_file(GstPeSpool *spool, GError **error)
{
    GstPeSpoolFound found = {0};

    spool->database = gst_pe_spool_file_open(spool->path, spool->options.sync,
                                             spool->last_id, &found, error);
    if (!spool->database)
        return false;
    spool->last_id = found.first_id;
    spool->peeked = 0;
    spool->parked_size = (guint64)found.parked_size;
    spool->n_in_parked = (guint64)found.n_parked;
    spool->counts.n_waiting = (guint64)found.n_waiting;
    spool->counts.size = (guint64)found.size;
    return true;
}

// The same after a broken one has been put aside.
static bool
open_new(GstPeSpool *spool, char **aside, GError **error)
{
    *aside = gst_pe_spool_file_put_aside(spool->path, error);
    return *aside && open_file(spool, error);
}

GstPeSpool *
gst_pe_spool_open(const GstPeSpoolOptions *options, char **aside,
                  GError **error)
{
    g_autoptr(GstPeSpool) spool = g_new0(GstPeSpool, 1);
    g_autoptr(GError) failure = NULL;

    *aside = NULL;
    g_mutex_init(&spool->lock);
    spool->options = *options;
    spool->options.max_size = MIN(options->max_size, options->limit);
    spool->path = g_strdup(options->path);
    if (open_file(spool, &failure))
        return g_steal_pointer(&spool);
    if (spool->path && g_error_matches(failure, PE_ERROR, PE_ERROR_FORMAT)) {
        if (open_new(spool, aside, error))
            return g_steal_pointer(&spool);
        return NULL;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

void
gst_pe_spool_close(GstPeSpool *spool)
{
    g_clear_pointer(&spool->database, database_close);
    g_mutex_clear(&spool->lock);
    g_free(spool->path);
    g_free(spool);
}

static bool
is_open(GstPeSpool *spool, GError **error)
{
    if (spool->database)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                "%s: the spool could not be replaced", spool->path);
    return false;
}

bool
gst_pe_spool_replace(GstPeSpool *spool, char **aside, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&spool->lock);

    *aside = NULL;
    if (!is_open(spool, error))
        return false;
    g_clear_pointer(&spool->database, database_close);
    return spool->path ? open_new(spool, aside, error)
                       : open_file(spool, error);
}

char *
gst_pe_spool_mend(GstPeSpool *spool, GError **error)
{
    g_autofree char *aside = NULL;

    if (!g_error_matches(*error, PE_ERROR, PE_ERROR_FORMAT))
        return NULL;
    g_autofree char *message = g_strdup((*error)->message);
    g_clear_error(error);
    if (!gst_pe_spool_replace(spool, &aside, error))
        return NULL;
    return g_strdup_printf("%s; what was in it is in %s", message, aside);
}

// ---- Transactions ---------------------------------------------------------

// Of several statements; a single one is one by itself.
static bool
begin(GstPeSpool *spool, GError **error)
{
    return database_run(spool->database, error, "BEGIN IMMEDIATE", "");
}

// Commit if all went well, else undo all.
static bool
end(GstPeSpool *spool, bool ok, GError **error)
{
    if (ok && database_run(spool->database, error, "COMMIT", ""))
        return true;
    database_run(spool->database, NULL, "ROLLBACK", "");
    return false;
}

// Rows of a table and their bytes.
//   kinds  of the values of the statement: "i", which is the id, or ""
static bool
measure(GstPeSpool *spool, const char *sql, const char *kinds, gint64 id,
        guint64 *n, guint64 *size, GError **error)
{
    sqlite3_stmt *row = database_query(spool->database, error, sql, kinds, id);

    if (!row || !database_next(spool->database, row, error))
        return false; // it has always one
    *n = (guint64)sqlite3_column_int64(row, 0);
    *size = (guint64)sqlite3_column_int64(row, 1);
    database_end(row);
    return true;
}

#define COUNT_AND_SIZE \
    "SELECT COUNT(*), IFNULL(SUM" GST_PE_SPOOL_SIZE ", 0) FROM "

// ---- Parked ---------------------------------------------------------------

// The oldest go where there are too many.
static bool
shorten_parked(GstPeSpool *spool, GError **error)
{
    while (spool->n_in_parked > 1 &&
           (spool->n_in_parked > MAX_PARKED ||
            spool->parked_size > spool->options.limit / 4)) {
        guint64 n, size;
        if (!measure(spool,
                     COUNT_AND_SIZE "parked WHERE id = "
                                    "(SELECT MIN(id) FROM parked)",
                     "", 0, &n, &size, error) ||
            !database_run(spool->database, error,
                          "DELETE FROM parked WHERE id = "
                          "(SELECT MIN(id) FROM parked)",
                          ""))
            return false;
        spool->n_in_parked -= n;
        spool->parked_size -= size;
    }
    return true;
}

static guint64
size_of(const GstPeRecord *record)
{
    return record->size + strlen(record->topic) + strlen(record->key) +
           GST_PE_SPOOL_OVERHEAD;
}

static bool
insert_parked(GstPeSpool *spool, const GstPeRecord *record, gint64 id,
              const char *reason, GError **error)
{
    g_autoptr(GBytes) payload = g_bytes_new_static(record->data, record->size);

    if (!database_run(spool->database, error,
                      "INSERT INTO parked VALUES (?, ?, ?, ?, ?)", "ittbt", id,
                      record->topic, record->key, payload, reason))
        return false;
    spool->n_in_parked++;
    spool->parked_size += size_of(record);
    spool->counts.n_parked++;
    return shorten_parked(spool, error);
}

// One that is in the way: from one table into the other.
static bool
move_to_parked(GstPeSpool *spool, gint64 id, const char *reason, guint64 *size,
               GError **error)
{
    guint64 n;

    if (!measure(spool, COUNT_AND_SIZE "record WHERE id = ?", "i", id, &n, size,
                 error))
        return false;
    if (n == 0)
        return true; // dropped meanwhile
    if (!database_run(spool->database, error,
                      "INSERT OR REPLACE INTO parked SELECT id, topic, key, "
                      "payload, ? FROM record WHERE id = ?",
                      "ti", reason, id) ||
        !database_run(spool->database, error, "DELETE FROM record WHERE id = ?",
                      "i", id))
        return false;
    spool->n_in_parked++;
    spool->parked_size += *size;
    return shorten_parked(spool, error);
}

bool
gst_pe_spool_park(GstPeSpool *spool, gint64 id, const char *reason,
                  GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&spool->lock);
    guint64 size = 0;

    if (!is_open(spool, error) || !begin(spool, error) ||
        !end(spool, move_to_parked(spool, id, reason, &size, error), error))
        return false;
    if (size > 0) {
        spool->counts.n_waiting--;
        spool->counts.n_parked++;
        spool->counts.size -= size;
    }
    return true;
}

// ---- Add ------------------------------------------------------------------

typedef struct {
    guint64 n_dropped, dropped_size, size;
} Change;

// Find the id up to which enough is freed. True without one when all that may
// go is not enough; then `last` is the newest.
static bool
find_oldest(GstPeSpool *spool, guint64 wanted, gint64 *last, Change *change,
            GError **error)
{
    g_autoptr(GError) failure = NULL;
    sqlite3_stmt *row = database_query(spool->database, error,
                                       "SELECT id, " GST_PE_SPOOL_SIZE
                                       " FROM record WHERE id > ? ORDER BY id",
                                       "i", spool->peeked);

    if (!row)
        return false;
    while (change->dropped_size < wanted) {
        if (!database_next(spool->database, row, &failure)) {
            if (!failure)
                return true;
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        *last = sqlite3_column_int64(row, 0);
        change->dropped_size += (guint64)sqlite3_column_int64(row, 1);
        change->n_dropped++;
    }
    database_end(row);
    return true;
}

static bool
drop_oldest(GstPeSpool *spool, guint64 wanted, Change *change, GError **error)
{
    gint64 last = 0;

    return find_oldest(spool, wanted, &last, change, error) &&
           database_run(spool->database, error,
                        "DELETE FROM record WHERE id > ? AND id <= ?", "ii",
                        spool->peeked, last);
}

static bool
insert(GstPeSpool *spool, const GstPeRecord *record, gint64 id, Change *change,
       GError **error)
{
    if (record->size > spool->options.max_size) {
        g_autofree char *reason = g_strdup_printf(
            "%" G_GSIZE_FORMAT " bytes, the limit is %" G_GUINT64_FORMAT,
            record->size, spool->options.max_size);
        return insert_parked(spool, record, id, reason, error);
    }
    g_autoptr(GBytes) payload = g_bytes_new_static(record->data, record->size);
    change->size += size_of(record);
    return database_run(spool->database, error,
                        "INSERT INTO record VALUES (?, ?, ?, ?)", "ittb", id,
                        record->topic, record->key, payload);
}

static bool
insert_all(GstPeSpool *spool, const GstPeRecord *records, guint n,
           guint64 wanted, Change *change, GError **error)
{
    bool ok = wanted == 0 || drop_oldest(spool, wanted, change, error);

    for (guint i = 0; ok && i < n; i++)
        ok = insert(spool, &records[i], spool->last_id + 1 + i, change, error);
    return ok;
}

// How many bytes are missing for these.
static guint64
find_excess(GstPeSpool *spool, const GstPeRecord *records, guint n)
{
    guint64 size = spool->counts.size;

    for (guint i = 0; i < n; i++)
        if (records[i].size <= spool->options.max_size)
            size += size_of(&records[i]);
    return size > spool->options.limit ? size - spool->options.limit : 0;
}

GstPeSpoolResult
gst_pe_spool_add(GstPeSpool *spool, const GstPeRecord *records, guint n,
                 GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&spool->lock);
    g_autoptr(GError) failure = NULL;
    GstPeSpoolCounts *counts = &spool->counts;
    Change change = {0};

    if (!is_open(spool, error))
        return GST_PE_SPOOL_FAILED;
    guint64 wanted = find_excess(spool, records, n);
    if (n == 1 && counts->n_waiting == 0)
        wanted = 0;
    if (wanted > 0 && !spool->options.drop_oldest)
        return GST_PE_SPOOL_FULL;
    bool several = n > 1 || wanted > 0 ||
                   (n == 1 && records[0].size > spool->options.max_size);
    guint64 n_parked = counts->n_parked, n_in_parked = spool->n_in_parked,
            parked_size = spool->parked_size;
    bool ok = !several || begin(spool, &failure);
    if (ok) {
        ok = insert_all(spool, records, n, wanted, &change, &failure);
        // What is on its way cannot be dropped.
        bool fits = change.dropped_size >= wanted;
        if (several)
            ok = end(spool, ok && fits, &failure);
    }
    if (!ok) {
        counts->n_parked = n_parked;
        spool->n_in_parked = n_in_parked;
        spool->parked_size = parked_size;
        if (!failure)
            return GST_PE_SPOOL_FULL;
        g_propagate_error(error, g_steal_pointer(&failure));
        return GST_PE_SPOOL_FAILED;
    }
    spool->last_id += n;
    counts->n_added += n;
    counts->n_waiting += n - (counts->n_parked - n_parked) - change.n_dropped;
    counts->n_dropped += change.n_dropped;
    counts->size += change.size - change.dropped_size;
    return GST_PE_SPOOL_ADDED;
}

// ---- Peek and acknowledge -------------------------------------------------

static void
free_record(gpointer data)
{
    GstPeRecord *record = data;

    g_free((char *)record->topic);
    g_free((char *)record->key);
    g_free((void *)record->data);
    g_free(record);
}

static GstPeRecord *
copy_record(sqlite3_stmt *row)
{
    GstPeRecord *record = g_new0(GstPeRecord, 1);

    record->id = sqlite3_column_int64(row, 0);
    record->topic = database_text(row, 1);
    record->key = database_text(row, 2);
    const void *data = sqlite3_column_blob(row, 3);
    record->size = (gsize)sqlite3_column_bytes(row, 3);
    record->data = g_memdup2(data, record->size);
    return record;
}

GPtrArray *
gst_pe_spool_peek(GstPeSpool *spool, gint64 after, guint n, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&spool->lock);
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func(free_record);
    g_autoptr(GError) failure = NULL;

    if (!is_open(spool, error))
        return NULL;
    if (after >= spool->last_id || spool->counts.n_waiting == 0)
        return g_steal_pointer(&records);
    sqlite3_stmt *row =
        database_query(spool->database, error,
                       "SELECT id, topic, key, payload FROM record "
                       "WHERE id > ? ORDER BY id LIMIT ?",
                       "ii", after, (gint64)n);
    if (!row)
        return NULL;
    while (database_next(spool->database, row, &failure))
        g_ptr_array_add(records, copy_record(row));
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    if (records->len > 0) {
        const GstPeRecord *last = records->pdata[records->len - 1];
        spool->peeked = MAX(spool->peeked, last->id);
    }
    return g_steal_pointer(&records);
}

void
gst_pe_spool_rewind(GstPeSpool *spool)
{
    g_mutex_lock(&spool->lock);
    spool->peeked = 0;
    g_mutex_unlock(&spool->lock);
}

bool
gst_pe_spool_acknowledge(GstPeSpool *spool, gint64 id, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&spool->lock);
    guint64 n, size;

    if (!is_open(spool, error) ||
        !measure(spool, COUNT_AND_SIZE "record WHERE id <= ?", "i", id, &n,
                 &size, error) ||
        !database_run(spool->database, error,
                      "DELETE FROM record WHERE id <= ?", "i", id))
        return false;
    spool->counts.n_waiting -= n;
    spool->counts.n_acknowledged += n;
    spool->counts.size -= size;
    return true;
}

GstPeSpoolCounts
gst_pe_spool_get_counts(GstPeSpool *spool)
{
    g_mutex_lock(&spool->lock);
    GstPeSpoolCounts counts = spool->counts;
    counts.size += spool->parked_size;
    g_mutex_unlock(&spool->lock);
    return counts;
}
