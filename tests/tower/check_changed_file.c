// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_changed_file.c - a checkpoint's file that is written to while its model
// is in use, as `cp new.pt old.pt` and `wget -O` do: an error, or the answer of
// the old model, but no signal.

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/model/model.h"
#include "core/tower/text.h"
#include "tests/support/checkpoint_files.h"
#include "tests/support/model_compare.h"

#define DIM 48 // of the tiny model's embeddings

static const int ids[8] = {510, 5, 7, 511};
static PeBackend *be;

typedef struct {
    char *path;
    PeModel *model;
    PeText *text;
    float out[DIM];
} Used;

static PeText *
new_text(const PeModel *model, GError **error)
{
    return pe_text_new(be, model, &(PeTowerParams){.max_batch = 1}, error);
}

// A copy of the tiny model in one of its formats, with its text tower at work.
static Used
use_copy(const char *format)
{
    g_autofree char *name = g_strconcat("tiny_core_cls.", format, NULL);
    g_autofree char *source = g_strconcat("checkpoints/", name, NULL);
    g_autofree char *from = file_data_path(source);
    g_autoptr(GByteArray) bytes = file_read(from);
    g_autoptr(GError) error = NULL;
    Used used = {.path = file_write_bytes(name, bytes)};
    // Its time is not that of the change below.
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    g_assert_cmpint(utimensat(AT_FDCWD, used.path, times, 0), ==, 0);
    used.model = model_open(used.path);
    used.text = new_text(used.model, &error);
    g_assert_no_error(error);
    g_assert_true(pe_text_embed(used.text, ids, 1, 8, used.out, &error));
    return used;
}

static void
stop_using(Used *used)
{
    pe_text_free(used->text);
    pe_model_unref(used->model);
    g_free(used->path);
}

static void
assert_says_changed(const Used *used, const GError *error)
{
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
    g_assert_true(g_str_has_prefix(error->message, used->path));
    g_assert_nonnull(strstr(error->message, "changed"));
}

// Everything that reads the file later has the same error.
static void
assert_all_fail(const Used *used)
{
    g_autoptr(GError) error = NULL;
    float out[DIM];
    g_assert_false(pe_text_embed(used->text, ids, 1, 8, out, &error));
    assert_says_changed(used, error);
    g_clear_error(&error);
    g_assert_null(new_text(used->model, &error));
    assert_says_changed(used, error);
    g_clear_error(&error);
    g_autofree char *copy =
        g_build_filename(file_folder(), "saved.safetensors", NULL);
    g_assert_false(pe_model_save(used->model, copy, PE_PRECISION_FP32, false,
                                 NULL, NULL, &error));
    assert_says_changed(used, error);
    g_assert_nonnull(pe_model_get_fingerprint(used->model));
}

static void
fails_when_its_file_was_truncated(const void *format)
{
    Used used = use_copy(format);
    g_assert_cmpint(truncate(used.path, 0), ==, 0);
    assert_all_fail(&used);
    stop_using(&used);
}

static void
fails_when_its_file_was_overwritten(const void *format)
{
    Used used = use_copy(format);
    g_autoptr(GByteArray) bytes = file_read(used.path);
    memset(bytes->data + bytes->len / 2, 0, bytes->len / 2);
    int fd = open(used.path, O_WRONLY);
    g_assert_cmpint(write(fd, bytes->data, bytes->len), ==, (int)bytes->len);
    close(fd);
    assert_all_fail(&used);
    stop_using(&used);
}

static void
stays_what_it_was_when_its_file_was_replaced(const void *format)
{
    Used used = use_copy(format);
    g_autoptr(GError) error = NULL;
    g_autofree char *other = file_write("other", "no model", 8);
    g_assert_cmpint(g_rename(other, used.path), ==, 0);
    float out[DIM];
    g_assert_true(pe_text_embed(used.text, ids, 1, 8, out, &error));
    g_assert_cmpmem(out, sizeof out, used.out, sizeof used.out);
    stop_using(&used);
}

int
main(int argc, char **argv)
{
    static const char *const formats[] = {"meta.safetensors", "meta.pt"};
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    be = pe_backend_open("cpu", PE_PRECISION_FP32, 0, &error);
    g_assert_no_error(error);
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        const struct {
            const char *name;
            GTestDataFunc run;
        } tests[] = {
            {"truncated", fails_when_its_file_was_truncated},
            {"overwritten", fails_when_its_file_was_overwritten},
            {"replaced", stays_what_it_was_when_its_file_was_replaced},
        };
        for (size_t j = 0; j < G_N_ELEMENTS(tests); j++) {
            g_autofree char *path = g_strdup_printf("/changed-file/%s/%s",
                                                    tests[j].name, formats[i]);
            g_test_add_data_func(path, formats[i], tests[j].run);
        }
    }
    int status = g_test_run();
    be->ops->close(be);
    file_cleanup();
    return status;
}
