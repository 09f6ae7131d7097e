// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_tokens.cpp - what walks over elements once: patches, tokens, rows,
// rotation, GELU.

#include "tests/cuda_host/arrays.h"

#include "cuda/kernels.h"
#include "tests/support/e4m3.h"

namespace
{

void
cuts_patches()
{
    int b = 2, h = 45, w = 61, patch = 14, k_padded = 592;
    size_t rows = (size_t)b * (h / patch) * (w / patch);
    Array pixels = random_array(PE_DTYPE_F32, (size_t)b * 3 * h * w);
    for (PeDtype type : activation_types) {
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
    Lent lent(rows, sizeof rows);
    Array x = random_array(PE_DTYPE_F32, 7 * d);
    Array y(PE_DTYPE_F32, 4 * d), z = y;
    pe_gather_c(reference, (float *)z.raw(), (float *)x.raw(), rows, 4, d);
    compare("gather", PE_DTYPE_F32, y, z, [&](void *out) {
        pe_cuda_gather(nullptr, (float *)out, (float *)x.raw(), rows, 4, d);
    });
    for (PeDtype type : activation_types) {
        Array narrow(type, x.n);
        compare("convert", type, narrow, x, [&](void *out) {
            pe_cuda_convert(nullptr, type, out, (float *)x.raw(), x.n);
        });
    }
}

void
rotates()
{
    // Eight channels are of one head or of two; a row is done at once or not.
    for (int head_dim : {12, 16, 64, 96, 768}) {
        int heads = head_dim == 12 ? 4 : 2, n_tokens = 7, rows = 3 * n_tokens,
            d = heads * head_dim;
        Array cos_sin = random_array(PE_DTYPE_F32, (size_t)n_tokens * head_dim);
        PeRope rope = {(float *)cos_sin.raw(), n_tokens, head_dim};
        for (PeDtype type : activation_types) {
            Array y = random_array(type, (size_t)rows * 3 * d);
            Array z = as_f32(y);
            pe_rope_c(reference, z.raw(), &rope, rows, d);
            compare("rope", type, y, z, [&](void *out) {
                pe_cuda_rope(dependent, type, out, rope.cos_sin, true, rows, d,
                             n_tokens, head_dim);
            });
            for (size_t i = 0; i < y.n; i++) {
                if (i % (3 * d) < (size_t)d)
                    z.set(i, y.get(i));
            }
            compare("rope of keys", type, y, z, [&](void *out) {
                pe_cuda_rope(dependent, type, out, rope.cos_sin, false, rows, d,
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
    pe_cuda_gelu(dependent, PE_DTYPE_F32, y.raw(), n);
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double v = x.get(i), exact = 0.5 * v * erfc(-v * M_SQRT1_2);
        worst = MAX(worst, fabs(y.get(i) - exact));
    }
    g_test_message("gelu: largest error %.2e, limit 1e-6", worst);
    g_assert_cmpfloat(worst, <=, 1e-6);
    g_assert_true(y.guarded());
    for (PeDtype type : activation_types) {
        Array small = random_array(type, 258, 0, 2), z = as_f32(small);
        for (size_t i = 0; i < z.n; i++) {
            double v = z.get(i);
            z.set(i, (float)(0.5 * v * erfc(-v * M_SQRT1_2)));
        }
        compare("gelu", type, small, z, [&](void *out) {
            pe_cuda_gelu(dependent, type, out, small.n);
        });
    }
}

// Every channel has a gain of its own, and n is not the rows' power of two.
void
computes_gelu_to_8_bits()
{
    for (int n : {8, 264, 1032}) {
        int rows = 37;
        Array x = random_array(PE_DTYPE_BF16, (size_t)rows * n, 0, 2);
        Array gain(PE_DTYPE_F32, n), y(PE_DTYPE_E4M3, x.n), z = as_f32(x);
        for (int i = 0; i < n; i++)
            gain.set(i, ldexpf(1, i * 7 % 11 - 5));
        for (size_t i = 0; i < z.n; i++) {
            double v = z.get(i);
            z.set(i, (float)(0.5 * v * erfc(-v * M_SQRT1_2)) * gain.get(i % n));
        }
        compare("gelu to 8 bits", PE_DTYPE_E4M3, y, z,
                [&](void *out) {
                    pe_cuda_gelu_narrow(dependent, out, x.raw(),
                                        (float *)gain.raw(), rows, n);
                },
                {x});
    }
}

// As the kernels do it: by a GELU that is the identity for what is large, on
// numbers that bf16 holds.
void
check_rounding(float v, int expected)
{
    // Large enough for GELU to be v, and undone by the gain.
    const float scale = 0x1p40f;
    Array x(PE_DTYPE_BF16, 8), gain(PE_DTYPE_F32, 8), y(PE_DTYPE_E4M3, 8);
    for (int i = 0; i < 8; i++) {
        x.set(i, fabsf(v) * scale);
        gain.set(i, (v < 0 ? -1 : 1) / scale);
    }
    pe_cuda_gelu_narrow(dependent, y.raw(), x.raw(), (float *)gain.raw(), 1, 8);
    for (int i = 0; i < 8; i++) {
        if (y.raw()[i] != expected) {
            g_test_message("%g is %02x, expected %02x", v, y.raw()[i],
                           expected);
            g_test_fail();
        }
    }
}

// Each code, what is halfway to the next one, and what is next to that.
void
rounds_to_every_code()
{
    for (int sign : {0, 0x80}) {
        for (int code = 1; code < 0x7e; code++) {
            float v = value_of_e4m3(code | sign);
            float next = value_of_e4m3((code + 1) | sign);
            float half = (v + next) / 2; // 5 bits: bf16 holds it and more
            check_rounding(v, code | sign);
            check_rounding(half, (code % 2 ? code + 1 : code) | sign);
            check_rounding(half + (v - half) / 8, code | sign);
            check_rounding(half + (next - half) / 8, (code + 1) | sign);
        }
        check_rounding(value_of_e4m3(0x7e | sign), 0x7e | sign);
        for (float large : {464.0f, 480.0f, 1e20f})
            check_rounding(sign ? -large : large, 0x7e | sign);
    }
    Array x(PE_DTYPE_BF16, 8), gain(PE_DTYPE_F32, 8), y(PE_DTYPE_E4M3, 8);
    for (int i = 0; i < 8; i++) {
        x.set(i, NAN);
        gain.set(i, 1);
    }
    pe_cuda_gelu_narrow(dependent, y.raw(), x.raw(), (float *)gain.raw(), 1, 8);
    g_assert_true(std::isnan(y.get(0)) && std::isnan(y.get(7)));
}

void
adds_a_bias_to_every_row()
{
    int rows = 3, n = 261;
    for (PeDtype type : activation_types) {
        Array y = random_array(type, (size_t)rows * n);
        Array bias = random_array(type, n), z = as_f32(y);
        for (size_t i = 0; i < z.n; i++)
            z.set(i, (float)(z.get(i) + bias.get(i % n)));
        compare("bias", type, y, z, [&](void *out) {
            pe_cuda_bias(dependent, type, out, bias.raw(), rows, n);
        });
    }
}

} // namespace

void
add_token_tests()
{
    g_test_add_func("/cuda_host/tokens/patchify_f32", cuts_patches);
    g_test_add_func("/cuda_host/tokens/tokens", assembles_tokens);
    g_test_add_func("/cuda_host/tokens/gather_convert", gathers_and_converts);
    g_test_add_func("/cuda_host/tokens/rope", rotates);
    g_test_add_func("/cuda_host/tokens/gelu", computes_gelu);
    g_test_add_func("/cuda_host/tokens/gelu_8_bits", computes_gelu_to_8_bits);
    g_test_add_func("/cuda_host/tokens/e4m3", rounds_to_every_code);
    g_test_add_func("/cuda_host/bias/rows", adds_a_bias_to_every_row);
}
