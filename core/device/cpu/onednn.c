// SPDX-License-Identifier: LGPL-2.1-or-later
//
// onednn.c - the linear layer by oneDNN's matmul, for oneDNN 2 and 3.
//
// Weights are packed once, in the layout that oneDNN asks for, and the original
// is not kept; the layout does not depend on the rows. A primitive does belong
// to one number of rows, but making one takes about a millisecond, so ragged
// text batches simply make theirs, and a bounded table keeps those used last.

#include "onednn.h"

#include <glib.h>
#include <omp.h>
#include <stdlib.h>

#include "onednn_versions.h"

#define MAX_PRIMITIVES 64
// Rows for which the weight layout is chosen.
#define TYPICAL_ROWS 256

typedef struct {
    int rows, n, k;
    PeEpilogue epilogue;
    bool bias;
    dnnl_primitive_t primitive; // NULL: a free place
    dnnl_memory_t src, dst;     // their data is set for every run
    uint64_t last_used;
} Entry;

struct PeOnednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_data_type_t act;
    PeBackendOps own; // the table before oneDNN, for what it does not do well
    Entry entries[MAX_PRIMITIVES];
    uint64_t clock;
};

struct PeOnednnLinear {
    Md packed;
    dnnl_memory_t weight, bias;
};

// ---- Primitives -----------------------------------------------------------

static dnnl_primitive_attr_t
attr_new(PeEpilogue epilogue)
{
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t ops;
    dnnl_primitive_attr_create(&attr);
    dnnl_post_ops_create(&ops);
    if (epilogue == PE_EPILOGUE_GELU)
        append_gelu(ops);
    else if (epilogue == PE_EPILOGUE_RESIDUAL)
        append_sum(ops);
    dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    // DNNL_DEFAULT_FPMATH_MODE must not turn f32 products into bf16 ones.
    dnnl_primitive_attr_set_fpmath_mode(attr, dnnl_fpmath_mode_strict);
    return attr;
}

// [rows, k] x [k, n]; `packed` NULL: oneDNN chooses the layout of the weight.
// NULL when oneDNN has nothing but its reference code for it.
static dnnl_primitive_desc_t
matmul_new(PeOnednn *o, int rows, int n, int k, PeEpilogue epilogue, bool bias,
           ConstMd packed)
{
    bool f32_out =
        epilogue == PE_EPILOGUE_RESIDUAL || epilogue == PE_EPILOGUE_F32;
    Md src = md_new(o->act, rows, k, k, 1);
    Md dst = md_new(f32_out ? dnnl_f32 : o->act, rows, n, n, 1);
    Md bias_md = md_new(dnnl_f32, 1, n, n, 1);
    Md any = md_new_any(o->act, k, n);
    dnnl_primitive_attr_t attr = attr_new(epilogue);
    dnnl_primitive_desc_t pd = NULL;
    const char *info = "";
    dnnl_status_t status =
        matmul_create(&pd, o->engine, src, packed ? packed : any,
                      bias ? bias_md : NULL, dst, attr);
    if (status != dnnl_success)
        pd = NULL;
    else
        dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &info);
    if (pd && g_str_has_prefix(info, "ref")) {
        dnnl_primitive_desc_destroy(pd);
        pd = NULL;
    }
    dnnl_primitive_attr_destroy(attr);
    md_free(any);
    md_free(bias_md);
    md_free(dst);
    md_free(src);
    return pd;
}

static dnnl_memory_t
memory_new(PeOnednn *o, dnnl_primitive_desc_t pd, dnnl_query_t what, void *data)
{
    dnnl_memory_t memory = NULL;
    dnnl_memory_create(&memory, dnnl_primitive_desc_query_md(pd, what, 0),
                       o->engine, data);
    return memory;
}

static void
entry_clear(Entry *e)
{
    if (!e->primitive)
        return;
    dnnl_primitive_destroy(e->primitive);
    dnnl_memory_destroy(e->src);
    dnnl_memory_destroy(e->dst);
    e->primitive = NULL;
}

static bool
entry_matches(const Entry *e, const PeLinear *l, PeEpilogue epilogue, int rows)
{
    return e->primitive && e->rows == rows && e->n == l->n && e->k == l->k &&
           e->epilogue == epilogue && e->bias == (l->bias != NULL);
}

static bool
entry_init(PeOnednn *o, Entry *e, const PeLinear *l, PeEpilogue epilogue,
           int rows)
{
    entry_clear(e);
    bool bias = l->bias != NULL;
    dnnl_primitive_desc_t pd =
        matmul_new(o, rows, l->n, l->k, epilogue, bias, l->onednn->packed);
    if (!pd)
        return false;
    *e = (Entry){
        .rows = rows, .n = l->n, .k = l->k, .epilogue = epilogue, .bias = bias};
    e->src = memory_new(o, pd, dnnl_query_src_md, DNNL_MEMORY_NONE);
    e->dst = memory_new(o, pd, dnnl_query_dst_md, DNNL_MEMORY_NONE);
    if (dnnl_primitive_create(&e->primitive, pd) != dnnl_success) {
        e->primitive = NULL;
        dnnl_memory_destroy(e->src);
        dnnl_memory_destroy(e->dst);
    }
    dnnl_primitive_desc_destroy(pd);
    return e->primitive != NULL;
}

// NULL when it cannot be made.
static Entry *
entry_get(PeOnednn *o, const PeLinear *l, PeEpilogue epilogue, int rows)
{
    Entry *oldest = &o->entries[0];
    for (int i = 0; i < MAX_PRIMITIVES; i++) {
        Entry *e = &o->entries[i];
        if (entry_matches(e, l, epilogue, rows)) {
            e->last_used = ++o->clock;
            return e;
        }
        if (oldest->primitive &&
            (!e->primitive || e->last_used < oldest->last_used))
            oldest = e;
    }
    if (!entry_init(o, oldest, l, epilogue, rows))
        return NULL;
    oldest->last_used = ++o->clock;
    return oldest;
}

// ---- Linears --------------------------------------------------------------

// The weight as [n, k] act. Made of a few rows at a time, so that no f32 copy
// of a big matrix ever exists.
static void *
plain_weight(PeBackend *be, const PeLinearParams *params, int n, int k)
{
    enum { CHUNK = 32 };
    size_t element = pe_dtype_size(be->act);
    char *plain = pe_block_alloc((size_t)n * (size_t)k * element);
    if (!plain)
        return NULL;
    g_autofree float *rows = g_new(float, (size_t)CHUNK *(size_t)k);
    for (int first = 0; first < n; first += CHUNK) {
        int n_rows = MIN(CHUNK, n - first);
        pe_linear_weight_rows(params, first, n_rows, rows);
        be->ops->convert(be, plain + (size_t)first * (size_t)k * element, rows,
                         (size_t)n_rows * (size_t)k);
    }
    return plain;
}

// plain [n, k], which is the column-major [k, n], into `weight`.
static bool
pack(PeOnednn *o, const PeLinear *l, void *plain)
{
    Md md = md_new(o->act, l->k, l->n, 1, l->k);
    dnnl_memory_t from = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    bool ok = dnnl_memory_create(&from, md, o->engine, plain) == dnnl_success &&
              dnnl_reorder_primitive_desc_create(&pd, md, o->engine,
                                                 l->onednn->packed, o->engine,
                                                 NULL) == dnnl_success &&
              dnnl_primitive_create(&reorder, pd) == dnnl_success;
    if (ok) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from},
                                  {DNNL_ARG_TO, l->onednn->weight}};
        ok = dnnl_primitive_execute(reorder, o->stream, 2, args) ==
                 dnnl_success &&
             dnnl_stream_wait(o->stream) == dnnl_success;
    }
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(pd);
    dnnl_memory_destroy(from);
    md_free(md);
    return ok;
}

static bool
init_packed(PeOnednn *o, PeLinear *l, dnnl_primitive_desc_t pd)
{
    ConstMd packed = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    l->weight = pe_block_alloc(dnnl_memory_desc_get_size(packed));
    if (!l->weight)
        return false;
    l->onednn = g_new0(struct PeOnednnLinear, 1);
    l->onednn->packed = md_copy(packed);
    l->onednn->weight = memory_new(o, pd, dnnl_query_weights_md, l->weight);
    if (l->bias) {
        Md md = md_new(dnnl_f32, 1, l->n, l->n, 1);
        dnnl_memory_create(&l->onednn->bias, md, o->engine, l->bias);
        md_free(md);
    }
    return true;
}

static PeLinear *
onednn_linear_new(PeBackend *be, const PeLinearParams *params)
{
    PeOnednn *o = ((PeCpu *)be)->onednn;
    omp_set_num_threads(((PeCpu *)be)->n_threads);
    dnnl_primitive_desc_t pd = matmul_new(
        o, TYPICAL_ROWS, (int)params->weight.shape[0], params->k_padded,
        PE_EPILOGUE_NONE, params->bias != NULL, NULL);
    if (!pd)
        return o->own.linear_new(be, params);
    PeLinear *l = pe_linear_new_unpacked(params);
    bool ok = l && init_packed(o, l, pd);
    dnnl_primitive_desc_destroy(pd);
    if (ok) {
        void *plain = plain_weight(be, params, l->n, l->k);
        ok = plain && pack(o, l, plain);
        pe_block_free(plain);
    }
    if (!ok) {
        be->ops->linear_free(be, l);
        return NULL;
    }
    return l;
}

static void
onednn_linear_free(PeBackend *be, PeLinear *l)
{
    if (l && l->onednn) {
        dnnl_memory_destroy(l->onednn->weight);
        dnnl_memory_destroy(l->onednn->bias);
        md_free(l->onednn->packed);
        g_free(l->onednn);
    }
    pe_linear_free_c(be, l);
}

// See pe_linear_c. The residual is oneDNN's sum, so y is read and written once.
static void
onednn_linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
              const PeRope *rope, void *y, const void *x, int rows)
{
    PeCpu *cpu = (PeCpu *)be;
    PeOnednn *o = cpu->onednn;
    if (!l->onednn) {
        o->own.linear(be, l, epilogue, rope, y, x, rows);
        return;
    }
    omp_set_num_threads(cpu->n_threads);
    PeEpilogue done =
        epilogue == PE_EPILOGUE_ROPE ? PE_EPILOGUE_NONE : epilogue;
    Entry *e = entry_get(o, l, done, rows);
    if (!e) {
        pe_cpu_fail(cpu, "oneDNN cannot multiply matrices of these sizes");
        return;
    }
    dnnl_memory_set_data_handle(e->src, (void *)x);
    dnnl_memory_set_data_handle(e->dst, y);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, e->src},
                              {DNNL_ARG_WEIGHTS, l->onednn->weight},
                              {DNNL_ARG_DST, e->dst},
                              {DNNL_ARG_BIAS, l->onednn->bias}};
    if (dnnl_primitive_execute(e->primitive, o->stream, l->bias ? 4 : 3,
                               args) != dnnl_success)
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
            dnnl_primitive_execute(primitive, o->stream, 3, args);
            dnnl_stream_wait(o->stream);
            n++;
        } while (g_get_monotonic_time() - start < 2000);
        if (i >= 0)
            times[i] = (double)(g_get_monotonic_time() - start) / (1e6 * n);
    }
    qsort(times, N, sizeof times[0], compare_doubles);
    return times[N / 2];
}

// oneDNN's own product with every choice left to it, on numbers of common size
// because zeros draw less power and run at higher clocks.
static double
onednn_gemm_seconds(PeBackend *be, int m, int n, int k)
{
    PeOnednn *o = ((PeCpu *)be)->onednn;
    omp_set_num_threads(((PeCpu *)be)->n_threads);
    dnnl_primitive_desc_t pd =
        matmul_new(o, m, n, k, PE_EPILOGUE_NONE, false, NULL);
    static const dnnl_query_t what[] = {
        dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md};
    static const int arg[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
    dnnl_exec_arg_t args[3] = {0};
    void *data[3] = {NULL};
    dnnl_primitive_t primitive = NULL;
    double seconds = 0;
    bool ok = pd && dnnl_primitive_create(&primitive, pd) == dnnl_success;
    for (int i = 0; ok && i < 3; i++) {
        size_t size = dnnl_memory_desc_get_size(
            dnnl_primitive_desc_query_md(pd, what[i], 0));
        data[i] = pe_block_alloc(size);
        ok = data[i] != NULL;
        if (!ok)
            break;
        for (size_t j = 0; j < size / pe_dtype_size(be->act); j++)
            pe_act_set(be->act, data[i], j, (float)(j % 127) / 64 - 1);
        args[i] =
            (dnnl_exec_arg_t){arg[i], memory_new(o, pd, what[i], data[i])};
    }
    if (ok)
        seconds = time_primitive(o, primitive, args);
    for (int i = 0; i < 3; i++) {
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

bool
pe_onednn_init(PeCpu *cpu)
{
    PeOnednn *o = g_new0(PeOnednn, 1);
    cpu->onednn = o;
    o->act = cpu->be.act == PE_DTYPE_BF16 ? dnnl_bf16 : dnnl_f32;
    omp_set_num_threads(cpu->n_threads);
    dnnl_primitive_desc_t pd = NULL;
    if (dnnl_engine_create(&o->engine, dnnl_cpu, 0) == dnnl_success &&
        dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags) ==
            dnnl_success)
        pd =
            matmul_new(o, TYPICAL_ROWS, 768, 768, PE_EPILOGUE_NONE, true, NULL);
    if (!pd) {
        pe_onednn_clear(cpu);
        return false;
    }
    dnnl_primitive_desc_destroy(pd);
    o->own = cpu->ops;
    cpu->ops.linear_new = onednn_linear_new;
    cpu->ops.linear_free = onednn_linear_free;
    cpu->ops.linear = onednn_linear;
    cpu->ops.gemm_seconds = onednn_gemm_seconds;
    return true;
}

void
pe_onednn_clear(PeCpu *cpu)
{
    PeOnednn *o = cpu->onednn;
    if (!o)
        return;
    for (int i = 0; i < MAX_PRIMITIVES; i++)
        entry_clear(&o->entries[i]);
    dnnl_stream_destroy(o->stream);
    dnnl_engine_destroy(o->engine);
    g_free(o);
    cpu->onednn = NULL;
}
