// SPDX-License-Identifier: LGPL-2.1-or-later
//
// onednn_versions.h - what oneDNN 2 and 3 call differently, for onednn.c only.
// Descriptors became opaque in oneDNN 3: `Md` is a pointer in both.

#pragma once

#include <glib.h>
#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR < 3

typedef dnnl_memory_desc_t *Md;
typedef const dnnl_memory_desc_t *ConstMd;

static inline Md
md_new(dnnl_data_type_t type, int rows, int cols, int row_stride,
       int col_stride)
{
    Md md = g_new0(dnnl_memory_desc_t, 1);
    dnnl_memory_desc_init_by_strides(md, 2, (dnnl_dims_t){rows, cols}, type,
                                     (dnnl_dims_t){row_stride, col_stride});
    return md;
}

static inline Md
md_new_any(dnnl_data_type_t type, int rows, int cols)
{
    Md md = g_new0(dnnl_memory_desc_t, 1);
    dnnl_memory_desc_init_by_tag(md, 2, (dnnl_dims_t){rows, cols}, type,
                                 dnnl_format_tag_any);
    return md;
}

static inline Md
md_copy(ConstMd md)
{
    return g_memdup2(md, sizeof *md);
}

static inline void
md_free(Md md)
{
    g_free(md);
}

static inline dnnl_status_t
matmul_create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, ConstMd src,
              ConstMd weight, ConstMd bias, ConstMd dst,
              dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t desc;
    dnnl_status_t status = dnnl_matmul_desc_init(&desc, src, weight, bias, dst);
    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(pd, &desc, attr, engine, NULL);
}

static inline void
append_gelu(dnnl_post_ops_t ops)
{
    dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_gelu_erf, 0, 0);
}

static inline void
append_sum(dnnl_post_ops_t ops)
{
    dnnl_post_ops_append_sum(ops, 1);
}

#else

typedef dnnl_memory_desc_t Md;
typedef const_dnnl_memory_desc_t ConstMd;

static inline Md
md_new(dnnl_data_type_t type, int rows, int cols, int row_stride,
       int col_stride)
{
    Md md = NULL;
    dnnl_memory_desc_create_with_strides(&md, 2, (dnnl_dims_t){rows, cols},
                                         type,
                                         (dnnl_dims_t){row_stride, col_stride});
    return md;
}

static inline Md
md_new_any(dnnl_data_type_t type, int rows, int cols)
{
    Md md = NULL;
    dnnl_memory_desc_create_with_tag(&md, 2, (dnnl_dims_t){rows, cols}, type,
                                     dnnl_format_tag_any);
    return md;
}

static inline Md
md_copy(ConstMd md)
{
    Md copy = NULL;
    dnnl_memory_desc_clone(&copy, md);
    return copy;
}

static inline void
md_free(Md md)
{
    if (md)
        dnnl_memory_desc_destroy(md);
}

static inline dnnl_status_t
matmul_create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, ConstMd src,
              ConstMd weight, ConstMd bias, ConstMd dst,
              dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(pd, engine, src, weight, bias, dst,
                                             attr);
}

static inline void
append_gelu(dnnl_post_ops_t ops)
{
    dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_gelu_erf, 0, 0);
}

static inline void
append_sum(dnnl_post_ops_t ops)
{
    dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef);
}

#endif
