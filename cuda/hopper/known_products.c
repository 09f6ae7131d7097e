// SPDX-License-Identifier: LGPL-2.1-or-later
//
// known_products.c - Hopper's products are asked for a known answer: a product
// that is added to a stream, and the norm of that through another product,
// which the host computes as well.

#include "cuda/hopper/known_products.h"

#include <math.h>

#include "cuda/hopper/kernels.h"
#include "cuda/hopper/tensors.h"

#ifndef PE_HOPPER_KERNELS

// Built for other devices.
bool
pe_hopper_products_are_trusted(PeCuda *cuda, bool now)
{
    return false;
}

#else

// Rows, columns and depths end inside of tiles, and there are more steps than
// places.
enum { ROWS = 130, DEPTH = 464, WIDTH = 272, COLUMNS = 80, TILE = 64 };
enum { MOST_SUMS = (WIDTH + TILE - 1) / TILE };
static const float eps = 1e-5f;

// Of the squares of differences to those of the values: sums of f32 in another
// order, and values of 16 bits twice.
#define STREAM_LIMIT 1e-9
#define NORM_LIMIT 1e-4

// Everything of the problem, on the host and as it is on the device.
typedef struct {
    uint16_t x[ROWS * DEPTH], w[WIDTH * DEPTH];
    uint16_t z[ROWS * WIDTH], w_next[COLUMNS * WIDTH];
    uint16_t y[ROWS * COLUMNS];
    float stream[ROWS * WIDTH];
    float norms[2][2 * ROWS], sums[2][2 * ROWS * MOST_SUMS];
    float columns[COLUMNS];
} Problem;

static float *
to_f32(PeDtype act, const uint16_t *values, size_t n)
{
    float *f32 = g_new(float, n);
    for (size_t i = 0; i < n; i++)
        f32[i] = pe_half_to_f32(act, values[i]);
    return f32;
}

// The stream begins with x, whose rows are as long, and is read as if a norm
// had found no mean and a deviation of one.
static Problem *
new_problem(PeDtype act)
{
    Problem *p = g_new0(Problem, 1);
    pe_hopper_fill(act, p->x, G_N_ELEMENTS(p->x));
    pe_hopper_fill(act, p->w, G_N_ELEMENTS(p->w));
    pe_hopper_fill(act, p->w_next, G_N_ELEMENTS(p->w_next));
    for (size_t i = 0; i < G_N_ELEMENTS(p->stream); i++)
        p->stream[i] = pe_half_to_f32(act, p->x[i]) + 0.5f;
    for (int i = 0; i < ROWS; i++)
        p->norms[0][2 * i + 1] = 1;
    for (int i = 0; i < COLUMNS * WIDTH; i++)
        p->columns[i / WIDTH] += pe_half_to_f32(act, p->w_next[i]);
    return p;
}

// y [rows, n] += x [rows, k] w [n, k]^T
static void
add_product(double *y, const double *x, const float *w, int n, int k)
{
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int l = 0; l < k; l++)
                sum += x[i * k + l] * (double)w[j * k + l];
            y[i * n + j] += sum;
        }
    }
}

static void
normalise(double *row)
{
    double sum = 0, squares = 0;
    for (int j = 0; j < WIDTH; j++)
        sum += row[j];
    for (int j = 0; j < WIDTH; j++) {
        row[j] -= sum / WIDTH;
        squares += row[j] * row[j];
    }
    for (int j = 0; j < WIDTH; j++)
        row[j] /= sqrt(squares / WIDTH + (double)eps);
}

// What the products should say: the stream [ROWS, WIDTH] and y [ROWS, COLUMNS].
static void
compute(PeDtype act, const Problem *p, double *stream, double *y)
{
    g_autofree double *x = g_new(double, ROWS *DEPTH);
    g_autofree double *rows = g_new(double, ROWS *WIDTH);
    g_autofree float *w = to_f32(act, p->w, G_N_ELEMENTS(p->w));
    g_autofree float *w_next = to_f32(act, p->w_next, G_N_ELEMENTS(p->w_next));
    for (int i = 0; i < ROWS * DEPTH; i++)
        x[i] = (double)pe_half_to_f32(act, p->x[i]);
    for (int i = 0; i < ROWS * WIDTH; i++)
        stream[i] = (double)p->stream[i];
    add_product(stream, x, w, WIDTH, DEPTH);
    memcpy(rows, stream, ROWS * WIDTH * sizeof *rows);
    for (int i = 0; i < ROWS; i++)
        normalise(rows + i * WIDTH);
    memset(y, 0, ROWS * COLUMNS * sizeof *y);
    add_product(y, rows, w_next, COLUMNS, WIDTH);
}

// The products' own answer, in tiles of so many columns, over the problem in
// device memory. False: something does not start.
static bool
answer(PeCuda *cuda, Problem *d, int tile)
{
    PeDtype act = cuda->be.act;
    int box = PE_HOPPER_TILE_ROWS(tile), depth = PE_HOPPER_DEPTH;
    CUtensorMap x, w, z, w_next;
    PeHopperRows from = {d->norms[0], d->sums[0], 0};
    PeHopperRows to = {d->norms[1], d->sums[1], (WIDTH + tile - 1) / tile};
    PeHopperProduct first = {&x, &w, tile, ROWS, WIDTH, DEPTH, NULL, eps};
    PeHopperProduct next = {&z, &w_next, tile, ROWS, COLUMNS, WIDTH, NULL, eps};
    return pe_hopper_describe(cuda, &x, d->x, 1, ROWS, DEPTH, box, depth) &&
           pe_hopper_describe(cuda, &w, d->w, 1, WIDTH, DEPTH, tile, depth) &&
           pe_hopper_describe(cuda, &z, d->z, 1, ROWS, WIDTH, box, depth) &&
           pe_hopper_describe(cuda, &w_next, d->w_next, 1, COLUMNS, WIDTH, tile,
                              depth) &&
           pe_hopper_residual(pe_cuda_stream(cuda), act, &first, d->stream,
                              d->z, NULL, &from, &to) &&
           pe_hopper_linear(pe_cuda_stream(cuda), act, &next, d->y, &to,
                            d->columns, false) &&
           cudaGetLastError() == cudaSuccess;
}

// Squares of differences by those of the values; NaN where something is.
static double
off_by(const float *said, const double *wanted, size_t n)
{
    double error = 0, power = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)said[i] - wanted[i];
        error += d * d;
        power += wanted[i] * wanted[i];
    }
    return error / power;
}

// Do the products in these tiles give the answer?
static bool
is_right(PeCuda *cuda, const Problem *problem, void *device, int tile,
         const double *stream, const double *y)
{
    PeDtype act = cuda->be.act;
    g_autofree Problem *said = g_new(Problem, 1);
    cudaGetLastError();
    pe_cuda_upload(&cuda->be, device, problem, sizeof *problem);
    if (!answer(cuda, device, tile)) {
        cudaGetLastError();
        return false;
    }
    pe_cuda_download(&cuda->be, said, device, sizeof *said);
    g_autofree float *said_y = to_f32(act, said->y, G_N_ELEMENTS(said->y));
    double of_stream = off_by(said->stream, stream, ROWS * WIDTH);
    double of_norm = off_by(said_y, y, ROWS * COLUMNS);
    pe_log(PE_LOG_DEBUG,
           "Hopper's products in tiles of %d are off by %.1e (limit %g) and, "
           "behind a norm, %.1e (limit %g)",
           tile, of_stream, STREAM_LIMIT, of_norm, NORM_LIMIT);
    // False for NaN.
    return of_stream <= STREAM_LIMIT && of_norm <= NORM_LIMIT &&
           !g_atomic_pointer_get(&cuda->error);
}

static bool
know_answer(PeCuda *cuda)
{
    g_autofree Problem *p = new_problem(cuda->be.act);
    g_autofree double *stream = g_new(double, ROWS *WIDTH);
    g_autofree double *y = g_new(double, ROWS *COLUMNS);
    void *device = pe_cuda_alloc(&cuda->be, sizeof *p);
    bool right = device != NULL;
    if (right)
        compute(cuda->be.act, p, stream, y);
    for (int tile = TILE; right && tile <= 4 * TILE; tile *= 2)
        right = is_right(cuda, p, device, tile, stream, y);
    pe_cuda_free(&cuda->be, device);
    return right;
}

bool
pe_hopper_products_are_trusted(PeCuda *cuda, bool now)
{
    if (cuda->rates.sm != SM_HOPPER || cuda->be.act == PE_DTYPE_F32)
        return false;
    if (cuda->product_answer == PE_ANSWER_UNKNOWN && now) {
        bool right = know_answer(cuda);
        cuda->product_answer = right ? PE_ANSWER_RIGHT : PE_ANSWER_WRONG;
        if (!right)
            pe_log(PE_LOG_WARNING,
                   "%s: Hopper's own products do not start or are wrong, they "
                   "are not used",
                   cuda->description);
    }
    return cuda->product_answer == PE_ANSWER_RIGHT;
}

#endif // PE_HOPPER_KERNELS
