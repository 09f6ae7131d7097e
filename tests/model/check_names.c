// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_names.c - the names and wrappings that training programs give to the
// weights make no other model of them.

#include <string.h>

#include "tests/support/checkpoint_files.h"
#include "tests/support/model_compare.h"
#include "tests/support/tiny_model.h"

static char *tiny; // path

// The tiny model with something before all names, and something in the names of
// the vision tower. Returns the path, g_free().
static char *
write_renamed(const char *prefix, const char *inside)
{
    g_autofree char *bytes = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(tiny, &bytes, &size, NULL));
    guint64 length;
    memcpy(&length, bytes, sizeof length);
    length = GUINT64_FROM_LE(length);
    g_autoptr(GString) header = g_string_new_len(bytes + 8, (gssize)length);
    g_autofree char *begin = g_strdup_printf("\"visual.%s", inside);
    g_autofree char *each = g_strdup_printf("\"%s\\1\":{\"dtype\"", prefix);
    g_string_replace(header, "\"visual.", begin, 0);
    g_autoptr(GRegex) names =
        g_regex_new("\"([^\"]+)\":\\{\"dtype\"", 0, 0, NULL);
    g_autofree char *renamed =
        g_regex_replace(names, header->str, -1, 0, each, 0, NULL);
    g_autoptr(GByteArray) file =
        safetensors_file(renamed, bytes + 8 + length, size - 8 - length);
    return file_write_bytes("renamed.safetensors", file);
}

static void
knows_the_prefixes_of_training_programs(void)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"_orig_mod.", ""},
        {"module.", ""},
        {"module._orig_mod.", ""},
        {"", "_orig_mod."},
        {"model.", ""},
        {"model._orig_mod.", ""},
        {"clip.", ""},
        {"model.clip.", ""},
    };
    PeModel *reference = model_open(tiny);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s %s", cases[i][0], cases[i][1]);
        g_autofree char *path = write_renamed(cases[i][0], cases[i][1]);
        PeModel *model = model_open(path);
        g_assert_nonnull(pe_model_get_text(model));
        g_assert_cmpstr(pe_model_get_fingerprint(model), ==,
                        pe_model_get_fingerprint(reference));
        g_assert_cmpfloat(pe_model_get_logit_scale(model), ==,
                          pe_model_get_logit_scale(reference));
        pe_model_unref(model);
    }
    pe_model_unref(reference);
}

static void
looks_below_the_wrappers_of_training_programs(void)
{
    static const char *const wrappers[] = {
        "state_dict", "model_state_dict", "state_dict_ema", "ema",
        "net",        "teacher",          "params",         "model_ema"};
    static const float values[2] = {1, 2};
    for (size_t i = 0; i < G_N_ELEMENTS(wrappers); i++) {
        g_autoptr(GByteArray) p = g_byte_array_new();
        pickle_begin(p);
        pickle_text(p, "epoch");
        pickle_int(p, 3);
        pickle_text(p, wrappers[i]);
        pickle_op(p, "}(");
        pickle_text(p, "_orig_mod.a");
        pickle_tensor(
            p, &(PickledTensor){"FloatStorage", NULL, "0", 2, 0, 1, {2}, {1}});
        pickle_op(p, "u");
        pickle_end(p);
        g_autoptr(GByteArray) file =
            torch_file(p, &(Storage){values, sizeof values}, 1);
        g_autofree char *path = file_write_bytes("wrapped.pt", file);
        PeCheckpoint *ckpt = checkpoint_open(path);
        g_assert_nonnull(pe_checkpoint_get(ckpt, "a"));
        pe_checkpoint_free(ckpt);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    tiny = tiny_model_new(5);
    g_test_add_func("/names/prefixes", knows_the_prefixes_of_training_programs);
    g_test_add_func("/names/wrappers",
                    looks_below_the_wrappers_of_training_programs);
    int status = g_test_run();
    tiny_model_remove(tiny);
    file_cleanup();
    return status;
}
