// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_vocabulary_search.c - a model gets the vocabulary that belongs to it,
// wherever it lies, and never another one.

#include "core/pe.h"
#include "tests/support/tiny_model.h"

#include <glib/gstdio.h>
#include <string.h>

#define NAME "bpe_simple_vocab_16e6.txt"
#define OTHER "#version: of another model\na b\n"
#define OTHER_SIZE "515"
#define TINY_SIZE (512 + TINY_MODEL_MERGES + 2)

static char *home; // XDG_DATA_HOME
static char *site; // the only one of XDG_DATA_DIRS

typedef struct {
    char *path;   // of the model
    char *folder; // that holds it
    char *vocab;  // beside it
    char *text;   // of the vocabulary
    PeModel *model;
} Fixture;

static char *
data_path(const char *dir, const char *name)
{
    g_autofree char *folder =
        g_build_filename(dir, "gst-perception-encoder", NULL);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    return g_build_filename(folder, name, NULL);
}

static void
write_text(const char *path, const char *text)
{
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
set_up(Fixture *f, const void *user_data)
{
    f->path = tiny_model_new(1);
    f->folder = g_path_get_dirname(f->path);
    f->vocab = g_build_filename(f->folder, NAME, NULL);
    g_assert_true(g_file_get_contents(f->vocab, &f->text, NULL, NULL));
    f->model = pe_model_open(f->path, NULL);
    g_assert_nonnull(f->model);
}

static void
tear_down(Fixture *f, const void *user_data)
{
    const char *dirs[] = {home, site};
    static const char *const names[] = {NAME, "tokenizer.json"};
    for (size_t d = 0; d < G_N_ELEMENTS(dirs); d++) {
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
            g_autofree char *path = data_path(dirs[d], names[i]);
            g_remove(path);
        }
    }
    g_free(f->vocab);
    g_free(f->folder);
    g_free(f->text);
    pe_model_unref(f->model);
    tiny_model_remove(f->path);
}

static void
assert_finds(const Fixture *f, const char *vocab, const char *expected)
{
    g_autoptr(GError) error = NULL;
    PeTokenizer *t = pe_tokenizer_open_for_model(vocab, f->model, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(pe_tokenizer_get_path(t), ==, expected);
    g_assert_cmpint(pe_tokenizer_get_vocab_size(t), ==, TINY_SIZE);
    pe_tokenizer_unref(t);
}

static char *
assert_fails(const Fixture *f, const char *vocab, PeError code)
{
    GError *error = NULL;
    g_assert_null(pe_tokenizer_open_for_model(vocab, f->model, &error));
    g_assert_error(error, PE_ERROR, (int)code);
    g_test_message("%s", error->message);
    char *message = g_strdup(error->message);
    g_error_free(error);
    return message;
}

static void
looks_beside_the_model_first(Fixture *f, const void *user_data)
{
    g_autofree char *data = data_path(home, NAME);
    write_text(data, f->text);
    assert_finds(f, NULL, f->vocab);
    assert_finds(f, "", f->vocab);

    g_autofree char *own = g_build_filename(f->folder, "tiny-vocab.txt", NULL);
    write_text(own, f->text);
    assert_finds(f, NULL, own);
    g_remove(own);
}

static void
takes_the_named_file(Fixture *f, const void *user_data)
{
    g_autofree char *named = g_build_filename(f->folder, "named", NULL);
    write_text(named, f->text);
    assert_finds(f, named, named);

    write_text(named, OTHER);
    g_autofree char *message = assert_fails(f, named, PE_ERROR_SHAPE);
    g_autofree char *size = g_strdup_printf("%d", TINY_SIZE);
    g_assert_nonnull(strstr(message, named));
    g_assert_nonnull(strstr(message, f->path));
    g_assert_nonnull(strstr(message, OTHER_SIZE));
    g_assert_nonnull(strstr(message, size));
    g_remove(named);
    g_free(assert_fails(f, named, PE_ERROR_FILE));
}

static void
looks_in_the_data_folders(Fixture *f, const void *user_data)
{
    g_remove(f->vocab);
    g_autofree char *far = data_path(site, NAME);
    g_autofree char *near = data_path(home, NAME);
    write_text(far, f->text);
    assert_finds(f, NULL, far);
    write_text(near, f->text);
    assert_finds(f, NULL, near);
}

static void
passes_over_vocabularies_of_other_models(Fixture *f, const void *user_data)
{
    g_autofree char *far = data_path(site, NAME);
    g_autofree char *near = data_path(home, NAME);
    write_text(f->vocab, OTHER);
    write_text(near, OTHER);
    write_text(far, f->text);
    assert_finds(f, NULL, far);
    g_remove(far);
    g_autofree char *message = assert_fails(f, NULL, PE_ERROR_SHAPE);
    g_assert_nonnull(strstr(message, f->vocab));
    g_remove(f->vocab);
    g_remove(near);
}

static void
does_not_pass_over_a_broken_file(Fixture *f, const void *user_data)
{
    g_autofree char *data = data_path(home, NAME);
    write_text(data, f->text);
    write_text(f->vocab, "not a vocabulary\n");
    g_autofree char *message = assert_fails(f, NULL, PE_ERROR_FORMAT);
    g_assert_nonnull(strstr(message, f->vocab));
}

static void
says_where_it_looked(Fixture *f, const void *user_data)
{
    g_remove(f->vocab);
    g_autofree char *message = assert_fails(f, NULL, PE_ERROR_FILE);
    g_assert_nonnull(strstr(message, f->folder));
    g_assert_nonnull(strstr(message, home));
    g_assert_nonnull(strstr(message, site));
    g_assert_nonnull(strstr(message, "open_clip_torch"));
}

static void
refuses_a_model_without_text_tower(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(
        g_getenv("PE_TEST_DATA"), "tiny_lang_cls_ls.safetensors", NULL);
    PeModel *model = pe_model_open(path, &error);
    g_assert_no_error(error);
    g_assert_null(pe_tokenizer_open_for_model(NULL, model, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    pe_model_unref(model);
}

// The tiny models of the fixtures have 512 tokens: no vocabulary can fit.
static void
refuses_a_model_that_has_no_special_tokens(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(g_getenv("PE_TEST_DATA"),
                                             "tiny_core_cls.safetensors", NULL);
    PeModel *model = pe_model_open(path, &error);
    g_assert_no_error(error);
    g_autofree char *vocab = data_path(home, NAME);
    write_text(vocab, OTHER);
    g_assert_null(pe_tokenizer_open_for_model(vocab, model, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "wants 512"));
    g_remove(vocab);
    pe_model_unref(model);
}

static void
add(const char *path, void (*test)(Fixture *, const void *))
{
    g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autofree char *root = g_dir_make_tmp("check-vocabulary-XXXXXX", NULL);
    home = g_build_filename(root, "home", NULL);
    site = g_build_filename(root, "site", NULL);
    g_setenv("XDG_DATA_HOME", home, TRUE);
    g_setenv("XDG_DATA_DIRS", site, TRUE);

    add("/vocabulary-search/beside", looks_beside_the_model_first);
    add("/vocabulary-search/named", takes_the_named_file);
    add("/vocabulary-search/data", looks_in_the_data_folders);
    add("/vocabulary-search/others", passes_over_vocabularies_of_other_models);
    add("/vocabulary-search/broken", does_not_pass_over_a_broken_file);
    add("/vocabulary-search/nothing", says_where_it_looked);
    g_test_add_func("/vocabulary-search/no-text",
                    refuses_a_model_without_text_tower);
    g_test_add_func("/vocabulary-search/512",
                    refuses_a_model_that_has_no_special_tokens);
    int status = g_test_run();

    const char *dirs[] = {home, site};
    for (size_t i = 0; i < G_N_ELEMENTS(dirs); i++) {
        g_autofree char *inner =
            g_build_filename(dirs[i], "gst-perception-encoder", NULL);
        g_rmdir(inner);
        g_rmdir(dirs[i]);
    }
    g_rmdir(root);
    g_free(home);
    g_free(site);
    return status;
}
