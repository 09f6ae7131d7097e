// SPDX-License-Identifier: LGPL-2.1-or-later
//
// archive.c - opens and makes archives, and tells whose vectors they hold. See
// archive.h; contents.c writes and reader.c reads.

#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "archive_private.h"
#include "words.h"

#define VERSION 2           // of the tables, see upgrade.c
#define OLDEST 1            // that is brought up to date
#define PACK_ROWS (1 << 18) // 512 MiB of 1024 values

// ---- Lock -----------------------------------------------------------------

// The lock lasts as long as the process has the file open; it says who it is.
static int
take_lock(const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "lock", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool taken = fd >= 0 && errno == EWOULDBLOCK;
        char owner[32] = "";
        if (taken && pread(fd, owner, sizeof owner - 1, 0) < 0)
            owner[0] = '\0';
        if (taken)
            g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                        "%s: another process (%s) writes to this archive; try "
                        "again when it has ended",
                        path, owner[0] ? g_strchomp(owner) : "unknown");
        else
            g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s", path,
                        g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    g_autofree char *self = g_strdup_printf("%d\n", (int)getpid());
    // Who cannot be told from it is still locked out.
    if (ftruncate(fd, 0) != 0 || pwrite(fd, self, strlen(self), 0) < 0)
        pe_log(PE_LOG_WARNING, "%s: %s", path, g_strerror(errno));
    return fd;
}

// ---- What the archive is --------------------------------------------------

static bool
set_fact(Archive *archive, const char *name, gint64 number, const char *text,
         GBytes *bytes, GError **error)
{
    return database_run(
        archive->database, error,
        "INSERT OR REPLACE INTO facts (name, number, text, bytes) "
        "VALUES (?, ?, ?, ?)",
        "titb", name, number, text, bytes);
}

static bool
make_facts(Archive *archive, void *data, GError **error)
{
    const ArchiveModel *model = data;
    g_autoptr(GBytes) probes =
        g_bytes_new(model->probes, sizeof(float) * (size_t)model->n_probes *
                                       (size_t)model->dim);
    return archive_make_tables(archive->database, error) &&
           set_fact(archive, "version", VERSION, NULL, NULL, error) &&
           set_fact(archive, "pack-rows", PACK_ROWS, NULL, NULL, error) &&
           set_fact(archive, "rows", 0, NULL, NULL, error) &&
           set_fact(archive, "dim", model->dim, NULL, NULL, error) &&
           set_fact(archive, "model", 0, model->name, NULL, error) &&
           set_fact(archive, "fingerprint", 0, model->fingerprint, NULL,
                    error) &&
           set_fact(archive, "probes", model->n_probes, NULL, probes, error);
}

static void
take_probes(Archive *archive, gint64 n, GBytes *bytes)
{
    gsize size = 0;
    const void *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;
    g_free(archive->probes);
    archive->probes = g_memdup2(data, size);
    archive->n_probes = (int)n;
    if (archive->dim < 1 || n < 0 ||
        size != sizeof(float) * (size_t)n * (size_t)archive->dim)
        archive->n_probes = 0;
}

static void
take_fact(Archive *archive, sqlite3_stmt *row)
{
    const char *name = (const char *)sqlite3_column_text(row, 0);
    gint64 number = sqlite3_column_int64(row, 1);
    g_autofree char *text = database_text(row, 2);
    g_autoptr(GBytes) bytes = database_blob(row, 3);
    if (g_str_equal(name, "version")) {
        archive->version = number;
    } else if (g_str_equal(name, "pack-rows")) {
        archive->packs.pack_rows = number;
    } else if (g_str_equal(name, "rows")) {
        archive->n_rows = number;
    } else if (g_str_equal(name, "dim")) {
        archive->dim = (int)number;
    } else if (g_str_equal(name, "model")) {
        g_free(archive->model);
        archive->model = g_steal_pointer(&text);
    } else if (g_str_equal(name, "fingerprint")) {
        g_free(archive->fingerprint);
        archive->fingerprint = g_steal_pointer(&text);
    } else if (g_str_equal(name, "probes")) {
        take_probes(archive, number, bytes);
    }
}

// `oldest`: the version from which on its tables are known.
static bool
check_facts(const Archive *archive, gint64 oldest, GError **error)
{
    bool is_known = archive->version >= oldest && archive->version <= VERSION;
    if (is_known && archive->dim > 0 && archive->model &&
        archive->fingerprint && archive->n_probes > 0 &&
        archive->packs.pack_rows > 0)
        return true;
    if (archive->version >= OLDEST && archive->version < oldest)
        g_set_error(
            error, PE_ERROR, PE_ERROR_FORMAT,
            "%s: is an archive of version %" G_GINT64_FORMAT
            ", this program reads version %d; \"pe-tag stats --out %s\" "
            "brings it up to date",
            archive->folder, archive->version, VERSION, archive->folder);
    else
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: is an archive of version %" G_GINT64_FORMAT
                    ", this program reads version %d; tag the files again "
                    "into a new folder",
                    archive->folder, archive->version, VERSION);
    return false;
}

// The order is that of what depends on what: the probes need the dimension.
static bool
read_facts(Archive *archive, gint64 oldest, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(
        archive->database, &e,
        "SELECT name, number, text, bytes FROM facts ORDER BY name", "");
    while (row && database_next(archive->database, row, &e))
        take_fact(archive, row);
    if (!database_is_fine(e, error))
        return false;
    archive->packs.stride =
        sizeof(uint16_t) * (size_t)archive_get_row_dim(archive);
    return check_facts(archive, oldest, error);
}

// ---- Open -----------------------------------------------------------------

static Archive *
make(const char *folder)
{
    static gsize n_made; // atomic
    Archive *archive = g_new0(Archive, 1);
    archive->number = (guint64)g_atomic_pointer_add(&n_made, 1);
    archive->folder = g_strdup(folder);
    archive->lock = -1;
    archive->packs.folder = g_build_filename(folder, "vectors", NULL);
    return archive;
}

static bool
open_database(Archive *archive, bool write, GError **error)
{
    g_autofree char *path =
        g_build_filename(archive->folder, "index.sqlite", NULL);
    archive->database = database_open(path, write, error);
    return archive->database &&
           // Bytes, of a new file: what a content has is a few large values.
           (!write || database_execute(archive->database,
                                       "PRAGMA page_size = 16384", error)) &&
           words_add_functions(archive->database, error);
}

// Does it have tables already? A process may have been killed before.
static bool
is_made(Archive *archive, bool *made, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row =
        database_query(archive->database, &e,
                       "SELECT 1 FROM sqlite_master WHERE name = 'facts'", "");
    *made = row && database_next(archive->database, row, &e);
    if (*made)
        database_end(row);
    return database_is_fine(e, error);
}

static bool
fail_missing(const char *folder, GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: there is no archive; pe-tag makes one", folder);
    return false;
}

static bool
upgrade(Archive *archive, GError **error)
{
    if (archive->version == VERSION)
        return true;
    pe_log(PE_LOG_INFO, "%s: is brought up to date from version %d",
           archive->folder, (int)archive->version);
    if (!archive_change(archive, archive_upgrade_tables, NULL, error))
        return false;
    archive->version = VERSION;
    return true;
}

static bool
prepare_to_write(Archive *archive, const ArchiveModel *model, GError **error)
{
    bool made;
    if (!packs_make_folder(&archive->packs, error))
        return false;
    archive->lock = take_lock(archive->folder, error);
    if (archive->lock < 0 || !open_database(archive, true, error) ||
        !is_made(archive, &made, error))
        return false;
    if (!made && !archive_change(archive, make_facts, (void *)model, error))
        return false;
    return read_facts(archive, OLDEST, error) &&
           (!model || archive_check_model(archive, model, error)) &&
           upgrade(archive, error) &&
           archive_change(archive, words_prepare, NULL, error) &&
           packs_cut(&archive->packs, archive->n_rows, error);
}

static bool
remove_index(const char *folder, GError **error)
{
    static const char *const names[] = {"index.sqlite", "index.sqlite-journal"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        if (unlink(path) == 0 || errno == ENOENT)
            continue;
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: cannot be removed: %s",
                    path, g_strerror(errno));
        return false;
    }
    return true;
}

// Nobody reads it before it is whole, and nobody goes on with a part of it. So
// nothing is kept to roll back to, and it goes to the disk once.
static bool
open_new_database(Archive *archive, GError **error)
{
    return open_database(archive, true, error) &&
           database_execute(archive->database,
                            "PRAGMA journal_mode = OFF;"
                            "PRAGMA synchronous = OFF;"
                            "PRAGMA locking_mode = EXCLUSIVE;"
                            "PRAGMA cache_size = -65536;", // KiB
                            error);
}

static bool
prepare_new(Archive *archive, const ArchiveModel *model, GError **error)
{
    if (!packs_make_folder(&archive->packs, error))
        return false;
    archive->lock = take_lock(archive->folder, error);
    return archive->lock >= 0 && remove_index(archive->folder, error) &&
           packs_cut(&archive->packs, 0, error) &&
           open_new_database(archive, error) &&
           archive_change(archive, make_facts, (void *)model, error) &&
           read_facts(archive, VERSION, error);
}

bool
archive_finish(Archive *archive, GError **error)
{
    g_autofree char *path =
        g_build_filename(archive->folder, "index.sqlite", NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: cannot be synchronised: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok && packs_sync(&archive->packs, archive->n_rows, error);
}

Archive *
archive_create(const char *folder, const ArchiveModel *model, GError **error)
{
    Archive *archive = make(folder);
    if (prepare_new(archive, model, error))
        return archive;
    archive_close(archive);
    return NULL;
}

Archive *
archive_create_in_memory(const char *name, const ArchiveModel *model,
                         GError **error)
{
    Archive *archive = make(name);
    archive->database = database_open_alone(NULL, error);
    if (archive->database &&
        archive_change(archive, make_facts, (void *)model, error) &&
        read_facts(archive, VERSION, error))
        return archive;
    archive_close(archive);
    return NULL;
}

static bool
has_index(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, "index.sqlite", NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

Archive *
archive_open_to_write(const char *folder, const ArchiveModel *model,
                      GError **error)
{
    if (!model && !has_index(folder)) {
        fail_missing(folder, error);
        return NULL;
    }
    Archive *archive = make(folder);
    if (prepare_to_write(archive, model, error))
        return archive;
    archive_close(archive);
    return NULL;
}

// *version (may be NULL) is set, too, when only that is wrong.
static Archive *
open_to_read(const char *folder, gint64 *version, GError **error)
{
    bool made = false;
    if (!has_index(folder)) {
        fail_missing(folder, error);
        return NULL;
    }
    Archive *archive = make(folder);
    bool ok = open_database(archive, false, error) &&
              is_made(archive, &made, error) &&
              (made || fail_missing(folder, error)) &&
              read_facts(archive, VERSION, error);
    if (version)
        *version = archive->version;
    if (ok)
        return archive;
    archive_close(archive);
    return NULL;
}

Archive *
archive_open(const char *folder, GError **error)
{
    return open_to_read(folder, NULL, error);
}

Archive *
archive_open_upgraded(const char *folder, GError **error)
{
    gint64 version = 0;
    g_autoptr(GError) e = NULL;
    Archive *archive = open_to_read(folder, &version, &e);
    if (archive)
        return archive;
    if (version < OLDEST || version >= VERSION) {
        g_propagate_error(error, g_steal_pointer(&e));
        return NULL;
    }
    archive = archive_open_to_write(folder, NULL, error);
    if (!archive)
        return NULL;
    archive_close(archive);
    return archive_open(folder, error);
}

void
archive_close(Archive *archive)
{
    packs_unmap(&archive->map);
    if (archive->remote)
        archive->remote->close(archive->remote_data);
    g_free(archive->has_row);
    if (archive->database)
        database_close(archive->database);
    if (archive->lock >= 0)
        close(archive->lock);
    g_free(archive->packs.folder);
    g_free(archive->folder);
    g_free(archive->model);
    g_free(archive->fingerprint);
    g_free(archive->probes);
    g_free(archive);
}

guint64
archive_get_number(const Archive *archive)
{
    return archive->number;
}

const char *
archive_get_folder(const Archive *archive)
{
    return archive->folder;
}

const char *
archive_get_model(const Archive *archive)
{
    return archive->model;
}

int
archive_get_dim(const Archive *archive)
{
    return archive->dim;
}

// ---- Model ----------------------------------------------------------------

ArchiveModel
archive_describe_model(const Archive *archive)
{
    return (ArchiveModel){archive->model, archive->fingerprint, archive->dim,
                          archive->probes, archive->n_probes};
}

float
archive_compare_models(const ArchiveModel *a, const ArchiveModel *b)
{
    float worst = 1;
    if (a->dim != b->dim)
        return 0;
    for (int i = 0; i < MIN(a->n_probes, b->n_probes); i++) {
        float sum = 0;
        for (int k = 0; k < a->dim; k++)
            sum += a->probes[i * a->dim + k] * b->probes[i * b->dim + k];
        if (!(sum >= worst))
            worst = sum;
    }
    return worst;
}

float
archive_compare_model(const Archive *archive, const ArchiveModel *model)
{
    ArchiveModel made_by = archive_describe_model(archive);
    return archive_compare_models(&made_by, model);
}

bool
archive_check_model(const Archive *archive, const ArchiveModel *model,
                    GError **error)
{
    float cosine = archive_compare_model(archive, model);
    if (cosine >= ARCHIVE_MIN_COSINE)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                "%s: its vectors were made by %s (%d values, fingerprint %s), "
                "and this model is %s (%d values, fingerprint %s): the same "
                "picture has a cosine of %.4f in both, and %.3f is needed; "
                "give the archive's model with --model, or another folder",
                archive->folder, archive->model, archive->dim,
                archive->fingerprint, model->name, model->dim,
                model->fingerprint, (double)cosine, (double)ARCHIVE_MIN_COSINE);
    return false;
}
