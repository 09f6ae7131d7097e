// SPDX-License-Identifier: LGPL-2.1-or-later
//
// list_elements.c - prints what GObject and the registry know of elements, as
// JSON: list_elements ELEMENT... An element that is not there is null. Called
// by check_elements.py, which makes a document of it.

#include <gst/gst.h>
#include <gst/video/video.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <string.h>

static void
add_string(JsonBuilder *b, const char *name, const char *value)
{
    json_builder_set_member_name(b, name);
    if (value)
        json_builder_add_string_value(b, value);
    else
        json_builder_add_null_value(b);
}

static void
add_number(JsonBuilder *b, const char *name, double value)
{
    g_autofree char *text = g_strdup_printf("%.10g", value);
    add_string(b, name, text);
}

// ---- Caps -----------------------------------------------------------------

static char *
tell_value(const GValue *value)
{
    GString *text = g_string_new(NULL);
    if (GST_VALUE_HOLDS_LIST(value)) {
        guint n = gst_value_list_get_size(value);
        for (guint i = 0; i < n; i++) {
            g_autofree char *item =
                tell_value(gst_value_list_get_value(value, i));
            g_string_append_printf(text, "%s%s", i ? ", " : "", item);
        }
    } else if (GST_VALUE_HOLDS_INT_RANGE(value)) {
        g_string_printf(text, "%d to %d", gst_value_get_int_range_min(value),
                        gst_value_get_int_range_max(value));
    } else if (GST_VALUE_HOLDS_FRACTION_RANGE(value)) {
        g_autofree char *low =
            tell_value(gst_value_get_fraction_range_min(value));
        g_autofree char *high =
            tell_value(gst_value_get_fraction_range_max(value));
        g_string_printf(text, "%s to %s", low, high);
    } else if (GST_VALUE_HOLDS_FRACTION(value)) {
        g_string_printf(text, "%d/%d", gst_value_get_fraction_numerator(value),
                        gst_value_get_fraction_denominator(value));
    } else if (G_VALUE_HOLDS_STRING(value)) {
        g_string_assign(text, g_value_get_string(value));
    } else {
        g_autofree char *any = gst_value_serialize(value);
        g_string_assign(text, any);
    }
    return g_string_free(text, FALSE);
}

// The formats that GStreamer draws compositions on are others in each of its
// versions, and are told by their name.
static bool
are_blendable(const GValue *formats)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(
        GST_VIDEO_CAPS_MAKE(GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS));
    const GValue *blendable =
        gst_structure_get_value(gst_caps_get_structure(caps, 0), "format");
    return gst_value_compare(formats, blendable) == GST_VALUE_EQUAL;
}

static void
add_structure(JsonBuilder *b, const GstStructure *structure,
              const GstCapsFeatures *features)
{
    json_builder_begin_object(b);
    add_string(b, "name", gst_structure_get_name(structure));
    g_autofree char *memory = gst_caps_features_to_string(features);
    add_string(b, "features", memory);
    for (int i = 0; i < gst_structure_n_fields(structure); i++) {
        const char *name = gst_structure_nth_field_name(structure, (guint)i);
        const GValue *value = gst_structure_get_value(structure, name);
        g_autofree char *text =
            strcmp(name, "format") == 0 && are_blendable(value)
                ? g_strdup("GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS")
                : tell_value(value);
        add_string(b, name, text);
    }
    json_builder_end_object(b);
}

static void
add_pads(JsonBuilder *b, GstElementFactory *factory)
{
    static const char *const presences[] = {"always", "sometimes", "request"};
    json_builder_set_member_name(b, "pads");
    json_builder_begin_array(b);
    const GList *list = gst_element_factory_get_static_pad_templates(factory);
    for (; list; list = list->next) {
        GstStaticPadTemplate *pad = list->data;
        g_autoptr(GstCaps) caps = gst_static_pad_template_get_caps(pad);
        json_builder_begin_object(b);
        add_string(b, "name", pad->name_template);
        add_string(b, "presence", presences[pad->presence]);
        json_builder_set_member_name(b, "caps");
        json_builder_begin_array(b);
        for (guint i = 0; i < gst_caps_get_size(caps); i++)
            add_structure(b, gst_caps_get_structure(caps, i),
                          gst_caps_get_features(caps, i));
        json_builder_end_array(b);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}

// ---- Properties -----------------------------------------------------------

static void
add_choice(JsonBuilder *b, const char *nick, const char *blurb)
{
    json_builder_begin_object(b);
    add_string(b, "nick", nick);
    add_string(b, "blurb", blurb);
    json_builder_end_object(b);
}

static void
add_choices(JsonBuilder *b, GParamSpec *spec)
{
    json_builder_set_member_name(b, "choices");
    json_builder_begin_array(b);
    if (G_IS_PARAM_SPEC_ENUM(spec)) {
        GEnumClass *klass = G_PARAM_SPEC_ENUM(spec)->enum_class;
        for (guint i = 0; i < klass->n_values; i++)
            add_choice(b, klass->values[i].value_nick,
                       klass->values[i].value_name);
    } else if (G_IS_PARAM_SPEC_FLAGS(spec)) {
        GFlagsClass *klass = G_PARAM_SPEC_FLAGS(spec)->flags_class;
        for (guint i = 0; i < klass->n_values; i++)
            add_choice(b, klass->values[i].value_nick,
                       klass->values[i].value_name);
    }
    json_builder_end_array(b);
}

static void
add_fraction_range(JsonBuilder *b, GParamSpec *spec)
{
    GstParamSpecFraction *f = GST_PARAM_SPEC_FRACTION(spec);
    g_autofree char *min = g_strdup_printf("%d/%d", f->min_num, f->min_den);
    g_autofree char *max = g_strdup_printf("%d/%d", f->max_num, f->max_den);
    add_string(b, "min", min);
    add_string(b, "max", max);
}

#define ADD_RANGE(TYPE) \
    if (G_IS_PARAM_SPEC_##TYPE(spec)) { \
        add_number(b, "min", (double)G_PARAM_SPEC_##TYPE(spec)->minimum); \
        add_number(b, "max", (double)G_PARAM_SPEC_##TYPE(spec)->maximum); \
    }

static void
add_range(JsonBuilder *b, GParamSpec *spec)
{
    ADD_RANGE(INT)
    ADD_RANGE(UINT)
    ADD_RANGE(INT64)
    ADD_RANGE(UINT64)
    ADD_RANGE(FLOAT)
    ADD_RANGE(DOUBLE)
    if (GST_IS_PARAM_SPEC_FRACTION(spec))
        add_fraction_range(b, spec);
}

static char *
tell_flags(GFlagsClass *klass, guint value)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < klass->n_values; i++) {
        if (value & klass->values[i].value)
            g_string_append_printf(text, "%s%s", text->len ? "+" : "",
                                   klass->values[i].value_nick);
    }
    return g_string_free(text, FALSE);
}

// As gst_parse_launch() takes it; NULL: there is none
static char *
tell_default(GParamSpec *spec)
{
    const GValue *value = g_param_spec_get_default_value(spec);
    if (G_VALUE_HOLDS_STRING(value))
        return g_value_dup_string(value);
    if (G_VALUE_HOLDS_BOOLEAN(value))
        return g_strdup(g_value_get_boolean(value) ? "true" : "false");
    if (G_VALUE_HOLDS_ENUM(value)) {
        GEnumValue *choice = g_enum_get_value(
            G_PARAM_SPEC_ENUM(spec)->enum_class, g_value_get_enum(value));
        return g_strdup(choice->value_nick);
    }
    if (G_VALUE_HOLDS_FLAGS(value))
        return tell_flags(G_PARAM_SPEC_FLAGS(spec)->flags_class,
                          g_value_get_flags(value));
    if (G_VALUE_HOLDS_DOUBLE(value))
        return g_strdup_printf("%.10g", g_value_get_double(value));
    if (G_VALUE_HOLDS_BOXED(value) || G_VALUE_HOLDS_OBJECT(value))
        return NULL;
    return gst_value_serialize(value);
}

static const char *
tell_type(GParamSpec *spec)
{
    if (G_IS_PARAM_SPEC_ENUM(spec))
        return "enum";
    if (G_IS_PARAM_SPEC_FLAGS(spec))
        return "flags";
    if (G_IS_PARAM_SPEC_STRING(spec))
        return "string";
    return g_type_name(spec->value_type);
}

// When it may be set; NULL: at any time
static const char *
tell_state(GParamSpec *spec)
{
    if (!(spec->flags & G_PARAM_WRITABLE))
        return NULL;
    if (spec->flags & GST_PARAM_MUTABLE_PLAYING)
        return "playing";
    if (spec->flags & GST_PARAM_MUTABLE_PAUSED)
        return "paused";
    return spec->flags & GST_PARAM_MUTABLE_READY ? "ready" : NULL;
}

static void
add_property(JsonBuilder *b, GParamSpec *spec)
{
    g_autofree char *value = tell_default(spec);
    json_builder_begin_object(b);
    add_string(b, "name", spec->name);
    add_string(b, "type", tell_type(spec));
    add_string(b, "blurb", g_param_spec_get_blurb(spec));
    add_string(b, "default", value);
    add_string(b, "state", tell_state(spec));
    json_builder_set_member_name(b, "readable");
    json_builder_add_boolean_value(b, (spec->flags & G_PARAM_READABLE) != 0);
    json_builder_set_member_name(b, "writable");
    json_builder_add_boolean_value(b, (spec->flags & G_PARAM_WRITABLE) != 0);
    json_builder_set_member_name(b, "controllable");
    json_builder_add_boolean_value(b,
                                   (spec->flags & GST_PARAM_CONTROLLABLE) != 0);
    add_range(b, spec);
    add_choices(b, spec);
    json_builder_end_object(b);
}

// Those of our classes, in the order in which they were installed.
static void
add_properties(JsonBuilder *b, GstElement *element)
{
    guint n;
    g_autofree GParamSpec **specs =
        g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &n);
    json_builder_set_member_name(b, "properties");
    json_builder_begin_array(b);
    for (guint i = 0; i < n; i++) {
        if (g_str_has_prefix(g_type_name(specs[i]->owner_type), "GstPe"))
            add_property(b, specs[i]);
    }
    json_builder_end_array(b);
}

// ---- Signals --------------------------------------------------------------

static void
add_signals(JsonBuilder *b, GType type)
{
    guint n;
    g_autofree guint *ids = g_signal_list_ids(type, &n);
    json_builder_set_member_name(b, "signals");
    json_builder_begin_array(b);
    for (guint i = 0; i < n; i++) {
        GSignalQuery query;
        g_signal_query(ids[i], &query);
        json_builder_begin_object(b);
        add_string(b, "name", query.signal_name);
        add_string(b, "returns", g_type_name(query.return_type));
        json_builder_set_member_name(b, "action");
        json_builder_add_boolean_value(
            b, (query.signal_flags & G_SIGNAL_ACTION) != 0);
        json_builder_set_member_name(b, "takes");
        json_builder_begin_array(b);
        for (guint k = 0; k < query.n_params; k++)
            json_builder_add_string_value(b, g_type_name(query.param_types[k]));
        json_builder_end_array(b);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}

// ---- Elements -------------------------------------------------------------

static void
add_element(JsonBuilder *b, const char *name)
{
    g_autoptr(GstElementFactory) factory = gst_element_factory_find(name);
    g_autoptr(GstElement) element =
        factory ? gst_element_factory_create(factory, NULL) : NULL;
    if (!element) {
        json_builder_add_null_value(b);
        return;
    }
    gst_object_ref_sink(element);
    json_builder_begin_object(b);
    add_string(b, "title",
               gst_element_factory_get_metadata(factory, "long-name"));
    add_string(b, "klass", gst_element_factory_get_metadata(factory, "klass"));
    add_string(b, "description",
               gst_element_factory_get_metadata(factory, "description"));
    add_string(b, "type", G_OBJECT_TYPE_NAME(element));
    add_string(b, "parent", g_type_name(g_type_parent(G_OBJECT_TYPE(element))));
    add_pads(b, factory);
    add_properties(b, element);
    add_signals(b, G_OBJECT_TYPE(element));
    json_builder_end_object(b);
}

int
main(int argc, char **argv)
{
    gst_init(NULL, NULL);
    g_autoptr(JsonBuilder) b = json_builder_new();
    json_builder_begin_object(b);
#ifdef HAVE_GST_CUDA
    add_string(b, "", "memory:CUDAMemory");
#else
    add_string(b, "", NULL);
#endif
    for (int i = 1; i < argc; i++) {
        json_builder_set_member_name(b, argv[i]);
        add_element(b, argv[i]);
    }
    json_builder_end_object(b);
    g_autoptr(JsonNode) root = json_builder_get_root(b);
    g_autofree char *text = json_to_string(root, TRUE);
    g_print("%s\n", text);
    return 0;
}
