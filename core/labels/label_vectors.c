// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_vectors.c - see label_vectors.h.

#include "label_vectors.h"

#include <string.h>

#include "core/base/tensor.h"
#include "text_cache.h"

#define BLOCK 256 // texts embedded at a time: bounds the memory for vectors
#define MAX_CUT_TOLD 8 // warnings about cut texts of one label set

// ---- Texts to vectors -----------------------------------------------------

typedef struct {
    PeEngine *engine;
    const PeTokenizer *tokenizer;
    PeTextCache *cache;
    int dim;
    int context_length;
    int n_cut;           // texts that are too long
    GPtrArray *warnings; // of char *
} Embedder;

static void
make_key(const char *text, uint8_t key[PE_TEXT_KEY_SIZE])
{
    g_autofree char *clean = pe_tokenizer_clean(text);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, (const guchar *)clean, (gssize)strlen(clean));
    gsize size = PE_TEXT_KEY_SIZE;
    g_checksum_get_digest(sum, key, &size);
}

// Collect a warning when the text is longer than the model's context. The
// engine writes to the log about the texts that it embeds; who reads the log
// should hear of the others too.
static void
warn_if_cut(Embedder *e, const char *text, bool cached)
{
    g_autofree int *ids = g_new(int, e->context_length);
    g_autofree char *cut = NULL;
    pe_tokenizer_encode(e->tokenizer, text, e->context_length, ids, &cut);
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
//   keys     [n, PE_TEXT_KEY_SIZE]
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
    // Other programs and later days would read them from the cache.
    if (!pe_all_finite(vectors, (size_t)n * dim)) {
        g_set_error(error, PE_ERROR, PE_ERROR_BACKEND,
                    "%s: a text vector is not finite",
                    pe_engine_get_description(e->engine));
        return false;
    }
    pe_text_cache_append(e->cache, keys, vectors, n);
    for (int i = 0; i < n; i++)
        memcpy(out + (size_t)missing[i] * dim, vectors + (size_t)i * dim,
               sizeof *out * dim);
    return true;
}

//   texts  [n], n <= BLOCK    out  [n, dim], not unit
static bool
embed_block(Embedder *e, const char *const *texts, int n, float *out,
            GError **error)
{
    int missing[BLOCK], n_missing = 0;
    uint8_t keys[BLOCK * PE_TEXT_KEY_SIZE];
    for (int i = 0; i < n; i++) {
        uint8_t *key = keys + n_missing * PE_TEXT_KEY_SIZE;
        make_key(texts[i], key);
        bool cached =
            pe_text_cache_find(e->cache, key, out + (size_t)i * e->dim);
        warn_if_cut(e, texts[i], cached);
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
        if (!embed_block(e, (const char *const *)texts->pdata + first, n, block,
                         error))
            return false;
        for (int i = 0; i < n; i++) {
            int owner = g_array_index(owners, int, first + i);
            float *x = block + (size_t)i * dim;
            float *sum = out + (size_t)owner * dim;
            pe_embedding_normalize(x, e->dim);
            for (size_t k = 0; k < dim; k++)
                sum[k] += x[k];
        }
    }
    // The direction of a sum is that of the mean.
    for (int i = 0; i < n_owners; i++)
        pe_embedding_normalize(out + (size_t)i * dim, e->dim);
    return true;
}

// ---- Labels ---------------------------------------------------------------

// Every text, and which label it belongs to, negatives counted after the
// labels. Returns how many labels and negatives there are.
static int
list_texts(const PeLabelSpec *spec, GPtrArray *texts, GArray *owners)
{
    const GPtrArray *lists[] = {spec->labels, spec->negatives};
    int owner = 0;
    for (size_t l = 0; l < G_N_ELEMENTS(lists); l++) {
        for (guint i = 0; i < lists[l]->len; i++, owner++) {
            g_autoptr(GPtrArray) prompts =
                pe_label_spec_list_prompts(spec, lists[l]->pdata[i]);
            for (guint p = 0; p < prompts->len; p++) {
                g_ptr_array_add(texts, g_strdup(prompts->pdata[p]));
                g_array_append_val(owners, owner);
            }
        }
    }
    return owner;
}

bool
pe_label_vectors_make(PeEngine *engine, const PeTokenizer *tokenizer,
                      const PeLabelSpec *spec, float *out, GPtrArray *warnings,
                      GError **error)
{
    const PeModel *model = pe_engine_get_model(engine);
    g_autofree char *name =
        g_strdup_printf("%s-%s-%s", pe_model_get_fingerprint(model),
                        pe_tokenizer_get_fingerprint(tokenizer),
                        pe_precision_nick(pe_engine_get_precision(engine)));
    int dim = pe_engine_get_dim(engine);
    Embedder e = {
        .engine = engine,
        .tokenizer = tokenizer,
        .cache = pe_text_cache_open(name, dim),
        .dim = dim,
        .context_length = pe_model_get_text(model)->context_length,
        .warnings = warnings,
    };

    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) owners = g_array_new(FALSE, FALSE, sizeof(int));
    int n_owners = list_texts(spec, texts, owners);
    bool ok = embed_all(&e, texts, owners, n_owners, out, error);
    pe_text_cache_close(e.cache);
    if (e.n_cut > MAX_CUT_TOLD)
        g_ptr_array_add(warnings,
                        g_strdup_printf("%d more texts are longer than the "
                                        "model's %d tokens",
                                        e.n_cut - MAX_CUT_TOLD,
                                        e.context_length));
    return ok;
}
