// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_set.c - see label_set.h.

#include "label_set.h"

#include <json-glib/json-glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gst/video/gstpepicture.h"
#include "tools/calibrate/json_edit.h"
#include "tools/program_output.h"

struct LabelSet {
    char *path; // with links followed
    char *text;
    JsonNode *root;
    char *fingerprint; // of the model
    PeLabelsMode mode;
    guint number; // of the label
    SetCalibration calibration;
    double threshold;
    bool has_examples; // the label has a vector or pictures
    bool fresh;
};

// ---- Reading --------------------------------------------------------------

static bool
fail(const LabelSet *set, GError **error, const char *format, const char *what)
{
    g_autofree char *message = g_strdup_printf(format, what);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: %s", set->path, message);
    return false;
}

// The object of the root, or NULL for a list.
static JsonObject *
get_object(JsonNode *root)
{
    return JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
}

static JsonArray *
get_labels(JsonNode *root)
{
    JsonObject *o = get_object(root);
    return o ? json_object_get_array_member(o, "labels")
             : json_node_get_array(root);
}

static double
get_number(JsonObject *o, const char *name, double otherwise)
{
    return o ? json_object_get_double_member_with_default(o, name, otherwise)
             : otherwise;
}

// Read before by the library, so that members have their types.
static bool
find_label(LabelSet *set, const char *label, GError **error)
{
    JsonArray *labels = get_labels(set->root);
    for (guint i = 0; i < json_array_get_length(labels); i++) {
        JsonNode *node = json_array_get_element(labels, i);
        JsonObject *o = get_object(node);
        g_autofree char *name =
            g_strdup(o ? json_object_get_string_member(o, "name")
                       : json_node_get_string(node));
        if (strcmp(g_strstrip(name), label) != 0)
            continue;
        set->number = i;
        set->threshold = get_number(o, "threshold", .5);
        set->has_examples = o && (json_object_has_member(o, "vector") ||
                                  json_object_has_member(o, "images"));
        set->calibration.label_offset =
            set->fresh ? 0 : get_number(o, "offset", 0);
        return true;
    }
    return fail(set, error, "has no label \"%s\"; expected one of its own",
                label);
}

static void
take_calibration(LabelSet *set, JsonObject *calibration)
{
    set->calibration.slope = get_number(calibration, "slope", 1);
    set->calibration.offset = get_number(calibration, "offset", 0);
}

// That of "x-calibration.json" for "x.safetensors", which the library has read.
static void
take_calibration_of_model(LabelSet *set, const PeModel *model)
{
    g_autofree char *folder = g_path_get_dirname(pe_model_get_path(model));
    g_autofree char *name = g_path_get_basename(pe_model_get_path(model));
    char *dot = strrchr(name, '.');
    g_autofree char *file =
        g_strdup_printf("%.*s-calibration.json",
                        dot ? (int)(dot - name) : (int)strlen(name), name);
    g_autofree char *path = g_build_filename(folder, file, NULL);
    g_autoptr(JsonParser) parser = json_parser_new();
    if (!json_parser_load_from_file(parser, path, NULL))
        return;
    JsonObject *o = get_object(json_parser_get_root(parser));
    const char *nick =
        o ? json_object_get_string_member_with_default(o, "mode", "exclusive")
          : "";
    if (g_str_equal(nick, pe_labels_mode_nick(set->mode)))
        take_calibration(set, o);
}

static bool
find_calibration(LabelSet *set, const PeModel *model, GError **error)
{
    JsonObject *o = get_object(set->root);
    const char *nick =
        o ? json_object_get_string_member_with_default(o, "mode", "exclusive")
          : "exclusive";
    JsonNode *node = o ? json_object_get_member(o, "calibration") : NULL;
    (void)pe_labels_mode_parse(nick, &set->mode);
    set->calibration = (SetCalibration){1, 0, 0};
    if (set->fresh)
        return true;
    if (!node) {
        take_calibration_of_model(set, model);
        return true;
    }
    take_calibration(set, json_node_get_object(node));
    if (g_str_equal(
            json_object_get_string_member(json_node_get_object(node), "model"),
            set->fingerprint))
        return true;
    return fail(set, error,
                "its calibration is of another model than %s, and so may be "
                "its labels' offsets; --fresh forgets them",
                set->fingerprint);
}

static bool
check_is_json(const LabelSet *set, GError **error)
{
    char first = *json_edit_skip_blanks(set->text);
    return first == '{' || first == '[' ||
           fail(set, error,
                "is not JSON, and a calibration can only be written into "
                "JSON; expected %s or a list",
                "{\"labels\": [...]}");
}

static bool
read_set(LabelSet *set, const char *label, const PeModel *model, GError **error)
{
    g_autofree char *real = realpath(set->path, NULL);
    if (real) {
        g_free(set->path);
        set->path = g_steal_pointer(&real);
    }
    // The library comes first: its errors are better than ours, and it waits
    // for no pipe.
    PeLabelSpec *spec = pe_label_spec_load(set->path, error);
    pe_label_spec_free(spec);
    if (!spec)
        return false;
    GError *cause = NULL;
    if (!g_file_get_contents(set->path, &set->text, NULL, &cause)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s", cause->message);
        g_error_free(cause);
        return false;
    }
    if (!check_is_json(set, error))
        return false;
    set->root = json_from_string(json_edit_skip_blanks(set->text), error);
    return set->root && find_calibration(set, model, error) &&
           find_label(set, label, error);
}

LabelSet *
label_set_open(const char *path, const char *label, const PeModel *model,
               bool fresh, GError **error)
{
    LabelSet *set = g_new0(LabelSet, 1);
    set->path = g_strdup(path);
    set->fresh = fresh;
    set->fingerprint = g_strdup(pe_model_get_fingerprint(model));
    if (read_set(set, label, model, error))
        return set;
    label_set_free(set);
    return NULL;
}

void
label_set_free(LabelSet *set)
{
    if (!set)
        return;
    g_clear_pointer(&set->root, json_node_unref);
    g_free(set->fingerprint);
    g_free(set->text);
    g_free(set->path);
    g_free(set);
}

SetCalibration
label_set_get(const LabelSet *set)
{
    return set->calibration;
}

double
label_set_get_threshold(const LabelSet *set)
{
    return set->threshold;
}

bool
label_set_has_examples(const LabelSet *set)
{
    return set->has_examples;
}

// ---- Without calibration --------------------------------------------------

static void
make_images_absolute(JsonObject *o, const char *member, const char *folder)
{
    JsonArray *labels = json_object_has_member(o, member)
                            ? json_object_get_array_member(o, member)
                            : NULL;
    for (guint i = 0; labels && i < json_array_get_length(labels); i++) {
        JsonObject *label = get_object(json_array_get_element(labels, i));
        if (!label || !json_object_has_member(label, "images"))
            continue;
        JsonArray *old = json_object_get_array_member(label, "images");
        JsonArray *images = json_array_new();
        for (guint k = 0; k < json_array_get_length(old); k++) {
            g_autofree char *path = g_canonicalize_filename(
                json_array_get_string_element(old, k), folder);
            json_array_add_string_element(images, path);
        }
        json_object_set_array_member(label, "images", images);
    }
}

// Paths are from the file's folder, which a text does not have.
static void
make_paths_absolute(const LabelSet *set, JsonObject *o)
{
    g_autofree char *folder = g_path_get_dirname(set->path);
    const char *bank =
        json_object_get_string_member_with_default(o, "bank", NULL);
    if (bank) {
        g_autofree char *path = g_canonicalize_filename(bank, folder);
        json_object_set_string_member(o, "bank", path);
    }
    make_images_absolute(o, "labels", folder);
    make_images_absolute(o, "negatives", folder);
}

static void
remove_offsets(JsonArray *labels)
{
    for (guint i = 0; i < json_array_get_length(labels); i++) {
        JsonObject *label = get_object(json_array_get_element(labels, i));
        if (label && json_object_has_member(label, "offset"))
            json_object_remove_member(label, "offset");
    }
}

PeLabelSpec *
label_set_make_plain(const LabelSet *set, GError **error)
{
    // json_node_copy() would share what is in it.
    g_autofree char *text = json_to_string(set->root, FALSE);
    g_autoptr(JsonNode) copy = json_from_string(text, NULL);
    JsonArray *labels = get_labels(copy);
    remove_offsets(labels);
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    if (get_object(copy)) {
        json_node_set_object(root, get_object(copy));
    } else {
        json_node_take_object(root, json_object_new());
        json_object_set_array_member(get_object(root), "labels",
                                     json_array_ref(labels));
    }
    JsonObject *calibration = json_object_new();
    json_object_set_double_member(calibration, "slope", 1);
    json_object_set_double_member(calibration, "offset", 0);
    json_object_set_string_member(calibration, "model", set->fingerprint);
    json_object_set_string_member(calibration, "mode",
                                  pe_labels_mode_nick(set->mode));
    json_object_set_object_member(get_object(root), "calibration", calibration);
    make_paths_absolute(set, get_object(root));
    g_autofree char *plain = json_to_string(root, FALSE);
    PeLabelSpec *spec = pe_label_spec_parse(plain, error);
    if (spec)
        pe_label_spec_set_picture_reader(spec, gst_pe_picture_read);
    return spec;
}

// ---- Writing --------------------------------------------------------------

static const char *
find_labels(const char *text)
{
    const char *root = json_edit_skip_blanks(text);
    return *root == '[' ? root : json_edit_find(root, "labels");
}

// Takes the text.
static char *
set_member(char *text, guint number, const char *name, const char *value)
{
    g_autofree char *old = text;
    const char *label = json_edit_nth(find_labels(old), number);
    if (*label == '{')
        return json_edit_set(old, label, name, value);
    // A name alone becomes an object.
    const char *end = label + 1;
    for (; *end != '"'; end++)
        end += *end == '\\';
    g_autofree char *object =
        g_strdup_printf("{\"name\": %.*s, \"%s\": %s}", (int)(end + 1 - label),
                        label, name, value);
    return json_edit_replace(old, label, object);
}

static char *
set_number(char *text, guint number, const char *name, double x)
{
    char value[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(value, sizeof value, "%.9g", x);
    return set_member(text, number, name, value);
}

// The vector as Base64 of floats, little endian.
static char *
set_vector(const LabelSet *set, char *text, const SetVector *v)
{
    g_autofree uint32_t *words = g_new(uint32_t, v->dim);
    memcpy(words, v->mean, v->dim * sizeof *words);
    for (size_t i = 0; i < v->dim; i++)
        words[i] = GUINT32_TO_LE(words[i]);
    g_autofree char *base64 =
        g_base64_encode((const guchar *)words, v->dim * sizeof *words);
    g_autofree char *value = g_strdup_printf("\"%s\"", base64);
    g_autofree char *model = g_strdup_printf("\"%s\"", set->fingerprint);
    text = set_member(text, set->number, "vector", value);
    text = set_number(text, set->number, "image-weight", v->share);
    g_autofree char *old = text;
    return json_edit_set(old, json_edit_skip_blanks(old), "model", model);
}

// Offsets of labels that are there become 0.
static char *
forget_offsets(const LabelSet *set, char *text)
{
    JsonArray *labels = get_labels(set->root);
    for (guint i = 0; i < json_array_get_length(labels); i++) {
        JsonObject *o = get_object(json_array_get_element(labels, i));
        if (o && json_object_has_member(o, "offset"))
            text = set_number(text, i, "offset", 0);
    }
    return text;
}

static char *
set_calibration(const LabelSet *set, char *text, const SetCalibration *c)
{
    g_autofree char *old = text;
    char slope[G_ASCII_DTOSTR_BUF_SIZE], offset[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(slope, sizeof slope, "%.9g", c->slope);
    g_ascii_formatd(offset, sizeof offset, "%.9g", c->offset);
    g_autofree char *value = g_strdup_printf(
        "{\"slope\": %s, \"offset\": %s, \"model\": \"%s\", \"mode\": \"%s\"}",
        slope, offset, set->fingerprint, pe_labels_mode_nick(set->mode));
    const char *root = json_edit_skip_blanks(old);
    if (*root == '{')
        return json_edit_set(old, root, "calibration", value);
    return g_strdup_printf("%.*s{\"labels\": %s,\n \"calibration\": %s}\n",
                           (int)(root - old), old,
                           g_strchomp(old + (root - old)), value);
}

// Can it be read again? A bank would be looked for in another folder.
static bool
check_text(const LabelSet *set, const char *text, GError **error)
{
    const char *json = json_edit_skip_blanks(text);
    JsonObject *o = get_object(set->root);
    if (o && json_object_has_member(o, "bank")) {
        g_autoptr(JsonNode) node = json_from_string(json, error);
        return node != NULL;
    }
    PeLabelSpec *spec = pe_label_spec_parse(json, error);
    pe_label_spec_free(spec);
    return spec != NULL;
}

bool
label_set_write(const LabelSet *set, const SetCalibration *calibration,
                const SetVector *vector, GError **error)
{
    char *text = g_strdup(set->text);
    if (set->fresh)
        text = forget_offsets(set, text);
    text = set_number(text, set->number, "offset", calibration->label_offset);
    text = set_calibration(set, text, calibration);
    if (vector)
        text = set_vector(set, text, vector);
    g_autofree char *written = text;
    if (!check_text(set, written, error)) {
        g_prefix_error(error, "%s: not written: ", set->path);
        return false;
    }
    g_autofree char *path = program_output_resolve(set->path, error);
    if (!path)
        return false;
    struct stat status;
    int mode = stat(path, &status) == 0 ? (int)(status.st_mode & 0777) : 0666;
    return g_file_set_contents_full(path, written, -1,
                                    G_FILE_SET_CONTENTS_CONSISTENT |
                                        G_FILE_SET_CONTENTS_DURABLE,
                                    mode, error);
}
