// SPDX-License-Identifier: LGPL-2.1-or-later
//
// hostile_files.c - see hostile_files.h.

#include "hostile_files.h"

#include <string.h>

#include "checkpoint_files.h"
#include "core/pe.h"

int n_rejected;

void
assert_rejected_path(const char *path, const char *part)
{
    g_autoptr(GError) error = NULL;
    PeModel *model = pe_model_open(path, &error);
    if (model)
        g_error("%s: was taken for a model", path);
    g_assert_nonnull(error);
    g_test_message("%s", error->message);
    g_assert_true(error->domain == PE_ERROR);
    g_autofree char *name = g_path_get_basename(path);
    if (!strstr(error->message, name))
        g_error("'%s' does not name the file %s", error->message, name);
    if (!strstr(error->message, part))
        g_error("'%s' does not say '%s'", error->message, part);
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    n_rejected++;
}

void
assert_rejected_bytes(const char *name, GByteArray *bytes, const char *part)
{
    g_autofree char *path = file_write_bytes(name, bytes);
    g_byte_array_unref(bytes);
    assert_rejected_path(path, part);
}

void
assert_rejected_text(const char *name, const char *text, const char *part)
{
    g_autofree char *path = file_write(name, text, strlen(text));
    assert_rejected_path(path, part);
}
