// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_model_save.c - what is written is what was read, whole or not at all;
// single changed values are seen.

#include <glib/gstdio.h>
#include <string.h>

#include "core/model/model_private.h"
#include "tests/support/checkpoint_files.h"
#include "tests/support/model_compare.h"

// ---- Saving ---------------------------------------------------------------

static void
assert_saved(const char *source, PePrecision precision, bool vision_only)
{
    g_autoptr(GError) error = NULL;
    PeModel *model = model_open(source);
    g_autofree char *path =
        g_build_filename(file_folder(), "saved.safetensors", NULL);
    bool ok =
        pe_model_save(model, path, precision, vision_only, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    PeModel *saved = model_open(path);
    g_assert_cmpmem(&saved->vision, sizeof saved->vision, &model->vision,
                    sizeof model->vision);
    g_assert_cmpint(saved->has_text, ==, model->has_text && !vision_only);
    if (saved->has_text)
        g_assert_cmpmem(&saved->text, sizeof saved->text, &model->text,
                        sizeof model->text);
    g_assert_cmpint(saved->weights->len, ==,
                    vision_only ? saved->weights->len : model->weights->len);
    model_assert_same(saved, model, precision);
    if (saved->has_text)
        g_assert_cmpfloat(saved->logit_scale, ==, model->logit_scale);
    if (precision == PE_PRECISION_FP32 && !vision_only)
        g_assert_cmpstr(pe_model_get_fingerprint(saved), ==,
                        pe_model_get_fingerprint(model));
    pe_model_unref(saved);
    pe_model_unref(model);
}

static void
saves_what_it_read(void)
{
    static const char *const sources[] = {
        "checkpoints/tiny_core_cls.meta.pt",
        "checkpoints/tiny_core_cls.open_clip.safetensors",
        "checkpoints/tiny_core_cls.timm.safetensors",
        "tiny_core_cls.safetensors",
        "tiny_core_nocls_hd96.safetensors",
        "tiny_lang_cls_ls.safetensors",
    };
    static const PePrecision precisions[] = {
        PE_PRECISION_FP32, PE_PRECISION_BF16, PE_PRECISION_FP16};
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++) {
        g_autofree char *path = file_data_path(sources[i]);
        for (size_t p = 0; p < G_N_ELEMENTS(precisions); p++) {
            assert_saved(path, precisions[p], false);
            assert_saved(path, precisions[p], true);
        }
    }
}

static void
saves_random_models(void)
{
    g_autoptr(GError) error = NULL;
    PeModel *model = pe_model_new_random("PE-Core-T16-384", 3, NULL);
    g_autofree char *path =
        g_build_filename(file_folder(), "random.safetensors", NULL);
    g_assert_true(pe_model_save(model, path, PE_PRECISION_BF16, false, NULL,
                                NULL, &error));
    PeModel *saved = model_open(path);
    g_assert_cmpstr(pe_model_get_name(saved), ==, "PE-Core-T16-384");
    model_assert_same(saved, model, PE_PRECISION_BF16);
    pe_model_unref(saved);
    pe_model_unref(model);
    g_unlink(path);
}

typedef struct {
    int n_calls;
    int64_t n_done, n_total;
} Told;

static void
note_progress(int64_t n_done, int64_t n_total, void *user_data)
{
    Told *told = user_data;
    g_assert_cmpint(n_done, >, told->n_done);
    if (told->n_calls++ > 0)
        g_assert_cmpint(n_total, ==, told->n_total);
    told->n_done = n_done;
    told->n_total = n_total;
}

static void
tells_how_much_it_has_written(void)
{
    static const bool vision_only[] = {false, true};
    PeModel *model = model_open_tiny("meta.safetensors");
    g_autofree char *path =
        g_build_filename(file_folder(), "told.safetensors", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(vision_only); i++) {
        g_autoptr(GError) error = NULL;
        Told told = {0};
        g_assert_true(pe_model_save(model, path, PE_PRECISION_BF16,
                                    vision_only[i], note_progress, &told,
                                    &error));
        g_autoptr(GByteArray) bytes = file_read(path);
        g_assert_cmpint(told.n_done, ==, bytes->len);
        g_assert_cmpint(told.n_total, ==, bytes->len);
        g_assert_cmpint(told.n_calls, >, 10);
    }
    pe_model_unref(model);
}

static void
writes_the_file_or_nothing(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *source = file_data_path("tiny_lang_cls_ls.safetensors");
    PeModel *model = model_open(source);
    g_autofree char *nowhere =
        g_build_filename(file_folder(), "no", "such", "folder.x", NULL);
    g_assert_false(pe_model_save(model, nowhere, PE_PRECISION_FP32, false, NULL,
                                 NULL, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, nowhere));
    g_clear_error(&error);
    pe_model_unref(model);

    // A weight that fp16 cannot hold: the old file stays, nothing is left over.
    g_autoptr(GByteArray) bytes = file_read(source);
    g_autofree char *path = file_write_bytes("large.safetensors", bytes);
    PeCheckpoint *ckpt = checkpoint_open(path);
    const PeTensor *t =
        pe_checkpoint_get(ckpt, "w.transformer.resblocks.1.ln_2.weight");
    const PeTensor *first = pe_checkpoint_get_nth(ckpt, 0);
    g_assert_nonnull(first);
    g_autofree float *values = model_get_values(NULL, t);
    guint8 *found = memmem(bytes->data, bytes->len, values, 64 * sizeof(float));
    g_assert_nonnull(found);
    pe_checkpoint_free(ckpt);
    memcpy(found, &(float){70000}, sizeof(float));
    g_free(file_write_bytes("large.safetensors", bytes));

    g_autofree char *folder = g_build_filename(file_folder(), "target", NULL);
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    g_autofree char *target = file_write("target/out.safetensors", "old", 3);
    model = model_open(path);
    g_assert_false(pe_model_save(model, target, PE_PRECISION_FP16, false, NULL,
                                 NULL, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "ln_2.weight"));
    g_assert_nonnull(strstr(error->message, "70000"));
    pe_model_unref(model);
    g_autoptr(GByteArray) kept = file_read(target);
    g_assert_cmpmem(kept->data, kept->len, "old", 3);
    GDir *dir = g_dir_open(folder, 0, NULL);
    g_assert_cmpstr(g_dir_read_name(dir), ==, "out.safetensors");
    g_assert_null(g_dir_read_name(dir));
    g_dir_close(dir);
}

static void
replaces_its_own_source(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *source =
        file_data_path("checkpoints/tiny_core_cls.open_clip.safetensors");
    g_autoptr(GByteArray) bytes = file_read(source);
    g_autofree char *path = file_write_bytes("self.safetensors", bytes);
    PeModel *model = model_open(path);
    g_assert_true(pe_model_save(model, path, PE_PRECISION_FP32, false, NULL,
                                NULL, &error));
    PeModel *saved = model_open(path);
    g_assert_cmpstr(pe_model_get_format(saved), ==, "meta-safetensors");
    model_assert_same(saved, model, PE_PRECISION_FP32);
    pe_model_unref(saved);
    pe_model_unref(model);
}

// ---- Odd files ------------------------------------------------------------

// The file at `name` with the bytes of one tensor replaced by `value`.
static char *
write_changed(const char *source, const char *tensor, float value)
{
    g_autofree char *path = file_data_path(source);
    g_autoptr(GByteArray) bytes = file_read(path);
    g_autofree char *quoted = g_strdup_printf("\"%s\":", tensor);
    char *entry = memmem(bytes->data, bytes->len, quoted, strlen(quoted));
    g_assert_nonnull(entry);
    char *offsets = strstr(entry, "\"data_offsets\":[");
    g_assert_nonnull(offsets);
    uint64_t header;
    memcpy(&header, bytes->data, 8);
    guint64 begin = g_ascii_strtoull(strchr(offsets, '[') + 1, NULL, 10);
    memcpy(bytes->data + 8 + header + begin, &value, sizeof value);
    return file_write_bytes("changed.safetensors", bytes);
}

static void
keeps_a_trained_bias_of_the_head(void)
{
    PeModel *zero = model_open_tiny("timm.safetensors");
    g_assert_null(pe_model_get_vision_weights(zero)->proj_bias.data);
    pe_model_unref(zero);

    g_autofree char *path = write_changed(
        "checkpoints/tiny_core_cls.timm.safetensors", "head.bias", 0.5f);
    PeModel *model = model_open(path);
    g_autofree float *bias =
        model_get_values(model, &pe_model_get_vision_weights(model)->proj_bias);
    g_assert_cmpfloat(bias[0], ==, 0.5f);
    g_assert_cmpfloat(bias[1], ==, 0);
    pe_model_unref(model);
    assert_saved(path, PE_PRECISION_FP32, false);
}

static void
fingerprint_sees_a_change(void)
{
    static const char *const tensors[] = {
        "visual.proj", "token_embedding.weight",
        "visual.transformer.resblocks.1.mlp.c_proj.bias", "logit_scale"};
    PeModel *model = model_open_tiny("meta.safetensors");
    for (size_t i = 0; i < G_N_ELEMENTS(tensors); i++) {
        g_autofree char *path = write_changed(
            "checkpoints/tiny_core_cls.meta.safetensors", tensors[i], 0.125f);
        PeModel *changed = model_open(path);
        g_assert_cmpstr(pe_model_get_fingerprint(changed), !=,
                        pe_model_get_fingerprint(model));
        pe_model_unref(changed);
    }
    pe_model_unref(model);
}

static void
refuses_a_scale_that_is_no_number(void)
{
    g_autofree char *path = write_changed(
        "checkpoints/tiny_core_cls.meta.safetensors", "logit_scale", 1000);
    g_autoptr(GError) error = NULL;
    g_assert_null(pe_model_open(path, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "logit_scale"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model-save/save", saves_what_it_read);
    g_test_add_func("/model-save/save-random", saves_random_models);
    g_test_add_func("/model-save/progress", tells_how_much_it_has_written);
    g_test_add_func("/model-save/atomic", writes_the_file_or_nothing);
    g_test_add_func("/model-save/in-place", replaces_its_own_source);
    g_test_add_func("/model-save/head-bias", keeps_a_trained_bias_of_the_head);
    g_test_add_func("/model-save/fingerprint", fingerprint_sees_a_change);
    g_test_add_func("/model-save/scale", refuses_a_scale_that_is_no_number);
    int status = g_test_run();
    file_cleanup();
    return status;
}
