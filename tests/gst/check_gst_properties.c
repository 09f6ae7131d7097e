// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_properties.c - the properties of peinference: each has the default
// that it documents, keeps what it is given, and says what it is for.

#include "tests/support/gst_helpers.h"

#include <string.h>

typedef void (*EachFunc)(GstElement *element, GParamSpec *spec);

// Of the element's own properties.
static void
for_each_property(EachFunc func)
{
    GstElement *element = gst_element_factory_make("peinference", NULL);
    g_assert_nonnull(element);
    gst_object_ref_sink(element);
    guint n;
    g_autofree GParamSpec **specs =
        g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &n);
    int n_own = 0;
    for (guint i = 0; i < n; i++) {
        if (specs[i]->owner_type != G_OBJECT_TYPE(element))
            continue;
        func(element, specs[i]);
        n_own++;
    }
    g_assert_cmpint(n_own, >=, 20);
    gst_object_unref(element);
}

static bool
is_writable(GParamSpec *spec)
{
    return spec->flags & G_PARAM_WRITABLE;
}

static void
assert_default(GstElement *element, GParamSpec *spec)
{
    g_auto(GValue) value = G_VALUE_INIT;
    if (!is_writable(spec))
        return;
    g_object_get_property(G_OBJECT(element), spec->name, &value);
    g_test_message("%s", spec->name);
    g_assert_true(g_param_value_defaults(spec, &value));
}

static void
has_the_defaults_that_it_documents(void)
{
    for_each_property(assert_default);
}

// Another valid value than the one that it has.
static void
change(GParamSpec *spec, GValue *value)
{
    if (G_VALUE_HOLDS_STRING(value))
        g_value_set_string(value, "something else");
    else if (G_VALUE_HOLDS_BOOLEAN(value))
        g_value_set_boolean(value, !g_value_get_boolean(value));
    else if (G_VALUE_HOLDS_INT(value))
        g_value_set_int(value, g_value_get_int(value) + 1);
    else if (G_VALUE_HOLDS_UINT(value))
        g_value_set_uint(value, g_value_get_uint(value) + 1);
    else if (G_VALUE_HOLDS_DOUBLE(value))
        g_value_set_double(value, 0.5);
    else if (G_VALUE_HOLDS_ENUM(value))
        g_value_set_enum(value, g_value_get_enum(value) + 1);
    else if (GST_VALUE_HOLDS_FRACTION(value))
        gst_value_set_fraction(value, 7, 3);
    else
        g_error("%s: no test for this type", spec->name);
}

static void
assert_keeps(GstElement *element, GParamSpec *spec)
{
    g_auto(GValue) set = G_VALUE_INIT, got = G_VALUE_INIT;
    if (!is_writable(spec))
        return;
    g_object_get_property(G_OBJECT(element), spec->name, &set);
    change(spec, &set);
    g_object_set_property(G_OBJECT(element), spec->name, &set);
    g_object_get_property(G_OBJECT(element), spec->name, &got);
    g_test_message("%s", spec->name);
    g_assert_cmpint(g_param_values_cmp(spec, &set, &got), ==, 0);
    g_assert_false(g_param_value_defaults(spec, &got));
}

static void
keeps_what_is_set(void)
{
    for_each_property(assert_keeps);
}

static void
assert_described(GstElement *element, GParamSpec *spec)
{
    const char *blurb = g_param_spec_get_blurb(spec);
    g_test_message("%s: %s", spec->name, blurb);
    g_assert_nonnull(blurb);
    g_assert_cmpuint(strlen(blurb), >, 40);
}

static void
says_what_each_is_for(void)
{
    for_each_property(assert_described);
}

static void
takes_eight_frames_in_four_seconds_by_default(void)
{
    GstElement *element = gst_element_factory_make("peinference", NULL);
    gst_object_ref_sink(element);
    g_auto(GValue) rate = G_VALUE_INIT;
    int length = 0;
    g_object_get_property(G_OBJECT(element), "frame-rate", &rate);
    g_assert_cmpint(gst_value_get_fraction_numerator(&rate), ==, 2);
    g_assert_cmpint(gst_value_get_fraction_denominator(&rate), ==, 1);
    g_object_get(element, "clip-length", &length, NULL);
    g_assert_cmpint(length, ==, 8);
    gst_object_unref(element);
}

static void
puts_labels_into_a_sentence_by_default(void)
{
    GstElement *element = gst_element_factory_make("peinference", NULL);
    gst_object_ref_sink(element);
    g_autofree char *template = NULL, *bare = NULL, *cleared = NULL;
    g_object_get(element, "prompt-template", &template, NULL);
    g_assert_cmpstr(template, ==, "a video of {}.");
    g_object_set(element, "prompt-template", "{}", NULL);
    g_object_get(element, "prompt-template", &bare, NULL);
    g_assert_cmpstr(bare, ==, "{}");
    g_object_set(element, "prompt-template", "", NULL);
    g_object_get(element, "prompt-template", &cleared, NULL);
    g_assert_cmpstr(cleared, ==, "a video of {}.");
    gst_object_unref(element);
}

static void
add_tests(void)
{
    g_test_add_func("/properties/defaults", has_the_defaults_that_it_documents);
    g_test_add_func("/properties/kept", keeps_what_is_set);
    g_test_add_func("/properties/sampling",
                    takes_eight_frames_in_four_seconds_by_default);
    g_test_add_func("/properties/template",
                    puts_labels_into_a_sentence_by_default);
    g_test_add_func("/properties/described", says_what_each_is_for);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
