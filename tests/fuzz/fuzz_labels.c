// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fuzz_labels.c - bytes as a label file, and as labels, templates and negatives
// written in a property.

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/labels/label_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_prompts(const PeLabelSpec *spec)
{
    for (guint i = 0; i < spec->labels->len; i++) {
        const PeLabel *label = spec->labels->pdata[i];
        g_assert(*label->name && g_utf8_validate(label->name, -1, NULL));
        g_assert(label->threshold >= 0 && label->threshold <= 1);
        g_autoptr(GPtrArray) prompts = pe_label_spec_list_prompts(spec, label);
        bool alone = label->image_weight == 1;
        g_assert((prompts->len == 0) == alone);
        g_assert(alone <= (label->images || label->vector));
    }
}

static void
use(PeLabelSpec *spec, const GError *error, const char *text)
{
    g_assert((spec != NULL) != (error != NULL));
    if (!spec) {
        g_assert(error->domain == PE_ERROR &&
                 g_utf8_validate(error->message, -1, NULL));
        return;
    }
    g_assert(pe_label_spec_count(spec) > 0);
    if (!pe_label_spec_set_templates(spec, text, NULL) ||
        !pe_label_spec_add_negatives(spec, text, NULL))
        read_prompts(spec);
    read_prompts(spec);
    pe_label_spec_free(spec);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    PeLabelSpec *spec = pe_label_spec_parse(text, &error);
    use(spec, error, text);

    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    g_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autoptr(GError) file_error = NULL;
    spec = pe_label_spec_load(path, &file_error);
    use(spec, file_error, text);
    close(fd);
    return 0;
}
