// SPDX-License-Identifier: LGPL-2.1-or-later
//
// onednn.c - the linear layer by oneDNN's matmul, for oneDNN 2 and 3.
//
// oneDNN works on one thread here, and the product is cut into tasks for the
// threads of the process: blocks of columns, whose weights are packed apart,
// and of rows. Its own threads are OpenMP's, which spin at every barrier while
// a neighbour has their core.
//
// Weights are packed once, in the layout that oneDNN asks for, and the original
// is not kept; the layout does not depend on the rows.

#include "onednn.h"

#include "core/base/threads.h"
#include "core/device/weight.h"

#include <glib.h>
#include <omp.h>
#include <stdlib.h>

#include "onednn_matmul.h"

// Rows for which the weight layout is chosen, and most rows of a task.
#define TASK_ROWS 256
// Fewer rows or columns do not keep a core's units busy.
#define MIN_ROWS 48
#define MIN_COLS 128
// Tasks for every thread: a late one leaves the others something to take.
#define TASKS_PER_THREAD 3

// Columns of a product, with their own packed weight.
typedef struct {
    int first, n;
    Md packed;
    dnnl_memory_t weight, bias; // bias NULL: none
} Block;

typedef struct PeOnednnLinear PeOnednnLinear;
struct PeOnednnLinear {
    Block *blocks; // all but the last of the same n
    int n_blocks;
};

struct PeOnednn {
    PeMatmulTable table;
    dnnl_stream_t *streams; // [n_threads]
};

// ---- Linears --------------------------------------------------------------

// Rows first..first+n-1 of the weight as [n, k] act. Made of a few rows at a
// time, so that no f32 copy of a big matrix ever exists.
static void *
plain_rows(PeBackend *be, const PeLinearParams *params, int first, int n)
{
    enum { CHUNK = 32 };
    size_t k = (size_t)params->k_padded, element = pe_dtype_size(be->act);
    char *plain = pe_block_alloc((size_t)n * k * element);
    if (!plain)
        return NULL;
    g_autofree float *rows = g_new(float, CHUNK *k);
    for (int i = 0; i < n; i += CHUNK) {
        int n_rows = MIN(CHUNK, n - i);
        pe_weight_rows(params, first + i, n_rows, rows);
        be->ops->convert(be, plain + (size_t)i * k * element, rows,
                         (size_t)n_rows * k);
    }
    return plain;
}

// plain [n, k], which is the column-major [k, n], into the block's weight.
static bool
pack(PeOnednn *o, const Block *block, int k, void *plain)
{
    Md md = md_new(o->table.act, k, block->n, 1, k);
    dnnl_memory_t from = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    bool ok =
        dnnl_memory_create(&from, md, o->table.engine, plain) == dnnl_success &&
        dnnl_reorder_primitive_desc_create(&pd, md, o->table.engine,
                                           block->packed, o->table.engine,
                                           NULL) == dnnl_success &&
        dnnl_primitive_create(&reorder, pd) == dnnl_success;
    if (ok) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from},
                                  {DNNL_ARG_TO, block->weight}};
        ok = dnnl_primitive_execute(reorder, o->streams[0], 2, args) ==
                 dnnl_success &&
             dnnl_stream_wait(o->streams[0]) == dnnl_success;
    }
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(pd);
    dnnl_memory_destroy(from);
    md_free(md);
    return ok;
}

// Columns of a block: what gives every thread some, in whole vectors.
static int
block_columns(const PeOnednn *o, int n)
{
    if (o->table.n_threads == 1)
        return n;
    int share = n / (TASKS_PER_THREAD * o->table.n_threads);
    return MIN(n, MAX(MIN_COLS, (share + 63) / 64 * 64));
}

// The blocks with their layouts, and room for all their weights. False when
// oneDNN has nothing for them or there is no memory.
static bool
init_blocks(PeOnednn *o, PeLinear *l)
{
    int columns = block_columns(o, l->n);
    PeOnednnLinear *ol = l->onednn = g_new0(PeOnednnLinear, 1);
    ol->n_blocks = (l->n + columns - 1) / columns;
    ol->blocks = g_new0(Block, ol->n_blocks);
    g_autofree size_t *starts = g_new(size_t, ol->n_blocks + 1);
    starts[0] = 0;
    for (int i = 0; i < ol->n_blocks; i++) {
        Block *block = &ol->blocks[i];
        block->first = i * columns;
        block->n = MIN(columns, l->n - block->first);
        dnnl_primitive_desc_t pd =
            pe_matmul_describe(&o->table,
                               &(PeMatmul){.rows = TASK_ROWS,
                                           .n = block->n,
                                           .k = l->k,
                                           .stride = l->n,
                                           .bias = l->bias != NULL},
                               NULL);
        if (!pd)
            return false;
        block->packed =
            md_copy(dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0));
        dnnl_primitive_desc_destroy(pd);
        size_t size = dnnl_memory_desc_get_size(block->packed);
        starts[i + 1] = starts[i] + (size + 63) / 64 * 64;
    }
    char *weight = l->weight = pe_block_alloc(starts[ol->n_blocks]);
    for (int i = 0; weight && i < ol->n_blocks; i++) {
        Block *block = &ol->blocks[i];
        dnnl_memory_create(&block->weight, block->packed, o->table.engine,
                           weight + starts[i]);
        if (l->bias) {
            Md md = md_new(dnnl_f32, 1, block->n, block->n, 1);
            dnnl_memory_create(&block->bias, md, o->table.engine,
                               l->bias + block->first);
            md_free(md);
        }
    }
    return weight != NULL;
}

static bool
pack_blocks(PeBackend *be, const PeLinear *l, const PeLinearParams *params)
{
    bool ok = true;
    for (int i = 0; ok && i < l->onednn->n_blocks; i++) {
        const Block *block = &l->onednn->blocks[i];
        void *plain = plain_rows(be, params, block->first, block->n);
        ok = plain && pack(((PeCpu *)be)->onednn, block, l->k, plain);
        pe_block_free(plain);
    }
    return ok;
}

PeLinear *
pe_onednn_linear_new(PeBackend *be, const PeLinearParams *params)
{
    PeOnednn *o = ((PeCpu *)be)->onednn;
    omp_set_num_threads(1);
    PeLinear *l = pe_linear_new_unpacked(params);
    if (l && (!init_blocks(o, l) || !pack_blocks(be, l, params))) {
        pe_onednn_linear_free(be, l);
        return NULL;
    }
    return l;
}

void
pe_onednn_linear_free(PeBackend *be, PeLinear *l)
{
    if (l && l->onednn) {
        for (int i = 0; i < l->onednn->n_blocks; i++) {
            Block *block = &l->onednn->blocks[i];
            dnnl_memory_destroy(block->weight);
            dnnl_memory_destroy(block->bias);
            if (block->packed)
                md_free(block->packed);
        }
        g_free(l->onednn->blocks);
        g_free(l->onednn);
    }
    pe_linear_free_c(be, l);
}

// A product on its way through the threads: task t is rows t / n_blocks of
// block t % n_blocks.
typedef struct {
    PeCpu *cpu;
    const PeLinear *l;
    char *y;
    const char *x;
    size_t y_element, x_element; // bytes
    int rows, task_rows;
    // By whether the rows, and the columns, are the last ones.
    const PeMatmul *matmuls[2][2];
    char *scratch; // `stride` bytes for each lane
    size_t stride;
    int failed; // atomic
} Product;

static void
run_task(void *data, int task, int lane)
{
    Product *p = data;
    const PeOnednnLinear *ol = p->l->onednn;
    const Block *block = &ol->blocks[task % ol->n_blocks];
    int first = task / ol->n_blocks * p->task_rows;
    const PeMatmul *m = p->matmuls[first + p->task_rows >= p->rows]
                                  [block == &ol->blocks[ol->n_blocks - 1]];
    const PeMatmulLane *memory = &m->lanes[lane];
    size_t at = (size_t)first * (size_t)p->l->n + (size_t)block->first;
    dnnl_memory_set_data_handle(
        memory->src,
        (void *)(p->x + (size_t)first * (size_t)p->l->k * p->x_element));
    dnnl_memory_set_data_handle(memory->dst, p->y + at * p->y_element);
    dnnl_memory_set_data_handle(memory->scratch,
                                p->scratch + p->stride * (size_t)lane);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, memory->src},
                              {DNNL_ARG_WEIGHTS, block->weight},
                              {DNNL_ARG_DST, memory->dst},
                              {DNNL_ARG_SCRATCHPAD, memory->scratch},
                              {DNNL_ARG_BIAS, block->bias}};
    omp_set_num_threads(1);
    if (dnnl_primitive_execute(m->primitive, p->cpu->onednn->streams[lane],
                               block->bias ? 5 : 4, args) != dnnl_success)
        g_atomic_int_set(&p->failed, 1);
}

// Fills p->matmuls and the scratch space. False when something is not there.
static bool
prepare(Product *p, PeEpilogue epilogue)
{
    const PeLinear *l = p->l;
    const PeOnednnLinear *ol = l->onednn;
    int last_rows = (p->rows - 1) % p->task_rows + 1;
    size_t scratch = 0;
    for (int i = 0; i < 4; i++) {
        const Block *block = &ol->blocks[i % 2 ? ol->n_blocks - 1 : 0];
        PeMatmul wanted = {
            .rows = i / 2 ? last_rows : p->task_rows,
            .n = block->n,
            .k = l->k,
            .stride = l->n,
            .epilogue = epilogue,
            .bias = l->bias != NULL,
        };
        const PeMatmul *m =
            pe_matmul_get(&p->cpu->onednn->table, &wanted, block->packed);
        if (!m)
            return false;
        p->matmuls[i / 2][i % 2] = m;
        scratch = MAX(scratch, m->scratch_size);
    }
    p->scratch = pe_cpu_scratch(p->cpu, MAX(scratch, 64), &p->stride);
    return p->scratch != NULL;
}

// Rows of a task: what the columns alone do not give to all threads is cut off
// the rows.
static int
task_rows(const PeOnednn *o, int rows, int n_blocks)
{
    if (o->table.n_threads == 1)
        return rows;
    int cuts =
        (TASKS_PER_THREAD * o->table.n_threads + n_blocks - 1) / n_blocks;
    int share = ((rows + cuts - 1) / cuts + 7) / 8 * 8;
    return MIN(rows, MIN(TASK_ROWS, MAX(MIN_ROWS, share)));
}

// See pe_linear_c. The residual is oneDNN's sum, so y is read and written once.
void
pe_onednn_linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
                 const PeRope *rope, void *y, const void *x, int rows)
{
    PeCpu *cpu = (PeCpu *)be;
    PeOnednn *o = cpu->onednn;
    bool f32_out =
        epilogue == PE_EPILOGUE_RESIDUAL || epilogue == PE_EPILOGUE_F32;
    Product p = {
        .cpu = cpu,
        .l = l,
        .y = y,
        .x = x,
        .y_element = pe_dtype_size(f32_out ? PE_DTYPE_F32 : be->act),
        .x_element = pe_dtype_size(be->act),
        .rows = rows,
        .task_rows = task_rows(o, rows, l->onednn->n_blocks),
    };
    omp_set_num_threads(1);
    if (!prepare(&p,
                 epilogue == PE_EPILOGUE_ROPE ? PE_EPILOGUE_NONE : epilogue)) {
        pe_cpu_fail(cpu, "oneDNN cannot multiply matrices of these sizes");
        return;
    }
    int n_tasks = (rows + p.task_rows - 1) / p.task_rows * l->onednn->n_blocks;
    pe_threads_run(pe_cpu_threads(be, (double)rows * l->n * l->k), n_tasks,
                   run_task, &p);
    if (p.failed)
        pe_cpu_fail(cpu, "oneDNN failed to multiply matrices");
    if (epilogue == PE_EPILOGUE_ROPE)
        cpu->rope(be, y, rope, rows, l->n / 3);
}

// ---- Ceiling --------------------------------------------------------------

static int
compare_doubles(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

// Median over repetitions, the first of which only warms caches.
static double
time_primitive(PeOnednn *o, dnnl_primitive_t primitive, dnnl_exec_arg_t *args)
{
    enum { N = 15 };
    double times[N];
    for (int i = -1; i < N; i++) {
        gint64 start = g_get_monotonic_time();
        int n = 0;
        do {
            dnnl_primitive_execute(primitive, o->streams[0], 4, args);
            dnnl_stream_wait(o->streams[0]);
            n++;
        } while (g_get_monotonic_time() - start < 2000);
        if (i >= 0)
            times[i] = (double)(g_get_monotonic_time() - start) / (1e6 * n);
    }
    qsort(times, N, sizeof times[0], compare_doubles);
    return times[N / 2];
}

// oneDNN's own product on its own threads with every choice left to it, on
// numbers of common size because zeros draw less power and run at higher
// clocks.
static double
onednn_gemm_seconds(PeBackend *be, int m, int n, int k)
{
    PeOnednn *o = ((PeCpu *)be)->onednn;
    omp_set_num_threads(o->table.n_threads);
    dnnl_primitive_desc_t pd = pe_matmul_describe(
        &o->table, &(PeMatmul){.rows = m, .n = n, .k = k, .stride = n}, NULL);
    static const dnnl_query_t what[] = {
        dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md,
        dnnl_query_scratchpad_md};
    static const int arg[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST,
                              DNNL_ARG_SCRATCHPAD};
    dnnl_exec_arg_t args[4] = {0};
    void *data[4] = {NULL};
    dnnl_primitive_t primitive = NULL;
    double seconds = 0;
    bool ok = pd && dnnl_primitive_create(&primitive, pd) == dnnl_success;
    for (int i = 0; ok && i < 4; i++) {
        size_t size = dnnl_memory_desc_get_size(
            dnnl_primitive_desc_query_md(pd, what[i], 0));
        data[i] = pe_block_alloc(size);
        ok = data[i] != NULL;
        if (!ok)
            break;
        for (size_t j = 0; i < 3 && j < size / pe_dtype_size(be->act); j++)
            pe_act_set(be->act, data[i], j, (float)(j % 127) / 64 - 1);
        args[i] = (dnnl_exec_arg_t){
            arg[i], pe_matmul_memory(&o->table, pd, what[i], data[i])};
    }
    if (ok)
        seconds = time_primitive(o, primitive, args);
    for (int i = 0; i < 4; i++) {
        dnnl_memory_destroy(args[i].memory);
        pe_block_free(data[i]);
    }
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(pd);
    return seconds;
}

// ---- Opening --------------------------------------------------------------

char *
pe_onednn_version(void)
{
    const dnnl_version_t *v = dnnl_version();
    return g_strdup_printf("oneDNN %d.%d.%d", v->major, v->minor, v->patch);
}

static bool
init_streams(PeOnednn *o)
{
    if (dnnl_engine_create(&o->table.engine, dnnl_cpu, 0) != dnnl_success)
        return false;
    o->streams = g_new0(dnnl_stream_t, o->table.n_threads);
    for (int i = 0; i < o->table.n_threads; i++) {
        if (dnnl_stream_create(&o->streams[i], o->table.engine,
                               dnnl_stream_default_flags) != dnnl_success)
            return false;
    }
    return true;
}

bool
pe_onednn_init(PeCpu *cpu)
{
    PeOnednn *o = g_new0(PeOnednn, 1);
    cpu->onednn = o;
    o->table.act = cpu->be.act == PE_DTYPE_BF16 ? dnnl_bf16 : dnnl_f32;
    o->table.n_threads = cpu->n_threads;
    omp_set_num_threads(1);
    dnnl_primitive_desc_t pd = NULL;
    if (init_streams(o))
        pd = pe_matmul_describe(&o->table,
                                &(PeMatmul){.rows = TASK_ROWS,
                                            .n = 768,
                                            .k = 768,
                                            .stride = 768,
                                            .bias = true},
                                NULL);
    if (!pd) {
        pe_onednn_clear(cpu);
        return false;
    }
    dnnl_primitive_desc_destroy(pd);
    cpu->ops.gemm_seconds = onednn_gemm_seconds;
    return true;
}

void
pe_onednn_clear(PeCpu *cpu)
{
    PeOnednn *o = cpu->onednn;
    if (!o)
        return;
    pe_matmul_clear(&o->table);
    for (int i = 0; o->streams && i < o->table.n_threads; i++)
        dnnl_stream_destroy(o->streams[i]);
    g_free(o->streams);
    dnnl_engine_destroy(o->table.engine);
    g_free(o);
    cpu->onednn = NULL;
}
