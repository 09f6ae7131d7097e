// SPDX-License-Identifier: LGPL-2.1-or-later
//
// calibration.c - see calibration.h.

#include "calibration.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/read_file.h"

#define MAX_FILE_SIZE ((size_t)1 << 20)
#define MIN_SLOPE 1e-3
#define MAX_SLOPE 1e3
#define MAX_OFFSET 1e3

void
pe_calibration_free(PeCalibration *calibration)
{
    if (!calibration)
        return;
    g_free(calibration->where);
    g_free(calibration->model);
    g_free(calibration);
}

// ---- Read -----------------------------------------------------------------

static bool
read_object(PeCalibration *c, JsonObject *object, const char *where,
            GError **error)
{
    static const char *const keys[] = {"slope", "offset", "model", "mode",
                                       NULL};
    if (!pe_json_check_keys(object, keys, where, error))
        return false;
    g_autofree char *in_slope = g_strdup_printf("%s.slope", where);
    g_autofree char *in_offset = g_strdup_printf("%s.offset", where);
    g_autofree char *in_model = g_strdup_printf("%s.model", where);
    g_autofree char *in_mode = g_strdup_printf("%s.mode", where);
    JsonNode *model = json_object_get_member(object, "model");
    JsonNode *mode = json_object_get_member(object, "mode");
    if (!pe_json_read_number(json_object_get_member(object, "slope"), MIN_SLOPE,
                             MAX_SLOPE, in_slope, &c->slope, error) ||
        !pe_json_read_number(json_object_get_member(object, "offset"),
                             -MAX_OFFSET, MAX_OFFSET, in_offset, &c->offset,
                             error))
        return false;
    if (!model || !pe_json_get_string(model))
        return pe_json_fail_type(error, in_model, "a model's fingerprint",
                                 model);
    c->model = g_utf8_make_valid(pe_json_get_string(model), -1);
    const char *nick = mode ? pe_json_get_string(mode) : NULL;
    return !mode || (nick && pe_labels_mode_parse(nick, &c->mode)) ||
           pe_json_fail_type(error, in_mode, "\"exclusive\" or \"independent\"",
                             mode);
}

PeCalibration *
pe_calibration_read(JsonNode *node, const char *where, GError **error)
{
    if (!JSON_NODE_HOLDS_OBJECT(node)) {
        pe_json_fail_type(error, where, "an object", node);
        return NULL;
    }
    PeCalibration *c = g_new0(PeCalibration, 1);
    c->where = g_strdup(where);
    if (!read_object(c, json_node_get_object(node), where, error))
        g_clear_pointer(&c, pe_calibration_free);
    return c;
}

// ---- Beside the model -----------------------------------------------------

// "x-calibration.json" for "x.safetensors". Returns, g_free(); NULL: there is
// no such file.
static char *
find_file(const PeModel *model)
{
    const char *path = pe_model_get_path(model);
    if (!*path)
        return NULL;
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    size_t stem = dot ? (size_t)(dot - path) : strlen(path);
    g_autofree char *file =
        g_strdup_printf("%.*s-calibration.json", (int)stem, path);
    bool there = g_file_test(file, G_FILE_TEST_IS_REGULAR);
    return there ? g_steal_pointer(&file) : NULL;
}

bool
pe_calibration_find(const PeModel *model, PeLabelsMode mode,
                    PeCalibration **calibration, GError **error)
{
    *calibration = NULL;
    g_autofree char *path = find_file(model);
    if (!path)
        return true;
    size_t size;
    g_autofree char *text = pe_read_file(path, MAX_FILE_SIZE, &size, error);
    g_autoptr(JsonNode) root =
        text ? pe_json_parse_object(text, size, path, error) : NULL;
    PeCalibration *c = root ? pe_calibration_read(root, path, error) : NULL;
    if (!c)
        return false;
    if (c->mode == mode) {
        *calibration = c;
        return true;
    }
    pe_log(PE_LOG_INFO, "%s is for labels in %s mode: not used in %s mode",
           path, pe_labels_mode_nick(c->mode), pe_labels_mode_nick(mode));
    pe_calibration_free(c);
    return true;
}

bool
pe_calibration_check(const PeCalibration *calibration, const PeModel *model,
                     PeLabelsMode mode, GError **error)
{
    const PeCalibration *c = calibration;
    const char *fingerprint = pe_model_get_fingerprint(model);
    if (strcmp(c->model, fingerprint) != 0) {
        g_autofree char *quoted = pe_quote(c->model);
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "%s: expected a calibration of the model %s with the "
                    "fingerprint %s, found one of %s; run pe-calibrate again, "
                    "or take the calibration away",
                    c->where, pe_model_get_name(model), fingerprint, quoted);
        return false;
    }
    if (c->mode == mode)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                "%s: expected a calibration for labels in %s mode, found one "
                "for %s mode; run pe-calibrate again, or change the mode",
                c->where, pe_labels_mode_nick(mode),
                pe_labels_mode_nick(c->mode));
    return false;
}
