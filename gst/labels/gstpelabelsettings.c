// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelsettings.c - see gstpelabelsettings.h.

#include "gst/labels/gstpelabelsettings.h"

#include "gst/labels/regions/gstperegionread.h"
#include "gst/video/gstpepicture.h"

#define AUTO "auto" // the mode is that of the labels file

static const struct {
    const char *field;
    GstPeLabelSetting setting;
} set_fields[] = {
    {"labels", GST_PE_LABELS_TEXT},
    {"labels-file", GST_PE_LABELS_FILE},
    {"prompt-template", GST_PE_LABELS_TEMPLATE},
    {"negative-labels", GST_PE_LABELS_NEGATIVES},
    {"labels-mode", GST_PE_LABELS_MODE},
    {"bank", GST_PE_LABELS_BANK},
    {"regions", GST_PE_LABELS_REGIONS},
    {"regions-file", GST_PE_LABELS_REGIONS_FILE},
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
    bool is_default =
        !value || !*value ||
        (setting == GST_PE_LABELS_MODE && g_str_equal(value, AUTO));

    g_free(settings->values[setting]);
    settings->values[setting] = is_default ? NULL : g_strdup(value);
}

char *
gst_pe_label_settings_dup(const GstPeLabelSettings *settings,
                          GstPeLabelSetting setting)
{
    const char *value = settings->values[setting];

    if (!value && setting == GST_PE_LABELS_TEMPLATE)
        value = PE_DEFAULT_TEMPLATE;
    if (!value && setting == GST_PE_LABELS_MODE)
        value = AUTO;
    return g_strdup(value);
}

bool
gst_pe_label_settings_read(GstPeLabelSettings *settings,
                           const GstStructure *set, bool regions,
                           GError **error)
{
    int n_known = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(set_fields); i++) {
        const char *field = set_fields[i].field;
        bool of_regions = set_fields[i].setting == GST_PE_LABELS_REGIONS ||
                          set_fields[i].setting == GST_PE_LABELS_REGIONS_FILE;
        if (!gst_structure_has_field(set, field) || (of_regions && !regions))
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
                "prompt-template, negative-labels, labels-mode%s, found %s",
                regions ? ", bank, regions and regions-file" : " and bank",
                text);
    return false;
}

static bool
set_mode(PeLabelSpec *spec, const char *nick, GError **error)
{
    PeLabelsMode mode;

    if (!nick)
        return true;
    if (!pe_labels_mode_parse(nick, &mode)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "labels-mode: expected auto, exclusive or independent, "
                    "found %s",
                    nick);
        return false;
    }
    pe_label_spec_set_mode(spec, mode);
    return true;
}

// *spec becomes NULL when no labels are set.
static bool
make_spec(const GstPeLabelSettings *settings, PeLabelSpec **spec,
          GError **error)
{
    const char *text = settings->values[GST_PE_LABELS_TEXT];
    const char *file = settings->values[GST_PE_LABELS_FILE];
    const char *templates = settings->values[GST_PE_LABELS_TEMPLATE];
    const char *negatives = settings->values[GST_PE_LABELS_NEGATIVES];
    const char *mode = settings->values[GST_PE_LABELS_MODE];
    const char *bank = settings->values[GST_PE_LABELS_BANK];

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
    if (*spec)
        pe_label_spec_set_picture_reader(*spec, gst_pe_picture_read);
    if (*spec && pe_label_spec_set_templates(*spec, templates, error) &&
        pe_label_spec_add_negatives(*spec, negatives, error) &&
        set_mode(*spec, mode, error) &&
        pe_label_spec_set_bank(*spec, bank, error))
        return true;
    g_clear_pointer(spec, pe_label_spec_free);
    return false;
}

// ---- Named regions --------------------------------------------------------

// The region's own labels, with the templates, negatives and bank of the
// settings.
static bool
make_region_spec(const GstPeLabelSettings *settings, GstPeNamedRegion *region,
                 GError **error)
{
    g_auto(GstPeLabelSettings) own = {{NULL}};

    if (!region->text)
        return true;
    gst_pe_label_settings_copy(&own, settings);
    gst_pe_label_settings_set(&own, GST_PE_LABELS_TEXT, region->text);
    gst_pe_label_settings_set(&own, GST_PE_LABELS_FILE, NULL);
    if (region->mode)
        gst_pe_label_settings_set(&own, GST_PE_LABELS_MODE, region->mode);
    if (make_spec(&own, &region->spec, error))
        return true;
    g_prefix_error(error, "regions: region %s: ", region->name);
    return false;
}

// *regions becomes NULL when none are set.
static bool
make_regions(const GstPeLabelSettings *settings, GstPeRegions **regions,
             GError **error)
{
    const char *text = settings->values[GST_PE_LABELS_REGIONS];
    const char *file = settings->values[GST_PE_LABELS_REGIONS_FILE];

    *regions = NULL;
    if (!text && !file)
        return true;
    if (text && file) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "regions and regions-file are both set; clear one of them");
        return false;
    }
    *regions = text ? gst_pe_regions_parse(text, error)
                    : gst_pe_regions_load(file, error);
    bool ok = *regions != NULL;
    for (guint i = 0; ok && i < (*regions)->n; i++)
        ok = make_region_spec(settings, &(*regions)->regions[i], error);
    if (!ok)
        g_clear_pointer(regions, gst_pe_regions_unref);
    return ok;
}

// ---- Both -----------------------------------------------------------------

void
gst_pe_asked_clear(GstPeAsked *asked)
{
    g_clear_pointer(&asked->spec, pe_label_spec_free);
    g_clear_pointer(&asked->regions, gst_pe_regions_unref);
}

bool
gst_pe_label_settings_ask(const GstPeLabelSettings *settings, GstPeAsked *asked,
                          GError **error)
{
    *asked = (GstPeAsked){0};
    if (make_spec(settings, &asked->spec, error) &&
        make_regions(settings, &asked->regions, error))
        return true;
    gst_pe_asked_clear(asked);
    return false;
}
