// SPDX-License-Identifier: LGPL-2.1-or-later
//
// grid.c - rotations and absolute positions of a grid of patches.

#include "grid.h"

#include <glib.h>
#include <math.h>
#include <stddef.h>

void
pe_rope_frequencies(int head_dim, float *f)
{
    int a = head_dim / 2;
    for (int i = 0; i < head_dim / 4; i++) {
        // The reference rounds to f32 at each of these three steps. pow() and
        // not powf(), whose last bit differs between C libraries.
        float exponent = (float)(2 * i) / (float)a;
        float power = (float)pow(10000.0, (double)exponent);
        f[i] = 1.0f / power;
    }
}

// The angles of one axis: pairs [n] of one token at `coordinate`.
static void
fill_axis(float *cos_sin, int coordinate, const float *f, int n)
{
    for (int i = 0; i < n; i++) {
        float angle = (float)coordinate * f[i];
        cos_sin[2 * i] = (float)cos((double)angle);
        cos_sin[2 * i + 1] = (float)sin((double)angle);
    }
}

void
pe_rope_table(int gh, int gw, bool cls_token, int head_dim, float *table)
{
    int n = head_dim / 4;
    size_t stride = (size_t)head_dim; // of one token
    // With a class token, patches count from 1 and it stands at angle 0.
    int origin = cls_token ? 1 : 0;
    g_autofree float *f = g_new(float, n);
    pe_rope_frequencies(head_dim, f);

    if (cls_token) {
        fill_axis(table, 0, f, n);
        fill_axis(table + 2 * n, 0, f, n);
        table += stride;
    }
    for (int y = 0; y < gh; y++) {
        for (int x = 0; x < gw; x++) {
            fill_axis(table, x + origin, f, n);
            fill_axis(table + 2 * n, y + origin, f, n);
            table += stride;
        }
    }
}

// Where output `o` of a resized axis lies between inputs lo and hi.
// Source: torch interpolate(mode=bilinear, align_corners=False).
static float
find_source(int o, int in_size, int out_size, int *lo, int *hi)
{
    double s = (o + 0.5) * ((double)in_size / out_size) - 0.5;
    s = MAX(s, 0);
    *lo = MIN((int)s, in_size - 1);
    *hi = MIN(*lo + 1, in_size - 1);
    return (float)(s - *lo);
}

void
pe_positions_resize(const float *pos, int g, int d, int gh, int gw, float *out)
{
    for (int y = 0; y < gh; y++) {
        int y0, y1;
        float fy = find_source(y, g, gh, &y0, &y1);
        for (int x = 0; x < gw; x++) {
            int x0, x1;
            float fx = find_source(x, g, gw, &x0, &x1);
            const float *a = pos + (size_t)(y0 * g + x0) * (size_t)d;
            const float *b = pos + (size_t)(y0 * g + x1) * (size_t)d;
            const float *c = pos + (size_t)(y1 * g + x0) * (size_t)d;
            const float *e = pos + (size_t)(y1 * g + x1) * (size_t)d;
            for (int i = 0; i < d; i++) {
                float top = (1 - fx) * a[i] + fx * b[i];
                float bottom = (1 - fx) * c[i] + fx * e[i];
                *out++ = (1 - fy) * top + fy * bottom;
            }
        }
    }
}
