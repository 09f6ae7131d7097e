// SPDX-License-Identifier: LGPL-2.1-or-later
//
// cpu.c - the CPU backend: its table, which starts as the plain C definitions
// and is overwritten by the best variants that the machine has, and its
// threads. Knows no operation from the inside.

#include "int8/int8.h"
#include "onednn/choice.h"
#include "onednn/onednn.h"
#include "ops.h"
#include "profile.h"

#include "core/base/cores.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>

static const char *const isa_names[] = {
    [PE_ISA_C] = "c",
    [PE_ISA_AVX2] = "avx2",
    [PE_ISA_AVX512] = "avx512",
    [PE_ISA_AVX512BF16] = "avx512bf16",
};

// The best instruction set of this machine.
static PeIsa
machine_isa(void)
{
#ifdef PE_HAVE_X86
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return PE_ISA_C;
    if (!__builtin_cpu_supports("avx512f") ||
        !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return PE_ISA_AVX2;
    return __builtin_cpu_supports("avx512bf16") &&
                   __builtin_cpu_supports("avx512vnni")
               ? PE_ISA_AVX512BF16
               : PE_ISA_AVX512;
#else
    return PE_ISA_C;
#endif
}

// PE_CPU names the best instruction set to use, with our own kernels alone; for
// tests and for hunting a wrong answer.
static bool
choose_isa(PeIsa *isa, bool *limited, GError **error)
{
    *isa = machine_isa();
    const char *name = g_getenv("PE_CPU");
    *limited = name && *name;
    if (!*limited)
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(isa_names); i++) {
        if (strcmp(name, isa_names[i]) == 0) {
            *isa = MIN(*isa, (PeIsa)i);
            return true;
        }
    }
    g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                "PE_CPU is \"%s\", expected c, avx2, avx512 or avx512bf16",
                name);
    return false;
}

static bool
resolve_precision(PePrecision *precision, PeIsa isa, GError **error)
{
    switch (*precision) {
    case PE_PRECISION_AUTO:
        *precision =
            isa == PE_ISA_AVX512BF16 ? PE_PRECISION_BF16 : PE_PRECISION_FP32;
        return true;
    case PE_PRECISION_FP32:
    case PE_PRECISION_BF16:
    case PE_PRECISION_INT8:
        return true;
    default:
        g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                    "precision %s is not available on cpu (available: fp32, "
                    "bf16, int8)",
                    pe_precision_nick(*precision));
        return false;
    }
}

static int
cpu_count(void)
{
    return 1;
}

static PeCpu *
cpu_new(PeIsa isa, PePrecision precision, int n_threads)
{
    PeCpu *cpu = g_new0(PeCpu, 1);
    cpu->ops = pe_backend_cpu;
    cpu->isa = isa;
    cpu->n_threads = n_threads;
    cpu->be.ops = &cpu->ops;
    cpu->be.precision = precision;
    bool bf16 = precision == PE_PRECISION_BF16 ||
                (precision == PE_PRECISION_INT8 && isa == PE_ISA_AVX512BF16);
    cpu->be.act = bf16 ? PE_DTYPE_BF16 : PE_DTYPE_F32;
    cpu->be.narrow = cpu->be.act;
    cpu->be.k_align = 1;
    cpu->rope = pe_rope_c;
    cpu->resizes = pe_cpu_resizes_new();
    return cpu;
}

static void
use_isa(PeCpu *cpu)
{
#ifdef PE_HAVE_X86
    switch (cpu->isa) {
    case PE_ISA_C:
        break;
    case PE_ISA_AVX2:
        cpu->peak = pe_peak_avx2;
        pe_linear_init_avx2(cpu);
        pe_int8_init_avx2(cpu);
        pe_attention_init_avx2(cpu);
        pe_norm_init_avx2(cpu);
        pe_pool_init_avx2(cpu);
        break;
    case PE_ISA_AVX512:
        cpu->peak = pe_peak_avx512;
        pe_linear_init_avx512(cpu);
        pe_int8_init_avx512(cpu);
        pe_attention_init_avx512(cpu);
        pe_norm_init_avx512(cpu);
        pe_pool_init_avx512(cpu);
        break;
    case PE_ISA_AVX512BF16:
        cpu->peak = pe_peak_avx512bf16;
        pe_linear_init_avx512bf16(cpu);
        pe_int8_init_avx512bf16(cpu);
        pe_attention_init_avx512bf16(cpu);
        pe_norm_init_avx512bf16(cpu);
        pe_pool_init_avx512bf16(cpu);
        break;
    }
#endif
}

static void
describe(PeCpu *cpu)
{
    GString *s = g_string_new(NULL);
    g_string_append_printf(s, "%s %s, %d thread%s", PE_CPU_FAMILY,
                           isa_names[cpu->isa], cpu->n_threads,
                           cpu->n_threads == 1 ? "" : "s");
    // Plain C keeps f32, rounded.
    if (cpu->be.precision == PE_PRECISION_BF16 && cpu->isa < PE_ISA_AVX512BF16)
        g_string_append_printf(s, ", %s weights, fp32 arithmetic",
                               cpu->isa == PE_ISA_C ? "fp32" : "bf16");
    if (cpu->int8_wide)
        g_string_append_printf(s, ", int8 weights, %s rows, %s attention",
                               cpu->int8_row_bytes == 1 ? "int8" : "int16",
                               cpu->be.act == PE_DTYPE_BF16 ? "bf16" : "fp32");
#ifdef PE_HAVE_ONEDNN
    g_autofree char *version = pe_onednn_version();
    if (cpu->own)
        g_string_append_printf(s, ", %s", version);
#endif
    cpu->description = g_string_free(s, FALSE);
}

static void
cpu_close(PeBackend *be)
{
    PeCpu *cpu = (PeCpu *)be;
#ifdef PE_HAVE_ONEDNN
    pe_onednn_clear(cpu);
#endif
    g_free(cpu->own);
    g_free(cpu->int8_wide);
    pe_cpu_profile_clear(cpu);
    pe_resize_cache_free(cpu->resizes);
    pe_block_free(cpu->scratch);
    g_free(cpu->description);
    g_free(cpu);
}

static PeBackend *
cpu_open(const PeBackendParams *params, GError **error)
{
    PeIsa isa;
    bool limited;
    PePrecision precision = params->precision;
    if (!choose_isa(&isa, &limited, error) ||
        !resolve_precision(&precision, isa, error))
        return NULL;
    int n_threads =
        params->n_threads > 0 ? params->n_threads : pe_cores_count();
    PeCpu *cpu = cpu_new(isa, precision, n_threads);
    use_isa(cpu);
#ifdef PE_HAVE_ONEDNN
    if (!limited && pe_onednn_init(cpu) && !pe_choice_init(cpu, error)) {
        cpu_close(&cpu->be);
        return NULL;
    }
#endif
    if (precision == PE_PRECISION_INT8)
        pe_int8_init(cpu);
    describe(cpu);
    return &cpu->be;
}

PeBackend *
pe_backend_open_reference(void)
{
    PeCpu *cpu = cpu_new(PE_ISA_C, PE_PRECISION_FP32, 1);
    describe(cpu);
    return &cpu->be;
}

static const char *
cpu_describe(PeBackend *be)
{
    return ((PeCpu *)be)->description;
}

static void *
cpu_alloc(PeBackend *be, size_t size)
{
    return pe_block_alloc(size);
}

static void
cpu_free(PeBackend *be, void *p)
{
    pe_block_free(p);
}

static void
cpu_copy(PeBackend *be, void *dst, const void *src, size_t size)
{
    memcpy(dst, src, size);
}

static const char *
cpu_sync(PeBackend *be)
{
    return ((PeCpu *)be)->error;
}

const PeBackendOps pe_backend_cpu = {
    .name = "cpu",
    .count = cpu_count,
    .open = cpu_open,
    .close = cpu_close,
    .describe = cpu_describe,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .upload = cpu_copy,
    .download = cpu_copy,
    .sync = cpu_sync,
    .linear_new = pe_linear_new_c,
    .linear_free = pe_linear_free_c,
    .slot_new = pe_slot_new_c,
    .slot_free = pe_slot_free_c,
    .ingest = pe_ingest_c,
    .patchify = pe_patchify_c,
    .patchify_f32 = pe_patchify_f32_c,
    .tokens = pe_tokens_c,
    .layernorm = pe_layernorm_c,
    .linear = pe_linear_c,
    .attention = pe_attention_c,
    .pool = pe_pool_c,
    .gather = pe_gather_c,
    .convert = pe_convert_c,
    .profile = pe_cpu_profile,
    .peak_flops = pe_cpu_peak_flops,
};
