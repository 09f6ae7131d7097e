// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelproperties.h - the properties of an element that has labels: rows
// of its own, and those about labels, results and events, which every such
// element has, with the signal that sets several of them at once.

#pragma once

#include "gst/labels/gstpejudge.h"
#include "gst/labels/gstpelabelsource.h"
#include "gst/labels/gstpeproperty.h"

// Where an object keeps its properties.
typedef struct {
    void *keeper;             // of the rows' offsets
    GMutex *lock;             // of the keeper
    GstPeLabelSource *labels; // of the rows that are kept elsewhere by
                              // 1 + GstPeLabelSetting
    bool started;             // those that count from a start on are in use
} GstPeKept;

typedef struct {
    // Set these, then install.
    const GstPeProperty *own; // [n_own] of the element, in the order of ids
    guint n_own;
    size_t judge; // offset of the GstPeJudgeSettings in the keeper
    GstPeKept (*get_kept)(GObject *object);

    GstPeProperty *rows; // [n]; ids begin with 1
    GParamSpec **specs;  // [n + 1]
    guint n;
    GObjectClass *parent_class;
} GstPePropertyTable;

// Of a class, once; it lives as long as the process.
void gst_pe_property_table_install(GstPePropertyTable *table,
                                   GObjectClass *klass);
// The defaults of an object.
void gst_pe_property_table_init(const GstPePropertyTable *table,
                                GObject *object);
// Not of a GST_PE_PROPERTY_STRUCTURE, which the element makes when asked.
void gst_pe_property_table_set(const GstPePropertyTable *table, GObject *object,
                               guint id, const GValue *value);
void gst_pe_property_table_get(const GstPePropertyTable *table, GObject *object,
                               guint id, GValue *value);
