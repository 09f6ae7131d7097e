// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_pixels.cpp - preprocessing against the CPU's, byte for byte, and
// cutting into patches.

#include "tests/cuda_host/arrays.h"

extern "C" {
#include "core/device/cpu/pixels.h"
}
#include "cuda/kernels.h"

namespace
{

// A frame of bytes from `fill(plane, row, byte)`. Planes and lines begin at
// multiples of `align`, with `pad` unused bytes between lines.
class Picture
{
  public:
    Picture(PeFormat format, int w, int h, int align, int pad,
            const std::function<uint8_t(int, int, int)> &fill)
        : frame()
    {
        frame.format = format;
        frame.width = w;
        frame.height = h;
        for (int i = 0; i < 3; i++) {
            int line, n_lines;
            pe_frame_plane_size(&frame, i, &line, &n_lines);
            if (!n_lines)
                continue;
            int stride = (line + pad + align - 1) / align * align;
            size_t n = (size_t)stride * (n_lines - 1) + line;
            planes[i].reset(new Plane((n + align - 1) / align * align));
            for (int row = 0; row < n_lines; row++) {
                for (int j = 0; j < line; j++)
                    planes[i]->data[row * stride + j] = fill(i, row, j);
            }
            frame.planes[i] = planes[i]->data;
            frame.strides[i] = stride;
        }
    }

    PeFrame frame;

  private:
    std::unique_ptr<Plane> planes[3];
};

std::mt19937 generator(7);

uint8_t
noise(int, int, int)
{
    return (uint8_t)generator();
}

// Both axes of a resize and what the kernel is given of them.
struct Axes {
    PeResizeAxis *x, *y;
    PeCudaAxis cuda_x, cuda_y;
    std::vector<std::unique_ptr<Lent>> lent;

    PeCudaAxis
    view(const PeResizeAxis *a)
    {
        const size_t n = (size_t)a->out_size;
        lent.emplace_back(new Lent(a->first, n * sizeof *a->first));
        lent.emplace_back(new Lent(a->count, n * sizeof *a->count));
        lent.emplace_back(
            new Lent(a->weights, n * a->taps * sizeof *a->weights));
        return {a->in_size, a->out_size, a->taps,
                a->first,   a->count,    a->weights};
    }

    Axes(const PeFrame &f, int out_w, int out_h)
        : x(pe_resize_axis_new(pe_frame_get_crop(&f).width, out_w)),
          y(pe_resize_axis_new(pe_frame_get_crop(&f).height, out_h))
    {
        cuda_x = view(x);
        cuda_y = view(y);
    }

    ~Axes()
    {
        pe_resize_axis_free(x);
        pe_resize_axis_free(y);
    }

    Axes(const Axes &) = delete;
    Axes &operator=(const Axes &) = delete;
};

// What the CPU makes of a frame: u8 [3, out_h, out_w].
std::vector<uint8_t>
squash_on_cpu(const PeFrame &frame, const Axes &axes)
{
    g_autoptr(GError) error = nullptr;
    g_assert_true(pe_frame_check(&frame, &error));
    std::vector<uint8_t> rgb((size_t)3 * axes.x->out_size * axes.y->out_size);
    PePixels p = {};
    p.rgb = rgb.data();
    size_t size = pe_pixels_layout(&p, &frame, axes.x, axes.y, nullptr);
    uint8_t *scratch = (uint8_t *)pe_block_alloc(size);
    pe_pixels_layout(&p, &frame, axes.x, axes.y, scratch);
    pe_pixels_squash_c(&p);
    pe_block_free(scratch);
    return rgb;
}

struct Difference {
    int worst = 0;
    double mean = 0;
};

Difference
difference(const uint8_t *a, const std::vector<uint8_t> &b)
{
    Difference d;
    for (size_t i = 0; i < b.size(); i++) {
        int e = abs(a[i] - b[i]);
        d.worst = MAX(d.worst, e);
        d.mean += (double)e / b.size();
    }
    return d;
}

// Run the kernel on a frame; every byte may be `worst` off at the most, and all
// of them `mean` on average.
void
check_frame(const char *what, const PeFrame &frame, int out_w, int out_h,
            bool exact, int worst, double mean)
{
    Axes axes(frame, out_w, out_h);
    std::vector<uint8_t> want = squash_on_cpu(frame, axes);
    run_orders(what, [&](unsigned seed) {
        Plane got(want.size());
        // Bytes that stay as they are differ from what they should be.
        for (size_t i = 0; i < want.size(); i++)
            got.data[i] = (uint8_t)(want[i] + 128);
        pe_cuda_preprocess(nullptr, &frame, &axes.cuda_x, &axes.cuda_y, exact,
                           got.data);
        Difference d = difference(got.data, want);
        if (seed == 0 || d.worst > worst)
            g_test_message("%s, %d x %d to %d x %d: at most %d off (limit %d), "
                           "%.3f on average (limit %.1f)",
                           what, frame.width, frame.height, out_w, out_h,
                           d.worst, worst, d.mean, mean);
        return d.worst <= worst && d.mean <= mean;
    });
}

const char *
name_of(int format)
{
    return pe_format_layout((PeFormat)format)->name;
}

struct Size {
    int w, h, out_w, out_h, align, pad;
};

void
equals_the_cpu()
{
    // Whole words, words with a ragged end, and nothing aligned; more and less
    // than a tile; down, up, and both.
    static const Size sizes[] = {
        {64, 24, 20, 12, 16, 0},  {203, 61, 50, 9, 16, 16},
        {75, 41, 53, 17, 2, 6},   {9, 7, 60, 30, 16, 0},
        {300, 90, 31, 120, 4, 4}, {1, 1, 5, 3, 2, 0},
    };
    for (const Size &s : sizes) {
        for (int format = 0; format < PE_N_FORMATS; format++) {
            // Formats without code of their own: two of the sizes.
            if (format > PE_FORMAT_P010 && s.w != 75 && s.w != 1)
                continue;
            Picture p((PeFormat)format, s.w, s.h, s.align, s.pad, noise);
            p.frame.matrix = (PeMatrix)(format % 3);
            p.frame.site = (PeSite)((format + s.w) % 4);
            p.frame.full_range = s.w % 2;
            check_frame(name_of(format), p.frame, s.out_w, s.out_h, true, 0, 0);
        }
    }
}

// A picture with colours that every matrix can show: outside of those, the
// modes clip at different times.
uint8_t
soft(int plane, int row, int byte)
{
    float wave = sinf(0.11f * row + 0.3f * plane) * cosf(0.05f * byte);
    return (uint8_t)((plane ? 128 + 20 * wave : 125 + 60 * wave) +
                     generator() % 8);
}

// Down and up, with a crop, in the exact mode and in the fast one.
void
turns_as_the_cpu()
{
    for (int o = 0; o <= PE_ORIENTATION_ROTATE_270; o++) {
        for (PeFormat format :
             {PE_FORMAT_RGB, PE_FORMAT_GRAY8, PE_FORMAT_NV12}) {
            Picture p(format, 203, 61, 16, 0, soft);
            p.frame.matrix = PE_MATRIX_BT709;
            p.frame.crop = PeRect{31, 7, 141, 47};
            p.frame.orientation = (PeOrientation)o;
            check_frame(name_of(format), p.frame, 50, 19, true, 0, 0);
            check_frame(name_of(format), p.frame, 50, 19, false, 2, 0.5);
            check_frame(name_of(format), p.frame, 61, 90, true, 0, 0);
        }
    }
}

// Every remainder of four columns and of two rows, in frames that have aligned
// words and in one that has none; crops that end inside and at the end.
void
reads_crops_at_any_place()
{
    static const PeRect crops[] = {
        {1, 0, 57, 24},  {2, 1, 40, 17}, {3, 3, 93, 19},   {4, 2, 92, 22},
        {37, 5, 1, 9},   {95, 23, 1, 1}, {58, 14, 38, 10}, {0, 0, 96, 24},
        {13, 11, 80, 1}, {0, 23, 96, 1},
    };
    for (int format = 0; format < PE_N_FORMATS; format++) {
        for (int align : {16, 2}) {
            // Formats without code of their own are not read in words.
            bool own = format <= PE_FORMAT_P010;
            if (!own && align == 16)
                continue;
            Picture p((PeFormat)format, 96, 24, align, 2 * align - 2, noise);
            p.frame.matrix = (PeMatrix)(format % 3);
            p.frame.site = (PeSite)(format % 4);
            for (const PeRect &crop : crops) {
                if (!own && crop.width != 93 && crop.width != 38)
                    continue;
                p.frame.crop = crop;
                check_frame(name_of(format), p.frame, 21, 12, true, 0, 0);
            }
            p.frame.crop = crops[2];
            check_frame(name_of(format), p.frame, 120, 50, true, 0, 0);
        }
    }
}

// An odd address under every plane in turn: words must not be read there.
void
reads_planes_at_any_address()
{
    for (int format = 0; format <= PE_FORMAT_P010; format++) {
        for (int plane = 0; plane < 3; plane++) {
            Picture p((PeFormat)format, 64, 24, 16, 16, noise);
            if (!p.frame.planes[plane])
                continue;
            p.frame.planes[plane]--; // a byte that the page has
            check_frame(name_of(format), p.frame, 20, 12, true, 0, 0);
        }
    }
}

void
knows_every_matrix_and_range()
{
    for (PeFormat format : {PE_FORMAT_NV12, PE_FORMAT_P010}) {
        for (int matrix = 0; matrix <= PE_MATRIX_BT2020; matrix++) {
            for (bool full : {false, true}) {
                Picture p(format, 50, 10, 16, 0, noise);
                p.frame.matrix = (PeMatrix)matrix;
                p.frame.full_range = full;
                check_frame(name_of(format), p.frame, 50, 10, true, 0, 0);
            }
        }
    }
}

void
maps_pq_as_the_cpu()
{
    for (PeFormat format :
         {PE_FORMAT_P010, PE_FORMAT_I420_10, PE_FORMAT_RGBX, PE_FORMAT_GRAY8}) {
        for (bool exact : {true, false}) {
            Picture p(format, 75, 41, 16, 0, noise);
            p.frame.matrix = PE_MATRIX_BT2020;
            p.frame.transfer = PE_TRANSFER_PQ;
            check_frame(name_of(format), p.frame, 50, 19, exact, 0, 0);
        }
    }
}

// More columns and rows for an output than a tile has room for.
void
squashes_beyond_measure()
{
    Picture wide(PE_FORMAT_NV12, 4100, 3, 16, 0, noise);
    check_frame("wide", wide.frame, 4, 4, true, 0, 0);
    Picture tall(PE_FORMAT_GRAY8, 3, 4100, 2, 0, noise);
    check_frame("tall", tall.frame, 4, 4, true, 0, 0);
    Picture film(PE_FORMAT_NV12, 1920, 64, 16, 0, noise);
    check_frame("1080p's width", film.frame, 336, 20, true, 0, 0);
}

void
is_nearly_as_exact_when_fast()
{
    for (int format = 0; format <= PE_FORMAT_P010; format++) {
        if (format == PE_FORMAT_YUY2)
            continue; // its colours are not in a plane of their own
        for (bool full : {false, true}) {
            Picture p((PeFormat)format, 203, 61, 16, 0, soft);
            p.frame.matrix = PE_MATRIX_BT709;
            p.frame.full_range = full;
            check_frame(name_of(format), p.frame, 50, 19, false, 2, 0.5);
        }
    }
}

// These are converted before they are squashed, in both modes.
void
is_nearly_as_exact_with_any_format_when_fast()
{
    for (int format = PE_FORMAT_P010 + 1; format < PE_N_FORMATS; format++) {
        Picture p((PeFormat)format, 75, 41, 2, 6, noise);
        p.frame.matrix = (PeMatrix)(format % 3);
        p.frame.site = (PeSite)(format % 4);
        p.frame.full_range = format % 2;
        check_frame(name_of(format), p.frame, 53, 17, false, 1, 0.5);
    }
}

void
is_nearly_as_exact_with_crops_when_fast()
{
    Picture p(PE_FORMAT_NV12, 203, 61, 16, 0, soft);
    p.frame.matrix = PE_MATRIX_BT709;
    p.frame.crop = PeRect{31, 7, 141, 47};
    check_frame("NV12", p.frame, 50, 19, false, 2, 0.5);
}

void
cuts_pictures_into_patches()
{
    static const struct {
        int b, h, w, patch, k_padded;
    } cases[] = {{2, 45, 61, 14, 592},
                 {3, 32, 48, 16, 768},
                 {2, 17, 23, 5, 80},
                 {130, 4, 4, 2, 16}};
    for (auto &c : cases) {
        size_t size = (size_t)3 * c.h * c.w;
        std::vector<PeSlot *> slots;
        std::vector<std::unique_ptr<Plane>> planes;
        std::vector<const uint8_t *> rgb;
        for (int i = 0; i < c.b; i++) {
            Picture p(PE_FORMAT_RGB, c.w, c.h, 1, 0, noise);
            slots.push_back(reference->ops->slot_new(reference, c.w, c.h));
            g_assert_true(reference->ops->ingest(reference, &slots[i], &p.frame,
                                                 nullptr, 1, nullptr));
            planes.emplace_back(new Plane(size));
            for (size_t j = 0; j < size; j++)
                planes[i]->data[j % 3 * c.h * c.w + j / 3] =
                    p.frame.planes[0][j];
            rgb.push_back(planes[i]->data);
        }
        size_t rows = (size_t)c.b * (c.h / c.patch) * (c.w / c.patch);
        g_autofree char *what = g_strdup_printf("patchify %d of %d x %d by %d",
                                                c.b, c.h, c.w, c.patch);
        for (PeDtype type : activation_types) {
            Array y(type, rows * c.k_padded), z(PE_DTYPE_F32, y.n);
            pe_patchify_c(reference, z.raw(), slots.data(), c.b, c.patch,
                          c.k_padded);
            // Rounded as a store would: then the bits have to be equal.
            Array rounded(type, z.n);
            for (size_t i = 0; i < z.n; i++)
                rounded.set(i, z.get(i));
            run_orders(what, [&](unsigned) {
                Array out = y;
                pe_cuda_patchify(nullptr, type, out.raw(), rgb.data(), c.b, c.h,
                                 c.w, c.patch, c.k_padded);
                return out.guarded() &&
                       memcmp(out.raw(), rounded.raw(),
                              out.n * pe_dtype_size(type)) == 0;
            });
        }
        for (PeSlot *slot : slots)
            reference->ops->slot_free(reference, slot);
    }
}

} // namespace

void
add_pixel_tests()
{
    g_test_add_func("/cuda_host/preprocess/equals_the_cpu", equals_the_cpu);
    g_test_add_func("/cuda_host/preprocess/turns", turns_as_the_cpu);
    g_test_add_func("/cuda_host/preprocess/crops", reads_crops_at_any_place);
    g_test_add_func("/cuda_host/preprocess/fast_crops",
                    is_nearly_as_exact_with_crops_when_fast);
    g_test_add_func("/cuda_host/preprocess/any_address",
                    reads_planes_at_any_address);
    g_test_add_func("/cuda_host/preprocess/matrices",
                    knows_every_matrix_and_range);
    g_test_add_func("/cuda_host/preprocess/pq", maps_pq_as_the_cpu);
    g_test_add_func("/cuda_host/preprocess/extremes", squashes_beyond_measure);
    g_test_add_func("/cuda_host/preprocess/fast", is_nearly_as_exact_when_fast);
    g_test_add_func("/cuda_host/preprocess/fast_formats",
                    is_nearly_as_exact_with_any_format_when_fast);
    g_test_add_func("/cuda_host/tokens/patchify", cuts_pictures_into_patches);
}
