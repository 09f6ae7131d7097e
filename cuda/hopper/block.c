// SPDX-License-Identifier: LGPL-2.1-or-later
//
// block.c - the ways to run a block. The library's products want norms, GELU
// and rotation as passes between them; Hopper's own products do what these
// passes do, so that a block is four products and attention. The ways are timed
// while an engine is loaded, over a whole block, and the fastest is kept; see
// algos.h.

#include "cuda/hopper/kernels.h"
#include "cuda/hopper/known_products.h"
#include "cuda/hopper/launches.h"
#include "cuda/hopper/tensors.h"
#include "cuda/linear.h"
#include "cuda/plan.h"

static const char *const names[PE_N_BLOCKS] = {
    [PE_BLOCK_PASSES] = "passes",
    [PE_BLOCK_TILES_64] = "tiles64",
    [PE_BLOCK_TILES_128] = "tiles128",
    [PE_BLOCK_TILES_256] = "tiles256",
};

void
pe_cuda_ask_block(PeCuda *cuda)
{
    cuda->block = (PeBlockWay)pe_cuda_read_way(
        "PE_CUDA_BLOCK", names, PE_BLOCK_PASSES, PE_BLOCK_TILES_256);
}

typedef struct {
    const PeBlockRun *run;
    PeBlockFunc one_by_one;
    PeBlockWay way;
} Attempt;

#ifndef PE_HOPPER_KERNELS

// Built for other devices.
static bool
queue_block(PeCuda *cuda, const PeBlockRun *run, PeBlockWay way)
{
    return false;
}

static PeBlockWay
choose_way(PeCuda *cuda, const PeBlockRun *run, PeBlockFunc one_by_one)
{
    return PE_BLOCK_PASSES;
}

#else

static bool queue_trial(PeCuda *cuda, void *copy, const void *data);

// ---- A block by Hopper's products -------------------------------------------

// What a block's products read and write, each with its maps.
typedef struct {
    CUtensorMap h, mixed, wide; // what is multiplied
    CUtensorMap qkv, out, fc, proj;
} Maps;

static bool
describe_weight(PeCuda *cuda, CUtensorMap *map, const PeLinear *l, int tile)
{
    return pe_hopper_describe(cuda, map, l->weight, 1, l->n, l->k, tile,
                              PE_HOPPER_DEPTH);
}

static bool
describe_rows(PeCuda *cuda, CUtensorMap *map, const void *data, int rows,
              int width, int tile)
{
    return pe_hopper_describe(cuda, map, data, 1, rows, width,
                              PE_HOPPER_TILE_ROWS(tile), PE_HOPPER_DEPTH);
}

// What attention mixes goes behind qkv in `wide`: h keeps what the products
// read that take a norm.
static char *
mixed_of(const PeBlockRun *run)
{
    size_t n = (size_t)run->seq->rows * 3 * (size_t)run->width;
    return (char *)run->wide + n * sizeof(uint16_t);
}

static bool
describe(PeCuda *cuda, const PeBlockRun *run, int tile, Maps *maps)
{
    const PeBlock *block = run->block;
    int rows = run->seq->rows;
    return describe_rows(cuda, &maps->h, run->h, rows, run->width, tile) &&
           describe_rows(cuda, &maps->mixed, mixed_of(run), rows, run->width,
                         tile) &&
           describe_rows(cuda, &maps->wide, run->wide, rows, run->mlp_width,
                         tile) &&
           describe_weight(cuda, &maps->qkv, block->qkv, tile) &&
           describe_weight(cuda, &maps->out, block->out, tile) &&
           describe_weight(cuda, &maps->fc, block->fc, tile) &&
           describe_weight(cuda, &maps->proj, block->proj, tile);
}

static int
count_tiles(const PeBlockRun *run, int tile)
{
    return (run->width + tile - 1) / tile;
}

// What is known of the rows before each norm, in the library's workspace, which
// it does not need meanwhile.
static void
place_rows(PeCuda *cuda, const PeBlockRun *run, int tile, PeHopperRows rows[2])
{
    float *next = cuda->workspace;
    size_t n = 2 * (size_t)run->seq->rows;
    for (int i = 0; i < 2; i++) {
        rows[i].norms = next;
        rows[i].sums = next + n;
        rows[i].n_sums = count_tiles(run, tile);
        next += n * (size_t)(1 + rows[i].n_sums);
    }
}

static bool
has_room(const PeCuda *cuda, const PeBlockRun *run)
{
    size_t each = 2 * sizeof(float) * (size_t)run->seq->rows;
    return 2 * each * (size_t)(1 + count_tiles(run, 64)) <=
           cuda->workspace_size;
}

static PeHopperProduct
product(const PeBlockRun *run, const PeLinear *l, int tile,
        const CUtensorMap *x, const CUtensorMap *w)
{
    return (PeHopperProduct){.x_map = x,
                             .w_map = w,
                             .tile = tile,
                             .m = run->seq->rows,
                             .n = l->n,
                             .k = l->k,
                             .bias = l->bias_f32,
                             .eps = run->eps};
}

static void
attend(PeCuda *cuda, const PeBlockRun *run)
{
    const PeSequences *seq = run->seq;
    if (seq->rope)
        pe_cuda_rope_attention(&cuda->be, mixed_of(run), run->wide, seq->rope,
                               seq->b, seq->n, run->heads);
    else
        pe_cuda_attend(&cuda->be, mixed_of(run), run->wide, seq->offsets,
                       seq->b, seq->n, run->heads, run->width / run->heads,
                       seq->causal);
}

// False: the driver refuses, nothing was queued.
static bool
queue_block(PeCuda *cuda, const PeBlockRun *run, PeBlockWay way)
{
    const PeBlock *block = run->block;
    int tile = 64 << (way - PE_BLOCK_TILES_64);
    PeDtype act = cuda->be.act;
    PeHopperRows rows[2];
    Maps maps;
    if (!describe(cuda, run, tile, &maps))
        return false;
    place_rows(cuda, run, tile, rows);
    if (run->first) {
        pe_cuda_layernorm(pe_cuda_stream(cuda), act, run->h, run->x,
                          block->shift_1, NULL, NULL, run->seq->rows,
                          run->width, run->eps, rows[0].norms);
        rows[0].n_sums = 0;
    }
    PeHopperProduct p = product(run, block->qkv, tile, &maps.h, &maps.qkv);
    pe_hopper_linear(pe_cuda_stream(cuda), act, &p, run->wide, &rows[0],
                     block->qkv->columns, false);
    attend(cuda, run);
    p = product(run, block->out, tile, &maps.mixed, &maps.out);
    pe_hopper_residual(pe_cuda_stream(cuda), act, &p, run->x, run->h,
                       block->shift_2, &rows[0], &rows[1]);
    p = product(run, block->fc, tile, &maps.h, &maps.fc);
    pe_hopper_linear(pe_cuda_stream(cuda), act, &p, run->wide, &rows[1],
                     block->fc->columns, true);
    p = product(run, block->proj, tile, &maps.wide, &maps.proj);
    rows[0].n_sums = count_tiles(run, tile);
    pe_hopper_residual(pe_cuda_stream(cuda), act, &p, run->x, run->h,
                       run->next_shift, &rows[1], &rows[0]);
    return true;
}

// ---- The fastest ------------------------------------------------------------

static double
time_way(PeCuda *cuda, int way, const void *data)
{
    Attempt attempt = *(const Attempt *)data;
    const PeBlockRun *run = attempt.run;
    attempt.way = (PeBlockWay)way;
    return pe_cuda_time(cuda, queue_trial, &attempt, run->x,
                        (size_t)run->seq->rows * (size_t)run->width *
                            sizeof(float));
}

static char *
describe_run(const void *data)
{
    const PeBlockRun *run = ((const Attempt *)data)->run;
    return g_strdup_printf("block [%d x %d, %d]", run->seq->b, run->seq->n,
                           run->width);
}

// Are there products of ours for this, to be trusted? They are asked for a
// known answer where there is time for that.
static bool
has_products(PeCuda *cuda, const PeBlockRun *run)
{
    bool now = cuda->block == PE_BLOCK_FASTEST
                   ? cuda->autotune && pe_cuda_graphs_tuning(cuda->graphs)
                   : !pe_cuda_graphs_recording(cuda->graphs);
    return cuda->block != PE_BLOCK_PASSES && cuda->be.narrow == cuda->be.act &&
           run->block->qkv->columns && run->block->fc->columns &&
           run->mlp_width >= 4 * run->width && has_room(cuda, run) &&
           pe_hopper_products_are_trusted(cuda, now);
}

static PeBlockWay
choose_way(PeCuda *cuda, const PeBlockRun *run, PeBlockFunc one_by_one)
{
    const PeSequences *seq = run->seq;
    if (!has_products(cuda, run))
        return PE_BLOCK_PASSES;
    if (cuda->block != PE_BLOCK_FASTEST)
        return cuda->block;
    const Attempt attempt = {run, one_by_one, PE_BLOCK_FASTEST};
    const PeWays ways = {
        .describe = describe_run,
        .names = names,
        .n = PE_N_BLOCKS,
        .key = {.in = (int)cuda->be.act,
                .out = (int)cuda->be.act,
                .residual = 1,
                .m = seq->b,
                .n = seq->n,
                .k = run->width,
                .align = run->mlp_width,
                .heads = run->heads,
                .ways = 1 << PE_BLOCK_PASSES | 1 << PE_BLOCK_TILES_64 |
                        1 << PE_BLOCK_TILES_128 | 1 << PE_BLOCK_TILES_256},
        .time = time_way,
        .data = &attempt,
    };
    return (PeBlockWay)pe_cuda_find_way(cuda, &ways, PE_BLOCK_PASSES);
}

#endif // PE_HOPPER_KERNELS

// On a copy of the stream. The arrays to work in have nothing yet that the
// first block reads.
static bool
queue_trial(PeCuda *cuda, void *copy, const void *data)
{
    const Attempt *attempt = data;
    PeBlockRun run = *attempt->run;
    run.x = copy;
    if (attempt->way == PE_BLOCK_PASSES)
        attempt->one_by_one(&cuda->be, &run);
    else if (!queue_block(cuda, &run, attempt->way))
        return false;
    return cudaGetLastError() == cudaSuccess;
}

// The first block of a run chooses for all. When one cannot be done that way,
// the rest goes on with the stream, which is always whole.
void
pe_cuda_block(PeBackend *be, const PeBlockRun *run, PeBlockFunc one_by_one)
{
    PeCuda *cuda = (PeCuda *)be;
    if (run->first) {
        cuda->block_now = choose_way(cuda, run, one_by_one);
        const Attempt attempt = {run, one_by_one, cuda->block_now};
        cuda->dependent_now =
            pe_cuda_choose_launches(cuda, run, queue_trial, &attempt);
    }
    cuda->dependent = cuda->dependent_now;
    if (cuda->block_now == PE_BLOCK_PASSES ||
        !queue_block(cuda, run, cuda->block_now)) {
        cuda->block_now = PE_BLOCK_PASSES;
        one_by_one(be, run);
    }
    cuda->dependent = false;
}
