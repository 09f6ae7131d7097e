// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_int8_layers.c - which layers of precision=int8 are computed in bytes on
// a CUDA device, in how many pieces, and what becomes of them when something is
// missing. That the results are right is shown by check_int8.c and
// check_towers.c with `--device cuda`.

#include "tests/cuda_host/open_cuda.h"

#include "cuda/int8/kernels.h"

typedef struct {
    int n, k;
    PeEpilogue epilogue;
} Shape;

static float *
make_random(size_t n, guint32 seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    float *v = g_new(float, n);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)g_rand_double_range(rand, -1, 1);
    return v;
}

static PeLinear *
new_layer(PeBackend *be, const Shape *shape, const float *w, const float *bias)
{
    PeLinearParams params = {
        .weight =
            pe_tensor_new(PE_DTYPE_F32, 2, (int64_t[]){shape->n, shape->k}, w),
        .bias = bias,
        .k_padded = shape->k,
        .epilogue = shape->epilogue};
    return be->ops->linear_new(be, &params);
}

// Rows first.. of `rows` through a layer, as f32 [rows - first, n] of random
// numbers that are the same for each call; free with g_free().
static float *
multiply(PePrecision precision, const Shape *shape, int first, int rows)
{
    size_t n = (size_t)(rows - first) * (size_t)shape->n;
    size_t k = (size_t)shape->k;
    g_autofree float *x = make_random((size_t)rows * k, 1);
    g_autofree float *w = make_random((size_t)shape->n * k, 2);
    g_autofree float *bias = make_random((size_t)shape->n, 3);
    g_autofree uint16_t *act = g_new(uint16_t, (size_t)rows * k);
    for (size_t i = 0; i < (size_t)rows * k; i++)
        act[i] = pe_bf16_from_f32(x[i]);
    PeBackend *be = open_cuda(precision);
    g_assert_cmpint(be->act, ==, PE_DTYPE_BF16);
    PeLinear *l = new_layer(be, shape, w, bias);
    g_assert_nonnull(l);
    size_t x_size = (size_t)(rows - first) * k * sizeof *act;
    void *from = be->ops->alloc(be, x_size);
    void *to = be->ops->alloc(be, n * sizeof(float));
    be->ops->upload(be, from, act + (size_t)first * k, x_size);
    be->ops->linear(be, l, PE_EPILOGUE_F32, NULL, to, from, rows - first);
    float *y = g_new(float, n);
    be->ops->download(be, y, to, n * sizeof *y);
    g_assert_null(be->ops->sync(be));
    be->ops->linear_free(be, l);
    be->ops->free(be, from);
    be->ops->free(be, to);
    be->ops->close(be);
    return y;
}

// The workspace of a card before Hopper has 768 of the longest rows: what lies
// behind them is done after them, and has the same bits as when it is alone.
static void
takes_rows_in_pieces(void)
{
    const Shape shape = {16, PE_CUDA_INT8_MAX_LENGTH, PE_EPILOGUE_RESIDUAL};
    enum { ROWS = 801, FIRST = 760 };
    g_setenv("PE_FAKE_CUDA_SM", "80", TRUE);
    g_autofree float *all = multiply(PE_PRECISION_INT8, &shape, 0, ROWS);
    g_autofree float *last = multiply(PE_PRECISION_INT8, &shape, FIRST, ROWS);
    g_unsetenv("PE_FAKE_CUDA_SM");
    size_t n = (ROWS - FIRST) * 16;
    g_assert_cmpmem(all + FIRST * 16, n * sizeof *all, last, n * sizeof *last);
}

// What is not in a block, too long or of odd sizes has the bits that it has
// without bytes; what is taken has others.
static void
leaves_the_rest_in_16_bits(void)
{
    static const struct {
        Shape shape;
        bool taken;
    } rows[] = {{{48, 128, PE_EPILOGUE_GELU}, true},
                {{48, 128, PE_EPILOGUE_ROPE}, true},
                {{48, 128, PE_EPILOGUE_RESIDUAL}, true},
                {{48, 128, PE_EPILOGUE_F32}, false},
                {{48, 128, PE_EPILOGUE_NONE}, false},
                {{40, 128, PE_EPILOGUE_GELU}, false},
                {{16, PE_CUDA_INT8_MAX_LENGTH + 256, PE_EPILOGUE_GELU}, false}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Shape *shape = &rows[i].shape;
        g_autofree float *bf16 = multiply(PE_PRECISION_BF16, shape, 0, 5);
        g_autofree float *int8 = multiply(PE_PRECISION_INT8, shape, 0, 5);
        size_t size = 5 * (size_t)shape->n * sizeof *bf16;
        g_assert_cmpint(memcmp(bf16, int8, size) == 0, ==, !rows[i].taken);
    }
}

// With just so much memory that one array more has its place, until all have:
// each time, what had been made is given back.
static void
gives_back_what_it_could_not_use(void)
{
    enum { PIECE = 1 << 10, MOST = 1 << 17 };
    const Shape shape = {48, 256, PE_EPILOGUE_GELU};
    g_autofree float *w = make_random(48 * 256, 2);
    g_autoptr(GPtrArray) pieces = g_ptr_array_new();
    g_setenv("PE_FAKE_CUDA_MEMORY", "40000000", TRUE);
    PeBackend *be = open_cuda(PE_PRECISION_INT8);
    void *piece;
    while ((piece = be->ops->alloc(be, PIECE)) && pieces->len < MOST)
        g_ptr_array_add(pieces, piece);
    g_assert_cmpuint(pieces->len, <, MOST);
    PeLinear *l = NULL;
    int n_refusals = -1;
    for (guint n_free = 0; !l; n_free++, n_refusals++) {
        l = new_layer(be, &shape, w, w);
        if (l)
            break;
        // What is left is as much as before.
        g_autoptr(GPtrArray) again = g_ptr_array_new();
        while ((piece = be->ops->alloc(be, PIECE)))
            g_ptr_array_add(again, piece);
        g_assert_cmpuint(again->len, ==, n_free);
        for (guint i = 0; i < again->len; i++)
            be->ops->free(be, again->pdata[i]);
        be->ops->free(be, g_ptr_array_remove_index(pieces, 0));
    }
    g_test_message("%d pieces of memory were too few", n_refusals);
    g_assert_cmpint(n_refusals, >=, 12); // the weight's
    g_assert_null(be->ops->sync(be));
    be->ops->linear_free(be, l);
    for (guint i = 0; i < pieces->len; i++)
        be->ops->free(be, pieces->pdata[i]);
    be->ops->close(be);
    g_unsetenv("PE_FAKE_CUDA_MEMORY");
}

// A kernel that cannot start is a failure with a name, not a wrong result.
static void
says_what_cannot_start(void)
{
    const Shape shape = {48, 256, PE_EPILOGUE_GELU};
    g_autofree float *w = make_random(48 * 256, 2);
    for (const char *kernel = "round_rows"; kernel;
         kernel = *kernel == 'r' ? "int8_linear" : NULL) {
        g_setenv("PE_FAKE_CUDA_REFUSES", kernel, TRUE);
        PeBackend *be = open_cuda(PE_PRECISION_INT8);
        PeLinear *l = new_layer(be, &shape, w, w);
        void *x = be->ops->alloc(be, 256 * sizeof(float));
        be->ops->linear(be, l, PE_EPILOGUE_F32, NULL, x, x, 1);
        const char *why = be->ops->sync(be);
        g_test_message("%s", why);
        g_assert_nonnull(why);
        be->ops->linear_free(be, l);
        be->ops->free(be, x);
        be->ops->close(be);
    }
    g_unsetenv("PE_FAKE_CUDA_REFUSES");
}

// Turing has no bf16; what is between its bytes is f16.
static void
opens_on_every_card(void)
{
    static const struct {
        const char *sm;
        PeDtype act;
    } cards[] = {{"75", PE_DTYPE_F16},
                 {"80", PE_DTYPE_BF16},
                 {"89", PE_DTYPE_BF16},
                 {"120", PE_DTYPE_BF16}};
    for (size_t i = 0; i < G_N_ELEMENTS(cards); i++) {
        g_setenv("PE_FAKE_CUDA_SM", cards[i].sm, TRUE);
        PeBackend *be = open_cuda(PE_PRECISION_INT8);
        g_assert_cmpint(be->precision, ==, PE_PRECISION_INT8);
        g_assert_cmpint(be->act, ==, cards[i].act);
        g_assert_cmpint(be->narrow, ==, cards[i].act);
        be->ops->close(be);
        be = open_cuda(PE_PRECISION_AUTO);
        g_assert_cmpint(be->precision, !=, PE_PRECISION_INT8);
        be->ops->close(be);
    }
    g_unsetenv("PE_FAKE_CUDA_SM");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/int8_layers/pieces", takes_rows_in_pieces);
    g_test_add_func("/int8_layers/others", leaves_the_rest_in_16_bits);
    g_test_add_func("/int8_layers/memory", gives_back_what_it_could_not_use);
    g_test_add_func("/int8_layers/failures", says_what_cannot_start);
    g_test_add_func("/int8_layers/cards", opens_on_every_card);
    return g_test_run();
}
