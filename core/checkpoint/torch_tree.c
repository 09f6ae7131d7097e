// SPDX-License-Identifier: LGPL-2.1-or-later
//
// torch_tree.c - see torch_tree.h.
//
// A module that was pickled whole has its tensors in dictionaries among its
// attributes; the names in its state_dict() are the paths to them.
// Source: pytorch torch/nn/modules/module.py (Module.state_dict).

#include "torch_tree.h"

#include <string.h>

#include "core/base/failure.h"
#include "torch_names.h"
#include "torch_tensor.h"

#define MAX_WRAPPERS 4
#define MAX_DEPTH 32 // modules in modules
#define MAX_NAME 512
// A hostile module holds itself many times over, and a dictionary that is in
// two places costs the file nothing.
#define MAX_ATTRIBUTES 2000
#define MAX_MEMBERS (1 << 16)
#define MAX_STEPS (1 << 17)
// Fewer tensors are no model: states of random numbers, a loss with weights.
#define MODEL_TENSORS 8
#define MAX_TOLD 160     // bytes of names in an error
#define MAX_ENTRIES 1000 // of a box

// ---- Dictionaries and modules ---------------------------------------------

static bool
is_dict(const PePickleValue *value)
{
    if (value->kind == PE_PICKLE_DICT ||
        pe_torch_has_role(value, PE_PICKLE_CALL, PE_TORCH_DICT))
        return true;
    // A class of dictionaries that somebody wrote.
    return value->kind == PE_PICKLE_CALL && value->global == PE_PICKLE_OPAQUE &&
           value->items;
}

static bool
is_module(const PePickleValue *value)
{
    return value->kind == PE_PICKLE_CALL && value->state &&
           is_dict(value->state) &&
           pe_pickle_count(value->state) <= 2 * MAX_ATTRIBUTES &&
           pe_pickle_find(value->state, "_parameters") &&
           pe_pickle_find(value->state, "_modules");
}

// What an object has by names; NULL when that is nothing.
static const PePickleValue *
get_dict(const PePickleValue *value)
{
    if (is_dict(value))
        return value;
    return value->kind == PE_PICKLE_CALL && value->state &&
                   is_dict(value->state)
               ? value->state
               : NULL;
}

static int
count_tensors(const PePickleValue *dict)
{
    int n = 0;
    for (int i = 0; i + 1 < pe_pickle_count(dict); i += 2)
        n += pe_torch_is_tensor(pe_pickle_item(dict, i + 1));
    return n;
}

static bool
may_be_model(const PePickleValue *value)
{
    const PePickleValue *dict = get_dict(value);
    return is_module(value) ||
           (dict && pe_pickle_count(dict) <= 2 * MAX_MEMBERS &&
            count_tensors(dict) >= MODEL_TENSORS);
}

// ---- Where the weights are ------------------------------------------------

// Below the names that training programs put them under.
static const PePickleValue *
find_wrapped(const PePickleValue *dict)
{
    static const char *const wrappers[] = {"state_dict", "model_state_dict",
                                           "weights",    "model",
                                           "module",     "net",
                                           "params",     "teacher",
                                           "model_ema",  "state_dict_ema",
                                           "ema"};
    for (size_t w = 0; w < G_N_ELEMENTS(wrappers); w++) {
        const PePickleValue *inner = pe_pickle_find(dict, wrappers[w]);
        if (inner && (is_module(inner) || get_dict(inner)))
            return inner;
    }
    return NULL;
}

static void
tell(GString *list, const PePickleValue *key)
{
    if (list->len > MAX_TOLD)
        return;
    g_autofree char *text = key->kind == PE_PICKLE_STRING
                                ? g_strndup(key->text, MIN(key->length, 80))
                                : g_strdup("a key that is no text");
    g_autofree char *safe = g_strescape(text, NULL);
    g_string_append_printf(list, "%s'%s'", list->len ? ", " : "", safe);
}

// The only value among the entries of a dictionary, or of a list, that may be
// the model. NULL with an error when there are none or several.
static const PePickleValue *
find_only_model(const PeTorchArchive *a, const PePickleValue *box,
                GError **error)
{
    bool pairs = box->kind != PE_PICKLE_LIST && box->kind != PE_PICKLE_TUPLE;
    g_autoptr(GString) keys = g_string_new(NULL);
    const PePickleValue *only = NULL;
    int n_models = 0, step = pairs ? 2 : 1;
    int end = MIN(pe_pickle_count(box), step * MAX_ENTRIES);
    for (int i = 0; i + step <= end; i += step) {
        const PePickleValue *value = pe_pickle_item(box, i + step - 1);
        if (pairs)
            tell(keys, pe_pickle_item(box, i));
        if (may_be_model(value)) {
            n_models++;
            only = value;
        }
    }
    if (n_models == 1)
        return only;
    pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
            "holds %s%s%s%s: save the weights alone, with torch.save(model."
            "state_dict(), \"new.pt\")",
            n_models ? "several models" : "no dictionary of tensors",
            pairs ? ", it has " : "", keys->str,
            pairs && keys->len == 0 ? "nothing" : "");
    return NULL;
}

// The state dictionary or the module.
static const PePickleValue *
find_weights(const PeTorchArchive *a, const PePickleValue *value,
             GError **error)
{
    for (int i = 0; i < MAX_WRAPPERS && !is_module(value); i++) {
        const PePickleValue *dict = get_dict(value);
        const PePickleValue *inner = dict ? find_wrapped(dict) : NULL;
        if (!inner)
            break;
        value = inner;
    }
    if (is_module(value))
        return value;
    const PePickleValue *dict = get_dict(value);
    if (dict && count_tensors(dict) > 0)
        return dict;
    if (dict || value->kind == PE_PICKLE_LIST || value->kind == PE_PICKLE_TUPLE)
        return find_only_model(a, dict ? dict : value, error);
    pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
            "holds no dictionary of tensors but %s%s%s: save the weights "
            "alone, with torch.save(model.state_dict(), \"new.pt\")",
            value->name ? "'" : "", value->name ? value->name : "a plain value",
            value->name ? "'" : "");
    return NULL;
}

// ---- Tensors --------------------------------------------------------------

typedef struct {
    const PeTorchArchive *archive;
    int n_steps; // so far: values that were looked at
    GError **error;
} Walk;

static bool
take_steps(Walk *w, const PePickleValue *dict)
{
    w->n_steps += pe_pickle_count(dict) / 2 + 1;
    return w->n_steps <= MAX_STEPS ||
           pe_fail(w->error, PE_ERROR_FORMAT, w->archive->ckpt->path,
                   "holds more tensors and modules than any model");
}

static bool
add_tensors(Walk *w, const char *prefix, const PePickleValue *dict)
{
    const char *path = w->archive->ckpt->path;
    if (!take_steps(w, dict))
        return false;
    for (int i = 0; i + 1 < pe_pickle_count(dict); i += 2) {
        const PePickleValue *key = pe_pickle_item(dict, i);
        const PePickleValue *value = pe_pickle_item(dict, i + 1);
        if (!pe_torch_is_tensor(value))
            continue;
        if (key->kind != PE_PICKLE_STRING)
            return pe_fail(w->error, PE_ERROR_FORMAT, path,
                           "a tensor's name is not a string");
        if (key->length + strlen(prefix) > MAX_NAME)
            return pe_fail(w->error, PE_ERROR_FORMAT, path,
                           "a tensor's name has more than %d bytes", MAX_NAME);
        g_autofree char *name =
            g_strdup_printf("%s%.*s", prefix, (int)key->length, key->text);
        if (!pe_torch_add_tensor(w->archive, name, value, w->error))
            return false;
    }
    return true;
}

static bool add_module(Walk *w, const char *prefix, const PePickleValue *module,
                       int depth);

static bool
add_children(Walk *w, const char *prefix, const PePickleValue *modules,
             int depth)
{
    if (!take_steps(w, modules))
        return false;
    for (int i = 0; i + 1 < pe_pickle_count(modules); i += 2) {
        const PePickleValue *key = pe_pickle_item(modules, i);
        const PePickleValue *child = pe_pickle_item(modules, i + 1);
        // None is left where a module was taken out.
        if (key->kind != PE_PICKLE_STRING || !is_module(child))
            continue;
        if (depth == MAX_DEPTH || key->length + strlen(prefix) >= MAX_NAME)
            return pe_fail(w->error, PE_ERROR_FORMAT, w->archive->ckpt->path,
                           "holds modules in modules without an end");
        g_autofree char *name =
            g_strdup_printf("%s%.*s.", prefix, (int)key->length, key->text);
        if (!add_module(w, name, child, depth + 1))
            return false;
    }
    return true;
}

static bool
add_module(Walk *w, const char *prefix, const PePickleValue *module, int depth)
{
    const char *const tensors[] = {"_parameters", "_buffers"};
    for (size_t i = 0; i < G_N_ELEMENTS(tensors); i++) {
        const PePickleValue *dict = pe_pickle_find(module->state, tensors[i]);
        if (dict && is_dict(dict) && !add_tensors(w, prefix, dict))
            return false;
    }
    const PePickleValue *modules = pe_pickle_find(module->state, "_modules");
    return !is_dict(modules) || add_children(w, prefix, modules, depth);
}

bool
pe_torch_add_weights(const PeTorchArchive *a, const PePickleValue *root,
                     GError **error)
{
    Walk walk = {a, 0, error};
    const PePickleValue *weights = find_weights(a, root, error);
    if (!weights)
        return false;
    return is_module(weights) ? add_module(&walk, "", weights, 0)
                              : add_tensors(&walk, "", weights);
}
