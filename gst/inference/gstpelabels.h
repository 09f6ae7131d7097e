// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabels.h - the label set in use, and a newer one on its way. Embedding a
// label set takes the text tower up to seconds, so a change in PLAYING is
// computed on another thread while the old set stays in use.

#pragma once

#include "core/pe.h"

#include <gst/gst.h>

typedef enum {
    GST_PE_LABELS_TEXT,      // "a dog|a cat"
    GST_PE_LABELS_FILE,      // path
    GST_PE_LABELS_TEMPLATE,  // "a video of {}."
    GST_PE_LABELS_NEGATIVES, // "a wall|nothing"
    GST_PE_LABELS_VOCAB,     // path
    GST_PE_LABELS_N_SETTINGS,
} GstPeLabelsSetting;

typedef struct {
    GstElement *element; // borrowed
    GMutex lock;
    char *settings[GST_PE_LABELS_N_SETTINGS];
    uint64_t generation; // of settings
    bool busy;           // a thread is computing a set
    PeEngine *engine;    // NULL: stopped
    PeLabels *current;   // NULL: no labels are set
} GstPeLabels;

void gst_pe_labels_init(GstPeLabels *labels, GstElement *element);
void gst_pe_labels_clear(GstPeLabels *labels);

// Changes the set in use when there is an engine; a set that cannot be made
// posts a warning and leaves the old one in use.
void gst_pe_labels_set(GstPeLabels *labels, GstPeLabelsSetting setting,
                       const char *value);
// Returns a copy, g_free(), or NULL.
char *gst_pe_labels_dup(GstPeLabels *labels, GstPeLabelsSetting setting);

// Compute the first set and wait for it.
bool gst_pe_labels_start(GstPeLabels *labels, PeEngine *engine, GError **error);
void gst_pe_labels_stop(GstPeLabels *labels);

// Returns a reference to the set in use, or NULL when no labels are set.
PeLabels *gst_pe_labels_get(GstPeLabels *labels);
