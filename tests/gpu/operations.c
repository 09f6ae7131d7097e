// SPDX-License-Identifier: LGPL-2.1-or-later
//
// operations.c - see operations.h.

#include "operations.h"

#include "report.h"

// act [n] of small numbers of both signs; NULL when there is no memory left.
static void *
new_operand(PeBackend *be, size_t n)
{
    enum { BLOCK = 1 << 20 };
    size_t size = n * pe_dtype_size(be->act);
    char *p = be->ops->alloc(be, size);
    g_autofree uint16_t *block = g_malloc(BLOCK);
    for (size_t i = 0; i < BLOCK / sizeof *block; i++)
        block[i] = (uint16_t)(0x3c00 | (g_random_int() & 0x80ff));
    for (size_t i = 0; p && i < size; i += BLOCK)
        be->ops->upload(be, p + i, block, MIN(size - i, (size_t)BLOCK));
    return p;
}

static void
report_operation(const char *name, int m, double seconds)
{
    JsonObject *row = report_row("operations");
    json_object_set_string_member(row, "name", name);
    row_number(row, "rows", m);
    row_number(row, "us", seconds * 1e6);
    report_save();
}

// Attention of the largest batch, started many times and waited for once.
static void
measure_attention(PeBackend *be, const PeVisionConfig *c, int tokens, int n)
{
    enum { REPEATS = 10 };
    const PeBackendOps *ops = be->ops;
    size_t rows = (size_t)n * (size_t)tokens, width = (size_t)c->width;
    void *qkv = new_operand(be, 3 * rows * width);
    void *y = ops->alloc(be, rows * width * pe_dtype_size(be->act));
    double best = G_MAXDOUBLE;
    for (int round = 0; qkv && y && round < 4; round++) {
        ops->sync(be);
        gint64 start = g_get_monotonic_time();
        for (int i = 0; i < REPEATS; i++)
            ops->attention(be, y, qkv, NULL, n, tokens, c->heads,
                           c->width / c->heads, false);
        ops->sync(be);
        double t = (double)(g_get_monotonic_time() - start) / 1e6 / REPEATS;
        best = MIN(best, t);
    }
    ops->free(be, qkv);
    ops->free(be, y);
    if (best < G_MAXDOUBLE)
        report_operation("attention", n * tokens, best);
}

void
measure_operations(PeBackend *be, PeModel *model, int batch)
{
    const PeVisionConfig *c = pe_model_get_vision(model);
    int grid = c->image_size / c->patch_size;
    int tokens = grid * grid + (c->cls_token ? 1 : 0);
    int m = batch * tokens;
    const struct {
        const char *name;
        int n, k;
    } products[] = {{"out", c->width, c->width},
                    {"fc2", c->width, c->mlp_width},
                    {"fc1", c->mlp_width, c->width},
                    {"qkv", 3 * c->width, c->width}};
    report_number("layers", c->layers);
    report_number("tokens", tokens);
    report_number("width", c->width);
    report_number("mlp_width", c->mlp_width);
    measure_attention(be, c, tokens, batch);
    if (be->ops->batch_bucket)
        report_number("bucket", be->ops->batch_bucket(be, 1 << 10, 64, tokens,
                                                      c->width, c->mlp_width));
    for (size_t i = 0; be->ops->gemm_seconds && i < G_N_ELEMENTS(products);
         i++) {
        double seconds =
            be->ops->gemm_seconds(be, m, products[i].n, products[i].k);
        if (seconds > 0)
            report_operation(products[i].name, m, seconds);
    }
}
