// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_label_examples.c - labels that are shown by pictures or by a vector:
// what their vectors are, by what they are known, and what is refused. The
// pictures here are files of numbers.

#include "tests/support/label_stand_in.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

// Reads a picture as the stand-in embeds it: numbers in a line.
static bool
read_numbers(const char *path, PePictureFunc func, void *user_data,
             GError **error)
{
    g_autofree char *text = NULL;
    float numbers[MAX_DIM];

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    if (!g_ascii_isdigit(*text) && *text != '-') {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: no numbers", path);
        return false;
    }
    stand_in_embed(text, numbers);
    PeFrame frame = {.planes = {(const uint8_t *)numbers}};
    return func(&frame, user_data, error);
}

static char *
get_path(const char *name)
{
    return g_build_filename(stand_in.folder, name, NULL);
}

static void
write_file(const char *name, const char *text)
{
    g_autofree char *path = get_path(name);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

// Of a labels file beside the pictures; %s-free JSON.
static PeLabels *
make(const char *json, PePictureReader reader, GError **error)
{
    g_autofree char *path = get_path("labels.json");

    write_file("labels.json", json);
    PeLabelSpec *spec = pe_label_spec_load(path, error);
    if (!spec)
        return NULL;
    g_assert_true(pe_label_spec_set_templates(spec, "{}", NULL));
    pe_label_spec_set_picture_reader(spec, reader);
    return make_labels_of(spec, error);
}

static void
assert_vector(const char *json, float x, float y)
{
    g_autoptr(GError) error = NULL;
    PeLabels *labels = make(json, read_numbers, &error);

    g_assert_no_error(error);
    const float *v = pe_labels_get_vector(labels, 0);
    float length = hypotf(x, y);
    g_test_message("%s: %g %g, expected %g %g", json, (double)v[0],
                   (double)v[1], (double)(x / length), (double)(y / length));
    g_assert_cmpfloat_with_epsilon(v[0], x / length, 1e-6f);
    g_assert_cmpfloat_with_epsilon(v[1], y / length, 1e-6f);
    pe_labels_unref(labels);
}

static void
fails(const char *json, PePictureReader reader, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(make(json, reader, &error));
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, message));
    g_assert_true(g_str_has_prefix(error->message, stand_in.folder));
}

// ---- Vectors --------------------------------------------------------------

static void
is_the_mean_of_its_pictures(void)
{
    stand_in_use("means", 2);
    write_file("right.pic", "5 0");
    write_file("up.pic", "0 0.5");
    // Whatever their lengths, and whatever its name says.
    assert_vector("[{\"name\": \"-1 0\", \"images\": [\"right.pic\"]}]", 1, 0);
    assert_vector("[{\"name\": \"-1 0\", \"images\": [\"right.pic\", "
                  "\"up.pic\"]}]",
                  1, 1);
    assert_vector("[{\"name\": \"-1 0\", \"images\": [\"right.pic\", "
                  "\"up.pic\", \"up.pic\"]}]",
                  1, 2);
}

static void
is_mixed_with_its_texts(void)
{
    stand_in_use("mixed", 2);
    write_file("right.pic", "1 0");
    // By a quarter, unless it says otherwise.
    assert_vector("[{\"name\": \"a\", \"prompts\": [\"0 9\"], "
                  "\"images\": [\"right.pic\"]}]",
                  0.25f, 0.75f);
    assert_vector("[{\"name\": \"a\", \"prompts\": [\"0 9\"], "
                  "\"images\": [\"right.pic\"], \"image-weight\": 0.1}]",
                  0.1f, 0.9f);
    // A weight alone leaves the name and the templates their part.
    assert_vector("[{\"name\": \"0 9\", \"images\": [\"right.pic\"], "
                  "\"image-weight\": 0.1}]",
                  0.1f, 0.9f);
    assert_vector("{\"labels\": [{\"name\": \"0 9\", \"vector\": [3, 0], "
                  "\"image-weight\": 0.2}], \"model\": \"mixed\"}",
                  0.2f, 0.8f);
}

static void
takes_vectors_as_base64_and_as_numbers(void)
{
    stand_in_use("written", 2);
    assert_vector("{\"labels\": [{\"name\": \"a\", \"vector\": [1, -2.5]}], "
                  "\"model\": \"written\"}",
                  1, -2.5f);
    // 1.0f and -2.5f.
    assert_vector("{\"labels\": [{\"name\": \"a\", \"vector\": "
                  "\"AACAPwAAIMA=\"}], \"model\": \"written\"}",
                  1, -2.5f);
}

// A negative too may be what is seen.
static void
takes_negatives_by_pictures(void)
{
    stand_in_use("negatives", 2);
    write_file("wall.pic", "0 1");
    g_autoptr(GError) error = NULL;
    PeLabels *labels =
        make("{\"labels\": [\"1 0\"], \"negatives\": [{\"name\": \"wall\", "
             "\"images\": [\"wall.pic\"]}]}",
             read_numbers, &error);
    g_assert_no_error(error);
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(0);
    const float seen[2] = {0, 1};
    PeVerdict verdict;
    pe_labels_score(labels, seen, &params, NULL, &verdict, NULL);
    g_assert_cmpfloat(verdict.mass, >, 0.99f);
    pe_labels_unref(labels);
}

// ---- The cache ------------------------------------------------------------

static void
embeds_a_picture_once(void)
{
    static const char json[] =
        "[{\"name\": \"a\", \"images\": [\"one.pic\", \"copy.pic\"]}]";
    stand_in_use("once", 2);
    write_file("one.pic", "3 1");
    write_file("copy.pic", "3 1");
    assert_vector(json, 3, 1);
    g_assert_cmpint(stand_in.n_pictures, ==, 2); // not yet in the file's index
    assert_vector(json, 3, 1);
    g_assert_cmpint(stand_in.n_pictures, ==, 2);
    // It is the content that counts, and the model.
    write_file("one.pic", "1 3");
    assert_vector(json, 1, 1);
    g_assert_cmpint(stand_in.n_pictures, ==, 3);
    stand_in_use("once-more", 2);
    assert_vector(json, 1, 1);
    g_assert_cmpint(stand_in.n_pictures, ==, 2);
    g_setenv("GST_PE_CACHE", "off", TRUE);
    assert_vector(json, 1, 1);
    g_assert_cmpint(stand_in.n_pictures, ==, 4);
    g_unsetenv("GST_PE_CACHE");
}

static bool
read_and_change(const char *path, PePictureFunc func, void *user_data,
                GError **error)
{
    bool ok = read_numbers(path, func, user_data, error);
    write_file("changing.pic", "0 1");
    return ok;
}

static void
refuses_a_picture_that_changes(void)
{
    static const char json[] =
        "[{\"name\": \"a\", \"images\": [\"changing.pic\"]}]";
    stand_in_use("changing", 2);
    write_file("changing.pic", "1 0");
    fails(json, read_and_change, "has changed while it was read");
    // Neither content has the vector of the other.
    assert_vector(json, 0, 1);
    write_file("changing.pic", "1 0");
    assert_vector(json, 1, 0);
}

// ---- Identity -------------------------------------------------------------

static char *
get_fingerprint(const char *labels, const char *model)
{
    g_autofree char *json = g_strdup_printf(
        "{\"labels\": [%s], \"negatives\": [\"1 1\"], \"model\": \"%s\"}",
        labels, model);
    g_autoptr(GError) error = NULL;
    stand_in_use(model, 2);
    PeLabels *set = make(json, read_numbers, &error);
    g_assert_no_error(error);
    char *fingerprint = g_strdup(pe_labels_get_fingerprint(set));
    pe_labels_unref(set);
    return fingerprint;
}

static void
is_known_by_what_its_examples_contain(void)
{
    static const char *const others[] = {
        "{\"name\": \"1 0\"}",
        "{\"name\": \"1 0\", \"images\": [\"a.pic\", \"b.pic\"]}",
        "{\"name\": \"1 0\", \"images\": [\"a.pic\", \"b.pic\"], "
        "\"image-weight\": 0.25}",
        "{\"name\": \"1 0\", \"images\": [\"a.pic\", \"b.pic\"], "
        "\"image-weight\": 0.2}",
        "{\"name\": \"1 0\", \"images\": [\"a.pic\"]}",
        "{\"name\": \"1 0\", \"images\": [\"a.pic\", \"a.pic\"]}",
        "{\"name\": \"1 0\", \"vector\": [1, 0]}",
        "{\"name\": \"1 0\", \"vector\": [1, 1]}",
    };
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    write_file("a.pic", "1 2");
    write_file("b.pic", "2 1");
    write_file("c.pic", "1 2");
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        g_assert_true(
            g_hash_table_add(seen, get_fingerprint(others[i], "known")));
    // In another order, from another path.
    g_autofree char *same = get_fingerprint(
        "{\"name\": \"1 0\", \"images\": [\"b.pic\", \"c.pic\"]}", "known");
    g_assert_true(g_hash_table_contains(seen, same));
    g_autofree char *written = get_fingerprint(
        "{\"name\": \"1 0\", \"vector\": \"AACAPwAAAAA=\"}", "known");
    g_assert_true(g_hash_table_contains(seen, written));
    // Another content.
    write_file("b.pic", "2 1.5");
    g_assert_true(g_hash_table_add(seen, get_fingerprint(others[1], "known")));
}

// ---- Warnings -------------------------------------------------------------

static void
assert_warned(const char *json, bool warned)
{
    g_autoptr(GError) error = NULL;
    PeLabels *labels = make(json, read_numbers, &error);

    g_assert_no_error(error);
    bool found = false;
    for (const char *const *w = pe_labels_get_warnings(labels); *w; w++)
        found |= strstr(*w, "compared with texts") != NULL;
    g_test_message("%s", json);
    g_assert_true(found == warned);
    pe_labels_unref(labels);
}

static void
warns_when_pictures_are_compared_with_texts(void)
{
    stand_in_use("kinds", 2);
    write_file("up.pic", "0 1");
    write_file("down.pic", "0 -1");
#define UP "{\"name\": \"up\", \"images\": [\"up.pic\"]}"
#define DOWN "{\"name\": \"down\", \"images\": [\"down.pic\"]}"
    assert_warned("{\"labels\": [" UP "], \"negatives\": [\"1 0\"]}", true);
    assert_warned("{\"labels\": [" UP ", " DOWN "]}", true); // default ones
    assert_warned("{\"labels\": [" UP ", \"1 0\"], \"negatives\": []}", true);
    assert_warned("{\"labels\": [" UP ", " DOWN "], \"negatives\": []}", false);
    assert_warned("{\"labels\": [" UP "], \"negatives\": [" DOWN "]}", false);
    assert_warned("{\"labels\": [" UP ", \"1 0\"], \"negatives\": [" DOWN "], "
                  "\"mode\": \"independent\"}",
                  false);
    assert_warned("{\"labels\": [{\"name\": \"up\", \"images\": [\"up.pic\"], "
                  "\"image-weight\": 0.2}, \"1 0\"], \"negatives\": []}",
                  false);
}

// Without texts nothing becomes the same tokens.
static void
tells_labels_without_texts_apart(void)
{
    stand_in_use("apart", 2);
    write_file("up.pic", "0 1");
    write_file("down.pic", "0 -1");
    g_autoptr(GError) error = NULL;
    PeLabels *labels =
        make("{\"labels\": [" UP ", " DOWN ", {\"name\": \"x\", \"prompts\": "
             "[\"1 0\"]}, {\"name\": \"y\", \"prompts\": [\"1 0\"], "
             "\"images\": [\"down.pic\"]}], \"negatives\": [\"-1 0\"]}",
             read_numbers, &error);
    g_assert_no_error(error);
    for (const char *const *w = pe_labels_get_warnings(labels); *w; w++)
        g_assert_null(strstr(*w, "same tokens"));
    pe_labels_unref(labels);
}

// They need no text tower, but what is a text does, the default negatives too.
static void
needs_no_text_tower(void)
{
    stand_in_use("vision", 2);
    stand_in.text = NULL;
    write_file("up.pic", "0 1");
    write_file("down.pic", "0 -1");
    g_autoptr(GError) error = NULL;
    PeLabels *labels = make("{\"labels\": [" UP "], \"negatives\": [" DOWN "]}",
                            read_numbers, &error);
    g_assert_no_error(error);
    const float clip[] = {0, 1};
    float score;
    g_assert_cmpfloat_with_epsilon(pe_labels_get_vector(labels, 0)[1], 1, 1e-6);
    pe_labels_score(labels, clip, &(PeScoreParams)PE_SCORE_PARAMS_TOP(0), NULL,
                    NULL, &score);
    g_assert_cmpfloat(score, >, 0);
    g_assert_cmpuint(strlen(pe_labels_get_fingerprint(labels)), ==, 16);
    pe_labels_unref(labels);
    fails("{\"labels\": [" UP "], \"negatives\": [\"1 0\"]}", read_numbers,
          "labels.json: negatives[0]: the label \"1 0\" is a text, and the "
          "model fake model has no text tower");
    g_assert_null(make("{\"labels\": [" UP "]}", read_numbers, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "the default negative \"an "));
}

// ---- What is refused ------------------------------------------------------

static void
refuses_vectors_of_another_model(void)
{
    stand_in_use("mine", 2);
    fails("{\"labels\": [{\"name\": \"a\", \"vector\": [1, 0]}], \"model\": "
          "\"yours\"}",
          NULL,
          "labels.json: model: expected vectors of the model fake model with "
          "the fingerprint mine, found those of \"yours\"");
    fails("{\"labels\": [{\"name\": \"a\", \"vector\": [1, 0, 0]}], "
          "\"model\": \"mine\"}",
          NULL,
          "labels.json: labels[0].vector: expected the 2 numbers of this "
          "model, found 3");
}

static void
names_the_picture_that_it_cannot_use(void)
{
    static const char json[] =
        "[\"x\", {\"name\": \"a\", \"images\": [\"good.pic\", \"bad.pic\"]}]";
    stand_in_use("unusable", 2);
    write_file("good.pic", "1 0");
    g_autofree char *path = get_path("bad.pic");
    g_autofree char *expected =
        g_strdup_printf("labels.json: labels[1].images[1]: %s: ", path);
    g_autofree char *absolute = g_strdup_printf(
        "[\"x\", {\"name\": \"a\", \"images\": [\"good.pic\", \"%s\"]}]", path);

    g_unlink(path);
    fails(json, read_numbers, expected);
    fails(absolute, read_numbers, expected);
    write_file("bad.pic", "a poem");
    fails(json, read_numbers, expected);
    fails(json, read_numbers, "no numbers");
    // Nobody ever writes into this one.
    g_unlink(path);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    fails(json, read_numbers, "found what is not a regular file");
    g_unlink(path);
    fails(json, NULL,
          "labels.json: labels[1].images: this program reads no pictures");
}

static void
add_tests(void)
{
#define ADD(test) g_test_add_func("/label-examples/" #test, test)
    ADD(is_the_mean_of_its_pictures);
    ADD(is_mixed_with_its_texts);
    ADD(takes_vectors_as_base64_and_as_numbers);
    ADD(takes_negatives_by_pictures);
    ADD(embeds_a_picture_once);
    ADD(refuses_a_picture_that_changes);
    ADD(is_known_by_what_its_examples_contain);
    ADD(warns_when_pictures_are_compared_with_texts);
    ADD(tells_labels_without_texts_apart);
    ADD(needs_no_text_tower);
    ADD(refuses_vectors_of_another_model);
    ADD(names_the_picture_that_it_cannot_use);
}

int
main(int argc, char **argv)
{
    return stand_in_run(argc, argv, add_tests);
}
