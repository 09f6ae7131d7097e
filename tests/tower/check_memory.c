// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_memory.c - memory that a closed model leaves behind, as the kernel
// counts it.

#include <stdio.h>
#include <unistd.h>

#include "core/tower/text.h"
#include "core/tower/vision.h"
#include "tests/support/model_compare.h"

#define MIB ((size_t)1 << 20)

static size_t
measure_resident(void)
{
    unsigned long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    g_assert_nonnull(file);
    g_assert_cmpint(fscanf(file, "%lu %lu", &total, &resident), ==, 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

// Load a few layers of both towers and embed something with each.
static void
use_model(const char *config, PePrecision precision)
{
    g_autoptr(GError) error = NULL;
    PeModel *model = pe_model_new_random(config, 1, &error);
    g_assert_no_error(error);
    PeBackend *be = pe_backend_open("cpu", precision, 0, &error);
    g_assert_no_error(error);
    PeTowerParams params = {.max_batch = 4, .max_layers = 4};
    PeVision *vision = pe_vision_new(be, model, &params, &error);
    g_assert_no_error(error);
    PeText *text = pe_text_new(be, model, &params, &error);
    g_assert_no_error(error);

    int dim = pe_model_get_text(model)->output_dim;
    int size = pe_model_get_vision(model)->image_size;
    int ids[4] = {49406, 320, 49407, 0};
    g_autofree float *out = g_new(float, dim);
    g_autofree float *pixels = g_new0(float, 3 * size * size);
    g_assert_true(pe_text_embed(text, ids, 1, 4, out, &error));
    g_assert_true(
        pe_vision_embed_pixels(vision, pixels, 1, size, size, out, &error));
    g_test_message("%s in use: %zu MiB", config, measure_resident() / MIB);
    pe_text_free(text);
    pe_vision_free(vision);
    be->ops->close(be);
    pe_model_unref(model);
}

static void
leaves_little_behind_when_closed(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    g_test_skip("a sanitizer keeps memory of its own");
    return;
#endif
    size_t before = measure_resident();
    for (int i = 0; i < 2; i++) {
        use_model("PE-Core-B16-224", PE_PRECISION_FP32);
        size_t after = measure_resident();
        g_test_message("resident before %zu MiB, after %zu MiB (limit + 60)",
                       before / MIB, after / MIB);
        g_assert_cmpuint(after, <=, before + 60 * MIB);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/closed", leaves_little_behind_when_closed);
    return g_test_run();
}
