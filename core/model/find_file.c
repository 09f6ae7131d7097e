// SPDX-License-Identifier: LGPL-2.1-or-later
//
// find_file.c - the checkpoint in a folder as people have them: a clone, an
// entry of the Hugging Face cache (models--owner--name/refs, snapshots), what a
// training program left.
//
// Source: huggingface_hub, "Understand caching"; transformers, Trainer.

#include "find_file.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/failure.h"

#define INDEX_ENDING ".safetensors.index.json"

static const char *const endings[] = {".safetensors", ".pt",      ".pth",
                                      ".bin",         ".pth.tar", ".ckpt"};

// What training programs keep beside the weights.
static const char *const not_weights[] = {
    "optimizer.",     "scheduler.", "scaler.",       "rng_state",
    "training_args.", "trainer_",   "random_states",
};

// ---- Folders --------------------------------------------------------------

static const char *
find_ending(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
        if (g_str_has_suffix(name, endings[i]))
            return endings[i];
    }
    return NULL;
}

static bool
is_checkpoint_name(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(not_weights); i++) {
        if (g_str_has_prefix(name, not_weights[i]))
            return false;
    }
    return find_ending(name) || g_str_has_suffix(name, INDEX_ENDING);
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// The names in a folder for which `want` holds, sorted. Returns an array of
// char *, NULL with an error.
static GPtrArray *
list_names(const char *folder, bool (*want)(const char *name), GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &cause);
    if (!dir) {
        pe_fail(error, PE_ERROR_FILE, folder, "%s", cause->message);
        return NULL;
    }
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    while ((name = g_dir_read_name(dir))) {
        if (want(name))
            g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, compare_names);
    return names;
}

// The name without its ending and without what the hub's tools add for torch:
// files that agree in it hold the same weights. Returns, g_free().
static char *
get_stem(const char *name)
{
    const char *ending = find_ending(name);
    GString *stem = g_string_new(name);
    g_string_truncate(stem, stem->len - strlen(ending ? ending : INDEX_ENDING));
    g_string_replace(stem, "pytorch_", "", 0);
    return g_string_free(stem, FALSE);
}

// "model-00002-of-00005.safetensors"
static bool
is_shard(const char *name)
{
    return g_regex_match_simple("-[0-9]{5}-of-[0-9]{5}\\.", name, 0, 0);
}

static bool
has_index(const GPtrArray *names)
{
    for (guint i = 0; i < names->len; i++) {
        if (g_str_has_suffix(names->pdata[i], INDEX_ENDING))
            return true;
    }
    return false;
}

// Which of the files is meant when all hold the same weights: safetensors
// before pickles. NULL when they do not.
static const char *
choose(const GPtrArray *names)
{
    bool sharded = has_index(names);
    g_autofree char *stem = NULL;
    const char *best = NULL;
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        if (sharded && is_shard(name))
            continue;
        g_autofree char *other = get_stem(name);
        if (stem && strcmp(stem, other) != 0)
            return NULL;
        bool safe = strstr(name, ".safetensors");
        if (!best || (safe && !strstr(best, ".safetensors")))
            best = name;
        if (!stem)
            stem = g_steal_pointer(&other);
    }
    return best;
}

static bool
is_step_folder(const char *name)
{
    return g_str_has_prefix(name, "checkpoint-");
}

// A trainer keeps every so often "checkpoint-500" with the files of a model.
// Returns the last one, NULL when there is none; g_free().
static char *
find_last_step(const char *folder)
{
    g_autoptr(GPtrArray) names = list_names(folder, is_step_folder, NULL);
    char *last = NULL;
    int64_t highest = -1;
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = names->pdata[i];
        char *end;
        int64_t step = strtoll(strchr(name, '-') + 1, &end, 10);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (*end || step <= highest || !g_file_test(path, G_FILE_TEST_IS_DIR))
            continue;
        highest = step;
        g_free(last);
        last = g_steal_pointer(&path);
    }
    return last;
}

static void
fail_to_choose(const char *folder, GPtrArray *names, GError **error)
{
    g_ptr_array_add(names, NULL);
    g_autofree char *list = g_strjoinv(", ", (char **)names->pdata);
    pe_fail(error, PE_ERROR_FILE, folder,
            "name one of the checkpoints in this folder: %s", list);
}

// The checkpoint among the files of a folder.
static char *
find_here(const char *folder, GError **error)
{
    g_autoptr(GPtrArray) names = list_names(folder, is_checkpoint_name, error);
    if (!names)
        return NULL;
    const char *name = choose(names);
    if (name) {
        if (names->len > 1)
            pe_log(PE_LOG_INFO, "%s: takes %s of the files there", folder,
                   name);
        return g_build_filename(folder, name, NULL);
    }
    if (names->len > 0)
        fail_to_choose(folder, names, error);
    else
        pe_fail(error, PE_ERROR_FILE, folder,
                "no checkpoint (.safetensors, .pt) in this folder");
    return NULL;
}

// ---- The hub's cache ------------------------------------------------------

static bool
is_any(const char *name)
{
    return true;
}

// The snapshot that "main" stands for, or the only one. Returns, g_free().
static char *
find_snapshot(const char *entry, GError **error)
{
    g_autofree char *ref = g_build_filename(entry, "refs", "main", NULL);
    g_autofree char *all = g_build_filename(entry, "snapshots", NULL);
    g_autofree char *commit = NULL;
    if (g_file_get_contents(ref, &commit, NULL, NULL)) {
        g_strstrip(commit);
        g_autofree char *path = g_build_filename(all, commit, NULL);
        if (*commit && !strchr(commit, '/') && *commit != '.' &&
            g_file_test(path, G_FILE_TEST_IS_DIR))
            return g_steal_pointer(&path);
    }
    g_autoptr(GPtrArray) names = list_names(all, is_any, error);
    if (!names)
        return NULL;
    if (names->len == 1)
        return g_build_filename(all, names->pdata[0], NULL);
    pe_fail(error, PE_ERROR_FILE, entry,
            names->len ? "has %u snapshots and refs/main names none of them: "
                         "name the folder of one"
                       : "has %u snapshots: the download was not completed",
            names->len);
    return NULL;
}

static char *
find_in_folder(const char *folder, GError **error)
{
    g_autofree char *snapshots = g_build_filename(folder, "snapshots", NULL);
    g_autofree char *inner = NULL;
    if (g_file_test(snapshots, G_FILE_TEST_IS_DIR)) {
        inner = find_snapshot(folder, error);
        if (!inner)
            return NULL;
    }
    GError *here = NULL;
    char *file = find_here(inner ? inner : folder, &here);
    g_autofree char *last = file ? NULL : find_last_step(folder);
    if (last) {
        g_clear_error(&here);
        pe_log(PE_LOG_INFO, "%s: takes %s", folder, last);
        return find_here(last, error);
    }
    if (!file)
        g_propagate_error(error, here);
    return file;
}

// "owner/name", and no path that a checkpoint could have.
static bool
is_hub_id(const char *text)
{
    return g_regex_match_simple(
               "^[A-Za-z0-9][\\w-]*(\\.[\\w-]+)*/[A-Za-z0-9][\\w.-]*$", text, 0,
               0) &&
           !find_ending(text);
}

// Returns, g_free().
static char *
get_cache(void)
{
    const char *cache = g_getenv("HF_HUB_CACHE");
    const char *older = g_getenv("HUGGINGFACE_HUB_CACHE");
    const char *home = g_getenv("HF_HOME");
    if (cache || older)
        return g_strdup(cache ? cache : older);
    return home ? g_build_filename(home, "hub", NULL)
                : g_build_filename(g_get_user_cache_dir(), "huggingface", "hub",
                                   NULL);
}

static char *
find_in_cache(const char *id, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(id, "/", 2);
    g_autofree char *cache = get_cache();
    g_autofree char *name =
        g_strdup_printf("models--%s--%s", parts[0], parts[1]);
    g_autofree char *entry = g_build_filename(cache, name, NULL);
    if (g_file_test(entry, G_FILE_TEST_IS_DIR))
        return find_in_folder(entry, error);
    pe_fail(error, PE_ERROR_FILE, id,
            "is no file, and no model of the Hugging Face cache in %s; nothing "
            "is downloaded here, `hf download %s` (or `huggingface-cli "
            "download %s`) does that",
            cache, id, id);
    return NULL;
}

char *
pe_model_find_file(const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return find_in_folder(path, error);
    if (!g_file_test(path, G_FILE_TEST_EXISTS) && is_hub_id(path))
        return find_in_cache(path, error);
    return g_strdup(path);
}
