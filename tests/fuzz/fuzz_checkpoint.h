// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fuzz_checkpoint.h - opens bytes as a checkpoint and as a model, and reads
// what was found. Shared by the fuzz targets of the two containers.

#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include "core/model/model.h"
#include "core/model/model_private.h"

#define MAX_READ 4096 // values of one tensor

static void
ignore_log(PeLogLevel level, const char *message, void *user_data)
{
}

static void
read_tensor(const PeCheckpoint *ckpt, const PeTensor *t)
{
    int64_t size = pe_tensor_size(t);
    bool is_float = t->dtype != PE_DTYPE_I64 && t->dtype != PE_DTYPE_I32 &&
                    t->dtype != PE_DTYPE_U8;
    if (!is_float || size > MAX_READ)
        return;
    float *values = g_new(float, size + 1);
    g_auto(PeLoaded) loaded = {0};
    g_assert(pe_checkpoint_load(ckpt, t, &loaded, NULL));
    pe_tensor_to_f32(&loaded.tensor, values);
    g_free(values);
}

// Errors are fine, but there must be one, and it must name the file.
static void
open_bytes(const void *data, size_t size)
{
    pe_log_set(ignore_log, NULL);
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    g_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autoptr(GError) error = NULL;
    PeCheckpoint *ckpt = pe_checkpoint_open(path, &error);
    g_assert((ckpt != NULL) != (error != NULL));
    for (int i = 0; ckpt && i < pe_checkpoint_count(ckpt); i++)
        read_tensor(ckpt, pe_checkpoint_get_nth(ckpt, i));
    PeModel *model = ckpt ? pe_model_new_from_checkpoint(ckpt, &error) : NULL;
    g_assert((model != NULL) != (error != NULL));
    if (model)
        pe_model_get_fingerprint(model);
    else
        g_assert(error->domain == PE_ERROR &&
                 g_str_has_prefix(error->message, path));
    pe_model_unref(model);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
