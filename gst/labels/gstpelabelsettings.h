// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelsettings.h - what the user says about labels, as texts, and what it
// means. Knows no element and no thread.

#pragma once

#include "core/pe.h"
#include "gst/labels/regions/gstperegions.h"

#include <gst/gst.h>

typedef enum {
    GST_PE_LABELS_TEXT,      // "a dog|a cat", or JSON
    GST_PE_LABELS_FILE,      // path
    GST_PE_LABELS_TEMPLATE,  // "a video of {}."
    GST_PE_LABELS_NEGATIVES, // "a wall|nothing", "none"
    GST_PE_LABELS_MODE,      // a nick of PeLabelsMode
    GST_PE_LABELS_BANK,      // path, "off"
    GST_PE_LABELS_REGIONS,   // see gstperegionread.h
    GST_PE_LABELS_REGIONS_FILE,
    GST_PE_LABELS_VOCAB, // path; counts from the next start on
    GST_PE_LABELS_N_SETTINGS,
} GstPeLabelSetting;

typedef struct {
    char *values[GST_PE_LABELS_N_SETTINGS]; // NULL: the default; never ""
} GstPeLabelSettings;

void gst_pe_label_settings_copy(GstPeLabelSettings *to,
                                const GstPeLabelSettings *from);
void gst_pe_label_settings_clear(GstPeLabelSettings *settings);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GstPeLabelSettings,
                                 gst_pe_label_settings_clear)

void gst_pe_label_settings_set(GstPeLabelSettings *settings,
                               GstPeLabelSetting setting, const char *value);
// Returns a copy, g_free(), or NULL.
char *gst_pe_label_settings_dup(const GstPeLabelSettings *settings,
                                GstPeLabelSetting setting);

// Fill empty settings from a structure with the fields labels, labels-file,
// prompt-template, negative-labels, labels-mode, bank, regions and
// regions-file, all strings. Any other field is an error; so are the last two
// without `regions`.
bool gst_pe_label_settings_read(GstPeLabelSettings *settings,
                                const GstStructure *set, bool regions,
                                GError **error);

// What the settings ask for.
typedef struct {
    PeLabelSpec *spec;     // NULL: no labels
    GstPeRegions *regions; // NULL: none; each has its spec, and no labels yet
} GstPeAsked;

void gst_pe_asked_clear(GstPeAsked *asked);

// Templates, negatives, mode and bank alone are no set: they wait for labels.
// Those of named regions have them too, unless they say otherwise. false:
// *asked is empty.
bool gst_pe_label_settings_ask(const GstPeLabelSettings *settings,
                               GstPeAsked *asked, GError **error);
