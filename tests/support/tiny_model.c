// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tiny_model.c - writes safetensors in Meta's names from a list of shapes.

#include "tiny_model.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define WIDTH 64
#define LAYERS 2
#define PATCH 16
#define CONTEXT 32
#define VOCAB (512 + TINY_MODEL_MERGES + 2)
#define GRID (TINY_MODEL_SIZE / PATCH)

typedef struct {
    GString *header; // JSON
    GByteArray *data;
    uint32_t seed;
} Writer;

// Uniform in [-1, 1): a linear congruential generator (Numerical Recipes).
static float
next_random(Writer *w)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return (float)(w->seed >> 8) / (float)(1 << 23) - 1;
}

// values are mean + spread * random; n: number of dimensions.
static void
add_tensor(Writer *w, const char *name, float mean, float spread, int n,
           const int *dims)
{
    size_t count = 1;
    g_string_append_printf(w->header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[",
                           w->data->len ? "," : "", name);
    for (int i = 0; i < n; i++) {
        g_string_append_printf(w->header, "%s%d", i ? "," : "", dims[i]);
        count *= (size_t)dims[i];
    }
    g_string_append_printf(w->header, "],\"data_offsets\":[%u,", w->data->len);
    for (size_t i = 0; i < count; i++) {
        float value = mean + spread * next_random(w);
        g_byte_array_append(w->data, (guint8 *)&value, sizeof value);
    }
    g_string_append_printf(w->header, "%u]}", w->data->len);
}

static void
add_vector(Writer *w, const char *prefix, const char *name, float mean,
           float spread, int n)
{
    g_autofree char *full = g_strconcat(prefix, name, NULL);
    add_tensor(w, full, mean, spread, 1, (int[]){n});
}

// Scaled so that a product keeps the size of its input.
static void
add_matrix(Writer *w, const char *prefix, const char *name, int rows, int cols)
{
    g_autofree char *full = g_strconcat(prefix, name, NULL);
    float spread = sqrtf(3.0f / (float)cols);
    add_tensor(w, full, 0, spread, 2, (int[]){rows, cols});
}

static void
add_norm(Writer *w, const char *prefix, const char *name)
{
    g_autofree char *full = g_strconcat(prefix, name, NULL);
    add_vector(w, full, ".weight", 1, 0.1f, WIDTH);
    add_vector(w, full, ".bias", 0, 0.1f, WIDTH);
}

static void
add_attention(Writer *w, const char *prefix)
{
    add_matrix(w, prefix, "attn.in_proj_weight", 3 * WIDTH, WIDTH);
    add_vector(w, prefix, "attn.in_proj_bias", 0, 0.1f, 3 * WIDTH);
    add_matrix(w, prefix, "attn.out_proj.weight", WIDTH, WIDTH);
    add_vector(w, prefix, "attn.out_proj.bias", 0, 0.1f, WIDTH);
}

static void
add_mlp(Writer *w, const char *prefix)
{
    add_matrix(w, prefix, "mlp.c_fc.weight", 4 * WIDTH, WIDTH);
    add_vector(w, prefix, "mlp.c_fc.bias", 0, 0.1f, 4 * WIDTH);
    add_matrix(w, prefix, "mlp.c_proj.weight", WIDTH, 4 * WIDTH);
    add_vector(w, prefix, "mlp.c_proj.bias", 0, 0.1f, WIDTH);
}

static void
add_blocks(Writer *w, const char *tower)
{
    for (int i = 0; i < LAYERS; i++) {
        g_autofree char *prefix =
            g_strdup_printf("%stransformer.resblocks.%d.", tower, i);
        add_norm(w, prefix, "ln_1");
        add_attention(w, prefix);
        add_norm(w, prefix, "ln_2");
        add_mlp(w, prefix);
    }
}

static void
add_towers(Writer *w)
{
    add_tensor(w, "visual.conv1.weight", 0, 0.1f, 4,
               (int[]){WIDTH, 3, PATCH, PATCH});
    add_vector(w, "visual.", "class_embedding", 0, 0.5f, WIDTH);
    add_matrix(w, "visual.", "positional_embedding", GRID * GRID + 1, WIDTH);
    add_norm(w, "visual.", "ln_pre");
    add_blocks(w, "visual.");
    add_norm(w, "visual.", "ln_post");
    add_tensor(w, "visual.attn_pool.probe", 0, 1, 3, (int[]){1, 1, WIDTH});
    add_attention(w, "visual.attn_pool.");
    add_norm(w, "visual.attn_pool.", "layernorm");
    add_mlp(w, "visual.attn_pool.");
    add_matrix(w, "visual.", "proj", WIDTH, TINY_MODEL_DIM);

    add_matrix(w, "", "token_embedding.weight", VOCAB, WIDTH);
    add_matrix(w, "", "positional_embedding", CONTEXT, WIDTH);
    add_blocks(w, "");
    add_norm(w, "", "ln_final");
    add_matrix(w, "", "text_projection", WIDTH, TINY_MODEL_DIM);
    // ln(20): softer than a trained model's 100, so that no label gets all.
    add_tensor(w, "logit_scale", 2.9957323f, 0, 0, NULL);
}

static void
write_vocabulary(const char *dir)
{
    static const char text[] = "\"tiny.txt#version: 0.2\n"
                               "o g</w>\n"
                               "d og</w>\n"
                               "a t</w>\n"
                               "c at</w>\n";
    g_autofree char *path =
        g_build_filename(dir, "bpe_simple_vocab_16e6.txt", NULL);
    g_autoptr(GError) error = NULL;

    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
}

char *
tiny_model_write(const char *dir, uint32_t seed)
{
    Writer w = {g_string_new("{"), g_byte_array_new(), seed};
    add_towers(&w);
    g_string_append_c(w.header, '}');
    while (w.header->len % 8)
        g_string_append_c(w.header, ' ');

    guint64 size = GUINT64_TO_LE(w.header->len);
    g_autoptr(GByteArray) file = g_byte_array_new();
    g_byte_array_append(file, (guint8 *)&size, sizeof size);
    g_byte_array_append(file, (guint8 *)w.header->str, (guint)w.header->len);
    g_byte_array_append(file, w.data->data, w.data->len);
    g_string_free(w.header, TRUE);
    g_byte_array_unref(w.data);

    char *path = g_build_filename(dir, "tiny.safetensors", NULL);
    g_autoptr(GError) error = NULL;
    g_file_set_contents(path, (char *)file->data, file->len, &error);
    g_assert_no_error(error);
    write_vocabulary(dir);
    return path;
}

char *
tiny_model_new(uint32_t seed)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp("pe-tiny-XXXXXX", &error);
    g_assert_no_error(error);
    return tiny_model_write(dir, seed);
}

void
tiny_model_spoil(const char *path, const char *tensor)
{
    g_autofree char *bytes = NULL;
    gsize size;
    g_autoptr(GError) error = NULL;
    g_file_get_contents(path, &bytes, &size, &error);
    g_assert_no_error(error);
    guint64 header;
    memcpy(&header, bytes, sizeof header);
    header = GUINT64_FROM_LE(header);
    g_autofree char *text = g_strndup(bytes + 8, header);
    g_autofree char *key = g_strdup_printf("\"%s\":", tensor);
    const char *entry = strstr(text, key);
    g_assert_nonnull(entry);
    const char *offsets = strstr(entry, "\"data_offsets\":[");
    guint64 begin = g_ascii_strtoull(strchr(offsets, '[') + 1, NULL, 10);
    memset(bytes + 8 + header + begin, 0xff, 4);
    g_file_set_contents(path, bytes, (gssize)size, &error);
    g_assert_no_error(error);
}

void
tiny_model_remove(char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);
    g_autofree char *vocab =
        g_build_filename(dir, "bpe_simple_vocab_16e6.txt", NULL);
    g_remove(path);
    g_remove(vocab);
    g_rmdir(dir);
    g_free(path);
}

void
tiny_model_open(TinyModel *tiny, uint32_t seed)
{
    g_autoptr(GError) error = NULL;
    tiny->path = tiny_model_new(seed);
    tiny->model = pe_model_open(tiny->path, &error);
    g_assert_no_error(error);
    tiny->tokenizer = pe_tokenizer_open_for_model(NULL, tiny->model, &error);
    g_assert_no_error(error);
}

void
tiny_model_close(TinyModel *tiny)
{
    pe_tokenizer_unref(tiny->tokenizer);
    pe_model_unref(tiny->model);
    tiny_model_remove(tiny->path);
}
