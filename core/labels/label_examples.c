// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_examples.c - see label_examples.h. Knows pictures as files with a
// content; the specification's reader knows what is in them.

#include "label_examples.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/failure.h"
#include "core/base/read_file.h"
#include "vector_cache.h"

// What a label's examples come to.
typedef struct {
    float *mean;     // [dim], unit
    float weight;    // in the label's vector
    GPtrArray *sums; // of char *
} Example;

struct PeExamples {
    int n, dim;
    Example **list; // [n]; NULL: the label has none
};

// What embeds pictures.
typedef struct {
    PeEngine *engine;
    PePictureReader read;
    PeVectorCache *cache;
    int dim;
} Embedder;

// ---- The content of a file ------------------------------------------------

static bool
add_content(int fd, const char *path, GChecksum *sum, GError **error)
{
    g_autofree uint8_t *piece = g_malloc(1 << 16);
    ssize_t n;

    while ((n = read(fd, piece, 1 << 16)) > 0)
        g_checksum_update(sum, piece, n);
    return n == 0 || pe_fail(error, PE_ERROR_FILE, path, "cannot be read: %s",
                             g_strerror(errno));
}

// The SHA-256 of a regular file, in hexadecimal. Others might never end.
// Returns, g_free(), or NULL.
static char *
sum_file(const char *path, GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        pe_fail(error, PE_ERROR_FILE, path, "cannot be opened: %s",
                g_strerror(errno));
        return NULL;
    }
    bool ok = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    if (!ok)
        pe_fail(error, PE_ERROR_FILE, path,
                "expected a picture, found what is not a regular file");
    ok = ok && add_content(fd, path, sum, error);
    close(fd);
    return ok ? g_strdup(g_checksum_get_string(sum)) : NULL;
}

// ---- Pictures -------------------------------------------------------------

typedef struct {
    PeEngine *engine;
    float *out;
} Pass;

static bool
embed_frame(const PeFrame *frame, void *user_data, GError **error)
{
    Pass *pass = user_data;

    return pe_engine_embed_frames(pass->engine, frame, 1, pass->out, error);
}

static void
make_key(const char *sum, uint8_t key[PE_VECTOR_KEY_SIZE])
{
    for (int i = 0; i < PE_VECTOR_KEY_SIZE; i++)
        key[i] = (uint8_t)(g_ascii_xdigit_value(sum[2 * i]) << 4 |
                           g_ascii_xdigit_value(sum[2 * i + 1]));
}

// A picture that changes while it is read must not get the other's place in the
// cache. `sum` is that of before.
static bool
check_unchanged(const char *path, const char *sum, GError **error)
{
    g_autofree char *now = sum_file(path, error);

    return now && (strcmp(now, sum) == 0 ||
                   pe_fail(error, PE_ERROR_FILE, path,
                           "has changed while it was read; try again"));
}

// *sum, g_free(), gets what the file contains.
//   out  [dim], not unit
static bool
embed_picture(const Embedder *e, const char *path, float *out, char **sum,
              GError **error)
{
    uint8_t key[PE_VECTOR_KEY_SIZE];
    Pass pass = {e->engine, out};

    *sum = sum_file(path, error);
    if (!*sum)
        return false;
    make_key(*sum, key);
    if (pe_vector_cache_find(e->cache, key, out))
        return true;
    if (!e->read(path, embed_frame, &pass, error) ||
        !check_unchanged(path, *sum, error))
        return false;
    pe_vector_cache_append(e->cache, key, out, 1);
    return true;
}

static bool
embed_pictures(const Embedder *e, const PeLabel *label, Example *example,
               GError **error)
{
    g_autofree float *one = g_new(float, e->dim);

    for (guint i = 0; i < label->images->len; i++) {
        char *sum = NULL;
        bool ok = embed_picture(e, label->images->pdata[i], one, &sum, error);
        if (sum)
            g_ptr_array_add(example->sums, sum);
        if (!ok) {
            g_prefix_error(error, "%s.images[%u]: ", label->where, i);
            return false;
        }
        pe_embedding_normalize(one, e->dim);
        for (int k = 0; k < e->dim; k++)
            example->mean[k] += one[k];
    }
    return true;
}

// ---- Vectors --------------------------------------------------------------

static bool
take_vector(const PeLabel *label, int dim, Example *example, GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    const float *vector = (const float *)label->vector->data;

    if (label->vector->len != (guint)dim) {
        g_autofree char *where = g_strdup_printf("%s.vector", label->where);
        return pe_fail(error, PE_ERROR_SHAPE, where,
                       "expected the %d numbers of this model, found %u", dim,
                       label->vector->len);
    }
    for (int i = 0; i < dim; i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], sizeof bits);
        bits = GUINT32_TO_LE(bits);
        g_checksum_update(sum, (const guchar *)&bits, sizeof bits);
    }
    memcpy(example->mean, vector, sizeof *vector * (size_t)dim);
    g_ptr_array_add(example->sums, g_strdup(g_checksum_get_string(sum)));
    return true;
}

static bool
check_model(const PeLabelSpec *spec, const PeModel *model, GError **error)
{
    const char *fingerprint = pe_model_get_fingerprint(model);

    if (!spec->vectors_model || strcmp(spec->vectors_model, fingerprint) == 0)
        return true;
    g_autofree char *quoted = pe_quote(spec->vectors_model);
    return pe_fail(error, PE_ERROR_SHAPE, spec->vectors_where,
                   "expected vectors of the model %s with the fingerprint %s, "
                   "found those of %s; use that model, or make the vectors "
                   "anew with pe-embed, or name the pictures as \"images\"",
                   pe_model_get_name(model), fingerprint, quoted);
}

// ---- All of them ----------------------------------------------------------

static void
example_free(Example *example)
{
    if (!example)
        return;
    g_ptr_array_unref(example->sums);
    g_free(example->mean);
    g_free(example);
}

void
pe_examples_free(PeExamples *examples)
{
    if (!examples)
        return;
    for (int i = 0; i < examples->n; i++)
        example_free(examples->list[i]);
    g_free(examples->list);
    g_free(examples);
}

// Somebody must read pictures, and what was read before is in a cache.
static bool
prepare_pictures(Embedder *e, const PeLabel *label, GError **error)
{
    PeEngine *engine = e->engine;

    if (!e->read) {
        g_autofree char *where = g_strdup_printf("%s.images", label->where);
        return pe_fail(error, PE_ERROR_FORMAT, where,
                       "this program reads no pictures; peinference and "
                       "pe-embed do, and the vector that \"pe-embed --image\" "
                       "prints can stand here as \"vector\"");
    }
    g_autofree char *name = g_strdup_printf(
        "picture-%s-%s", pe_model_get_fingerprint(pe_engine_get_model(engine)),
        pe_precision_nick(pe_engine_get_precision(engine)));
    if (!e->cache)
        e->cache = pe_vector_cache_open(name, e->dim);
    return true;
}

// NULL with the error.
static Example *
make_example(Embedder *e, const PeLabel *label, GError **error)
{
    Example *example = g_new0(Example, 1);

    example->mean = g_new0(float, e->dim);
    example->sums = g_ptr_array_new_with_free_func(g_free);
    example->weight = label->image_weight;
    bool ok = label->vector ? take_vector(label, e->dim, example, error)
                            : prepare_pictures(e, label, error) &&
                                  embed_pictures(e, label, example, error);
    if (!ok)
        g_clear_pointer(&example, example_free);
    else // the direction of a sum is that of the mean
        pe_embedding_normalize(example->mean, e->dim);
    return example;
}

PeExamples *
pe_examples_make(PeEngine *engine, const PeLabelSpec *spec, GError **error)
{
    Embedder e = {.engine = engine,
                  .read = spec->read_picture,
                  .dim = pe_engine_get_dim(engine)};
    int n = pe_label_spec_count_all(spec);

    if (!check_model(spec, pe_engine_get_model(engine), error))
        return NULL;
    PeExamples *all = g_new0(PeExamples, 1);
    *all = (PeExamples){n, e.dim, g_new0(Example *, n)};
    for (int i = 0; all && i < n; i++) {
        const PeLabel *label = pe_label_spec_get(spec, i);
        if (!label->vector && !label->images)
            continue;
        all->list[i] = make_example(&e, label, error);
        if (!all->list[i])
            g_clear_pointer(&all, pe_examples_free);
    }
    pe_vector_cache_close(e.cache);
    return all;
}

const GPtrArray *
pe_examples_get_sums(const PeExamples *examples, int index)
{
    const Example *example = examples->list[index];

    return example ? example->sums : NULL;
}

void
pe_examples_add(const PeExamples *examples, int index, float *vector)
{
    const Example *example = examples->list[index];

    if (!example)
        return;
    for (int k = 0; k < examples->dim; k++)
        vector[k] = (1 - example->weight) * vector[k] +
                    example->weight * example->mean[k];
    pe_embedding_normalize(vector, examples->dim);
}
