// SPDX-License-Identifier: LGPL-2.1-or-later
//
// null_cache.c - see null_cache.h.

#include "null_cache.h"

#define MAX_NULLS 256 // of so many filters, or states of an archive, at once

struct NullCache {
    GHashTable *nulls; // Null by what find_key() gives
};

NullCache *
null_cache_new(void)
{
    NullCache *cache = g_new0(NullCache, 1);
    cache->nulls =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return cache;
}

void
null_cache_free(NullCache *cache)
{
    g_hash_table_unref(cache->nulls);
    g_free(cache);
}

// Which rows they are: of which archive, and of which contents. Returns,
// g_free().
static char *
find_key(const Archive *archive, const Selection *selection)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    guint64 number = archive_get_number(archive);
    g_checksum_update(sum, (const guchar *)&number, sizeof number);
    for (guint i = 0; i < selection->contents->len; i++) {
        const ArchiveRows *rows =
            &g_array_index(selection->contents, SelectedContent, i).rows;
        gint64 words[] = {rows->content, rows->first_row, rows->n_rows};
        g_checksum_update(sum, (const guchar *)words, sizeof words);
    }
    return g_strdup(g_checksum_get_string(sum));
}

bool
null_cache_get(NullCache *cache, const float *texts, Archive *archive,
               const PeRows *rows, const Selection *selection, Null *null,
               GError **error)
{
    g_autofree char *key = find_key(archive, selection);
    const Null *known = g_hash_table_lookup(cache->nulls, key);
    if (known) {
        *null = *known;
        return true;
    }
    if (!null_of_texts(texts, archive, rows, selection, null, error))
        return false;
    pe_log(PE_LOG_DEBUG,
           "made the null of texts in %u frames: %.4f, spread %.4f",
           selection->rows->len, null->middle, null->spread);
    if (g_hash_table_size(cache->nulls) >= MAX_NULLS)
        g_hash_table_remove_all(cache->nulls);
    g_hash_table_insert(cache->nulls, g_steal_pointer(&key),
                        g_memdup2(null, sizeof *null));
    return true;
}
