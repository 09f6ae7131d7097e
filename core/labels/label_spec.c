// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_spec.c - labels, negatives and prompt templates as the user wrote them.
// Knows nothing about models.

#include "label_spec_private.h"

#include <string.h>

#include "core/base/read_file.h"

#define PLACE "{}"  // where a template takes the label
#define NONE "none" // instead of negatives
// More would take hours to embed; whoever has them wants a search, no labels.
#define MAX_LABELS 100000

// ---- Parts ----------------------------------------------------------------

const char *const *
pe_default_negatives(void)
{
    // MODEL.md says how these were chosen.
    static const char *const texts[] = {"an ordinary scene seen by a camera",
                                        "an object", "nothing to see", NULL};
    return texts;
}

PeLabelSpec *
pe_label_spec_new(void)
{
    PeLabelSpec *spec = g_new0(PeLabelSpec, 1);
    GDestroyNotify free_label = (GDestroyNotify)pe_label_free;
    spec->labels = g_ptr_array_new_with_free_func(free_label);
    spec->negatives = g_ptr_array_new_with_free_func(free_label);
    spec->defaults = g_ptr_array_new_with_free_func(free_label);
    spec->bank = g_ptr_array_new_with_free_func(free_label);
    spec->templates = g_ptr_array_new_with_free_func(g_free);
    for (const char *const *text = pe_default_negatives(); *text; text++) {
        PeLabel *label = pe_label_new(*text);
        pe_label_use_as_prompt(label);
        g_ptr_array_add(spec->defaults, label);
    }
    return spec;
}

void
pe_label_spec_free(PeLabelSpec *spec)
{
    if (!spec)
        return;
    g_ptr_array_unref(spec->labels);
    g_ptr_array_unref(spec->negatives);
    g_ptr_array_unref(spec->defaults);
    g_ptr_array_unref(spec->bank);
    g_ptr_array_unref(spec->templates);
    pe_calibration_free(spec->calibration);
    g_free(spec->bank_path);
    g_free(spec->vectors_model);
    g_free(spec->vectors_where);
    g_free(spec->name);
    g_free(spec);
}

PeLabel *
pe_label_new(const char *name)
{
    PeLabel *label = g_new(PeLabel, 1);
    *label = (PeLabel){.name = g_strstrip(g_strdup(name)),
                       .similarity_threshold = -1};
    return label;
}

void
pe_label_use_as_prompt(PeLabel *label)
{
    g_clear_pointer(&label->prompts, g_ptr_array_unref);
    label->prompts = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(label->prompts, g_strdup(label->name));
}

void
pe_label_free(PeLabel *label)
{
    g_clear_pointer(&label->prompts, g_ptr_array_unref);
    g_clear_pointer(&label->vector, g_array_unref);
    g_clear_pointer(&label->images, g_ptr_array_unref);
    g_free(label->name);
    g_free(label->where);
    g_free(label);
}

int
pe_label_spec_count(const PeLabelSpec *spec)
{
    return (int)spec->labels->len;
}

const GPtrArray *
pe_label_spec_get_negatives(const PeLabelSpec *spec)
{
    return spec->has_negatives ? spec->negatives : spec->defaults;
}

int
pe_label_spec_count_all(const PeLabelSpec *spec)
{
    return (int)(spec->labels->len + pe_label_spec_get_negatives(spec)->len +
                 spec->bank->len);
}

const PeLabel *
pe_label_spec_get(const PeLabelSpec *spec, int index)
{
    const GPtrArray *lists[] = {spec->labels, pe_label_spec_get_negatives(spec),
                                spec->bank};
    guint i = (guint)index;
    size_t l = 0;
    for (; i >= lists[l]->len; l++)
        i -= lists[l]->len;
    return lists[l]->pdata[i];
}

static bool
fail(GError **error, const char *where, const char *reason)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: %s", where, reason);
    return false;
}

bool
pe_label_check_text(const char *text, const char *where, GError **error)
{
    if (!g_utf8_validate(text, -1, NULL))
        return fail(error, where, "not UTF-8 text");
    return *text ? true : fail(error, where, "empty");
}

bool
pe_label_list_add(GPtrArray *list, PeLabel *label, const char *where,
                  GError **error)
{
    if (!pe_label_check_text(label->name, where, error)) {
        pe_label_free(label);
        return false;
    }
    if (list->len == MAX_LABELS) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: expected at most %d labels, found more", where,
                    MAX_LABELS);
        pe_label_free(label);
        return false;
    }
    label->where = g_strdup(where);
    g_ptr_array_add(list, label);
    return true;
}

bool
pe_template_list_add(GPtrArray *templates, const char *text, const char *where,
                     GError **error)
{
    g_autofree char *stripped = g_strstrip(g_strdup(text));
    if (!pe_label_check_text(stripped, where, error))
        return false;
    if (!strstr(stripped, PLACE)) {
        g_autofree char *quoted = pe_quote(stripped);
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: expected a template such as \"%s\" with {} in the "
                    "label's place, found %s",
                    where, PE_DEFAULT_TEMPLATE, quoted);
        return false;
    }
    g_ptr_array_add(templates, g_steal_pointer(&stripped));
    return true;
}

#define MAX_REPEATED_TOLD 8

// Equal labels share their score, so that both look unlikely: worth knowing,
// but published lists have them, and their positions count.
void
pe_label_spec_warn(const PeLabelSpec *spec, GPtrArray *warnings)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    const GPtrArray *lists[] = {spec->labels, spec->negatives};
    int n = 0;
    for (size_t l = 0; l < G_N_ELEMENTS(lists); l++) {
        for (guint i = 0; i < lists[l]->len; i++) {
            PeLabel *label = lists[l]->pdata[i];
            const PeLabel *first = g_hash_table_lookup(seen, label->name);
            if (!first) {
                g_hash_table_insert(seen, label->name, label);
                continue;
            }
            g_autofree char *quoted = pe_quote(label->name);
            char *warning = g_strdup_printf(
                "%s: repeats the name %s of %s: they will share their score",
                label->where, quoted, first->where);
            pe_log(PE_LOG_WARNING, "%s", warning);
            g_ptr_array_add(warnings, warning);
            if (++n == MAX_REPEATED_TOLD)
                return;
        }
    }
}

bool
pe_label_spec_complete(PeLabelSpec *spec, const char *where, GError **error)
{
    if (spec->labels->len == 0)
        return fail(error, where, "no labels");
    if (spec->templates->len == 0)
        g_ptr_array_add(spec->templates, g_strdup(PE_DEFAULT_TEMPLATE));
    return true;
}

GPtrArray *
pe_label_spec_list_prompts(const PeLabelSpec *spec, const PeLabel *label)
{
    if (label->prompts)
        return g_ptr_array_ref(label->prompts);
    GPtrArray *prompts = g_ptr_array_new_with_free_func(g_free);
    guint n = label->image_weight == 1 ? 0 : spec->templates->len;
    for (guint i = 0; i < n; i++) {
        GString *text = g_string_new(spec->templates->pdata[i]);
        g_string_replace(text, PLACE, label->name, 0);
        g_ptr_array_add(prompts, g_string_free(text, FALSE));
    }
    return prompts;
}

// ---- Text -----------------------------------------------------------------

// Split at bars; `\|` is a bar that does not split. Returns an array of char *.
static GPtrArray *
split_bars(const char *text)
{
    GPtrArray *parts = g_ptr_array_new_with_free_func(g_free);
    GString *part = g_string_new(NULL);
    for (const char *p = text; *p; p++) {
        if (p[0] == '\\' && p[1] == '|') {
            g_string_append_c(part, *++p);
        } else if (*p == '|') {
            g_ptr_array_add(parts, g_string_free(part, FALSE));
            part = g_string_new(NULL);
        } else {
            g_string_append_c(part, *p);
        }
    }
    g_ptr_array_add(parts, g_string_free(part, FALSE));
    return parts;
}

bool
pe_label_list_add_bars(GPtrArray *list, const char *text, const char *what,
                       GError **error)
{
    g_autoptr(GPtrArray) parts = split_bars(text);
    for (guint i = 0; i < parts->len; i++) {
        g_autofree char *where =
            g_strdup_printf("%s %u of %u", what, i + 1, parts->len);
        PeLabel *label = pe_label_new(parts->pdata[i]);
        if (!pe_label_list_add(list, label, where, error))
            return false;
    }
    return true;
}

bool
pe_label_spec_set_templates(PeLabelSpec *spec, const char *text, GError **error)
{
    if (!text || !*text)
        return true;
    g_autoptr(GPtrArray) templates = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) parts = split_bars(text);
    for (guint i = 0; i < parts->len; i++) {
        g_autofree char *where =
            g_strdup_printf("prompt template %u of %u", i + 1, parts->len);
        if (!pe_template_list_add(templates, parts->pdata[i], where, error))
            return false;
    }
    g_ptr_array_unref(spec->templates);
    spec->templates = g_steal_pointer(&templates);
    return true;
}

bool
pe_label_spec_add_negatives(PeLabelSpec *spec, const char *text, GError **error)
{
    if (!text || !*text)
        return true;
    guint old = spec->negatives->len;
    bool none = strcmp(text, NONE) == 0;
    if (none)
        g_ptr_array_set_size(spec->negatives, 0);
    if (none || pe_label_list_add_bars(spec->negatives, text, "negative label",
                                       error)) {
        spec->has_negatives = true;
        return true;
    }
    g_ptr_array_set_size(spec->negatives, (int)old);
    return false;
}

void
pe_label_spec_set_mode(PeLabelSpec *spec, PeLabelsMode mode)
{
    spec->mode = mode;
}

void
pe_label_spec_set_picture_reader(PeLabelSpec *spec, PePictureReader reader)
{
    spec->read_picture = reader;
}
