// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpespoolfile.c - see gstpespoolfile.h.

#include "gst/spool/gstpespoolfile.h"

#include "core/pe.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION 0x70657370 // "pesp", in the header of the file
#define VERSION 1
// Ids that each session takes for itself: more than it can use.
#define SESSION ((gint64)1 << 40)
#define LARGE (16 << 20) // bytes of an empty file that is made small again

static bool
refuse(const char *path, GError **error, const char *words)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s", path, words);
    return false;
}

// A pipe would be waited for, and SQLite tells badly of a folder and of what
// may not be written.
static bool
may_be_file(const char *path, GError **error)
{
    struct stat info;

    if (!path)
        return true;
    if (stat(path, &info) == 0) {
        if (!S_ISREG(info.st_mode))
            return refuse(path, error,
                          "expected a file for the spool, found no file");
        if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) != 0)
            return refuse(path, error, g_strerror(errno));
    }
    // A log is written beside it.
    g_autofree char *folder = g_path_get_dirname(path);
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0)
        return refuse(path, error, g_strerror(errno));
    return true;
}

static bool
get_number(Database *database, const char *sql, gint64 *number, GError **error)
{
    sqlite3_stmt *row = database_query(database, error, sql, "");

    if (!row)
        return false;
    *number = 0;
    GError *failure = NULL;
    if (database_next(database, row, &failure)) {
        *number = sqlite3_column_int64(row, 0);
        database_end(row);
    }
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

// ---- Tables ---------------------------------------------------------------

static const char *const tables =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE record (id INTEGER PRIMARY KEY, topic TEXT NOT NULL,"
    " key TEXT NOT NULL, payload BLOB NOT NULL);"
    "CREATE TABLE parked (id INTEGER PRIMARY KEY, topic TEXT NOT NULL,"
    " key TEXT NOT NULL, payload BLOB NOT NULL,"
    " reason TEXT NOT NULL);"
    "CREATE TABLE session (first_id INTEGER NOT NULL);"
    "INSERT INTO session VALUES (0);"
    "PRAGMA application_id = 1885696880;"
    "PRAGMA user_version = 1;"
    "COMMIT;";
G_STATIC_ASSERT(APPLICATION == 1885696880 && VERSION == 1);

// Those of a new file; another's are left alone.
static bool
check_tables(Database *database, const char *path, GError **error)
{
    gint64 application, version, n_tables;

    if (!get_number(database, "PRAGMA application_id", &application, error) ||
        !get_number(database, "PRAGMA user_version", &version, error) ||
        !get_number(database, "SELECT COUNT(*) FROM sqlite_schema", &n_tables,
                    error))
        return false;
    if (n_tables == 0 && application == 0)
        return database_execute(database, tables, error);
    if (application != APPLICATION)
        return refuse(path, error,
                      "expected a spool, found a database of something else");
    if (version != VERSION)
        return refuse(path, error,
                      "expected a spool of version 1, found a later one");
    return true;
}

static bool
count(Database *database, GstPeSpoolFound *found, GError **error)
{
    const char *size = "SELECT IFNULL(SUM" GST_PE_SPOOL_SIZE ", 0) FROM record";
    const char *parked =
        "SELECT IFNULL(SUM" GST_PE_SPOOL_SIZE ", 0) FROM parked";
    G_STATIC_ASSERT(GST_PE_SPOOL_OVERHEAD == 64);

    return get_number(database, "SELECT COUNT(*) FROM record",
                      &found->n_waiting, error) &&
           get_number(database, "SELECT COUNT(*) FROM parked", &found->n_parked,
                      error) &&
           get_number(database, size, &found->size, error) &&
           get_number(database, parked, &found->parked_size, error);
}

// Take ids for this session. This writes, and so tells whether that works.
static bool
begin_session(Database *database, gint64 after, GstPeSpoolFound *found,
              GError **error)
{
    gint64 newest;

    if (!get_number(database, "SELECT first_id FROM session", &found->first_id,
                    error) ||
        !get_number(database, "SELECT IFNULL(MAX(id), 0) FROM record", &newest,
                    error))
        return false;
    found->first_id = MAX(MAX(found->first_id, newest), after);
    return database_run(database, error, "UPDATE session SET first_id = ?", "i",
                        found->first_id + SESSION);
}

// A file does not become smaller by itself.
static bool
shrink(Database *database, const GstPeSpoolFound *found, GError **error)
{
    gint64 n_pages, page_size;

    if (found->n_waiting + found->n_parked > 0)
        return true;
    if (!get_number(database, "PRAGMA page_count", &n_pages, error) ||
        !get_number(database, "PRAGMA page_size", &page_size, error))
        return false;
    return n_pages * page_size < LARGE ||
           database_execute(database, "VACUUM", error);
}

Database *
gst_pe_spool_file_open(const char *path, bool sync, gint64 after,
                       GstPeSpoolFound *found, GError **error)
{
    if (!may_be_file(path, error))
        return NULL;
    g_autoptr(Database) database = database_open_alone(path, error);
    if (!database || !check_tables(database, path, error) ||
        (sync &&
         !database_execute(database, "PRAGMA synchronous = FULL", error)) ||
        !count(database, found, error) || !shrink(database, found, error) ||
        !begin_session(database, after, found, error))
        return NULL;
    return g_steal_pointer(&database);
}

// ---- A broken file --------------------------------------------------------

char *
gst_pe_spool_file_put_aside(const char *path, GError **error)
{
    static const char *const beside[] = {"-wal", "-journal", "-shm"};
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *date = g_date_time_format(now, "%Y%m%d-%H%M%S");
    char *aside = g_strdup_printf("%s.corrupt-%s", path, date);

    for (int i = 2; g_file_test(aside, G_FILE_TEST_EXISTS); i++) {
        g_free(aside);
        aside = g_strdup_printf("%s.corrupt-%s-%d", path, date, i);
    }
    if (g_rename(path, aside) != 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: is broken and cannot be renamed to %s: %s", path,
                    aside, g_strerror(errno));
        g_free(aside);
        return NULL;
    }
    for (guint i = 0; i < G_N_ELEMENTS(beside); i++) {
        g_autofree char *from = g_strconcat(path, beside[i], NULL);
        g_autofree char *to = g_strconcat(aside, beside[i], NULL);
        g_rename(from, to); // often none is there
    }
    return aside;
}
