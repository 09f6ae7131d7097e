// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_kernels.cpp - every CUDA kernel's own source, run on the CPU by the
// emulator, against its plain C twin, at odd sizes and in all types.
//
// Outputs are NaN before a run and have guards around them; every case runs
// with several orders of the threads and has to give the same bits each time.

#include "tests/cuda_host/emulator.h"

#include <glib.h>

extern "C" {
#include "core/backend.h"
#include "core/cpu/ops.h"
}
#include "cuda/kernels.h"

namespace
{

const unsigned n_seeds = 3;

struct alignas(128) Line {
    unsigned char bytes[128];
};

// Values of an operand in the type of a run, and as f32 for the twin.
struct Array {
    PeDtype type;
    size_t n;
    std::vector<Line> lines; // the first and the last are guards

    Array(PeDtype t, size_t count) : type(t), n(count)
    {
        Line line;
        memset(&line, 0xff, sizeof line);
        lines.assign(n * pe_dtype_size(t) / sizeof line + 3, line);
    }

    unsigned char *
    raw()
    {
        return lines[1].bytes;
    }

    float
    get(size_t i)
    {
        float v;
        PeTensor t =
            pe_tensor_new(type, 0, nullptr, raw() + i * pe_dtype_size(type));
        pe_tensor_to_f32(&t, &v);
        return v;
    }

    void
    set(size_t i, float v)
    {
        if (type == PE_DTYPE_F32)
            ((float *)raw())[i] = v;
        else if (type == PE_DTYPE_F16)
            ((uint16_t *)raw())[i] = pe_f16_from_f32(v);
        else
            ((uint16_t *)raw())[i] = pe_bf16_from_f32(v);
    }

    // Everything outside the n elements is still 0xff.
    bool
    guarded()
    {
        unsigned char *begin = lines.front().bytes;
        unsigned char *end = begin + lines.size() * sizeof(Line);
        for (unsigned char *p = begin; p < end; p++) {
            bool inside = p >= raw() && p < raw() + n * pe_dtype_size(type);
            if (!inside && *p != 0xff)
                return false;
        }
        return true;
    }
};

std::mt19937 generator(1);

Array
random_array(PeDtype type, size_t n, float mean = 0, float deviation = 1)
{
    std::normal_distribution<float> d(mean, deviation);
    Array a(type, n);
    for (size_t i = 0; i < n; i++)
        a.set(i, d(generator));
    return a;
}

// The same values in f32, so that the twin sees what the kernel saw.
Array
as_f32(Array &a)
{
    Array b(PE_DTYPE_F32, a.n);
    for (size_t i = 0; i < a.n; i++)
        b.set(i, a.get(i));
    return b;
}

// sum (a - b)^2 / sum b^2; NaN where the kernel wrote nothing.
double
nmse(Array &a, Array &b)
{
    double error = 0, power = 0;
    for (size_t i = 0; i < a.n; i++) {
        double d = (double)a.get(i) - b.get(i);
        error += d * d;
        power += (double)b.get(i) * b.get(i);
    }
    return error / power;
}

// What rounding a result of this type costs at least, with room for the
// rounding of probabilities in attention.
double
limit(PeDtype type)
{
    return type == PE_DTYPE_F32 ? 1e-11 : type == PE_DTYPE_F16 ? 2e-6 : 5e-5;
}

// Run `launch(y)` with every seed on a copy of `start` and compare with
// `expected`.
void
compare(const char *what, PeDtype type, Array start, Array expected,
        const std::function<void(void *)> &launch)
{
    Array first = start;
    for (unsigned seed = 0; seed < n_seeds; seed++) {
        Array y = start;
        pe_emulator_seed(seed);
        try {
            launch(y.raw());
        } catch (const PeEmulatorError &e) {
            g_test_message("%s: %s", what, e.what);
            g_test_fail();
            return;
        }
        double e = nmse(y, expected);
        if (seed == 0) {
            g_test_message("%-40s %-4s nmse %.2e, limit %.0e, %5.1f %%", what,
                           pe_dtype_name(type), e, limit(type),
                           100 * e / limit(type));
            first = y;
        }
        bool same =
            memcmp(y.raw(), first.raw(), y.n * pe_dtype_size(y.type)) == 0;
        if (!(e <= limit(type)) || !y.guarded() || !same) {
            g_test_message("%s, seed %u: nmse %g, guards %s, %s", what, seed, e,
                           y.guarded() ? "whole" : "overwritten",
                           same ? "repeatable" : "depends on thread order");
            g_test_fail();
            return;
        }
    }
}

const PeDtype types[] = {PE_DTYPE_F32, PE_DTYPE_F16, PE_DTYPE_BF16};
PeBackend *reference; // f32

void
normalizes_rows()
{
    for (PeDtype type : types) {
        for (int rows : {1, 3, 5}) {
            for (int d : {64, 192, 1536}) {
                Array x = random_array(PE_DTYPE_F32, (size_t)rows * d, 30);
                Array w = random_array(PE_DTYPE_F32, d, 1, 0.1f);
                Array b = random_array(PE_DTYPE_F32, d);
                Array y(type, (size_t)rows * d), z(PE_DTYPE_F32, y.n);
                pe_layernorm_c(reference, z.raw(), PE_DTYPE_F32,
                               (float *)x.raw(), (float *)w.raw(),
                               (float *)b.raw(), rows, d, 1e-5f);
                g_autofree char *what =
                    g_strdup_printf("layernorm %d x %d", rows, d);
                compare(what, type, y, z, [&](void *out) {
                    pe_cuda_layernorm(nullptr, type, out, (float *)x.raw(),
                                      (float *)w.raw(), (float *)b.raw(), rows,
                                      d, 1e-5f);
                });
            }
        }
    }
}

struct AttentionCase {
    int b, n, heads, head_dim;
    bool causal;
    std::vector<int> lengths; // ragged when not empty
};

void
attends()
{
    const AttentionCase cases[] = {
        {1, 197, 2, 64, false, {}}, {2, 65, 1, 64, false, {}},
        {1, 130, 1, 96, false, {}}, {1, 577, 1, 64, false, {}},
        {2, 16, 3, 16, false, {}},  {1, 37, 1, 24, false, {}},
        {1, 1, 2, 64, false, {}},   {1, 32, 2, 64, true, {}},
        {1, 72, 1, 64, true, {}},   {3, 32, 2, 64, true, {1, 32, 7}},
        {1, 150, 1, 96, true, {}},  {2, 20, 1, 32, true, {3, 20}},
    };
    for (const AttentionCase &c : cases) {
        int width = c.heads * c.head_dim, rows = c.b * c.n;
        std::vector<int> offsets;
        if (!c.lengths.empty()) {
            offsets.push_back(0);
            for (int length : c.lengths)
                offsets.push_back(offsets.back() + length);
            rows = offsets.back();
        }
        const int *at = offsets.empty() ? nullptr : offsets.data();
        for (PeDtype type : types) {
            Array qkv = random_array(type, (size_t)rows * 3 * width);
            Array same = as_f32(qkv);
            Array y(type, (size_t)rows * width), z(PE_DTYPE_F32, y.n);
            pe_attention_c(reference, z.raw(), same.raw(), at, c.b, c.n,
                           c.heads, c.head_dim, c.causal);
            g_autofree char *what =
                g_strdup_printf("attention %d x %d%s, %d heads of %d%s", c.b,
                                c.n, at ? " ragged" : "", c.heads, c.head_dim,
                                c.causal ? ", causal" : "");
            compare(what, type, y, z, [&](void *out) {
                pe_cuda_attention(nullptr, type, out, qkv.raw(), at, c.b, c.n,
                                  c.heads, c.head_dim, c.causal);
            });
        }
    }
}

void
pools()
{
    for (int head_dim : {8, 24, 48, 96, 128, 192}) {
        for (PeDtype type : types) {
            int b = 2, n = 197, heads = 2, width = heads * head_dim;
            Array q = random_array(PE_DTYPE_F32, width, 0, 0.3f);
            Array kv = random_array(type, (size_t)b * n * 2 * width);
            Array same = as_f32(kv);
            Array y(type, (size_t)b * width), z(PE_DTYPE_F32, y.n);
            pe_attention_pool_c(reference, z.raw(), (float *)q.raw(),
                                same.raw(), b, n, heads, head_dim);
            g_autofree char *what =
                g_strdup_printf("attention_pool heads of %d", head_dim);
            compare(what, type, y, z, [&](void *out) {
                pe_cuda_attention_pool(nullptr, type, out, (float *)q.raw(),
                                       kv.raw(), b, n, heads, head_dim);
            });
        }
    }
}

void
cuts_patches()
{
    int b = 2, h = 45, w = 61, patch = 14, k_padded = 592;
    size_t rows = (size_t)b * (h / patch) * (w / patch);
    Array pixels = random_array(PE_DTYPE_F32, (size_t)b * 3 * h * w);
    for (PeDtype type : types) {
        Array y(type, rows * k_padded), z(PE_DTYPE_F32, y.n);
        pe_patchify_f32_c(reference, z.raw(), (float *)pixels.raw(), b, h, w,
                          patch, k_padded);
        compare("patchify_f32 45 x 61", type, y, z, [&](void *out) {
            pe_cuda_patchify_f32(nullptr, type, out, (float *)pixels.raw(), b,
                                 h, w, patch, k_padded);
        });
    }
}

void
assembles_tokens()
{
    int b = 3, np = 5, d = 24;
    for (bool with_cls : {false, true}) {
        int c = with_cls ? 1 : 0;
        Array patches = random_array(PE_DTYPE_F32, (size_t)b * np * d);
        Array cls = random_array(PE_DTYPE_F32, d);
        Array pos = random_array(PE_DTYPE_F32, (size_t)(np + c) * d);
        Array y(PE_DTYPE_F32, (size_t)b * (np + c) * d), z = y;
        float *token = with_cls ? (float *)cls.raw() : nullptr;
        pe_tokens_c(reference, (float *)z.raw(), (float *)patches.raw(), token,
                    (float *)pos.raw(), b, np, d);
        compare(with_cls ? "tokens, class token" : "tokens", PE_DTYPE_F32, y, z,
                [&](void *out) {
                    pe_cuda_tokens(nullptr, (float *)out,
                                   (float *)patches.raw(), token,
                                   (float *)pos.raw(), b, np, d);
                });
    }
}

void
gathers_and_converts()
{
    int d = 40;
    int rows[] = {6, 0, 3, 3};
    Array x = random_array(PE_DTYPE_F32, 7 * d);
    Array y(PE_DTYPE_F32, 4 * d), z = y;
    pe_gather_c(reference, (float *)z.raw(), (float *)x.raw(), rows, 4, d);
    compare("gather", PE_DTYPE_F32, y, z, [&](void *out) {
        pe_cuda_gather(nullptr, (float *)out, (float *)x.raw(), rows, 4, d);
    });
    for (PeDtype type : types) {
        Array narrow(type, x.n);
        compare("convert", type, narrow, x, [&](void *out) {
            pe_cuda_convert(nullptr, type, out, (float *)x.raw(), x.n);
        });
    }
}

void
rotates()
{
    for (int head_dim : {16, 64, 96}) {
        int heads = 2, n_tokens = 7, rows = 3 * n_tokens, d = heads * head_dim;
        Array cos_sin = random_array(PE_DTYPE_F32, (size_t)n_tokens * head_dim);
        PeRope rope = {(float *)cos_sin.raw(), n_tokens, head_dim};
        for (PeDtype type : types) {
            Array y = random_array(type, (size_t)rows * 3 * d);
            Array z = as_f32(y);
            pe_rope_c(reference, z.raw(), &rope, rows, d);
            compare("rope", type, y, z, [&](void *out) {
                pe_cuda_rope(nullptr, type, out, rope.cos_sin, rows, d,
                             n_tokens, head_dim);
            });
        }
    }
}

// Against the exact form at every point that matters, not on average only.
void
computes_gelu()
{
    size_t n = 4096;
    Array y(PE_DTYPE_F32, n);
    for (size_t i = 0; i < n; i++)
        y.set(i, (float)i / 128 - 16);
    Array x = y;
    pe_cuda_gelu(nullptr, PE_DTYPE_F32, y.raw(), n);
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double v = x.get(i), exact = 0.5 * v * erfc(-v * M_SQRT1_2);
        worst = MAX(worst, fabs(y.get(i) - exact));
    }
    g_test_message("gelu: largest error %.2e, limit 1e-6", worst);
    g_assert_cmpfloat(worst, <=, 1e-6);
    g_assert_true(y.guarded());
    for (PeDtype type : types) {
        Array small = random_array(type, 258, 0, 2), z = as_f32(small);
        for (size_t i = 0; i < z.n; i++) {
            double v = z.get(i);
            z.set(i, (float)(0.5 * v * erfc(-v * M_SQRT1_2)));
        }
        compare("gelu", type, small, z,
                [&](void *out) { pe_cuda_gelu(nullptr, type, out, small.n); });
    }
}

} // namespace

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    reference = pe_backend_open_reference();
    g_test_add_func("/cuda_host/layernorm", normalizes_rows);
    g_test_add_func("/cuda_host/attention", attends);
    g_test_add_func("/cuda_host/attention_pool", pools);
    g_test_add_func("/cuda_host/patchify", cuts_patches);
    g_test_add_func("/cuda_host/tokens", assembles_tokens);
    g_test_add_func("/cuda_host/gather_convert", gathers_and_converts);
    g_test_add_func("/cuda_host/rope", rotates);
    g_test_add_func("/cuda_host/gelu", computes_gelu);
    int result = g_test_run();
    reference->ops->close(reference);
    return result;
}
