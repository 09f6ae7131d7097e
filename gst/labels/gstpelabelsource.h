// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelsource.h - where results take their labels from: the set in use and
// those of named regions, and newer ones on their way; all change together.
// Embedding a label set takes the text tower up to seconds, so a change in
// PLAYING is computed on another thread while the old set stays in use. Any
// thread.

#pragma once

#include "core/pe.h"
#include "gst/labels/gstpelabelsettings.h"

#include <gst/gst.h>

typedef struct {
    GstElement *element; // borrowed
    bool takes_regions;  // named regions are among the settings
    GMutex changing;     // held while a change is read; taken before `lock`
    GMutex lock;         // of all below
    GstPeLabelSettings settings; // as the properties say
    bool changed;                // since they were last committed
    uint64_t run;                // changes with every start and stop
    PeEngine *engine;            // NULL: stopped
    PeTokenizer *tokenizer; // of the engine's model; NULL: not needed so far
    char *vocab;            // that this run began with
    GstPeAsked wanted;      // until a thread takes it
    uint64_t generation;    // of what is wanted
    bool busy;              // a thread is computing a set
    GHashTable *told;       // char *, fingerprints: notes were posted
    PeLabels *current;      // NULL: no labels are set
    GstPeRegions *regions;  // in use, with their labels; NULL: none
} GstPeLabelSource;

void gst_pe_label_source_init(GstPeLabelSource *source, GstElement *element,
                              bool takes_regions);
void gst_pe_label_source_clear(GstPeLabelSource *source);

// Note a setting. Nothing changes before gst_pe_label_source_commit(), so that
// labels, templates and negatives can change together. NULL and "" restore the
// default.
void gst_pe_label_source_set(GstPeLabelSource *source,
                             GstPeLabelSetting setting, const char *value);
// Returns a copy, g_free(), or NULL.
char *gst_pe_label_source_dup(GstPeLabelSource *source,
                              GstPeLabelSetting setting);

// Make the settings those of the set in use, once it is computed. What cannot
// be used posts a warning and leaves the old set in use.
void gst_pe_label_source_commit(GstPeLabelSource *source);

// A whole set at once: what `set` does not name gets its default, but for named
// regions, which stay. Returns false
// after a warning when it cannot be used; then nothing has changed.
bool gst_pe_label_source_set_all(GstPeLabelSource *source,
                                 const GstStructure *set);

// Compute the first set and wait for it.
bool gst_pe_label_source_start(GstPeLabelSource *source, PeEngine *engine,
                               GError **error);
void gst_pe_label_source_stop(GstPeLabelSource *source);

// Returns a reference to the set in use, or NULL when no labels are set.
PeLabels *gst_pe_label_source_get(GstPeLabelSource *source);
// Returns a reference to the named regions in use, with their labels, or NULL
// when there are none.
GstPeRegions *gst_pe_label_source_get_regions(GstPeLabelSource *source);
