// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeproperty.h - properties of an element as rows of a table. A row says
// what GObject has to know, and where in a struct the value is kept;
// installing, setting, getting and the defaults walk the rows. Knows no
// element.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

typedef enum {
    GST_PE_PROPERTY_BOOLEAN,   // bool
    GST_PE_PROPERTY_INT,       // int
    GST_PE_PROPERTY_UINT,      // guint
    GST_PE_PROPERTY_DOUBLE,    // double
    GST_PE_PROPERTY_ENUM,      // an enumeration of C
    GST_PE_PROPERTY_FRACTION,  // int, int: numerator and denominator
    GST_PE_PROPERTY_STRING,    // char *, owned
    GST_PE_PROPERTY_STRUCTURE, // GstStructure, not kept
} GstPePropertyType;

typedef struct {
    const char *name;
    GstPePropertyType type;
    GParamFlags flags;
    size_t offset; // of the value in the struct that keeps it
    // Not 0: kept elsewhere; the element reads and writes the value itself, and
    // knows by this number which one is meant.
    int elsewhere;
    bool in_latency;          // a change makes the pipeline ask for latency
    double min, max;          // INT, UINT, DOUBLE, FRACTION
    double init;              // not of a STRING
    const char *init_string;  // of a STRING
    GType (*enum_type)(void); // ENUM
    const char *blurb;        // what gst-inspect-1.0 says
} GstPeProperty;

// Returns a floating reference, for g_object_class_install_properties().
GParamSpec *gst_pe_property_make_spec(const GstPeProperty *property);

// Does a STRING say anything? NULL and "" do not.
static inline bool
gst_pe_property_is_set(const char *text)
{
    return text && *text;
}

// Between a GValue of the right type and the struct that keeps the value. The
// caller has locked it, and the property is not kept elsewhere.
void gst_pe_property_set(const GstPeProperty *property, void *keeper,
                         const GValue *value);
void gst_pe_property_get(const GstPeProperty *property, const void *keeper,
                         GValue *value);
