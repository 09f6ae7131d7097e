// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_labels.c - labels become the mean of their prompts, and are known by
// their fingerprint. What scores are is in check_score.c, what labels are
// compared with in check_compared.c.

#include "tests/support/label_stand_in.h"

#include <math.h>
#include <string.h>

static GError *
fail_to_make_labels(const char *text)
{
    GError *error = NULL;
    PeLabelSpec *spec = pe_label_spec_parse(text, NULL);
    g_assert_true(pe_label_spec_set_templates(spec, "{}", NULL));
    g_assert_null(
        pe_labels_new(stand_in_engine, stand_in.tokenizer, spec, &error));
    pe_label_spec_free(spec);
    return error;
}

static void
assert_near(float value, double expected, double limit)
{
    g_test_message("%.9g, expected %.9g, limit %.1g", (double)value, expected,
                   limit);
    g_assert_cmpfloat(fabs(value - expected), <=, limit);
}

// ---- Vectors --------------------------------------------------------------

static void
averages_unit_vectors_of_prompts(void)
{
    stand_in_use("average", 3);
    // "3 0 0" and "0 0.5 0": (1,0,0) and (0,1,0) although one is longer.
    PeLabels *labels = make_labels("0", NULL, "3 {} {}|{} 0.5 {}");
    const float *x = pe_labels_get_vector(labels, 0);
    g_assert_cmpint(pe_labels_count(labels), ==, 1);
    g_assert_cmpstr(pe_labels_get_name(labels, 0), ==, "0");
    assert_near(x[0], sqrt(0.5), 1e-6);
    assert_near(x[1], sqrt(0.5), 1e-6);
    assert_near(x[2], 0, 1e-6);
    pe_labels_unref(labels);
}

static void
passes_on_the_failure_of_the_engine(void)
{
    stand_in_use("broken", 2);
    stand_in.broken = true;
    g_autoptr(GError) error = fail_to_make_labels("x");
    g_assert_error(error, PE_ERROR, PE_ERROR_BACKEND);
    g_assert_cmpstr(error->message, ==, "broken");
}

static void
needs_a_text_tower(void)
{
    stand_in_use("vision", 2);
    stand_in.text = NULL;
    g_autoptr(GError) error = fail_to_make_labels("x");
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "fake model"));
}

static void
warns_about_labels_that_hardly_differ(void)
{
    stand_in_use("similar", 2);
    PeLabels *labels = make_labels("1 0|1 0.1|1 0.5|0 1", NULL, "{}");
    g_assert_cmpuint(stand_in.warnings->len, ==, 1); // 0.995; the next is 0.939
    g_assert_nonnull(
        strstr(stand_in.warnings->pdata[0], "\"1 0\" and \"1 0.1\""));
    const char *const *warnings = pe_labels_get_warnings(labels);
    g_assert_cmpstr(warnings[0], ==, stand_in.warnings->pdata[0]);
    g_assert_null(warnings[1]);
    pe_labels_unref(labels);
}

// The model is given one text for both; the name that is told is the user's.
static void
warns_about_labels_that_become_the_same_tokens(void)
{
    stand_in_use("twins", MAX_DIM);
    PeLabels *labels =
        make_labels("a Dog|a cat|a  dog|a b c d e f g h i j k l m n o p|"
                    "a b c d e f g h i j k l m n o q|a cat",
                    "A CAT|a bird|A Bird", "{}");
    static const char *const expected[] = {
        "repeats the name", // "a cat"
        "is not used in",   // behind the 16th token, of two labels
        "is not used in",
        "label \"a  dog\" becomes the same tokens as the label \"a Dog\"",
        "n o q\" becomes the same tokens as the label \"a b",
        "label \"A CAT\" becomes the same tokens as the label \"a cat\"",
    };
    const char *const *warnings = pe_labels_get_warnings(labels);
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        g_assert_nonnull(warnings[i]);
        g_test_message("%s", warnings[i]);
        g_assert_nonnull(strstr(warnings[i], expected[i]));
    }
    g_assert_null(warnings[G_N_ELEMENTS(expected)]);
    pe_labels_unref(labels);
}

static void
counts_the_same_tokens_that_it_does_not_tell(void)
{
    stand_in_use("many-twins", MAX_DIM);
    g_autoptr(GString) text = g_string_new("abcdefghijkl");
    for (int i = 0; i < 12; i++) { // each with another letter in capitals
        g_string_append(text, "|abcdefghijkl");
        text->str[text->len - 12 + (gsize)i] -= 'a' - 'A';
    }
    PeLabels *labels = make_labels(text->str, NULL, "{}");
    const char *const *warnings = pe_labels_get_warnings(labels);
    g_assert_cmpuint(g_strv_length((char **)warnings), ==, 9);
    g_assert_true(g_str_has_prefix(warnings[8], "4 more labels"));
    pe_labels_unref(labels);
}

static void
warns_about_cut_texts_also_when_cached(void)
{
    stand_in_use("cut", 2);
    static const char text[] = "a b c d e f g h i j k l m n o p";
    for (int i = 0; i < 2; i++) {
        PeLabels *labels = make_labels(text, "0 1", "{}");
        const char *const *warnings = pe_labels_get_warnings(labels);
        g_assert_nonnull(warnings[0]);
        g_assert_nonnull(strstr(warnings[0], "\"o p\""));
        g_assert_null(warnings[1]);
        // In the log, about what it embeds, it is the engine that warns.
        g_assert_cmpuint(stand_in.warnings->len, ==, i);
        pe_labels_unref(labels);
    }
    g_assert_nonnull(strstr(stand_in.warnings->pdata[0], "\"o p\""));
}

static void
counts_the_cut_texts_that_it_does_not_tell(void)
{
    stand_in_use("many-cut", MAX_DIM); // noise: no two are alike
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 20; i++)
        g_string_append_printf(text, "%s%c b c d e f g h i j k l m n o p",
                               i ? "|" : "", 'a' + i);
    PeLabels *labels = make_labels(text->str, NULL, "{}");
    const char *const *warnings = pe_labels_get_warnings(labels);
    g_assert_cmpuint(g_strv_length((char **)warnings), ==, 9);
    g_assert_true(g_str_has_prefix(warnings[8], "12 more texts"));
    pe_labels_unref(labels);
}

// ---- Identity -------------------------------------------------------------

static char *
make_fingerprint(const char *labels, const char *negatives,
                 const char *templates)
{
    PeLabels *set = make_labels(labels, negatives, templates);
    char *fingerprint = g_strdup(pe_labels_get_fingerprint(set));
    g_assert_cmpuint(strlen(fingerprint), ==, 16);
    pe_labels_unref(set);
    return fingerprint;
}

static void
keeps_its_fingerprint_whatever_the_order(void)
{
    static const struct {
        const char *labels, *negatives, *templates;
    } same[] = {
        {"0 1|1 0", "1 1|-1 0", "{}|{} 2"},
        {"1 0|0 1", "-1 0|1 1", "{} 2|{}"},
        {"[\"1 0\", {\"name\": \"0 1\", \"prompts\": [\"0 1 2\", "
         "\"0 1\"]}]",
         "1 1|-1 0", "{}|{} 2"},
        {"{\"name\": \"called\", \"labels\": [\"0 1\", \"1 0\"]}", "1 1|-1 0",
         "{}|{} 2"},
    };
    stand_in_use("same", 2);
    g_autofree char *first = make_fingerprint("0 1|1 0", "1 1|-1 0", "{}|{} 2");
    for (size_t i = 0; i < G_N_ELEMENTS(same); i++) {
        g_autofree char *other = make_fingerprint(
            same[i].labels, same[i].negatives, same[i].templates);
        g_assert_cmpstr(other, ==, first);
    }
}

static void
changes_its_fingerprint_with_whatever_changes_scores(void)
{
    static const struct {
        const char *model, *labels, *negatives, *templates;
    } others[] = {
        {"a", "0 1", "1 1", "{}"},
        {"b", "0 1", "1 1", "{}"},
        {"a", "0 1|1 1", NULL, "{}"},
        {"a", "0 1", NULL, "{}"},
        {"a", "0 2", "1 1", "{}"},
        {"a", "0 1", "1 1", "{}|{}"},
        {"a", "0 1", "1 1", "{} 1"},
        {"a", "[{\"name\": \"0 1\", \"threshold\": 0.1}]", "1 1", "{}"},
        {"a", "[{\"name\": \"x\", \"prompts\": [\"0 1\"]}]", "1 1", "{}"},
        {"a", "[{\"name\": \"0 1\", \"probability-threshold\": 0.1}]", "1 1",
         "{}"},
        {"a", "[{\"name\": \"0 1\", \"similarity-threshold\": 0.1}]", "1 1",
         "{}"},
        {"a", "[{\"name\": \"0 1\", \"offset\": 0.1}]", "1 1", "{}"},
        {"a", "{\"labels\": [\"0 1\"], \"mode\": \"independent\"}", "1 1",
         "{}"},
        {"a",
         "{\"labels\": [\"0 1\"], \"calibration\": {\"slope\": 0.5, "
         "\"offset\": 0, \"model\": \"a\"}}",
         "1 1", "{}"},
        {"a",
         "{\"labels\": [\"0 1\"], \"calibration\": {\"slope\": 1, "
         "\"offset\": 0.5, \"model\": \"a\"}}",
         "1 1", "{}"},
    };
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        stand_in_use(others[i].model, 2);
        g_assert_true(g_hash_table_add(
            seen, make_fingerprint(others[i].labels, others[i].negatives,
                                   others[i].templates)));
    }
}

static void
is_called_what_its_json_says(void)
{
    stand_in_use("named", 2);
    PeLabels *labels =
        make_labels("{\"name\": \"pets\", \"labels\": [\"0 1\"]}", NULL, NULL);
    g_assert_cmpstr(pe_labels_get_set_name(labels), ==, "pets");
    pe_labels_unref(labels);
    labels = make_labels("0 1", NULL, NULL);
    g_assert_cmpstr(pe_labels_get_set_name(labels), ==, "");
    pe_labels_unref(labels);
}

static void
add_tests(void)
{
    g_test_add_func("/labels/average", averages_unit_vectors_of_prompts);
    g_test_add_func("/labels/failure", passes_on_the_failure_of_the_engine);
    g_test_add_func("/labels/no-text", needs_a_text_tower);
    g_test_add_func("/labels/similar", warns_about_labels_that_hardly_differ);
    g_test_add_func("/labels/twins",
                    warns_about_labels_that_become_the_same_tokens);
    g_test_add_func("/labels/many-twins",
                    counts_the_same_tokens_that_it_does_not_tell);
    g_test_add_func("/labels/cut", warns_about_cut_texts_also_when_cached);
    g_test_add_func("/labels/many-cut",
                    counts_the_cut_texts_that_it_does_not_tell);
    g_test_add_func("/labels/same-fingerprint",
                    keeps_its_fingerprint_whatever_the_order);
    g_test_add_func("/labels/other-fingerprint",
                    changes_its_fingerprint_with_whatever_changes_scores);
    g_test_add_func("/labels/set-name", is_called_what_its_json_says);
}

int
main(int argc, char **argv)
{
    return stand_in_run(argc, argv, add_tests);
}
