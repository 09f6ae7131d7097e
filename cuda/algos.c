// SPDX-License-Identifier: LGPL-2.1-or-later
//
// algos.c - a table of algorithms and its text file. A line is the numbers of
// the key, the words in hexadecimal and a check sum over them:
//
//   in out gelu residual bias m n k align heads ways w0 .. w7 ns sum

#include "cuda/algos.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define N_KEY (sizeof(PeAlgoKey) / sizeof(int))
#define N_WORDS (sizeof(PeAlgo) / sizeof(uint64_t)) // with the time

// How long another process may take to write the file.
#define LOCK_SECONDS 2

struct PeAlgos {
    char *path; // NULL: not kept
    bool changed;
    GHashTable *table; // PeAlgoKey -> Entry
};

typedef struct {
    PeAlgo algo;
    bool checked; // by this process
    bool changed; // since the file was read or written
} Entry;

// FNV-1a
static uint32_t
hash_bytes(uint32_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static guint
hash_key(gconstpointer key)
{
    return hash_bytes(2166136261u, key, sizeof(PeAlgoKey));
}

static gboolean
equal_keys(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(PeAlgoKey)) == 0;
}

static bool
equal_algos(const PeAlgo *a, const PeAlgo *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static uint32_t
check_sum(const PeAlgoKey *key, const PeAlgo *algo)
{
    return hash_bytes(hash_key(key), algo, sizeof *algo);
}

static bool
parse_line(const char *line, PeAlgoKey *key, PeAlgo *algo)
{
    g_auto(GStrv) fields = g_strsplit(line, " ", -1);
    if (g_strv_length(fields) != N_KEY + N_WORDS + 1)
        return false;
    int numbers[N_KEY];
    for (size_t i = 0; i < N_KEY; i++) {
        guint64 n;
        if (!g_ascii_string_to_unsigned(fields[i], 10, 0, G_MAXINT, &n, NULL))
            return false;
        numbers[i] = (int)n;
    }
    memcpy(key, numbers, sizeof *key);
    for (size_t i = 0; i < N_WORDS; i++) {
        guint64 n;
        if (!g_ascii_string_to_unsigned(fields[N_KEY + i], 16, 0, G_MAXUINT64,
                                        &n, NULL))
            return false;
        memcpy((uint64_t *)algo + i, &(uint64_t){n}, sizeof(uint64_t));
    }
    guint64 sum;
    return g_ascii_string_to_unsigned(fields[N_KEY + N_WORDS], 16, 0,
                                      G_MAXUINT32, &sum, NULL) &&
           sum == check_sum(key, algo);
}

static void
append_line(GString *text, const PeAlgoKey *key, const PeAlgo *algo)
{
    int numbers[N_KEY];
    memcpy(numbers, key, sizeof *key);
    for (size_t i = 0; i < N_KEY; i++)
        g_string_append_printf(text, "%d ", numbers[i]);
    uint64_t words[N_WORDS];
    memcpy(words, algo, sizeof words);
    for (size_t i = 0; i < N_WORDS; i++)
        g_string_append_printf(text, "%" G_GINT64_MODIFIER "x ",
                               (guint64)words[i]);
    g_string_append_printf(text, "%x\n", check_sum(key, algo));
}

// What the file has, except where something newer is to be written.
static void
read_file(PeAlgos *algos)
{
    g_autofree char *text = NULL;
    if (!algos->path || !g_file_get_contents(algos->path, &text, NULL, NULL))
        return;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (int i = 0; lines[i]; i++) {
        PeAlgoKey key;
        Entry e = {.checked = false};
        if (!parse_line(lines[i], &key, &e.algo))
            continue;
        const Entry *old = g_hash_table_lookup(algos->table, &key);
        if (old && (old->changed || equal_algos(&old->algo, &e.algo)))
            continue;
        g_hash_table_insert(algos->table, g_memdup2(&key, sizeof key),
                            g_memdup2(&e, sizeof e));
    }
}

PeAlgos *
pe_algos_new(const char *path)
{
    PeAlgos *algos = g_new0(PeAlgos, 1);
    algos->path = g_strdup(path);
    algos->table = g_hash_table_new_full(hash_key, equal_keys, g_free, g_free);
    read_file(algos);
    return algos;
}

void
pe_algos_free(PeAlgos *algos)
{
    if (!algos)
        return;
    g_hash_table_unref(algos->table);
    g_free(algos->path);
    g_free(algos);
}

int
pe_algos_count(const PeAlgos *algos)
{
    return (int)g_hash_table_size(algos->table);
}

bool
pe_algos_get(const PeAlgos *algos, const PeAlgoKey *key, PeAlgo *algo,
             bool *checked)
{
    const Entry *e = g_hash_table_lookup(algos->table, key);
    if (!e)
        return false;
    *algo = e->algo;
    *checked = e->checked;
    return true;
}

void
pe_algos_set(PeAlgos *algos, const PeAlgoKey *key, const PeAlgo *algo)
{
    Entry e = {.algo = *algo, .checked = true, .changed = true};
    g_hash_table_insert(algos->table, g_memdup2(key, sizeof *key),
                        g_memdup2(&e, sizeof e));
    algos->changed = true;
}

void
pe_algos_set_checked(PeAlgos *algos, const PeAlgoKey *key)
{
    Entry *e = g_hash_table_lookup(algos->table, key);
    if (e)
        e->checked = true;
}

// ---- Writing ----------------------------------------------------------------

// The lock of the file, in a file beside it that stays: the file itself is
// another one after each writing. -1 with the error; close() gives it back.
static int
take_lock(const char *path, GError **error)
{
    g_autofree char *lock = g_strconcat(path, ".lock", NULL);
    int fd = g_open(lock, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    int64_t end = g_get_monotonic_time() + LOCK_SECONDS * G_TIME_SPAN_SECOND;
    bool locked = false;
    while (fd >= 0 && !(locked = flock(fd, LOCK_EX | LOCK_NB) == 0) &&
           (errno == EWOULDBLOCK || errno == EINTR) &&
           g_get_monotonic_time() < end)
        g_usleep(10000);
    if (locked)
        return fd;
    int code = errno;
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(code),
                "cannot lock %s: %s", lock, g_strerror(code));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool
write_file(PeAlgos *algos, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    GHashTableIter iter;
    gpointer key, value;
    read_file(algos);
    g_hash_table_iter_init(&iter, algos->table);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        Entry *e = value;
        append_line(text, key, &e->algo);
        e->changed = false;
    }
    return g_file_set_contents(algos->path, text->str, (gssize)text->len,
                               error);
}

bool
pe_algos_save(PeAlgos *algos, GError **error)
{
    if (!algos->changed || !algos->path)
        return true;
    algos->changed = false; // also when it fails: one warning is enough
    g_autofree char *dir = g_path_get_dirname(algos->path);
    if (g_mkdir_with_parents(dir, 0755) != 0) {
        g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(errno),
                    "cannot make the folder %s: %s", dir, g_strerror(errno));
        return false;
    }
    int lock = take_lock(algos->path, error);
    if (lock < 0)
        return false;
    bool ok = write_file(algos, error);
    close(lock);
    return ok;
}
