// SPDX-License-Identifier: LGPL-2.1-or-later
//
// formats.h - how the samples of every pixel format lie in memory, and what is
// between the samples of subsampled chroma. Knows no colours. For
// preprocessing, on the host and in kernels.

#pragma once

#include "core/pe.h"

G_BEGIN_DECLS

#ifdef __CUDACC__
#define PE_ANYWHERE static __host__ __device__ __forceinline__
#else
#define PE_ANYWHERE static inline
#endif

typedef enum {
    PE_COLOURS_RGB,
    PE_COLOURS_GREY,
    PE_COLOURS_YUV,
} PeColours;

// Sample x of a line is `bits` bits of the integer at offset + step x, from bit
// `shift` on.
typedef struct {
    uint8_t plane, offset, step, shift, bits;
} PeComponent;

typedef struct {
    const char *name;
    uint8_t colours; // PeColours
    uint8_t size;    // of the integers: 1, 2 or 4 bytes
    bool big_endian;
    bool packed; // offset and step count samples of 10 bits, of which three are
                 // in every 4 bytes, the first lowest; else bytes
    uint8_t x_shift, y_shift; // chroma has width >> x_shift samples, rounded up
    PeComponent c[3];         // R, G, B or Y, U, V
} PeLayout;

#define PE_N_FORMATS (PE_FORMAT_Y412 + 1)

const PeLayout *pe_format_layout(PeFormat format);

// Bytes of a line, and lines, of plane `i`; no lines when there is no such
// plane.
void pe_frame_plane_size(const PeFrame *frame, int i, int *line, int *n_lines);

// The first byte of column x in a line of plane `i`. Where samples of chroma or
// three samples share something, x is a multiple of 12.
size_t pe_layout_column(const PeLayout *layout, int i, int x);

// Sample x of component c, as 16 bits of which the lowest are 0. The line may
// begin at any address.
PE_ANYWHERE unsigned
pe_layout_read(const PeLayout *l, const PeComponent *c, const uint8_t *line,
               int x)
{
    unsigned at = c->offset + (unsigned)(c->step * x), v, shift = c->shift;
    if (l->packed) {
        shift = at % 3 * 10;
        at = at / 3 * 4;
    }
    const uint8_t *p = line + at;
    if (l->size == 1)
        v = p[0];
    else if (l->size == 2)
        v = l->big_endian ? p[0] << 8 | p[1] : p[0] | p[1] << 8;
    else if (l->big_endian)
        v = (unsigned)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
    else
        v = (unsigned)p[3] << 24 | p[2] << 16 | p[1] << 8 | p[0];
    return v >> shift << (16 - c->bits) & 0xffff;
}

// Where pixel x lies between chroma samples, in eighths of their distance: the
// sample before it is at >> 3, and & 7 is the weight of the next one.
//   on_first  a sample lies on the first of its pixels, else between them
PE_ANYWHERE int
pe_chroma_place(int x, int shift, bool on_first)
{
    return (x << (3 - shift)) - (on_first ? 0 : 4 - (4 >> shift));
}

// From a to b, w eighths of the way, of signed 15-bit samples.
PE_ANYWHERE int
pe_chroma_between(int a, int b, int w)
{
    return a + (((b - a) * w + 4) >> 3);
}

// Chroma as that: 0 is neutral, -2^14 the least.
PE_ANYWHERE int
pe_chroma_centre(unsigned sample16)
{
    return (int)(sample16 >> 1) - (1 << 14);
}

// Does a site have chroma samples on the first of its columns, or of its rows?
PE_ANYWHERE bool
pe_site_on_column(PeSite site)
{
    return site == PE_SITE_LEFT || site == PE_SITE_TOP_LEFT;
}

PE_ANYWHERE bool
pe_site_on_row(PeSite site)
{
    return site == PE_SITE_TOP_LEFT || site == PE_SITE_TOP;
}

G_END_DECLS
