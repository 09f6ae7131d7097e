// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_label_spec.c - what users write as labels is read as they mean it, or
// refused with the place of the fault.

#include "core/labels/label_spec.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static char *folder; // for the files that the tests write

static void
assert_labels(const GPtrArray *labels, const char *expected)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < labels->len; i++) {
        const PeLabel *label = labels->pdata[i];
        g_string_append_printf(names, "%s[%s]", i ? " " : "", label->name);
    }
    g_assert_cmpstr(names->str, ==, expected);
}

static void
assert_prompts(const PeLabelSpec *spec, int label, const char *expected)
{
    g_autoptr(GPtrArray) prompts =
        pe_label_spec_list_prompts(spec, spec->labels->pdata[label]);
    g_autoptr(GString) joined = g_string_new(NULL);
    for (guint i = 0; i < prompts->len; i++)
        g_string_append_printf(joined, "%s[%s]", i ? " " : "",
                               (char *)prompts->pdata[i]);
    g_assert_cmpstr(joined->str, ==, expected);
}

static PeLabelSpec *
load(const char *content, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "labels", NULL);
    g_assert_true(g_file_set_contents(path, content, -1, NULL));
    PeLabelSpec *spec = pe_label_spec_load(path, error);
    g_remove(path);
    return spec;
}

// ---- Text -----------------------------------------------------------------

static void
splits_at_bars(void)
{
    PeLabelSpec *spec =
        pe_label_spec_parse(" a dog|a cat |\ta \\| b\\|\n", NULL);
    g_assert_nonnull(spec);
    assert_labels(spec->labels, "[a dog] [a cat] [a | b|]");
    g_assert_cmpint(pe_label_spec_count(spec), ==, 3);
    pe_label_spec_free(spec);
}

static void
keeps_other_backslashes(void)
{
    PeLabelSpec *spec = pe_label_spec_parse("a\\b|c\\", NULL);
    g_assert_nonnull(spec);
    assert_labels(spec->labels, "[a\\b] [c\\]");
    pe_label_spec_free(spec);
}

static void
names_the_fault_in_a_text(void)
{
    static const struct {
        const char *text, *message;
    } faults[] = {
        {"", "no labels"},
        {"  ", "no labels"},
        {"a||b", "label 2 of 3: empty"},
        {"a|b| ", "label 3 of 3: empty"},
        {"a|\xff", "label 2 of 2: not UTF-8"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(pe_label_spec_parse(faults[i].text, &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, faults[i].message));
    }
}

static void
warns_about_repeated_names(void)
{
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    PeLabelSpec *spec = pe_label_spec_parse("a|b|a", NULL);
    g_assert_true(pe_label_spec_add_negatives(spec, "c|b", NULL));
    assert_labels(spec->labels, "[a] [b] [a]"); // positions count
    pe_label_spec_warn(spec, warnings);
    g_assert_cmpuint(warnings->len, ==, 2);
    g_assert_nonnull(strstr(warnings->pdata[0],
                            "label 3 of 3: repeats the name \"a\" of label 1"));
    g_assert_nonnull(
        strstr(warnings->pdata[1], "negative label 2 of 2: repeats"));
    pe_label_spec_free(spec);
}

static void
puts_labels_into_templates(void)
{
    PeLabelSpec *spec = pe_label_spec_parse("a dog", NULL);
    assert_prompts(spec, 0, "[a video of a dog.]");
    g_assert_true(pe_label_spec_set_templates(spec, NULL, NULL));
    g_assert_true(pe_label_spec_set_templates(spec, "", NULL));
    assert_prompts(spec, 0, "[a video of a dog.]");
    g_assert_true(pe_label_spec_set_templates(
        spec, "{}|{} and {}| a photo of {}.", NULL));
    assert_prompts(spec, 0, "[a dog] [a dog and a dog] [a photo of a dog.]");

    g_autoptr(GError) error = NULL;
    g_assert_false(pe_label_spec_set_templates(spec, "{}|a photo", &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "prompt template 2 of 2"));
    assert_prompts(spec, 0, "[a dog] [a dog and a dog] [a photo of a dog.]");
    pe_label_spec_free(spec);
}

static void
adds_negatives_that_do_not_count(void)
{
    PeLabelSpec *spec = pe_label_spec_parse("a dog|a cat", NULL);
    g_assert_true(pe_label_spec_add_negatives(spec, NULL, NULL));
    g_assert_true(pe_label_spec_add_negatives(spec, "", NULL));
    g_assert_true(pe_label_spec_add_negatives(spec, "a wall|nothing", NULL));
    assert_labels(spec->negatives, "[a wall] [nothing]");
    g_assert_cmpint(pe_label_spec_count(spec), ==, 2);

    static const char *const faults[] = {"x|", "x||y", "\xff"};
    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(pe_label_spec_add_negatives(spec, faults[i], &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        assert_labels(spec->negatives, "[a wall] [nothing]");
    }
    pe_label_spec_free(spec);
}

// ---- Files ----------------------------------------------------------------

static void
reads_a_label_a_line(void)
{
    PeLabelSpec *spec = load("\xef\xbb\xbf# animals\r\na dog\r\n\r\n"
                             "  a cat | or not  \n  # more\n\\[x]\nlast",
                             NULL);
    g_assert_nonnull(spec);
    assert_labels(spec->labels, "[a dog] [a cat | or not] [\\[x]] [last]");
    pe_label_spec_free(spec);
}

static void
reads_a_json_list(void)
{
    PeLabelSpec *spec = load(" [\"a dog\", {\"name\": \"a cat\"}]", NULL);
    g_assert_nonnull(spec);
    assert_labels(spec->labels, "[a dog] [a cat]");
    assert_prompts(spec, 1, "[a video of a cat.]");
    pe_label_spec_free(spec);
}

static void
reads_everything_in_a_json_object(void)
{
    PeLabelSpec *spec =
        load("{\"labels\": [\"a dog\", {\"name\": \"cat\", \"prompts\":"
             "[\"a cat\", \"{} kitten\"], \"threshold\": 0.25}],"
             "\"negatives\": [\"a wall\", {\"name\": \"n\", \"prompts\":"
             "[\"nothing\"]}], \"templates\": [\"{}!\", \"my {}\"]}",
             NULL);
    g_assert_nonnull(spec);
    assert_labels(spec->labels, "[a dog] [cat]");
    assert_labels(spec->negatives, "[a wall] [n]");
    assert_prompts(spec, 0, "[a dog!] [my a dog]");
    assert_prompts(spec, 1, "[a cat] [{} kitten]");
    const PeLabel *cat = spec->labels->pdata[1];
    g_assert_cmpfloat(cat->threshold, ==, 0.25f);
    pe_label_spec_free(spec);
}

static void
reads_json_in_a_text_as_in_a_file(void)
{
    PeLabelSpec *spec = pe_label_spec_parse(
        " {\"name\": \" pets \", \"labels\": [\"a|b\"], \"negatives\":"
        "[\"x\"], \"templates\": [\"{}!\"]}",
        NULL);
    g_assert_nonnull(spec);
    g_assert_cmpstr(spec->name, ==, "pets");
    assert_labels(spec->labels, "[a|b]");
    assert_labels(spec->negatives, "[x]");
    assert_prompts(spec, 0, "[a|b!]");
    pe_label_spec_free(spec);

    spec = pe_label_spec_parse("[\"a\", \"b\"]", NULL);
    g_assert_nonnull(spec);
    assert_labels(spec->labels, "[a] [b]");
    g_assert_null(spec->name);
    pe_label_spec_free(spec);

    g_autoptr(GError) error = NULL;
    g_assert_null(pe_label_spec_parse("{\"label\": []}", &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_assert_true(g_str_has_prefix(error->message, "labels: unknown key"));
}

static void
takes_braces_alone_for_the_bare_label(void)
{
    PeLabelSpec *spec = pe_label_spec_parse("a dog", NULL);
    assert_prompts(spec, 0, "[a video of a dog.]");
    g_assert_true(pe_label_spec_set_templates(spec, "{}", NULL));
    assert_prompts(spec, 0, "[a dog]");
    g_assert_true(pe_label_spec_set_templates(spec, PE_DEFAULT_TEMPLATE, NULL));
    assert_prompts(spec, 0, "[a video of a dog.]");
    pe_label_spec_free(spec);
}

static void
names_the_line_of_a_repeated_label(void)
{
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    PeLabelSpec *spec = load("missile\n\nsuit\nmissile\n", NULL);
    g_assert_nonnull(spec);
    pe_label_spec_warn(spec, warnings);
    g_assert_cmpuint(warnings->len, ==, 1);
    g_assert_nonnull(strstr(warnings->pdata[0], ":4: repeats the name"));
    g_assert_nonnull(strstr(warnings->pdata[0], ":1: they will share"));
    pe_label_spec_free(spec);
}

static void
names_the_fault_in_a_file(void)
{
    static const struct {
        const char *content, *message;
    } faults[] = {
        {"", "no labels"},
        {"# only a comment\n", "no labels"},
        {"a\n\xff\n", "not UTF-8 text at offset 2"},
        {"[]", "no labels"},
        {"[\"a\", \"\"]", "labels[1]: empty"},
        {"[\"a\", 1]", "labels[1]: expected a string or an object"},
        {"[[\"a\"]]",
         "labels[0]: expected a string or an object, found a list"},
        {"{}", "labels: expected a list, found nothing"},
        {"{\"labels\": \"a|b\"}", "labels: expected a list, found a string"},
        {"{\"label\": []}",
         "unknown key \"label\", expected one of: name, labels"},
        {"[{\"name\": \"a\", \"treshold\": 1}]", "unknown key \"treshold\""},
        {"[{\"prompts\": [\"a\"]}]", "\"name\" to be a string, found nothing"},
        {"[{\"name\": null}]", "\"name\" to be a string, found null"},
        {"[{\"name\": \"a\", \"prompts\": \"b\"}]", "labels[0].prompts"},
        {"[{\"name\": \"a\", \"prompts\": []}]", "labels[0].prompts"},
        {"[{\"name\": \"a\", \"prompts\": [\"b\", {}]}]",
         "labels[0].prompts[1]: expected a prompt, found an object"},
        {"[{\"name\": \"a\", \"threshold\": \"0.5\"}]",
         "labels[0].threshold: expected a number from 0 to 1, found a string"},
        {"[{\"name\": \"a\", \"threshold\": 50}]", "found 50"},
        {"{\"labels\": [\"a\"], \"negatives\": [{\"name\": \"b\","
         "\"threshold\": 0}]}",
         "negatives[0]: unknown key \"threshold\""},
        {"{\"labels\": [\"a\"], \"templates\": [\"b\"]}",
         "templates[0]: expected a template"},
        {"{\"labels\": [\"a\"], \"templates\": {}}",
         "templates: expected a list, found an object"},
        {"{\"name\": 1, \"labels\": [\"a\"]}",
         "name: expected a string, found a"},
        {"{\"name\": \" \", \"labels\": [\"a\"]}", "name: empty"},
        {"[{\"name\": \"a\", \"images\": \"a.jpg\"}]",
         "labels[0].images: expected a list of pictures, found a string"},
        {"[{\"name\": \"a\", \"images\": []}]",
         "labels[0].images: expected a list of pictures"},
        {"[{\"name\": \"a\", \"images\": [\"a.jpg\", 1]}]",
         "labels[0].images[1]: expected a picture's path"},
        {"[{\"name\": \"a\", \"images\": [\"a\"], \"vector\": [1]}]",
         "labels[0]: expected \"vector\" or \"images\", found both"},
        {"[{\"name\": \"a\", \"image-weight\": 0.1}]",
         "labels[0].image-weight: expected \"vector\" or \"images\""},
        {"[{\"name\": \"a\", \"images\": [\"a\"], \"image-weight\": 0.3}]",
         "labels[0].image-weight: expected a number from 0 to 0.25, found 0.3"},
        {"[{\"name\": \"a\", \"images\": [\"a\"], \"image-weight\": 0}]",
         "labels[0].image-weight: expected a weight above 0, found 0"},
        {"[{\"name\": \"a\", \"vector\": 1}]",
         "labels[0].vector: expected Base64 or a list, found a number"},
        {"[{\"name\": \"a\", \"vector\": [1, \"2\"]}]",
         "labels[0].vector[1]: expected a number"},
        {"[{\"name\": \"a\", \"vector\": [1e99]}]",
         "labels[0].vector[0]: expected a number"},
        {"[{\"name\": \"a\", \"vector\": []}]",
         "labels[0].vector: expected finite numbers that are not all 0"},
        {"[{\"name\": \"a\", \"vector\": [0, 0]}]",
         "labels[0].vector: expected finite numbers that are not all 0"},
        {"[{\"name\": \"a\", \"vector\": \"AACAfw==\"}]", // infinity
         "labels[0].vector: expected finite numbers that are not all 0"},
        {"[{\"name\": \"a\", \"vector\": \"AACAP\"}]",
         "labels[0].vector: expected Base64 of little-endian 32-bit floats"},
        {"[{\"name\": \"a\", \"vector\": \"AACA!w==\"}]",
         "labels[0].vector: expected Base64 of little-endian 32-bit floats"},
        {"[{\"name\": \"a\", \"vector\": \"AACA\"}]", // three bytes
         "labels[0].vector: expected Base64 of little-endian 32-bit floats"},
        {"[{\"name\": \"a\", \"vector\": [1]}]", "expected \"model\""},
        {"{\"labels\": [\"a\"], \"negatives\": [{\"name\": \"b\", "
         "\"vector\": [1]}]}",
         "expected \"model\""},
        {"{\"labels\": [\"a\"], \"model\": 1}",
         "model: expected a model's fingerprint, found a number"},
        {"[\"a\"", "ends too early"},
        {"[\"a\",]", "not JSON"},
        {"[\"a\" /* b */]", "not JSON"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(load(faults[i].content, &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, faults[i].message));
        g_assert_true(g_str_has_prefix(error->message, folder));
    }
}

static void
names_a_missing_file(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(pe_label_spec_load("/nowhere/labels.txt", &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, "/nowhere/labels.txt"));
    g_clear_error(&error);
    g_assert_null(pe_label_spec_load(folder, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
}

static void
assert_refuses_pipe(GError *error, const char *path)
{
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message, "is a device or pipe, not a file"));
    g_error_free(error);
}

// Nobody ever writes into this one.
static void
waits_for_no_pipe(void)
{
    g_autofree char *path = g_build_filename(folder, "pipe", NULL);
    GError *error = NULL;

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    g_assert_null(pe_label_spec_load(path, &error));
    assert_refuses_pipe(g_steal_pointer(&error), path);
    PeLabelSpec *spec = pe_label_spec_parse("a|b", NULL);
    g_assert_false(pe_label_spec_set_bank(spec, path, &error));
    assert_refuses_pipe(g_steal_pointer(&error), path);
    pe_label_spec_free(spec);
    g_assert_null(pe_tokenizer_open(path, &error));
    assert_refuses_pipe(g_steal_pointer(&error), path);
    g_unlink(path);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("check-label-spec-XXXXXX", NULL);
    g_test_add_func("/label-spec/bars", splits_at_bars);
    g_test_add_func("/label-spec/backslashes", keeps_other_backslashes);
    g_test_add_func("/label-spec/text-faults", names_the_fault_in_a_text);
    g_test_add_func("/label-spec/repeated", warns_about_repeated_names);
    g_test_add_func("/label-spec/templates", puts_labels_into_templates);
    g_test_add_func("/label-spec/negatives", adds_negatives_that_do_not_count);
    g_test_add_func("/label-spec/lines", reads_a_label_a_line);
    g_test_add_func("/label-spec/list", reads_a_json_list);
    g_test_add_func("/label-spec/object", reads_everything_in_a_json_object);
    g_test_add_func("/label-spec/json-text", reads_json_in_a_text_as_in_a_file);
    g_test_add_func("/label-spec/bare", takes_braces_alone_for_the_bare_label);
    g_test_add_func("/label-spec/line", names_the_line_of_a_repeated_label);
    g_test_add_func("/label-spec/file-faults", names_the_fault_in_a_file);
    g_test_add_func("/label-spec/missing", names_a_missing_file);
    g_test_add_func("/label-spec/pipe", waits_for_no_pipe);
    int status = g_test_run();
    g_rmdir(folder);
    g_free(folder);
    return status;
}
