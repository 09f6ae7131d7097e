// SPDX-License-Identifier: LGPL-2.1-or-later
//
// algos.c - a table of algorithms and its text file. A line is the numbers of
// the key, the words in hexadecimal and a check sum over them:
//
//   in out gelu residual bias m n k align w0 .. w7 sum

#include "cuda/algos.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#define N_KEY (sizeof(PeAlgoKey) / sizeof(int))
#define N_WORDS G_N_ELEMENTS(((PeAlgo *)NULL)->words)

struct PeAlgos {
    char *path; // NULL: not kept
    bool changed;
    GHashTable *table; // PeAlgoKey -> PeAlgo
};

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

static uint32_t
check_sum(const PeAlgoKey *key, const PeAlgo *algo)
{
    return hash_bytes(hash_key(key), algo, sizeof *algo);
}

int
pe_algos_bucket(int m)
{
    int shift = 0;
    while ((m - 1) >> shift >= 8)
        shift++;
    return (((m - 1) >> shift) + 1) << shift;
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
        algo->words[i] = n;
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
    for (size_t i = 0; i < N_WORDS; i++)
        g_string_append_printf(text, "%" G_GINT64_MODIFIER "x ",
                               (guint64)algo->words[i]);
    g_string_append_printf(text, "%x\n", check_sum(key, algo));
}

PeAlgos *
pe_algos_new(const char *path)
{
    PeAlgos *algos = g_new0(PeAlgos, 1);
    algos->path = g_strdup(path);
    algos->table = g_hash_table_new_full(hash_key, equal_keys, g_free, g_free);
    g_autofree char *text = NULL;
    if (!path || !g_file_get_contents(path, &text, NULL, NULL))
        return algos;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (int i = 0; lines[i]; i++) {
        PeAlgoKey key;
        PeAlgo algo;
        if (parse_line(lines[i], &key, &algo))
            pe_algos_set(algos, &key, &algo);
    }
    algos->changed = false;
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

const PeAlgo *
pe_algos_get(const PeAlgos *algos, const PeAlgoKey *key)
{
    return g_hash_table_lookup(algos->table, key);
}

void
pe_algos_set(PeAlgos *algos, const PeAlgoKey *key, const PeAlgo *algo)
{
    g_hash_table_insert(algos->table, g_memdup2(key, sizeof *key),
                        g_memdup2(algo, sizeof *algo));
    algos->changed = true;
}

bool
pe_algos_save(PeAlgos *algos, GError **error)
{
    if (!algos->changed || !algos->path)
        return true;
    algos->changed = false; // also when it fails: one warning is enough
    g_autoptr(GString) text = g_string_new(NULL);
    GHashTableIter iter;
    gpointer key, algo;
    g_hash_table_iter_init(&iter, algos->table);
    while (g_hash_table_iter_next(&iter, &key, &algo))
        append_line(text, key, algo);

    g_autofree char *dir = g_path_get_dirname(algos->path);
    if (g_mkdir_with_parents(dir, 0755) != 0) {
        g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(errno),
                    "cannot make the folder %s: %s", dir, g_strerror(errno));
        return false;
    }
    return g_file_set_contents(algos->path, text->str, (gssize)text->len,
                               error);
}
