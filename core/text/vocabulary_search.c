// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vocabulary_search.c - which vocabulary belongs to a model when the user named
// none.

#include "core/base/failure.h"
#include "core/pe.h"

#include <string.h>

#define DATA_FOLDER "gst-perception-encoder"

static const char *const file_names[] = {
    "bpe_simple_vocab_16e6.txt.gz",
    "bpe_simple_vocab_16e6.txt",
    "vocab.bpe",
    "vocab.bpe.gz",
    "tokenizer.json",
    "merges.txt", // and the ids in vocab.json
};

typedef struct {
    const PeModel *model;
    const PeTextConfig *text;
    GString *folders; // looked at so far, for the message
    GError *misfit;   // about the first vocabulary of another size
    GError *failure;  // about a file that cannot be used: ends the search
} Search;

static PeTokenizer *
open_fitting(const char *path, const Search *s, GError **error)
{
    PeTokenizer *tokenizer = pe_tokenizer_open(path, error);
    if (!tokenizer)
        return NULL;
    int size = pe_tokenizer_get_vocab_size(tokenizer);
    if (size == s->text->vocab_size)
        return tokenizer;
    const char *model = pe_model_get_path(s->model);
    g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                "%s has %d tokens, but %s wants %d: this vocabulary belongs to "
                "another model",
                path, size, *model ? model : pe_model_get_name(s->model),
                s->text->vocab_size);
    pe_tokenizer_unref(tokenizer);
    return NULL;
}

// NULL when there is no file, when it is for other models, or on failure.
static PeTokenizer *
try_file(Search *s, const char *path)
{
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return NULL;
    GError *error = NULL;
    PeTokenizer *tokenizer = open_fitting(path, s, &error);
    if (!g_error_matches(error, PE_ERROR, PE_ERROR_SHAPE))
        s->failure = error;
    else if (!s->misfit)
        s->misfit = error;
    else
        g_error_free(error);
    return tokenizer;
}

static PeTokenizer *
try_folder(Search *s, const char *folder)
{
    g_string_append_printf(s->folders, "%s%s", s->folders->len ? ", " : "",
                           folder);
    PeTokenizer *tokenizer = NULL;
    for (size_t i = 0;
         i < G_N_ELEMENTS(file_names) && !tokenizer && !s->failure; i++) {
        g_autofree char *path = g_build_filename(folder, file_names[i], NULL);
        tokenizer = try_file(s, path);
    }
    return tokenizer;
}

// Beside "x.safetensors": "x-vocab.txt", then the usual names.
static PeTokenizer *
try_beside_model(Search *s)
{
    const char *path = pe_model_get_path(s->model);
    if (!*path)
        return NULL;
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return try_folder(s, path);

    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    size_t stem = dot ? (size_t)(dot - path) : strlen(path);
    g_autofree char *own = g_strdup_printf("%.*s-vocab.txt", (int)stem, path);
    g_autofree char *folder = g_path_get_dirname(path);
    PeTokenizer *tokenizer = try_file(s, own);
    return tokenizer || s->failure ? tokenizer : try_folder(s, folder);
}

static PeTokenizer *
search(Search *s)
{
    PeTokenizer *tokenizer = try_beside_model(s);
    g_autoptr(GPtrArray) folders = g_ptr_array_new();
    g_ptr_array_add(folders, (void *)g_get_user_data_dir());
    for (const char *const *dir = g_get_system_data_dirs(); *dir; dir++)
        g_ptr_array_add(folders, (void *)*dir);
    for (guint i = 0; i < folders->len && !tokenizer && !s->failure; i++) {
        g_autofree char *folder =
            g_build_filename(folders->pdata[i], DATA_FOLDER, NULL);
        tokenizer = try_folder(s, folder);
    }
    return tokenizer;
}

PeTokenizer *
pe_tokenizer_open_for_model(const char *vocab, const PeModel *model,
                            GError **error)
{
    g_return_val_if_fail(model, NULL);
    Search s = {model, pe_model_get_text(model)};
    if (!s.text) {
        pe_fail(error, PE_ERROR_SHAPE, pe_model_get_name(model),
                "this model has no text tower, so no vocabulary");
        return NULL;
    }
    if (vocab && *vocab)
        return open_fitting(vocab, &s, error);
    s.folders = g_string_new(NULL);
    PeTokenizer *tokenizer = search(&s);
    if (s.failure)
        g_propagate_error(error, g_steal_pointer(&s.failure));
    else if (!tokenizer && s.misfit)
        g_propagate_error(error, g_steal_pointer(&s.misfit));
    else if (!tokenizer)
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "no vocabulary for the labels: looked for %s and the like "
                    "in %s; scripts/deps fetches it, or copy it from the "
                    "Python package open_clip_torch, or name a file",
                    file_names[0], s.folders->str);
    g_string_free(s.folders, TRUE);
    g_clear_error(&s.misfit);
    return tokenizer;
}
