// SPDX-License-Identifier: LGPL-2.1-or-later
//
// settings.c - see settings.h. What a property takes is asked of the element
// itself, so that a new one needs a name here and nothing else.

#include "settings.h"

#include <string.h>

#include "core/pe.h"

// Not those that streams must have in common to share an engine, and not those
// that pe-live sets itself.
static const char *const allowed[] = {
    "alarms-per-day",
    "clip-length",
    "clip-stride",
    "event-cooldown",
    "event-merge-gap",
    "event-min-duration",
    "event-release",
    "event-smoothing",
    "event-state",
    "event-threshold",
    "event-update-interval",
    "frame-rate",
    "hdr",
    "labels",
    "labels-file",
    "max-gap",
    "negative-labels",
    "orientation",
    "prompt-template",
    "regions",
    "regions-file",
    "inference-region",
    "inference-interval",
    "skip-corrupted",
    "threshold",
    "top-k",
    NULL,
};
// Keys that are no property.
static const char *const others[] = {
    "connect-timeout", "loop", "name", "password", "transport", "uri",
    "watchdog",        "user", NULL,
};

// How many letters were put in, left out or changed?
static size_t
count_edits(const char *a, const char *b)
{
    enum { LONGEST = 32 };
    size_t n = strlen(b), row[LONGEST + 1];
    if (n > LONGEST || strlen(a) > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t changed = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            row[j] = MIN(changed, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

static const char *
find_similar(const char *key)
{
    const char *best = NULL;
    size_t least = 3; // more is another word
    const char *const *lists[] = {allowed, others};
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        for (const char *const *name = lists[i]; *name; name++) {
            size_t edits = count_edits(key, *name);
            if (edits < least) {
                least = edits;
                best = *name;
            }
        }
    }
    return best;
}

// Keys of a configuration that have a place of their own.
static const struct {
    const char *key, *place;
} placed[] = {
    {"streams", "the top of a configuration"},
    {"model", "the top of a configuration, or is the option --model"},
    {"vocab", "the top of a configuration, or is the option --vocab"},
    {"device", "the top of a configuration, or is the option --device"},
    {"precision", "the top of a configuration, or is the option --precision"},
    {"name", "a stream in \"streams\""},
    {"uri", "a stream in \"streams\""},
    {"user", "a stream in \"streams\""},
    {"password", "a stream in \"streams\""},
};

static bool
refuse_place(const char *key, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(placed); i++) {
        if (!g_str_equal(key, placed[i].key))
            continue;
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "the key \"%s\" cannot be here; it belongs to %s", key,
                    placed[i].place);
        return true;
    }
    return false;
}

static void
refuse_key(const char *key, GError **error)
{
    if (refuse_place(key, error))
        return;
    const char *similar = find_similar(key);
    g_autofree char *escaped = g_strescape(key, NULL);
    if (similar)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "unknown key \"%.60s\"; is it \"%s\"?", escaped, similar);
    else
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "unknown key \"%.60s\"; docs/pe-live.md lists those that "
                    "there are",
                    escaped);
}

// Labels are read as the element will, because it could only warn.
static bool
check_labels(const char *key, const char *value, GError **error)
{
    g_autofree char *copy = g_strdup(value);
    PeLabelSpec *spec = g_str_equal(key, "labels")
                            ? pe_label_spec_parse(copy, error)
                            : pe_label_spec_load(copy, error);
    if (spec)
        pe_label_spec_free(spec);
    return spec != NULL;
}

// The element says at once what is wrong with a set of them.
static bool
check_regions(const char *key, const char *value, GstElement *inference,
              GError **error)
{
    g_autoptr(GstStructure) set =
        gst_structure_new("labels", key, G_TYPE_STRING, value, NULL);
    g_autoptr(GstBus) bus = gst_bus_new();
    gboolean ok = TRUE;
    gst_element_set_bus(inference, bus);
    g_signal_emit_by_name(inference, "set-labels", set, &ok);
    gst_element_set_bus(inference, NULL);
    g_autoptr(GstMessage) warning =
        gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING);
    g_autoptr(GError) why = NULL;
    if (warning)
        gst_message_parse_warning(warning, &why, NULL);
    if (!ok)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "\"%s\": %s", key,
                    why ? why->message : "it cannot be used");
    gst_bus_set_flushing(bus, TRUE);
    return ok;
}

static bool
check_value(GParamSpec *spec, const char *value)
{
    g_auto(GValue) parsed = G_VALUE_INIT;
    g_value_init(&parsed, spec->value_type);
    if (!gst_value_deserialize_with_pspec(&parsed, value, spec))
        return false;
    // TRUE: the value had to be changed to fit
    return !g_param_value_validate(spec, &parsed);
}

bool
settings_check(const char *key, const char *value, GError **error)
{
    if (!g_strv_contains(allowed, key)) {
        refuse_key(key, error);
        return false;
    }
    if (g_str_equal(key, "labels") || g_str_equal(key, "labels-file")) {
        if (!*value || check_labels(key, value, error))
            return true;
        g_prefix_error(error, "\"%s\": ", key);
        return false;
    }
    g_autoptr(GstElement) inference =
        gst_element_factory_make("peinference", NULL);
    if (!inference)
        return true; // what is missing is told when the program starts
    gst_object_ref_sink(inference);
    if (*value &&
        (g_str_equal(key, "regions") || g_str_equal(key, "regions-file")))
        return check_regions(key, value, inference, error);
    GParamSpec *spec =
        g_object_class_find_property(G_OBJECT_GET_CLASS(inference), key);
    if (spec->value_type == G_TYPE_STRING || check_value(spec, value))
        return true;
    g_autofree char *escaped = g_strescape(value, NULL);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "\"%s\" cannot be \"%.60s\": %s", key, escaped,
                g_param_spec_get_blurb(spec));
    return false;
}

void
settings_apply(Settings *settings, GstElement *inference)
{
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, settings);
    // Together, so that labels and templates are read once.
    g_object_freeze_notify(G_OBJECT(inference));
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        GParamSpec *spec =
            g_object_class_find_property(G_OBJECT_GET_CLASS(inference), key);
        // A text is taken as it is, without GStreamer's quoting.
        if (spec->value_type == G_TYPE_STRING)
            g_object_set(inference, key, value, NULL);
        else
            gst_util_set_object_arg(G_OBJECT(inference), key, value);
    }
    g_object_thaw_notify(G_OBJECT(inference));
}
