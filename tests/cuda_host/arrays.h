// SPDX-License-Identifier: LGPL-2.1-or-later
//
// arrays.h - operands of a kernel under test: arrays in any type with guards
// around them, and the comparison of a kernel's output with its twin's.

#pragma once

#include "tests/cuda_host/emulator.h"
#include "tests/cuda_host/lent.h"

#include <glib.h>

extern "C" {
#include "core/device/backend.h"
#include "core/device/cpu/ops.h"
}

// Values of an operand in the type of a run, lent to kernels. They begin as
// NaN. U8 stands for signed bytes here.
struct Array {
    struct alignas(128) Line {
        unsigned char bytes[128];
    };

    PeDtype type;
    size_t n;
    std::vector<Line> lines; // the first and the last are guards

    Array(PeDtype t, size_t count);
    Array(const Array &other);
    Array &operator=(const Array &other);
    unsigned char *raw();
    float get(size_t i);
    void set(size_t i, float v);
    // Everything outside the n elements is still 0xff.
    bool guarded();

  private:
    std::unique_ptr<Lent> lent;

    void lend();
};

// Bytes behind which nobody may read: the next page cannot be touched. Lent to
// kernels.
class Plane
{
  public:
    explicit Plane(size_t n);
    ~Plane();
    Plane(const Plane &) = delete;
    Plane &operator=(const Plane &) = delete;

    uint8_t *data;

  private:
    uint8_t *pages;
    size_t page, size;
    std::unique_ptr<Lent> lent;
};

Array random_array(PeDtype type, size_t n, float mean = 0, float deviation = 1);

// [rows, 3 * heads * head_dim], scaled as the towers' weights do it; keys grow
// from 1 for the first row to `loudest` for the last.
Array random_qkv(PeDtype type, int rows, int heads, int head_dim,
                 float loudest);

// The erf form.
double exact_gelu(double v);

// The same values in f32, so that the twin sees what the kernel saw.
Array as_f32(Array &a);

// How many orders of the threads a kernel is run with: all by default.
extern unsigned n_orders;

// Whether tensor cores multiply bf16: without, attention in bf16 is left out.
extern bool has_bf16_products;

// Calls `launch(n)` for each order n of the threads. False, and the test has
// failed, when one of them returns false or ends in a deadlock and the like.
bool run_orders(const char *what, const std::function<bool(unsigned)> &launch);

// Bytes that an earlier kernel of the stream has or reads.
struct Earlier {
    const void *p;
    size_t size;

    Earlier(const void *from, size_t n) : p(from), size(n)
    {
    }
    Earlier(Array &a) : p(a.raw()), size(a.n * pe_dtype_size(a.type))
    {
    }
};

// Run `launch(y)` with every order of threads on a copy of `start`. The results
// have to be within the type's limit of `expected` and the same bits each time.
// Its first kernel is a dependent of one that writes `start` and what is in
// `earlier`: these are all ones before, and must be when that one has its turn.
void compare(const char *what, PeDtype type, Array start, Array expected,
             const std::function<void(void *)> &launch,
             const std::vector<Earlier> &earlier = {});

// Where launches begin early.
extern const PeCudaStream dependent;

extern const PeDtype activation_types[3];
extern PeBackend *reference; // f32

// The cases of each file.
void add_attention_tests();
void add_dependent_tests();
void add_hopper_tests();
void add_hopper_linear_tests();
void add_int8_tests();
void add_pixel_tests();
void add_token_tests();
