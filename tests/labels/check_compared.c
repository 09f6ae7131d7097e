// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_compared.c - what labels are compared with when nobody says so: default
// negatives, a bank, and the calibration of the scores.

#include "tests/support/label_stand_in.h"

#include <math.h>
#include <string.h>

static PeLabelSpec *
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    PeLabelSpec *spec = pe_label_spec_parse(text, &error);
    g_assert_no_error(error);
    g_assert_true(pe_label_spec_set_templates(spec, "{}", NULL));
    return spec;
}

static PeLabels *
make(const char *text)
{
    g_autoptr(GError) error = NULL;
    PeLabels *labels = make_labels_of(parse(text), &error);
    g_assert_no_error(error);
    return labels;
}

static void
expect_failure(PeLabelSpec *spec, int code, const char *const *parts)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(make_labels_of(spec, &error));
    g_assert_error(error, PE_ERROR, code);
    g_test_message("%s", error->message);
    for (; *parts; parts++)
        g_assert_nonnull(strstr(error->message, *parts));
}

static char *
write_file(const char *name, const char *text)
{
    char *path = g_build_filename(stand_in.folder, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static float
get_mass(const PeLabels *labels, const float *x)
{
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(0);
    PeVerdict verdict;
    pe_labels_score(labels, x, &params, NULL, &verdict, NULL);
    return verdict.mass;
}

// ---- Default negatives ----------------------------------------------------

static void
uses_default_negatives_when_none_are_given(void)
{
    static const struct {
        const char *labels, *negatives;
        bool defaults;
        bool any;
    } cases[] = {
        {"something", NULL, true, true},
        {"something", "", true, true},
        {"something", "none", false, false},
        {"something", "else", false, true},
        {"{\"labels\": [\"something\"]}", NULL, true, true},
        {"{\"labels\": [\"something\"], \"negatives\": []}", NULL, false,
         false},
        {"{\"labels\": [\"something\"], \"negatives\": [\"else\"]}", NULL,
         false, true},
        {"{\"labels\": [\"something\"], \"negatives\": [\"else\"]}", "none",
         false, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        stand_in_use("defaults", 256);
        PeLabelSpec *spec = parse(cases[i].labels);
        g_assert_true(
            pe_label_spec_add_negatives(spec, cases[i].negatives, NULL));
        PeLabels *labels = make_labels_of(spec, NULL);
        g_test_message("case %zu", i);
        g_assert_true(pe_labels_has_default_negatives(labels) ==
                      cases[i].defaults);
        const float x[256] = {0}; // as near to all
        g_assert_true((get_mass(labels, x) > 0) == cases[i].any);
        pe_labels_unref(labels);
    }
}

// Else it would take the label's score away, and nobody has asked for it.
static void
leaves_out_a_default_negative_that_is_a_label(void)
{
    stand_in_use("default-label", 256);
    PeLabels *labels = make(pe_default_negatives()[0]);
    g_assert_cmpfloat(get_mass(labels, pe_labels_get_vector(labels, 0)), <,
                      0.01f);
    // Nor does it need a warning: the bank is the user's, this is not.
    for (const char *const *w = pe_labels_get_warnings(labels); *w; w++)
        g_assert_null(strstr(*w, "left out"));
    pe_labels_unref(labels);
}

static void
needs_something_to_compare_independent_labels_with(void)
{
    static const char *const parts[] = {"independent", "none that differ",
                                        "name what else", NULL};
    stand_in_use("nothing", 2);
    PeLabelSpec *spec = parse("1 0|0 1");
    pe_label_spec_set_mode(spec, PE_LABELS_INDEPENDENT);
    g_assert_true(pe_label_spec_add_negatives(spec, "none", NULL));
    expect_failure(spec, PE_ERROR_FORMAT, parts);
}

// ---- Bank -----------------------------------------------------------------

static void
compares_with_a_bank_and_hides_what_is_a_label(void)
{
    stand_in_use("bank", 2);
    g_autofree char *path =
        write_file("bank.txt", "# captions\n0 1\n\n1 0.1\n-1 0\n1 0.6\n");
    PeLabelSpec *spec = parse("1 0");
    g_assert_true(pe_label_spec_add_negatives(spec, "none", NULL));
    g_assert_true(pe_label_spec_set_bank(spec, path, NULL));
    PeLabels *labels = make_labels_of(spec, NULL);

    // 1 0.1 is left out (0.995), 1 0.6 is not (0.857).
    const char *const *warnings = pe_labels_get_warnings(labels);
    g_assert_nonnull(warnings[0]);
    g_test_message("%s", warnings[0]);
    g_assert_nonnull(strstr(warnings[0], "\"1 0.1\""));
    g_assert_null(strstr(warnings[0], "\"1 0.6\""));
    g_assert_null(warnings[1]);
    const float x[2] = {1, 0};
    double others = exp(100 / sqrt(1.36) - 100) + exp(-100) + exp(-200);
    g_assert_cmpfloat(fabs(get_mass(labels, x) / (others / (1 + others)) - 1),
                      <, 1e-4);
    pe_labels_unref(labels);
}

static void
finds_a_bank_beside_the_labels_file(void)
{
    stand_in_use("beside", 2);
    g_autofree char *bank = write_file("beside.txt", "0 1\n");
    g_autofree char *path = write_file(
        "beside.json", "{\"labels\": [\"1 0\"], \"bank\": \"beside.txt\", "
                       "\"templates\": [\"{}\"], "
                       "\"negatives\": [], \"mode\": \"independent\"}");
    g_autoptr(GError) error = NULL;
    PeLabelSpec *spec = pe_label_spec_load(path, &error);
    g_assert_no_error(error);
    PeLabels *with = make_labels_of(spec, &error);
    g_assert_no_error(error);

    // A bank in hand takes the place of that one, and "off" of both.
    static const char *const parts[] = {"independent", NULL};
    spec = pe_label_spec_load(path, &error);
    g_assert_true(pe_label_spec_set_bank(spec, "off", NULL));
    expect_failure(spec, PE_ERROR_FORMAT, parts);

    spec = pe_label_spec_load(path, &error);
    g_autofree char *other = write_file("other.txt", "0 -1\n");
    g_assert_true(pe_label_spec_set_bank(spec, other, NULL));
    PeLabels *without = make_labels_of(spec, &error);
    g_assert_cmpstr(pe_labels_get_fingerprint(with), !=,
                    pe_labels_get_fingerprint(without));
    pe_labels_unref(with);
    pe_labels_unref(without);
}

static void
refuses_a_bank_that_cannot_be_read(void)
{
    stand_in_use("bad-bank", 2);
    g_autofree char *empty = write_file("empty.txt", "# nothing\n\n");
    const char *const paths[] = {"/nowhere/bank.txt", empty};
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        PeLabelSpec *spec = parse("1 0");
        g_autoptr(GError) error = NULL;
        g_assert_false(pe_label_spec_set_bank(spec, paths[i], &error));
        g_assert_nonnull(strstr(error->message, paths[i]));
        pe_label_spec_free(spec);
    }
}

// ---- Calibration ----------------------------------------------------------

#define CALIBRATION \
    "{\"slope\": 0.5, \"offset\": -1, \"model\": \"0123456789abcdef\"}"

static float
weigh(const PeLabels *labels)
{
    const float x[2] = {0.6f, 0.8f};
    const PeScoreParams none = PE_SCORE_PARAMS_TOP(0);
    float evidence[2];
    pe_labels_score(labels, x, &none, NULL, NULL, evidence);
    return evidence[0];
}

static void
takes_the_calibration_of_the_labels_or_of_the_model(void)
{
    stand_in_use("0123456789abcdef", 2);
    static const char plain[] = "{\"labels\": [\"1 0\", \"0 1\"], "
                                "\"negatives\": []}";
    static const char own[] =
        "{\"labels\": [\"1 0\", \"0 1\"], \"negatives\": [], \"calibration\": "
        "{\"slope\": 2, \"offset\": 3, \"model\": \"0123456789abcdef\"}}";
    static const char offset[] =
        "{\"labels\": [{\"name\": \"1 0\", \"offset\": 4}, \"0 1\"], "
        "\"negatives\": []}";
    static const struct {
        const char *text;
        bool beside;
        const char *from;
        float evidence;
    } cases[] = {
        {plain, false, "none", -20},    {plain, true, "model", -11},
        {own, false, "labels", -37},    {own, true, "labels", -37},
        {offset, false, "labels", -16}, {offset, true, "labels", -7},
    };
    g_autofree char *file = write_file("m-calibration.json", CALIBRATION);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_free(stand_in.model_path);
        stand_in.model_path = g_build_filename(
            stand_in.folder, cases[i].beside ? "m.safetensors" : "n.pt", NULL);
        PeLabels *labels = make(cases[i].text);
        g_test_message("case %zu: %s, %g", i, pe_labels_get_calibration(labels),
                       (double)weigh(labels));
        g_assert_cmpstr(pe_labels_get_calibration(labels), ==, cases[i].from);
        g_assert_cmpfloat_with_epsilon(weigh(labels), cases[i].evidence, 1e-3);
        pe_labels_unref(labels);
    }
}

static void
refuses_the_calibration_of_another_model(void)
{
    static const char *const in_labels[] = {
        "labels: calibration", "fedcba9876543210", "0123456789abcdef",
        "pe-calibrate", NULL};
    static const char *const beside[] = {
        "m-calibration.json", "fedcba9876543210", "0123456789abcdef", NULL};
    stand_in_use("fedcba9876543210", 2);
    expect_failure(
        parse("{\"labels\": [\"1 0\"], \"calibration\": " CALIBRATION "}"),
        PE_ERROR_SHAPE, in_labels);
    g_autofree char *file = write_file("m-calibration.json", CALIBRATION);
    g_free(stand_in.model_path);
    stand_in.model_path =
        g_build_filename(stand_in.folder, "m.safetensors", NULL);
    expect_failure(parse("1 0"), PE_ERROR_SHAPE, beside);
}

// Odds against fewer others are larger: the same line does not fit them.
static void
refuses_the_calibration_of_another_mode(void)
{
    static const char *const parts[] = {"independent", "exclusive", NULL};
    stand_in_use("0123456789abcdef", 2);
    PeLabelSpec *spec =
        parse("{\"labels\": [\"1 0\"], \"calibration\": " CALIBRATION "}");
    pe_label_spec_set_mode(spec, PE_LABELS_INDEPENDENT);
    expect_failure(spec, PE_ERROR_SHAPE, parts);

    // That of the model is for whom it fits.
    g_autofree char *file = write_file("m-calibration.json", CALIBRATION);
    g_free(stand_in.model_path);
    stand_in.model_path =
        g_build_filename(stand_in.folder, "m.safetensors", NULL);
    PeLabels *labels = make("{\"labels\": [\"1 0\"], \"negatives\": [\"0 1\"], "
                            "\"mode\": \"independent\"}");
    g_assert_cmpstr(pe_labels_get_calibration(labels), ==, "none");
    pe_labels_unref(labels);
}

static void
refuses_what_is_no_calibration(void)
{
    static const struct {
        const char *calibration, *part;
    } cases[] = {
        {"7", "expected an object"},
        {"{}", "calibration.slope: expected a number"},
        {"{\"slope\": 0, \"offset\": 0, \"model\": \"m\"}", "slope"},
        {"{\"slope\": 1, \"model\": \"m\"}", "offset"},
        {"{\"slope\": 1, \"offset\": 1e9, \"model\": \"m\"}", "offset"},
        {"{\"slope\": 1, \"offset\": 0}", "fingerprint"},
        {"{\"slope\": 1, \"offset\": 0, \"model\": \"m\", \"mode\": \"x\"}",
         "independent"},
        {"{\"slope\": 1, \"offset\": 0, \"model\": \"m\", \"a\": 1}",
         "unknown key"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text =
            g_strdup_printf("{\"labels\": [\"1 0\"], \"calibration\": %s}",
                            cases[i].calibration);
        g_autoptr(GError) error = NULL;
        g_assert_null(pe_label_spec_parse(text, &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, cases[i].part));
    }
}

static void
add_tests(void)
{
    g_test_add_func("/compared/defaults",
                    uses_default_negatives_when_none_are_given);
    g_test_add_func("/compared/default-label",
                    leaves_out_a_default_negative_that_is_a_label);
    g_test_add_func("/compared/nothing",
                    needs_something_to_compare_independent_labels_with);
    g_test_add_func("/bank/hides",
                    compares_with_a_bank_and_hides_what_is_a_label);
    g_test_add_func("/bank/beside", finds_a_bank_beside_the_labels_file);
    g_test_add_func("/bank/bad", refuses_a_bank_that_cannot_be_read);
    g_test_add_func("/calibration/from",
                    takes_the_calibration_of_the_labels_or_of_the_model);
    g_test_add_func("/calibration/model",
                    refuses_the_calibration_of_another_model);
    g_test_add_func("/calibration/mode",
                    refuses_the_calibration_of_another_mode);
    g_test_add_func("/calibration/bad", refuses_what_is_no_calibration);
}

int
main(int argc, char **argv)
{
    return stand_in_run(argc, argv, add_tests);
}
