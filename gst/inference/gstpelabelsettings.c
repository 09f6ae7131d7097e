// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelsettings.c - see gstpelabelsettings.h.

#include "gst/inference/gstpelabelsettings.h"

static const struct {
    const char *field;
    GstPeLabelSetting setting;
} set_fields[] = {
    {"labels", GST_PE_LABELS_TEXT},
    {"labels-file", GST_PE_LABELS_FILE},
    {"prompt-template", GST_PE_LABELS_TEMPLATE},
    {"negative-labels", GST_PE_LABELS_NEGATIVES},
};

void
gst_pe_label_settings_copy(GstPeLabelSettings *to,
                           const GstPeLabelSettings *from)
{
    for (int i = 0; i < GST_PE_LABELS_N_SETTINGS; i++)
        to->values[i] = g_strdup(from->values[i]);
}

void
gst_pe_label_settings_clear(GstPeLabelSettings *settings)
{
    for (int i = 0; i < GST_PE_LABELS_N_SETTINGS; i++)
        g_clear_pointer(&settings->values[i], g_free);
}

void
gst_pe_label_settings_set(GstPeLabelSettings *settings,
                          GstPeLabelSetting setting, const char *value)
{
    g_free(settings->values[setting]);
    settings->values[setting] = value && *value ? g_strdup(value) : NULL;
}

char *
gst_pe_label_settings_dup(const GstPeLabelSettings *settings,
                          GstPeLabelSetting setting)
{
    const char *value = settings->values[setting];

    if (!value && setting == GST_PE_LABELS_TEMPLATE)
        value = PE_DEFAULT_TEMPLATE;
    return g_strdup(value);
}

bool
gst_pe_label_settings_read(GstPeLabelSettings *settings,
                           const GstStructure *set, GError **error)
{
    int n_known = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(set_fields); i++) {
        const char *field = set_fields[i].field;
        if (!gst_structure_has_field(set, field))
            continue;
        n_known++;
        if (!gst_structure_has_field_typed(set, field, G_TYPE_STRING)) {
            g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                        "set-labels: expected %s to be a string, found %s",
                        field,
                        g_type_name(gst_structure_get_field_type(set, field)));
            return false;
        }
        gst_pe_label_settings_set(settings, set_fields[i].setting,
                                  gst_structure_get_string(set, field));
    }
    if (n_known == gst_structure_n_fields(set))
        return true;
    g_autofree char *text = gst_structure_to_string(set);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "set-labels: expected only labels, labels-file, "
                "prompt-template and negative-labels, found %s",
                text);
    return false;
}

bool
gst_pe_label_settings_make_spec(const GstPeLabelSettings *settings,
                                PeLabelSpec **spec, GError **error)
{
    const char *text = settings->values[GST_PE_LABELS_TEXT];
    const char *file = settings->values[GST_PE_LABELS_FILE];
    const char *templates = settings->values[GST_PE_LABELS_TEMPLATE];
    const char *negatives = settings->values[GST_PE_LABELS_NEGATIVES];

    *spec = NULL;
    if (!text && !file)
        return true;
    if (text && file) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "labels and labels-file are both set; clear one of them");
        return false;
    }
    *spec = text ? pe_label_spec_parse(text, error)
                 : pe_label_spec_load(file, error);
    if (*spec && pe_label_spec_set_templates(*spec, templates, error) &&
        pe_label_spec_add_negatives(*spec, negatives, error))
        return true;
    g_clear_pointer(spec, pe_label_spec_free);
    return false;
}
