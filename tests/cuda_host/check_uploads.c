// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_uploads.c - how often the samples of a frame on the host travel to the
// device, on the emulated one, and that its regions are the CPU's there.

#include "core/device/preprocess.h"
#include "open_cuda.h"
#include "tests/support/picture.h"

#define SIDE 24 // of a slot
#define WIDTH 63
#define HEIGHT 51

static uint64_t (*bytes_to_device)(void);

// The pixels of slots [n] that have the regions; f32 [n * SIDE * SIDE, k].
static float *
squash(PeBackend *be, const PeFrame *frame, const PeRect *regions, int n, int k)
{
    g_autoptr(GError) error = NULL;
    g_autofree PeSlot **slots = g_new(PeSlot *, n);
    size_t size = (size_t)(n * SIDE * SIDE * k) * sizeof(float);
    float *y = be->ops->alloc(be, size), *out = g_malloc(size);
    for (int i = 0; i < n; i++)
        slots[i] = be->ops->slot_new(be, SIDE, SIDE);
    be->ops->ingest(be, slots, frame, regions, n, &error);
    g_assert_no_error(error);
    be->ops->patchify(be, y, slots, n, 1, k);
    be->ops->download(be, out, y, size);
    g_assert_null(be->ops->sync(be));
    for (int i = 0; i < n; i++)
        be->ops->slot_free(be, slots[i]);
    be->ops->free(be, y);
    return out;
}

static void
assert_regions(PeBackend *be, PeBackend *cpu, const PeFrame *frame,
               const PeRect *regions, int n)
{
    int k = MAX(3, be->k_align);
    size_t size = (size_t)(SIDE * SIDE * k) * sizeof(float);
    g_autofree float *got = squash(be, frame, regions, n, k);
    for (int i = 0; i < n; i++) {
        g_autofree float *want = squash(cpu, frame, &regions[i], 1, k);
        g_assert_cmpmem((char *)got + (size_t)i * size, size, want, size);
    }
}

// Bytes of the planes, in lines of a multiple of 256 bytes.
static guint
count_bytes(const PeFrame *frame)
{
    guint bytes = 0;
    for (int i = 0; i < 3; i++) {
        int line, n_lines;
        pe_frame_plane_size(frame, i, &line, &n_lines);
        bytes += (guint)(n_lines * ((line + 255) / 256 * 256));
    }
    return bytes;
}

static guint
count_uploaded(PeBackend *be, PeBackend *cpu, const PeFrame *frame,
               const PeRect *regions, int n)
{
    // The first time brings the tables of these sizes too.
    assert_regions(be, cpu, frame, regions, n);
    uint64_t before = bytes_to_device();
    assert_regions(be, cpu, frame, regions, n);
    return (guint)(bytes_to_device() - before);
}

// Regions that lie on each other come with what is around them, others by
// themselves.
static void
uploads_no_sample_of_a_frame_twice(void)
{
    static const PeRect close[] = {
        {0, 0, 60, 50}, {1, 3, 59, 44}, {5, 0, 57, 51}, {2, 1, 61, 49}};
    static const PeRect apart[] = {{1, 1, 9, 7}, {53, 43, 10, 8}};
    PeBackend *be = open_cuda(PE_PRECISION_FP32);
    PeBackend *cpu = pe_backend_open_reference();
    for (int format = PE_FORMAT_RGB; format <= PE_FORMAT_P010; format++) {
        Picture p = picture_new((PeFormat)format, WIDTH, HEIGHT, 8, 11);
        guint whole = count_bytes(&p.frame);
        guint on_each_other = count_uploaded(be, cpu, &p.frame, close, 4);
        guint by_themselves = count_uploaded(be, cpu, &p.frame, apart, 2);
        g_test_message("format %d: %u and %u of %u bytes", format,
                       on_each_other, by_themselves, whole);
        g_assert_cmpuint(on_each_other, >, whole / 2);
        g_assert_cmpuint(on_each_other, <=, whole);
        g_assert_cmpuint(by_themselves, >, 0);
        g_assert_cmpuint(by_themselves, <, whole / 2);
        picture_clear(&p);
    }
    cpu->ops->close(cpu);
    be->ops->close(be);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    bytes_to_device =
        (uint64_t(*)(void))find_in_cuda("fake_cuda_bytes_to_device");
    g_test_add_func("/uploads/regions", uploads_no_sample_of_a_frame_twice);
    return g_test_run();
}
