// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeproperty.c - see gstpeproperty.h.

#include "gst/labels/gstpeproperty.h"

GParamSpec *
gst_pe_property_make_spec(const GstPeProperty *p)
{
    GParamFlags flags = p->flags | G_PARAM_STATIC_STRINGS;

    switch (p->type) {
    case GST_PE_PROPERTY_BOOLEAN:
        return g_param_spec_boolean(p->name, NULL, p->blurb, p->init != 0,
                                    flags);
    case GST_PE_PROPERTY_INT:
        return g_param_spec_int(p->name, NULL, p->blurb, (int)p->min,
                                (int)p->max, (int)p->init, flags);
    case GST_PE_PROPERTY_UINT:
        return g_param_spec_uint(p->name, NULL, p->blurb, (guint)p->min,
                                 (guint)p->max, (guint)p->init, flags);
    case GST_PE_PROPERTY_DOUBLE:
        return g_param_spec_double(p->name, NULL, p->blurb, p->min, p->max,
                                   p->init, flags);
    case GST_PE_PROPERTY_ENUM:
        return g_param_spec_enum(p->name, NULL, p->blurb, p->enum_type(),
                                 (int)p->init, flags);
    case GST_PE_PROPERTY_FRACTION:
        return gst_param_spec_fraction(p->name, NULL, p->blurb, (int)p->min, 1,
                                       (int)p->max, 1, (int)p->init, 1, flags);
    case GST_PE_PROPERTY_STRING:
        return g_param_spec_string(p->name, NULL, p->blurb, p->init_string,
                                   flags);
    case GST_PE_PROPERTY_STRUCTURE:
        return g_param_spec_boxed(p->name, NULL, p->blurb, GST_TYPE_STRUCTURE,
                                  flags);
    }
    g_return_val_if_reached(NULL);
}

void
gst_pe_property_set(const GstPeProperty *property, void *keeper,
                    const GValue *value)
{
    void *place = (char *)keeper + property->offset;

    switch (property->type) {
    case GST_PE_PROPERTY_BOOLEAN:
        *(bool *)place = g_value_get_boolean(value);
        break;
    case GST_PE_PROPERTY_INT:
        *(int *)place = g_value_get_int(value);
        break;
    case GST_PE_PROPERTY_UINT:
        *(guint *)place = g_value_get_uint(value);
        break;
    case GST_PE_PROPERTY_DOUBLE:
        *(double *)place = g_value_get_double(value);
        break;
    case GST_PE_PROPERTY_ENUM:
        *(int *)place = g_value_get_enum(value);
        break;
    case GST_PE_PROPERTY_FRACTION:
        ((int *)place)[0] = gst_value_get_fraction_numerator(value);
        ((int *)place)[1] = gst_value_get_fraction_denominator(value);
        break;
    case GST_PE_PROPERTY_STRING:
        g_free(*(char **)place);
        *(char **)place = g_value_dup_string(value);
        break;
    case GST_PE_PROPERTY_STRUCTURE:
        g_return_if_reached();
    }
}

void
gst_pe_property_get(const GstPeProperty *property, const void *keeper,
                    GValue *value)
{
    const void *place = (const char *)keeper + property->offset;

    switch (property->type) {
    case GST_PE_PROPERTY_BOOLEAN:
        g_value_set_boolean(value, *(const bool *)place);
        break;
    case GST_PE_PROPERTY_INT:
        g_value_set_int(value, *(const int *)place);
        break;
    case GST_PE_PROPERTY_UINT:
        g_value_set_uint(value, *(const guint *)place);
        break;
    case GST_PE_PROPERTY_DOUBLE:
        g_value_set_double(value, *(const double *)place);
        break;
    case GST_PE_PROPERTY_ENUM:
        g_value_set_enum(value, *(const int *)place);
        break;
    case GST_PE_PROPERTY_FRACTION:
        gst_value_set_fraction(value, ((const int *)place)[0],
                               ((const int *)place)[1]);
        break;
    case GST_PE_PROPERTY_STRING:
        g_value_set_string(value, *(char *const *)place);
        break;
    case GST_PE_PROPERTY_STRUCTURE:
        g_return_if_reached();
    }
}
