// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_region_text.c - named regions as people write them, rightly and
// wrongly.

#include "gst/labels/regions/gstperegionread.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static void
assert_region(const GstPeNamedRegion *r, const char *name, double left,
              double height, const char *labels)
{
    g_assert_cmpstr(r->name, ==, name);
    g_assert_cmpfloat(r->rectangle[0], ==, left);
    g_assert_cmpfloat(r->rectangle[3], ==, height);
    g_assert_cmpstr(r->text, ==, labels);
}

static GstPeRegions *
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    GstPeRegions *regions = gst_pe_regions_parse(text, &error);

    g_assert_no_error(error);
    g_assert_nonnull(regions);
    return regions;
}

static void
reads_a_line(void)
{
    GstPeRegions *r =
        parse(" gate = 0, 180 ,220,400 ; open|a \\; b ;on-change=2.5;;"
              "door=12.5%,1%,2%,3%;interval=4;labels-mode=independent;; ");

    g_assert_cmpuint(r->n, ==, 2);
    assert_region(&r->regions[0], "gate", 0, 400, "open|a ; b");
    g_assert_cmpfloat(r->regions[0].on_change, ==, 2.5);
    g_assert_cmpint(r->regions[0].interval, ==, 1);
    g_assert_false(r->regions[0].percent[0]);
    assert_region(&r->regions[1], "door", 12.5, 3, NULL);
    g_assert_true(r->regions[1].percent[0]);
    g_assert_cmpint(r->regions[1].interval, ==, 4);
    g_assert_cmpstr(r->regions[1].mode, ==, "independent");
    gst_pe_regions_unref(r);
}

static void
reads_lines(void)
{
    GstPeRegions *r = parse("# two doors\na=0,0,1,1;x|y\n\nb=1,1,2,2\r\n");

    g_assert_cmpuint(r->n, ==, 2);
    assert_region(&r->regions[0], "a", 0, 1, "x|y");
    assert_region(&r->regions[1], "b", 1, 2, NULL);
    gst_pe_regions_unref(r);
}

static void
reads_json(void)
{
    GstPeRegions *r = parse(
        "{\"regions\": [{\"name\": \"gate\", \"rectangle\": [0, \"10%\", 2, 3],"
        " \"labels\": [\"open\", \"closed\"], \"interval\": 2,"
        " \"on-change\": 3.5, \"labels-mode\": \"exclusive\"}]}");

    g_assert_cmpuint(r->n, ==, 1);
    assert_region(&r->regions[0], "gate", 0, 3, "[\"open\",\"closed\"]");
    g_assert_true(r->regions[0].percent[1]);
    g_assert_cmpint(r->regions[0].interval, ==, 2);
    g_assert_cmpfloat(r->regions[0].on_change, ==, 3.5);
    g_assert_cmpstr(r->regions[0].mode, ==, "exclusive");
    gst_pe_regions_unref(r);
}

// What is wrong, and what the message says.
static const char *const wrong[][2] = {
    {"gate", "character 1: expected a name and =, found gate"},
    {"=1,2,3,4", "character 1: expected a name"},
    {"gate=1,2,3", "character 11: expected four numbers"},
    {"gate=1,2,3,4,5", "character 12: expected four numbers"},
    {"gate=1,x,3,4", "character 8: expected four numbers"},
    {"g\303\266=1,x,3,4", "character 6: expected four numbers"},
    {"gate=1,2,nan,4", "character 10: expected four numbers"},
    {"gate=1,2,3,4;a|b;c|d", "character 18: expected labels once"},
    {"gate=1,2,3,4;intervall=3", "character 14: expected labels, labels-mode="},
    {"gate=1,2,3,4;interval=0", "character 14: expected interval="},
    {"gate=1,2,3,4;interval=1.5", "character 14: expected interval="},
    {"gate=1,2,3,4;on-change=x", "character 14: expected on-change="},
    {"gate=1,2,3,4;labels-mode=some", "character 14: expected labels-mode="},
    {"gate=1,2,0,4", "expected a width and a height above 0 in region gate"},
    {"a=1,2,3,4;;a=1,2,3,4", "two of them are called a"},
    {"[", "regions: "},
    {"{}", "expected a list of objects"},
    {"[1]", "regions[0]: expected an object, found 1"},
    {"[{\"rectangle\": [1,2,3,4]}]", "regions[0].name: expected a name"},
    {"[{\"name\": \"a\"}]", "regions[0].rectangle: expected [left"},
    {"[{\"name\": 3}]", "regions[0].name: expected a name, found 3"},
    {"[{\"name\": \"a\", \"rectangle\": [1,2,3]}]",
     "regions[0].rectangle: expected [left"},
    {"[{\"nmae\": \"a\"}]", "regions[0].nmae: expected one of name"},
    {"[{\"name\": \"a\", \"labels\": 3}]", "regions[0].labels: expected"},
};

static void
refuses_what_is_wrong(gconstpointer data)
{
    const char *const *w = data;
    g_autoptr(GError) error = NULL;

    g_assert_null(gst_pe_regions_parse(w[0], &error));
    g_assert_nonnull(error);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, w[1]));
}

static void
refuses_too_many(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    for (int i = 0; i < GST_PE_REGIONS_MAX + 1; i++)
        g_string_append_printf(text, "r%d=0,0,1,1;;", i);
    g_assert_null(gst_pe_regions_parse(text->str, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "at most 32, found 33"));
}

static void
names_the_file(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(gst_pe_regions_load("/nowhere/regions", &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, "/nowhere/regions"));
}

// Nobody ever writes into this one.
static void
waits_for_no_pipe(void)
{
    g_autofree char *folder = g_dir_make_tmp("check-region-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "pipe", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    g_assert_null(gst_pe_regions_load(path, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message, "is a device or pipe, not a file"));
    g_unlink(path);
    g_rmdir(folder);
}

// Bytes at random must not do any harm.
static void
survives_anything(void)
{
    static const char letters[] = "ab=0,1%;;|\\\n \"[]{}:#\303\266-";
    GRand *rand = g_rand_new_with_seed(7);

    for (int i = 0; i < 20000; i++) {
        char text[48];
        int n = g_rand_int_range(rand, 0, sizeof text);
        for (int k = 0; k < n; k++)
            text[k] = letters[g_rand_int_range(rand, 0, sizeof letters - 1)];
        text[n] = '\0';
        g_autoptr(GError) error = NULL;
        GstPeRegions *r = gst_pe_regions_parse(text, &error);
        g_assert_true((r != NULL) == (error == NULL));
        g_clear_pointer(&r, gst_pe_regions_unref);
    }
    g_rand_free(rand);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/text/line", reads_a_line);
    g_test_add_func("/text/lines", reads_lines);
    g_test_add_func("/text/json", reads_json);
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *path = g_strdup_printf("/text/wrong/%zu", i);
        g_test_add_data_func(path, wrong[i], refuses_what_is_wrong);
    }
    g_test_add_func("/text/many", refuses_too_many);
    g_test_add_func("/text/file", names_the_file);
    g_test_add_func("/text/pipe", waits_for_no_pipe);
    g_test_add_func("/text/anything", survives_anything);
    return g_test_run();
}
