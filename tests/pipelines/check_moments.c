// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_moments.c - what is found again, and what is forgotten.

#include "pipelines/live/search/moments.h"

#include <string.h>

enum { DIM = 8 };

// The unit vector along one axis.
static const float *
axis(int i)
{
    static float values[DIM];
    memset(values, 0, sizeof values);
    values[i % DIM] = 1;
    return values;
}

static guint64
add(Moments *moments, const char *stream, int i)
{
    gint64 now = g_get_real_time();
    return moments_add(moments, stream, now - G_USEC_PER_SEC, now, axis(i),
                       DIM);
}

static GBytes *
make_picture(size_t size)
{
    return g_bytes_new_take(g_malloc0(size), size);
}

static void
finds_the_nearest(void)
{
    Moments *moments = moments_new(1 << 20);
    for (int i = 0; i < DIM; i++)
        add(moments, i % 2 ? "odd" : "even", i);
    GArray *found = moments_search(moments, axis(3), DIM, NULL, 3);
    const FoundMoment *best = &g_array_index(found, FoundMoment, 0);
    g_assert_cmpuint(found->len, ==, 3);
    g_assert_cmpuint(best->number, ==, 4);
    g_assert_cmpstr(best->stream, ==, "odd");
    g_assert_cmpfloat_with_epsilon(best->similarity, 1, 1e-3f);
    g_assert_false(best->has_picture);
    g_array_unref(found);
    found = moments_search(moments, axis(3), DIM, "even", 100);
    g_assert_cmpuint(found->len, ==, DIM / 2);
    for (guint i = 0; i < found->len; i++)
        g_assert_cmpstr(g_array_index(found, FoundMoment, i).stream, ==,
                        "even");
    g_array_unref(found);
    found = moments_search(moments, axis(3), DIM, "nobody", 3);
    g_assert_cmpuint(found->len, ==, 0);
    g_array_unref(found);
    moments_free(moments);
}

static void
keeps_within_its_bytes(void)
{
    const guint64 limit = 10000;
    Moments *moments = moments_new(limit);
    guint64 last = 0;
    for (int i = 0; i < 1000; i++) {
        last = add(moments, "gate", i);
        moments_set_picture(moments, last, make_picture(500));
        g_assert_cmpuint(moments_get_use(moments).bytes, <=, limit);
    }
    MomentsUse use = moments_get_use(moments);
    g_assert_cmpuint(use.n, >, 10);
    g_assert_cmpuint(use.n, <, 20);
    g_assert_null(moments_get_picture(moments, 1));
    moments_set_picture(moments, 1, make_picture(500)); // gone: nothing happens
    GBytes *jpeg = moments_get_picture(moments, last);
    g_assert_cmpuint(g_bytes_get_size(jpeg), ==, 500);
    g_bytes_unref(jpeg);
    // One that alone is too large drives out all, itself too.
    guint64 number = add(moments, "gate", 0);
    moments_set_picture(moments, number, make_picture(limit));
    g_assert_cmpuint(moments_get_use(moments).n, ==, 0);
    g_assert_null(moments_get_picture(moments, number));
    g_assert_cmpuint(moments_get_use(moments).bytes, ==, 0);
    moments_free(moments);
}

static void
forgets_after_an_hour(void)
{
    Moments *moments = moments_new(1 << 20);
    gint64 old = g_get_real_time() - G_GINT64_CONSTANT(3601) * G_USEC_PER_SEC;
    moments_add(moments, "gate", old - 1, old, axis(0), DIM);
    guint64 number = add(moments, "gate", 1);
    g_assert_cmpuint(moments_get_use(moments).n, ==, 1);
    GArray *found = moments_search(moments, axis(0), DIM, NULL, 10);
    g_assert_cmpuint(found->len, ==, 1);
    g_assert_cmpuint(g_array_index(found, FoundMoment, 0).number, ==, number);
    g_array_unref(found);
    moments_free(moments);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/moments/find", finds_the_nearest);
    g_test_add_func("/moments/bytes", keeps_within_its_bytes);
    g_test_add_func("/moments/hour", forgets_after_an_hour);
    return g_test_run();
}
