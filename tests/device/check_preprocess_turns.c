// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_preprocess_turns.c - a frame with an orientation becomes the picture
// that a person sees: the squashed frame, turned to the byte, in every variant
// of the CPU's loops and in the slots of a device.
//
//     check_preprocess_turns [--device cuda]

#include "tests/support/picture.h"

#include <stdlib.h>

static PeIsa machine; // the best of this one
static const char *device = "cpu";

// Where EXIF says that the first stored line and the first stored column are
// seen, for its values from 1 on: Top, Bottom, Left, Right.
static const char *const seen[] = {
    [PE_ORIENTATION_NORMAL] = "TL",     [PE_ORIENTATION_FLIP_X] = "TR",
    [PE_ORIENTATION_ROTATE_180] = "BR", [PE_ORIENTATION_FLIP_Y] = "BL",
    [PE_ORIENTATION_TRANSPOSE] = "LT",  [PE_ORIENTATION_ROTATE_90] = "RT",
    [PE_ORIENTATION_TRANSVERSE] = "RB", [PE_ORIENTATION_ROTATE_270] = "LB",
};

// Move (*x, *y) from a line or column counted from the first to where it is
// seen.
static void
place(char side, int n, int width, int height, int *x, int *y)
{
    switch (side) {
    case 'T':
        *y = n;
        break;
    case 'B':
        *y = height - 1 - n;
        break;
    case 'L':
        *x = n;
        break;
    default:
        *x = width - 1 - n;
    }
}

// Stored planes [3, h, w] as they are seen, [3, height, width].
static void
turn(const uint8_t *in, int w, int h, PeOrientation o, int width, int height,
     uint8_t *out)
{
    for (int i = 0; i < 3 * w * h; i++) {
        int c = i / (w * h), row = i / w % h, column = i % w, x = 0, y = 0;
        place(seen[o][0], row, width, height, &x, &y);
        place(seen[o][1], column, width, height, &x, &y);
        out[(c * height + y) * width + x] = in[i];
    }
}

static void
equals_the_turned_picture(void)
{
    static const int sizes[][2] = {{32, 32}, {50, 19}, {7, 70}, {1, 5}};
    for (int format = 0; format < PE_N_FORMATS; format++) {
        Picture p = picture_new((PeFormat)format, 83, 59, 6, 3);
        p.frame.crop = (PeRect){5, 3, 70, 51};
        for (size_t i = 0; i < G_N_ELEMENTS(sizes) * 8; i++) {
            int width = sizes[i / 8][0], height = sizes[i / 8][1];
            PeOrientation o = (PeOrientation)(i % 8);
            bool swaps = pe_orientation_swaps_axes(o);
            int w = swaps ? height : width, h = swaps ? width : height;
            size_t n = (size_t)(3 * w * h);
            p.frame.orientation = PE_ORIENTATION_NORMAL;
            g_autofree uint8_t *stored =
                picture_squash(pe_pixels_squash_c, &p.frame, w, h);
            g_autofree uint8_t *want = g_malloc(n);
            turn(stored, w, h, o, width, height, want);
            p.frame.orientation = o;
            for (PeIsa isa = PE_ISA_C; isa <= machine; isa++) {
                g_autofree uint8_t *got = picture_squash(
                    pe_pixels_func(isa), &p.frame, width, height);
                if (memcmp(got, want, n) != 0)
                    g_error("format %d to %dx%d, orientation %d, isa %d: other "
                            "bytes than those of the turned picture",
                            format, width, height, o, isa);
            }
        }
        picture_clear(&p);
    }
}

// Where the axes change places the passes do, too, and with them the rounding
// between both.
static void
is_nearly_the_picture_of_turned_pixels(void)
{
    enum { W = 83, H = 59, SIDE = 48 };
    Picture p = picture_new(PE_FORMAT_RGB, W, H, 0, 8);
    g_autofree uint8_t *planes =
        picture_squash(pe_pixels_squash_c, &p.frame, W, H);
    for (int o = 0; o <= PE_ORIENTATION_ROTATE_270; o++) {
        bool swaps = pe_orientation_swaps_axes((PeOrientation)o);
        int width = swaps ? H : W, height = swaps ? W : H;
        g_autofree uint8_t *turned = g_malloc(3 * W * H);
        g_autofree uint8_t *pixels = g_malloc(3 * W * H);
        turn(planes, W, H, (PeOrientation)o, width, height, turned);
        for (int i = 0; i < 3 * W * H; i++)
            pixels[i] = turned[i % 3 * W * H + i / 3];
        PeFrame upright = {.format = PE_FORMAT_RGB,
                           .width = width,
                           .height = height,
                           .planes = {pixels},
                           .strides = {3 * width}};
        p.frame.orientation = (PeOrientation)o;
        g_autofree uint8_t *want =
            picture_squash(pe_pixels_squash_c, &upright, SIDE, SIDE);
        g_autofree uint8_t *got =
            picture_squash(pe_pixels_squash_c, &p.frame, SIDE, SIDE);
        int worst = 0;
        for (int i = 0; i < 3 * SIDE * SIDE; i++)
            worst = MAX(worst, abs(got[i] - want[i]));
        g_test_message("orientation %d: at most %d levels off (limit 1)", o,
                       worst);
        g_assert_cmpint(worst, <=, 1);
    }
    picture_clear(&p);
}

// A slot that is no square takes the picture as it is seen, also of a crop.
static void
fills_slots_with_what_is_seen(void)
{
    enum { W = 24, H = 16, PATCH = 8, K = 3 * PATCH * PATCH, N = 6 };
    g_autoptr(GError) error = NULL;
    PeBackend *be = pe_backend_open(device, PE_PRECISION_FP32, 1, &error);
    g_assert_no_error(error);
    g_assert_cmpint(be->act, ==, PE_DTYPE_F32);
    Picture p = picture_new(PE_FORMAT_NV12, 40, 60, 0, 4);
    p.frame.crop = (PeRect){3, 5, 31, 50};
    PeSlot *slot = be->ops->slot_new(be, W, H);
    float *patches = be->ops->alloc(be, N * K * sizeof *patches);
    float got[N][K];
    for (int o = 0; o <= PE_ORIENTATION_ROTATE_270; o++) {
        p.frame.orientation = (PeOrientation)o;
        g_assert_true(be->ops->ingest(be, &slot, &p.frame, NULL, 1, &error));
        g_autofree uint8_t *want =
            picture_squash(pe_pixels_squash_c, &p.frame, W, H);
        be->ops->patchify(be, patches, &slot, 1, PATCH, K);
        be->ops->download(be, got, patches, sizeof got);
        for (int i = 0; i < 3 * W * H; i++) {
            int c = i / (W * H), y = i / W % H, x = i % W;
            float v = got[y / PATCH * (W / PATCH) + x / PATCH]
                         [(c * PATCH + y % PATCH) * PATCH + x % PATCH];
            g_assert_cmpfloat(v, ==, pe_pixel_table()[want[i]]);
        }
    }
    be->ops->free(be, patches);
    be->ops->slot_free(be, slot);
    be->ops->close(be);
    picture_clear(&p);
}

static void
refuses_orientations_that_there_are_not(void)
{
    Picture p = picture_new(PE_FORMAT_GRAY8, 8, 8, 0, 1);
    g_autoptr(GError) error = NULL;
    p.frame.orientation = (PeOrientation)8;
    g_assert_false(pe_frame_check(&p.frame, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "8 is not an orientation"));
    picture_clear(&p);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (argc == 3 && strcmp(argv[1], "--device") == 0)
        device = argv[2];
    machine = picture_highest_isa();
    g_test_add_func("/preprocess-turns/turned", equals_the_turned_picture);
    g_test_add_func("/preprocess-turns/pixels",
                    is_nearly_the_picture_of_turned_pixels);
    g_test_add_func("/preprocess-turns/slots", fills_slots_with_what_is_seen);
    g_test_add_func("/preprocess-turns/unknown",
                    refuses_orientations_that_there_are_not);
    return g_test_run();
}
