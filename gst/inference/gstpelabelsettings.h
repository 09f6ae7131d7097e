// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelsettings.h - what the user says about labels, as texts, and what it
// means. Knows no element and no thread.

#pragma once

#include "core/pe.h"

#include <gst/gst.h>

typedef enum {
    GST_PE_LABELS_TEXT,      // "a dog|a cat", or JSON
    GST_PE_LABELS_FILE,      // path
    GST_PE_LABELS_TEMPLATE,  // "a video of {}."
    GST_PE_LABELS_NEGATIVES, // "a wall|nothing"
    GST_PE_LABELS_VOCAB,     // path; counts from the next start on
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
// prompt-template and negative-labels, all strings. Any other field is an
// error.
bool gst_pe_label_settings_read(GstPeLabelSettings *settings,
                                const GstStructure *set, GError **error);

// *spec becomes NULL when no labels are set. Templates and negatives alone are
// no set: they wait for labels.
bool gst_pe_label_settings_make_spec(const GstPeLabelSettings *settings,
                                     PeLabelSpec **spec, GError **error);
