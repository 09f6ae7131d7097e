// SPDX-License-Identifier: LGPL-2.1-or-later
//
// matrices.h - where Hopper's hardware finds and puts things in shared memory:
// the boxes of a tensor map, and the matrices of wgmma. Shared by the emulator,
// the PTX interpreter and the fake driver. Sections are those of the PTX ISA
// 9.0.

#pragma once

#include <cstdint>
#include <cstring>

// The rows of a swizzle hold so many bytes; 1 << (4 + bits) of them.
// 5.5.7, "Swizzling Modes": the 16-byte pieces of a row are permuted by bits 7
// and up of the address.
inline uint64_t
fake_swizzle(uint64_t address, int row_bytes)
{
    const uint64_t mask = (uint64_t)row_bytes / 16 - 1;
    return address ^ ((address >> 7 & mask) << 4);
}

// What a CUtensorMap has here: a tensor of 16-bit elements, the axis whose
// elements are neighbours first.
struct FakeTensorMap {
    uint64_t magic; // fake_tensor_magic
    uint64_t base;
    uint32_t sizes[3], box[3];
    uint64_t strides[3]; // bytes
    int32_t row_bytes;   // of the swizzle
    int32_t padding[15];

    // The address of 16 bytes of a box's row, 0 where they are outside of the
    // tensor. Widths are multiples of 8 elements.
    uint64_t
    piece(const int (&at)[3], int row, int piece) const
    {
        const int64_t x = at[0] + piece * 8, y = at[1] + row, z = at[2];
        if (x < 0 || y < 0 || z < 0 || x >= sizes[0] || y >= sizes[1] ||
            z >= sizes[2])
            return 0;
        return base + (uint64_t)x * strides[0] + (uint64_t)y * strides[1] +
               (uint64_t)z * strides[2];
    }

    int
    bytes() const
    {
        return (int)(box[0] * box[1] * 2);
    }
};
static_assert(sizeof(FakeTensorMap) == 128, "as large as a CUtensorMap");
const uint64_t fake_tensor_magic = 0x70616d20726f7365;

// Of [depth, rows, columns] packed elements, in boxes [box_rows, box_columns],
// a row of which is what a swizzle holds.
inline FakeTensorMap
fake_tensor_map(const void *base, int depth, int rows, int columns,
                int box_rows, int box_columns)
{
    FakeTensorMap m = {};
    m.magic = fake_tensor_magic;
    m.base = (uint64_t)(uintptr_t)base;
    m.sizes[0] = (uint32_t)columns;
    m.sizes[1] = (uint32_t)rows;
    m.sizes[2] = (uint32_t)depth;
    m.box[0] = (uint32_t)box_columns;
    m.box[1] = (uint32_t)box_rows;
    m.box[2] = 1;
    m.strides[0] = 2;
    m.strides[1] = (uint64_t)columns * 2;
    m.strides[2] = m.strides[1] * (uint64_t)rows;
    m.row_bytes = box_columns * 2;
    return m;
}

// 9.7.15.5.1.2, "Matrix Descriptor Format", and 9.7.15.5.1.1, "Strides".
struct MatrixDescriptor {
    uint64_t bits;

    // Bytes of a row that a swizzle holds: 128, 64 or 32; 0: there is none.
    int
    row_bytes() const
    {
        static const int bytes[] = {0, 128, 64, 32};
        return bytes[bits >> 62];
    }

    // The offset in shared memory of element k of row i: what is summed over
    // runs along rows, or, where transposed, down them.
    uint64_t
    offset(int i, int k, bool transposed) const
    {
        const int line = row_bytes(), wide = line / 2;
        const int down = transposed ? k : i, along = transposed ? i : k;
        return fake_swizzle(field(0) + (uint64_t)(along / wide) * field(16) +
                                (uint64_t)(down / 8) * field(32) +
                                (uint64_t)(down % 8 * line + along % wide * 2),
                            line);
    }

    // Nothing that is not understood here.
    bool
    is_known() const
    {
        const uint64_t unused = 3ull << 14 | 3ull << 30 | 0xffffull << 46;
        return row_bytes() && !(bits & unused);
    }

  private:
    uint64_t
    field(int shift) const
    {
        return (bits >> shift & 0x3fff) << 4;
    }
};
