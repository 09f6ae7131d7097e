// SPDX-License-Identifier: LGPL-2.1-or-later
//
// onednn_matmul.c - see onednn_matmul.h.

#include "onednn_matmul.h"

// Each lane has scratch space of its own; the library's would belong to the
// thread that made the primitive.
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
    dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    // DNNL_DEFAULT_FPMATH_MODE must not turn f32 products into bf16 ones.
    dnnl_primitive_attr_set_fpmath_mode(attr, dnnl_fpmath_mode_strict);
    return attr;
}

dnnl_primitive_desc_t
pe_matmul_describe(const PeMatmulTable *table, const PeMatmul *wanted,
                   ConstMd packed)
{
    int rows = wanted->rows, n = wanted->n, k = wanted->k;
    PeEpilogue epilogue = wanted->epilogue;
    bool f32_out =
        epilogue == PE_EPILOGUE_RESIDUAL || epilogue == PE_EPILOGUE_F32;
    Md src = md_new(table->act, rows, k, k, 1);
    Md dst =
        md_new(f32_out ? dnnl_f32 : table->act, rows, n, wanted->stride, 1);
    Md bias_md = md_new(dnnl_f32, 1, n, n, 1);
    Md any = md_new_any(table->act, k, n);
    dnnl_primitive_attr_t attr = attr_new(epilogue);
    dnnl_primitive_desc_t pd = NULL;
    const char *info = "";
    dnnl_status_t status =
        matmul_create(&pd, table->engine, src, packed ? packed : any,
                      wanted->bias ? bias_md : NULL, dst, attr);
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

dnnl_memory_t
pe_matmul_memory(const PeMatmulTable *table, dnnl_primitive_desc_t pd,
                 dnnl_query_t what, void *data)
{
    dnnl_memory_t memory = NULL;
    dnnl_memory_create(&memory, dnnl_primitive_desc_query_md(pd, what, 0),
                       table->engine, data);
    return memory;
}

static size_t
scratch_size_of(dnnl_primitive_desc_t pd)
{
    return dnnl_memory_desc_get_size(
        dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
}

static void
clear(PeMatmulTable *table, PeMatmul *m)
{
    if (!m->primitive)
        return;
    dnnl_primitive_destroy(m->primitive);
    for (int i = 0; i < table->n_threads; i++) {
        dnnl_memory_destroy(m->lanes[i].src);
        dnnl_memory_destroy(m->lanes[i].dst);
        dnnl_memory_destroy(m->lanes[i].scratch);
    }
    g_free(m->lanes);
    m->primitive = NULL;
}

static bool
matches(const PeMatmul *m, const PeMatmul *wanted)
{
    return m->primitive && m->rows == wanted->rows && m->n == wanted->n &&
           m->k == wanted->k && m->stride == wanted->stride &&
           m->epilogue == wanted->epilogue && m->bias == wanted->bias;
}

static bool
init(PeMatmulTable *table, PeMatmul *m, const PeMatmul *wanted, ConstMd packed)
{
    clear(table, m);
    dnnl_primitive_desc_t pd = pe_matmul_describe(table, wanted, packed);
    if (!pd)
        return false;
    *m = *wanted;
    if (dnnl_primitive_create(&m->primitive, pd) != dnnl_success)
        m->primitive = NULL;
    if (m->primitive) {
        m->scratch_size = scratch_size_of(pd);
        m->lanes = g_new(PeMatmulLane, table->n_threads);
        for (int i = 0; i < table->n_threads; i++)
            m->lanes[i] = (PeMatmulLane){
                pe_matmul_memory(table, pd, dnnl_query_src_md,
                                 DNNL_MEMORY_NONE),
                pe_matmul_memory(table, pd, dnnl_query_dst_md,
                                 DNNL_MEMORY_NONE),
                pe_matmul_memory(table, pd, dnnl_query_scratchpad_md,
                                 DNNL_MEMORY_NONE)};
    }
    dnnl_primitive_desc_destroy(pd);
    return m->primitive != NULL;
}

const PeMatmul *
pe_matmul_get(PeMatmulTable *table, const PeMatmul *wanted, ConstMd packed)
{
    PeMatmul *oldest = &table->matmuls[0];
    for (int i = 0; i < PE_MAX_MATMULS; i++) {
        PeMatmul *m = &table->matmuls[i];
        if (matches(m, wanted)) {
            m->last_used = ++table->clock;
            return m;
        }
        if (oldest->primitive &&
            (!m->primitive || m->last_used < oldest->last_used))
            oldest = m;
    }
    if (!init(table, oldest, wanted, packed))
        return NULL;
    oldest->last_used = ++table->clock;
    return oldest;
}

void
pe_matmul_clear(PeMatmulTable *table)
{
    for (int i = 0; i < PE_MAX_MATMULS; i++)
        clear(table, &table->matmuls[i]);
}
