// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_find_file.c - models in folders as the tools of others leave them.

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <unistd.h>

#include "core/model/find_file.h"
#include "tests/support/model_compare.h"
#include "tests/support/tiny_model.h"

static char *root;  // everything is below it
static char *model; // a sound file outside of it

// ---- Folders --------------------------------------------------------------

static char *
below(const char *path)
{
    return g_build_filename(root, path, NULL);
}

static void
put(const char *path, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *full = below(path);
    g_autofree char *folder = g_path_get_dirname(full);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_file_set_contents(full, text, -1, &error);
    g_assert_no_error(error);
}

static void
put_link(const char *path, const char *target)
{
    put(path, "");
    g_autofree char *full = below(path);
    g_remove(full);
    g_assert_cmpint(symlink(target, full), ==, 0);
}

static void
assert_found(const char *path, const char *file)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *wanted = below(file);
    g_autofree char *found = pe_model_find_file(path, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(found, ==, wanted);
}

static void
assert_found_below(const char *path, const char *file)
{
    g_autofree char *full = below(path);
    assert_found(full, file);
}

static void
assert_fails(const char *path, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(pe_model_find_file(path, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
    if (!strstr(error->message, part))
        g_error("no \"%s\" in: %s", part, error->message);
}

static void
assert_fails_below(const char *path, const char *part)
{
    g_autofree char *full = below(path);
    assert_fails(full, part);
}

// ---- Tests ----------------------------------------------------------------

static void
takes_safetensors_of_equal_files(void)
{
    put("clone/open_clip_model.safetensors", "");
    put("clone/open_clip_pytorch_model.bin", "");
    put("clone/config.json", "");
    assert_found_below("clone", "clone/open_clip_model.safetensors");
    put("both/pytorch_model.bin", "");
    put("both/model.safetensors", "");
    assert_found_below("both", "both/model.safetensors");
    // Others may be anything.
    put("many/a.safetensors", "");
    put("many/b.pt", "");
    assert_fails_below("many", "a.safetensors, b.pt");
    put("many/c.pt", "");
    assert_fails_below("many", "b.pt, c.pt");
    put("none/readme.txt", "");
    assert_fails_below("none", "no checkpoint");
}

static void
finds_what_a_trainer_left(void)
{
    put("step/model.safetensors", "");
    put("step/optimizer.pt", "");
    put("step/scheduler.pt", "");
    put("step/rng_state_0.pth", "");
    put("step/training_args.bin", "");
    assert_found_below("step", "step/model.safetensors");
    put("run/checkpoint-90/model.safetensors", "");
    put("run/checkpoint-500/model.safetensors", "");
    put("run/checkpoint-500/optimizer.pt", "");
    put("run/checkpoint-best/model.safetensors", "");
    put("run/training_args.bin", "");
    assert_found_below("run", "run/checkpoint-500/model.safetensors");
    put("lightning/last.ckpt", "");
    assert_found_below("lightning", "lightning/last.ckpt");
    put("timm/model_best.pth.tar", "");
    assert_found_below("timm", "timm/model_best.pth.tar");
}

static void
reads_entries_of_the_hubs_cache(void)
{
    static const char file[] =
        "hub/models--o--PE-Core-X/snapshots/0123/PE-Core-X.pt";
    put("hub/models--o--PE-Core-X/blobs/aa", "");
    put("hub/models--o--PE-Core-X/refs/main", "0123\n");
    put_link(file, "../../blobs/aa");
    put("hub/models--o--PE-Core-X/snapshots/0099/PE-Core-X.pt", "");
    assert_found_below("hub/models--o--PE-Core-X", file);
    assert_found_below("hub/models--o--PE-Core-X/snapshots/0123", file);

    // By its id, wherever the cache is.
    g_autofree char *hub = below("hub");
    g_setenv("HF_HUB_CACHE", hub, TRUE);
    assert_found("o/PE-Core-X", file);
    g_unsetenv("HF_HUB_CACHE");
    g_setenv("HF_HOME", root, TRUE);
    assert_found("o/PE-Core-X", file);
    assert_fails("o/PE-Core-Y", "hf download o/PE-Core-Y");
    assert_fails("o/PE-Core-Y", hub);
    g_unsetenv("HF_HOME");

    // A download that was not completed, and refs that lead nowhere.
    put("hub/models--o--half/refs/main", "77");
    g_autofree char *empty = below("hub/models--o--half/snapshots");
    g_assert_cmpint(g_mkdir(empty, 0700), ==, 0);
    assert_fails_below("hub/models--o--half", "not completed");
    put("hub/models--o--odd/refs/main", "../../models--o--PE-Core-X");
    put("hub/models--o--odd/snapshots/1/a.pt", "");
    assert_found_below("hub/models--o--odd",
                       "hub/models--o--odd/snapshots/1/a.pt");
    put("hub/models--o--odd/snapshots/2/a.pt", "");
    assert_fails_below("hub/models--o--odd", "2 snapshots");
}

static void
leaves_paths_alone(void)
{
    static const char *const paths[] = {
        "nowhere.pt", "/nowhere/a",   "./a/b", "../a",
        "a/b.pt",     "models/x.bin", "a/b/c", "a/b.safetensors"};
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *found = pe_model_find_file(paths[i], NULL);
        g_assert_cmpstr(found, ==, paths[i]);
    }
}

// ---- Shards ---------------------------------------------------------------

// Every other tensor of the model in a file of its own.
static void
write_shard(const char *bytes, int part, const char *name, JsonObject *map)
{
    guint64 size;
    memcpy(&size, bytes, sizeof size);
    g_autoptr(JsonNode) node = NULL;
    g_autofree char *text = g_strndup(bytes + 8, size);
    node = json_from_string(text, NULL);
    JsonObject *all = json_node_get_object(node);
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_autoptr(GString) header = g_string_new("{");
    g_autoptr(GList) names = json_object_get_members(all);
    int number = 0;
    for (GList *l = names; l; l = l->next, number++) {
        JsonObject *entry = json_object_get_object_member(all, l->data);
        JsonArray *at = json_object_get_array_member(entry, "data_offsets");
        gint64 begin = json_array_get_int_element(at, 0);
        gint64 end = json_array_get_int_element(at, 1);
        if (number % 2 != part)
            continue;
        g_autofree char *shape =
            json_to_string(json_object_get_member(entry, "shape"), FALSE);
        g_string_append_printf(header,
                               "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,"
                               "\"data_offsets\":[%u,%u]}",
                               header->len > 1 ? "," : "", (char *)l->data,
                               json_object_get_string_member(entry, "dtype"),
                               shape, data->len,
                               data->len + (guint)(end - begin));
        g_byte_array_append(data, (guint8 *)bytes + 8 + size + begin,
                            (guint)(end - begin));
        json_object_set_string_member(map, l->data, name);
    }
    g_string_append_c(header, '}');
    guint64 length = GUINT64_TO_LE(header->len);
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_byte_array_append(out, (guint8 *)&length, sizeof length);
    g_byte_array_append(out, (guint8 *)header->str, (guint)header->len);
    g_byte_array_append(out, data->data, data->len);
    put(name, "");
    g_autofree char *path = below(name);
    g_assert_true(g_file_set_contents(path, (char *)out->data, out->len, NULL));
}

static void
reads_shards_as_one_model(void)
{
    static const char *const files[] = {"model-00001-of-00002.safetensors",
                                        "model-00002-of-00002.safetensors"};
    g_autofree char *bytes = NULL;
    g_autoptr(GError) error = NULL;
    g_assert_true(g_file_get_contents(model, &bytes, NULL, NULL));
    JsonObject *map = json_object_new();
    for (int i = 0; i < 2; i++)
        write_shard(bytes, i, files[i], map);
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    JsonObject *index = json_object_new();
    json_object_set_object_member(index, "weight_map", map);
    json_node_take_object(node, index);
    g_autofree char *text = json_to_string(node, FALSE);
    put("model.safetensors.index.json", text);

    PeModel *whole = model_open(model);
    PeModel *sharded = model_open(root);
    model_assert_same(sharded, whole, PE_PRECISION_FP32);
    g_assert_cmpstr(pe_model_get_fingerprint(sharded), ==,
                    pe_model_get_fingerprint(whole));
    pe_model_unref(sharded);
    pe_model_unref(whole);

    g_autofree char *missing = below(files[1]);
    g_remove(missing);
    g_assert_null(pe_model_open(root, &error));
    g_assert_nonnull(strstr(error->message, files[1]));
}

static void
refuses_an_index_that_is_none(void)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"{}", "no weight_map"},
        {"{\"weight_map\": {}}", "names no file"},
        {"{\"weight_map\": {\"a\": 1}}", "no safetensors file for 'a'"},
        {"{\"weight_map\": {\"a\": \"../x.safetensors\"}}", "for 'a'"},
        {"{\"weight_map\": {\"a\": \"/x.safetensors\"}}", "for 'a'"},
        {"{\"weight_map\": {\"a\": \"model.bin\"}}", "for 'a'"},
        {"[]", "index.json"},
        {"{", "index.json"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        put("bad/model.safetensors.index.json", cases[i].text);
        g_autofree char *path = below("bad");
        g_assert_null(pe_model_open(path, &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        if (!strstr(error->message, cases[i].part))
            g_error("no \"%s\" in: %s", cases[i].part, error->message);
    }
}

static void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *full = g_build_filename(path, name, NULL);
        if (g_file_test(full, G_FILE_TEST_IS_DIR) &&
            !g_file_test(full, G_FILE_TEST_IS_SYMLINK))
            remove_tree(full);
        else
            g_remove(full);
    }
    g_rmdir(path);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_unsetenv("HF_HUB_CACHE");
    g_unsetenv("HUGGINGFACE_HUB_CACHE");
    root = g_dir_make_tmp("pe-find-XXXXXX", NULL);
    model = tiny_model_new(3);
    g_test_add_func("/find-file/equal", takes_safetensors_of_equal_files);
    g_test_add_func("/find-file/trainer", finds_what_a_trainer_left);
    g_test_add_func("/find-file/cache", reads_entries_of_the_hubs_cache);
    g_test_add_func("/find-file/paths", leaves_paths_alone);
    g_test_add_func("/find-file/bad-index", refuses_an_index_that_is_none);
    g_test_add_func("/find-file/shards", reads_shards_as_one_model);
    int status = g_test_run();
    remove_tree(root);
    g_free(root);
    tiny_model_remove(model);
    return status;
}
