// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_vectors.c - see label_vectors.h.

#include "label_vectors.h"

#include <string.h>

#include "core/base/tensor.h"
#include "vector_cache.h"

#define BLOCK 256 // texts embedded at a time: bounds the memory for vectors
#define MAX_CUT_TOLD 8 // warnings about cut texts of one label set
#define SUM_SIZE 32    // of SHA-256

// ---- Texts to vectors -----------------------------------------------------

typedef struct {
    PeEngine *engine;
    const PeTokenizer *tokenizer;
    PeVectorCache *cache;
    int dim;
    int context_length;
    int n_cut;           // texts that are too long
    GPtrArray *warnings; // of char *
    GChecksum *tokens;   // of the owner's texts so far
    int owner;           // -1: none yet
    uint8_t *sums;       // [n_owners, SUM_SIZE] of the tokens
} Embedder;

static void
make_key(const char *text, uint8_t key[PE_VECTOR_KEY_SIZE])
{
    g_autofree char *clean = pe_tokenizer_clean(text);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, (const guchar *)clean, (gssize)strlen(clean));
    gsize size = PE_VECTOR_KEY_SIZE;
    g_checksum_get_digest(sum, key, &size);
}

// An owner's texts come one after the other.
static void
finish_owner(Embedder *e)
{
    gsize size = SUM_SIZE;
    if (e->owner >= 0)
        g_checksum_get_digest(e->tokens, e->sums + (size_t)e->owner * SUM_SIZE,
                              &size);
    g_checksum_reset(e->tokens);
}

static void
note_tokens(Embedder *e, int owner, const int *ids)
{
    if (owner != e->owner)
        finish_owner(e);
    e->owner = owner;
    g_checksum_update(e->tokens, (const guchar *)ids,
                      (gssize)e->context_length * (gssize)sizeof *ids);
}

// Look at the tokens of a text. Collect a warning when there are more than the
// model's context takes. The engine writes to the log about the texts that it
// embeds; who reads the log should hear of the others too.
static void
look_at_tokens(Embedder *e, const char *text, int owner, bool cached)
{
    g_autofree int *ids = g_new0(int, e->context_length);
    g_autofree char *cut = NULL;
    pe_tokenizer_encode(e->tokenizer, text, e->context_length, ids, &cut);
    note_tokens(e, owner, ids);
    if (!cut)
        return;
    g_autofree char *warning = g_strdup_printf(
        "text is longer than the model's %d tokens: \"%s\" is not used in "
        "\"%s\"",
        e->context_length, cut, text);
    if (cached)
        pe_log(PE_LOG_WARNING, "%s", warning);
    if (++e->n_cut <= MAX_CUT_TOLD)
        g_ptr_array_add(e->warnings, g_steal_pointer(&warning));
}

// Embed the texts that the cache does not have.
//   missing  [n]       their positions among `texts` and `out`
//   keys     [n, PE_VECTOR_KEY_SIZE]
static bool
embed_missing(const Embedder *e, const char *const *texts, const int *missing,
              const uint8_t *keys, int n, float *out, GError **error)
{
    if (n == 0)
        return true;
    size_t dim = (size_t)e->dim;
    g_autofree const char **asked = g_new(const char *, n);
    g_autofree float *vectors = g_new(float, (size_t)n *dim);
    for (int i = 0; i < n; i++)
        asked[i] = texts[missing[i]];
    if (!pe_engine_embed_texts(e->engine, e->tokenizer, asked, n, vectors,
                               error))
        return false;
    pe_vector_cache_append(e->cache, keys, vectors, n);
    for (int i = 0; i < n; i++)
        memcpy(out + (size_t)missing[i] * dim, vectors + (size_t)i * dim,
               sizeof *out * dim);
    return true;
}

//   texts  [n], n <= BLOCK    owners  [n]    out  [n, dim], not unit
static bool
embed_block(Embedder *e, const char *const *texts, const int *owners, int n,
            float *out, GError **error)
{
    int missing[BLOCK], n_missing = 0;
    uint8_t keys[BLOCK * PE_VECTOR_KEY_SIZE];
    for (int i = 0; i < n; i++) {
        uint8_t *key = keys + n_missing * PE_VECTOR_KEY_SIZE;
        make_key(texts[i], key);
        bool cached =
            pe_vector_cache_find(e->cache, key, out + (size_t)i * e->dim);
        look_at_tokens(e, texts[i], owners[i], cached);
        if (!cached)
            missing[n_missing++] = i;
    }
    return embed_missing(e, texts, missing, keys, n_missing, out, error);
}

// For every owner the mean of its texts' unit vectors, made unit again.
//   texts  [n]   owners  [n] the label of each   out  [n_owners, dim], zero
// Source: perception_models clip_benchmark, zero_shot_classifier.
static bool
embed_all(Embedder *e, const GPtrArray *texts, const GArray *owners,
          int n_owners, float *out, GError **error)
{
    size_t dim = (size_t)e->dim;
    g_autofree float *block = g_new(float, BLOCK *dim);
    int total = (int)texts->len;
    for (int first = 0; first < total; first += BLOCK) {
        int n = MIN(BLOCK, total - first);
        const int *owner = &g_array_index(owners, int, first);
        if (!embed_block(e, (const char *const *)texts->pdata + first, owner, n,
                         block, error))
            return false;
        for (int i = 0; i < n; i++) {
            float *x = block + (size_t)i * dim;
            float *sum = out + (size_t)owner[i] * dim;
            pe_embedding_normalize(x, e->dim);
            for (size_t k = 0; k < dim; k++)
                sum[k] += x[k];
        }
    }
    finish_owner(e);
    // The direction of a sum is that of the mean.
    for (int i = 0; i < n_owners; i++)
        pe_embedding_normalize(out + (size_t)i * dim, e->dim);
    return true;
}

// ---- Labels ---------------------------------------------------------------

static guint
hash_sum(gconstpointer sum)
{
    guint hash;
    memcpy(&hash, sum, sizeof hash);
    return hash;
}

static gboolean
equal_sums(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, SUM_SIZE) == 0;
}

// The first owner with the same tokens, for each. Examples tell a label from
// others.
static void
find_twins(const Embedder *e, const PeLabelSpec *spec, int n, int *twins)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(hash_sum, equal_sums);
    for (int i = 0; i < n; i++) {
        void *sum = e->sums + (size_t)i * SUM_SIZE, *first;
        twins[i] = i;
        if (pe_label_spec_get(spec, i)->image_weight > 0)
            continue;
        if (g_hash_table_lookup_extended(seen, sum, NULL, &first))
            twins[i] = GPOINTER_TO_INT(first);
        else
            g_hash_table_insert(seen, sum, GINT_TO_POINTER(i));
    }
}

// Every text, and which label, negative or text of the bank it belongs to.
// Returns how many of these there are.
static int
list_texts(const PeLabelSpec *spec, GPtrArray *texts, GArray *owners)
{
    int n = pe_label_spec_count_all(spec);
    for (int owner = 0; owner < n; owner++) {
        g_autoptr(GPtrArray) prompts =
            pe_label_spec_list_prompts(spec, pe_label_spec_get(spec, owner));
        for (guint p = 0; p < prompts->len; p++) {
            g_ptr_array_add(texts, g_strdup(prompts->pdata[p]));
            g_array_append_val(owners, owner);
        }
    }
    return n;
}

bool
pe_label_vectors_make(PeEngine *engine, const PeTokenizer *tokenizer,
                      const PeLabelSpec *spec, float *out, int *twins,
                      GPtrArray *warnings, GError **error)
{
    const PeModel *model = pe_engine_get_model(engine);
    g_autofree char *name =
        g_strdup_printf("text-%s-%s-%s", pe_model_get_fingerprint(model),
                        pe_tokenizer_get_fingerprint(tokenizer),
                        pe_precision_nick(pe_engine_get_precision(engine)));
    int dim = pe_engine_get_dim(engine);
    Embedder e = {
        .engine = engine,
        .tokenizer = tokenizer,
        .cache = pe_vector_cache_open(name, dim),
        .dim = dim,
        .context_length = pe_model_get_text(model)->context_length,
        .warnings = warnings,
        .tokens = g_checksum_new(G_CHECKSUM_SHA256),
        .owner = -1,
    };

    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) owners = g_array_new(FALSE, FALSE, sizeof(int));
    int n_owners = list_texts(spec, texts, owners);
    e.sums = g_malloc0((size_t)n_owners * SUM_SIZE);
    bool ok = embed_all(&e, texts, owners, n_owners, out, error);
    if (ok)
        find_twins(&e, spec, n_owners, twins);
    pe_vector_cache_close(e.cache);
    g_checksum_free(e.tokens);
    g_free(e.sums);
    if (e.n_cut > MAX_CUT_TOLD)
        g_ptr_array_add(warnings,
                        g_strdup_printf("%d more texts are longer than the "
                                        "model's %d tokens",
                                        e.n_cut - MAX_CUT_TOLD,
                                        e.context_length));
    return ok;
}
