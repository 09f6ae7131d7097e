// SPDX-License-Identifier: LGPL-2.1-or-later
//
// arrays.cpp - operands and comparisons, see arrays.h.

#include "tests/cuda_host/arrays.h"

#include <sys/mman.h>
#include <unistd.h>

const PeDtype activation_types[3] = {PE_DTYPE_F32, PE_DTYPE_F16, PE_DTYPE_BF16};
PeBackend *reference;
unsigned n_orders = 4;
bool has_bf16_products = true;

Array::Array(PeDtype t, size_t count) : type(t), n(count)
{
    Line line;
    memset(&line, 0xff, sizeof line);
    lines.assign(n * pe_dtype_size(t) / sizeof line + 3, line);
    lend();
}

Array::Array(const Array &other)
    : type(other.type), n(other.n), lines(other.lines)
{
    lend();
}

Array &
Array::operator=(const Array &other)
{
    type = other.type;
    n = other.n;
    lines = other.lines;
    lend();
    return *this;
}

void
Array::lend()
{
    lent.reset(new Lent(raw(), n * pe_dtype_size(type)));
}

unsigned char *
Array::raw()
{
    return lines[1].bytes;
}

float
Array::get(size_t i)
{
    if (type == PE_DTYPE_F32)
        return ((float *)raw())[i];
    if (type == PE_DTYPE_E4M3)
        return pe_e4m3_to_f32(raw()[i]);
    if (type == PE_DTYPE_U8)
        return (float)(int8_t)raw()[i];
    uint16_t v = ((uint16_t *)raw())[i];
    return type == PE_DTYPE_F16 ? pe_f16_to_f32(v) : pe_bf16_to_f32(v);
}

void
Array::set(size_t i, float v)
{
    if (type == PE_DTYPE_F32)
        ((float *)raw())[i] = v;
    else if (type == PE_DTYPE_E4M3)
        raw()[i] = pe_e4m3_from_f32(v);
    else if (type == PE_DTYPE_U8)
        raw()[i] = (unsigned char)(int8_t)v;
    else if (type == PE_DTYPE_F16)
        ((uint16_t *)raw())[i] = pe_f16_from_f32(v);
    else
        ((uint16_t *)raw())[i] = pe_bf16_from_f32(v);
}

bool
Array::guarded()
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

Plane::Plane(size_t n)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    size = (n + page - 1) / page * page;
    pages = (uint8_t *)mmap(nullptr, size + page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_true(pages != MAP_FAILED);
    g_assert_cmpint(mprotect(pages + size, page, PROT_NONE), ==, 0);
    data = pages + size - n;
    lent.reset(new Lent(pages, size));
}

Plane::~Plane()
{
    munmap(pages, size + page);
}

Array
random_array(PeDtype type, size_t n, float mean, float deviation)
{
    static std::mt19937 generator(1);
    // The standard asks for a deviation above 0, which may be 0 here.
    std::normal_distribution<float> d(0, 1);
    Array a(type, n);
    for (size_t i = 0; i < n; i++)
        a.set(i, mean + deviation * d(generator));
    return a;
}

double
exact_gelu(double v)
{
    return v * 0.5 * erfc(-v / sqrt(2.0));
}

Array
as_f32(Array &a)
{
    Array b(PE_DTYPE_F32, a.n);
    for (size_t i = 0; i < a.n; i++)
        b.set(i, a.get(i));
    return b;
}

// A planted bug needs no second proof.
static bool
fail()
{
    if (g_getenv("PE_TEST_ONE_FAILURE"))
        _exit(1);
    g_test_fail();
    return false;
}

bool
run_orders(const char *what, const std::function<bool(unsigned)> &launch)
{
    static const PeEmulatorOrder orders[] = {
        PE_EMULATOR_RANDOM, PE_EMULATOR_WARPS, PE_EMULATOR_WARPS,
        PE_EMULATOR_THREADS};
    g_assert_cmpuint(n_orders, <=, G_N_ELEMENTS(orders));
    for (unsigned seed = 0; seed < n_orders; seed++) {
        pe_emulator_set_order(orders[seed], seed);
        try {
            if (!launch(seed)) {
                g_test_message("%s: failed with order %u", what, seed);
                return fail();
            }
        } catch (const PeEmulatorError &e) {
            g_test_message("%s, order %u: %s", what, seed, e.what);
            return fail();
        } catch (const std::exception &e) { // of the PTX interpreter
            g_test_message("%s: %s", what, e.what());
            return fail();
        }
    }
    return true;
}

// sum (a - b)^2 / sum b^2; NaN where the kernel wrote nothing.
static double
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
static double
limit_of(PeDtype type)
{
    switch (type) {
    case PE_DTYPE_F32:
        return 1e-11;
    case PE_DTYPE_F16:
    case PE_DTYPE_U8: // some that lie between two of them
        return 2e-6;
    case PE_DTYPE_E4M3:
        return 1.5e-3;
    default:
        return 5e-5;
    }
}

const PeCudaStream dependent = {nullptr, true};

// A kernel before the one under test, which writes some memory. Until it does,
// the memory has nothing, and nobody may have touched it.
class Primary
{
  public:
    explicit Primary(const std::vector<Earlier> &memory)
    {
        for (const Earlier &m : memory) {
            if (m.size == 0) // of an array that is not there
                continue;
            unsigned char *p = (unsigned char *)m.p;
            parts.push_back({p, {p, p + m.size}});
            memset(p, 0xff, m.size);
            late.emplace_back(new Late(p, m.size));
        }
        pe_emulator_set_primary([this] { run(); });
    }

    bool ran = false, touched = false;

  private:
    struct Part {
        unsigned char *p;
        std::vector<unsigned char> bytes;
    };
    std::vector<Part> parts;
    std::vector<std::unique_ptr<Late>> late;

    void
    run()
    {
        ran = true;
        for (const Part &part : parts) {
            for (size_t i = 0; i < part.bytes.size(); i++)
                touched = touched || part.p[i] != 0xff;
            memcpy(part.p, part.bytes.data(), part.bytes.size());
        }
    }
};

void
compare(const char *what, PeDtype type, Array start, Array expected,
        const std::function<void(void *)> &launch,
        const std::vector<Earlier> &earlier)
{
    Array first = start;
    double limit = limit_of(type);
    run_orders(what, [&](unsigned seed) {
        Array y = start;
        std::vector<Earlier> memory = earlier;
        memory.push_back(y);
        {
            Primary primary(memory);
            launch(y.raw());
            g_assert_true(primary.ran);
            if (primary.touched) {
                g_test_message("%s: touches what a kernel before may still "
                               "read",
                               what);
                return false;
            }
        }
        double e = nmse(y, expected);
        if (seed == 0) {
            g_test_message("%-40s %-4s nmse %.2e, limit %.0e, %5.1f %%", what,
                           pe_dtype_name(type), e, limit, 100 * e / limit);
            first = y;
        }
        bool whole = y.guarded();
        bool same =
            memcmp(y.raw(), first.raw(), y.n * pe_dtype_size(y.type)) == 0;
        if (e <= limit && whole && same)
            return true;
        g_test_message("%s: nmse %g, guards %s, %s", what, e,
                       whole ? "whole" : "overwritten",
                       same ? "repeatable" : "depends on thread order");
        return false;
    });
}
