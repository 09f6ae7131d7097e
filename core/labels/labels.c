// SPDX-License-Identifier: LGPL-2.1-or-later
//
// labels.c - labels as unit vectors, and the score of a clip against them.
// Knows engines only as something that embeds texts.

#include "core/pe.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "label_spec.h"
#include "text_cache.h"

#define BLOCK 256     // texts embedded at a time: bounds the memory for vectors
#define SIMILAR 0.95f // cosine of two labels that hardly differ
#define MAX_SIMILAR_TOLD 8 // warnings of one label set
#define MAX_COMPARED 2000  // labels; more would take seconds to compare

struct PeLabels {
    int ref_count;
    int n_labels; // reported
    int n;        // labels, then negatives
    int dim;
    float logit_scale;
    uint64_t version;
    char **names;      // [n_labels]
    float *thresholds; // [n_labels]
    float *vectors;    // [n, dim], unit
};

static float
dot(const float *a, const float *b, int n)
{
    // Independent sums, so that the compiler may use vectors.
    enum { LANES = 16 };
    float sums[LANES] = {0};
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int k = 0; k < LANES; k++)
            sums[k] += a[i + k] * b[i + k];
    }
    float sum = 0;
    for (int k = 0; k < LANES; k++)
        sum += sums[k];
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

// ---- Texts to vectors -----------------------------------------------------

typedef struct {
    PeEngine *engine;
    const PeTokenizer *tokenizer;
    PeTextCache *cache;
    int dim;
    int context_length;
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

// The engine warns about the texts that it embeds; the user should hear of the
// others too.
static void
warn_if_cut(const Embedder *e, const char *text)
{
    g_autofree int *ids = g_new(int, e->context_length);
    g_autofree char *cut = NULL;
    pe_tokenizer_encode(e->tokenizer, text, e->context_length, ids, &cut);
    if (cut)
        pe_log(PE_LOG_WARNING,
               "text is longer than the model's %d tokens: \"%s\" is not used "
               "in \"%s\"",
               e->context_length, cut, text);
}

static bool
are_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return false;
    }
    return true;
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
    if (!are_finite(vectors, (size_t)n * dim)) {
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
embed_block(const Embedder *e, const char *const *texts, int n, float *out,
            GError **error)
{
    int missing[BLOCK], n_missing = 0;
    uint8_t keys[BLOCK * PE_TEXT_KEY_SIZE];
    for (int i = 0; i < n; i++) {
        uint8_t *key = keys + n_missing * PE_TEXT_KEY_SIZE;
        make_key(texts[i], key);
        if (pe_text_cache_find(e->cache, key, out + (size_t)i * e->dim))
            warn_if_cut(e, texts[i]);
        else
            missing[n_missing++] = i;
    }
    return embed_missing(e, texts, missing, keys, n_missing, out, error);
}

// Fill l->vectors: for every label the mean of its prompts' unit vectors, made
// unit again.
//   texts  [n]   owners  [n] the label of each
// Source: perception_models clip_benchmark, zero_shot_classifier.
static bool
embed_labels(PeLabels *l, const Embedder *e, const GPtrArray *texts,
             const GArray *owners, GError **error)
{
    g_autofree float *block = g_new(float, (size_t)BLOCK *(size_t)l->dim);
    int total = (int)texts->len;
    for (int first = 0; first < total; first += BLOCK) {
        int n = MIN(BLOCK, total - first);
        if (!embed_block(e, (const char *const *)texts->pdata + first, n, block,
                         error))
            return false;
        for (int i = 0; i < n; i++) {
            float *x = block + (size_t)i * (size_t)l->dim;
            float *sum =
                l->vectors +
                (size_t)g_array_index(owners, int, first + i) * (size_t)l->dim;
            pe_embedding_normalize(x, l->dim);
            for (int k = 0; k < l->dim; k++)
                sum[k] += x[k];
        }
    }
    // The direction of a sum is that of the mean.
    for (int i = 0; i < l->n; i++)
        pe_embedding_normalize(l->vectors + (size_t)i * (size_t)l->dim, l->dim);
    return true;
}

// ---- Make -----------------------------------------------------------------

static void
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
}

static void
warn_about_similar(const PeLabels *l)
{
    int told = 0;
    for (int i = 0; i < l->n_labels && l->n_labels <= MAX_COMPARED; i++) {
        const float *x = pe_labels_get_vector(l, i);
        for (int j = i + 1; j < l->n_labels; j++) {
            float cosine = dot(x, pe_labels_get_vector(l, j), l->dim);
            if (cosine <= SIMILAR)
                continue;
            if (told++ == MAX_SIMILAR_TOLD)
                return;
            pe_log(PE_LOG_WARNING,
                   "labels \"%s\" and \"%s\" hardly differ for this model "
                   "(cosine %.3f): they will share their probability",
                   l->names[i], l->names[j], (double)cosine);
        }
    }
}

static PeLabels *
labels_alloc(const PeLabelSpec *spec, int dim, float logit_scale)
{
    static atomic_uint_fast64_t last_version;
    PeLabels *l = g_new0(PeLabels, 1);
    l->ref_count = 1;
    l->n_labels = (int)spec->labels->len;
    l->n = l->n_labels + (int)spec->negatives->len;
    l->dim = dim;
    l->logit_scale = logit_scale;
    l->version = atomic_fetch_add(&last_version, 1) + 1;
    l->names = g_new0(char *, l->n_labels + 1);
    l->thresholds = g_new(float, l->n_labels);
    l->vectors = g_new0(float, (size_t)l->n *(size_t)dim);
    for (int i = 0; i < l->n_labels; i++) {
        const PeLabel *label = spec->labels->pdata[i];
        l->names[i] = g_strdup(label->name);
        l->thresholds[i] = label->threshold;
    }
    return l;
}

PeLabels *
pe_labels_new(PeEngine *engine, const PeTokenizer *tokenizer,
              const PeLabelSpec *spec, GError **error)
{
    g_return_val_if_fail(engine && tokenizer && spec, NULL);
    const PeModel *model = pe_engine_get_model(engine);
    const PeTextConfig *text = pe_model_get_text(model);
    if (!text) {
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "%s: labels need a text tower, and this model has none; "
                    "use a PE-Core checkpoint with both towers",
                    pe_model_get_name(model));
        return NULL;
    }
    g_autofree char *name =
        g_strdup_printf("%s-%s-%s", pe_model_get_fingerprint(model),
                        pe_tokenizer_get_fingerprint(tokenizer),
                        pe_precision_nick(pe_engine_get_precision(engine)));
    int dim = pe_engine_get_dim(engine);
    Embedder e = {engine, tokenizer, pe_text_cache_open(name, dim), dim,
                  text->context_length};

    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) owners = g_array_new(FALSE, FALSE, sizeof(int));
    list_texts(spec, texts, owners);
    PeLabels *l = labels_alloc(spec, dim, pe_model_get_logit_scale(model));
    bool ok = embed_labels(l, &e, texts, owners, error);
    pe_text_cache_close(e.cache);
    if (!ok) {
        pe_labels_unref(l);
        return NULL;
    }
    warn_about_similar(l);
    return l;
}

PeLabels *
pe_labels_ref(PeLabels *labels)
{
    g_atomic_int_inc(&labels->ref_count);
    return labels;
}

void
pe_labels_unref(PeLabels *labels)
{
    if (!labels || !g_atomic_int_dec_and_test(&labels->ref_count))
        return;
    g_strfreev(labels->names);
    g_free(labels->thresholds);
    g_free(labels->vectors);
    g_free(labels);
}

int
pe_labels_count(const PeLabels *labels)
{
    return labels->n_labels;
}

const char *
pe_labels_get_name(const PeLabels *labels, int index)
{
    g_return_val_if_fail(index >= 0 && index < labels->n_labels, NULL);
    return labels->names[index];
}

const float *
pe_labels_get_vector(const PeLabels *labels, int index)
{
    g_return_val_if_fail(index >= 0 && index < labels->n_labels, NULL);
    return labels->vectors + (size_t)index * (size_t)labels->dim;
}

uint64_t
pe_labels_get_version(const PeLabels *labels)
{
    return labels->version;
}

// ---- Score ----------------------------------------------------------------

// Insert a score into the best n <= top_k so far; among equals the lower index,
// which came first, stays ahead. Similarities order like probabilities and
// still differ where those are both 0. Returns the new n.
static int
insert_score(PeScore *scores, int n, int top_k, PeScore score)
{
    int i = n < top_k ? n : top_k - 1;
    if (n == top_k && !(score.similarity > scores[i].similarity))
        return n;
    for (; i > 0 && score.similarity > scores[i - 1].similarity; i--)
        scores[i] = scores[i - 1];
    scores[i] = score;
    return n < top_k ? n + 1 : n;
}

int
pe_labels_score(const PeLabels *labels, const float *embedding, int top_k,
                float threshold, PeScore *scores)
{
    g_return_val_if_fail(labels && embedding && (scores || top_k <= 0), 0);
    if (top_k <= 0)
        return 0;
    const PeLabels *l = labels;
    g_autofree float *cosines = g_new(float, l->n);
    float highest = -INFINITY;
    for (int i = 0; i < l->n; i++) {
        const float *x = l->vectors + (size_t)i * (size_t)l->dim;
        cosines[i] = CLAMP(dot(x, embedding, l->dim), -1, 1);
        highest = MAX(highest, cosines[i]);
    }
    // softmax(scale * cosine); the highest is taken off against overflow.
    double scale = l->logit_scale, sum = 0;
    for (int i = 0; i < l->n; i++)
        sum += exp(scale * ((double)cosines[i] - highest));

    int n = 0;
    for (int i = 0; i < l->n_labels; i++) {
        double p = exp(scale * ((double)cosines[i] - highest)) / sum;
        if ((float)p >= MAX(threshold, l->thresholds[i]))
            n = insert_score(scores, n, top_k,
                             (PeScore){i, l->names[i], (float)p, cosines[i]});
    }
    return n;
}
