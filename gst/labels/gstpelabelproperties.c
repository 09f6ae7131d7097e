// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelproperties.c - see gstpelabelproperties.h.

#include "gst/labels/gstpelabelproperties.h"

#include "gst/labels/gstpelabelenums.h"

#define BOOLEAN GST_PE_PROPERTY_BOOLEAN
#define UINT GST_PE_PROPERTY_UINT
#define DOUBLE GST_PE_PROPERTY_DOUBLE
#define ENUM GST_PE_PROPERTY_ENUM
#define STRING GST_PE_PROPERTY_STRING
#define STRUCTURE GST_PE_PROPERTY_STRUCTURE

#define PLAYING (G_PARAM_READWRITE | GST_PARAM_MUTABLE_PLAYING)

#define AT(member) .offset = offsetof(GstPeJudgeSettings, member)
#define OF_LABELS(setting) .elsewhere = 1 + (setting)

static const GstPeProperty shared_rows[] = {
    // ---- Labels -----------------------------------------------------------
    {"labels", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_TEXT),
     .blurb = "What to look for, in plain words. Example: a dog|a cat, where "
              "\\| is a bar that is part of a label; or the JSON of a labels "
              "file. Empty: embeddings only. Labels that cannot be used post "
              "a warning, and the old ones stay in use. Change labels, "
              "templates and negatives in one call of g_object_set() or by "
              "the signal set-labels"},
    {"labels-file", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_FILE),
     .blurb = "Instead of labels: a file with a label a line, or JSON with "
              "prompts, negatives, templates, thresholds and more"},
    {"prompt-template", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_TEMPLATE),
     .init_string = PE_DEFAULT_TEMPLATE,
     .blurb = "Sentences that each label is put into, in place of {}; their "
              "embeddings are averaged. Example: a video of {}.|a photo of "
              "{}. The label as it is: {}. Takes the place of the templates "
              "of a labels file"},
    {"negative-labels", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_NEGATIVES),
     .blurb = "What else may be seen: labels that compete with yours and are "
              "never reported, so that what fits none of yours scores low. "
              "Example: an empty street|a parked car. Empty: those of the "
              "labels file, else a few that fit most pictures; none: no "
              "negatives at all"},
    {"labels-mode", ENUM, PLAYING, OF_LABELS(GST_PE_LABELS_MODE),
     .enum_type = gst_pe_inference_labels_mode_get_type,
     .init = GST_PE_INFERENCE_LABELS_MODE_AUTO,
     .blurb = "Whether labels are compared with each other and share the "
              "scores (exclusive), or with negatives and bank only, so that "
              "several may be true, as rain and night (independent; misses "
              "more at strict thresholds). auto: as the labels file says, "
              "else exclusive"},
    {"bank", STRING, PLAYING, OF_LABELS(GST_PE_LABELS_BANK),
     .blurb = "An experiment: a file with a text a line, such as captions of "
              "everyday pictures, that labels are compared with besides the "
              "negatives. Empty: that of the labels file, else none; off: "
              "none"},

    // ---- Results ----------------------------------------------------------
    {"top-k", UINT, PLAYING, AT(top_k), .max = 10000, .init = 5,
     .blurb = "How many labels a result has at most, best first"},
    {"threshold", DOUBLE, PLAYING, AT(threshold), .max = 1,
     .blurb = "Labels with a lower score are left out of results. Example: "
              "0.5"},
    {"probability-threshold", DOUBLE, PLAYING, AT(probability_threshold),
     .max = 1,
     .blurb = "Labels with a lower probability, their share among the labels "
              "alone, are left out of results"},
    {"similarity-threshold", DOUBLE, PLAYING, AT(similarity_threshold),
     .min = -1, .max = 1, .init = -1,
     .blurb = "Labels with a lower similarity, the cosine of their and the "
              "clip's vectors, are left out of results. -1: none is. What is "
              "high depends on the model: look at some results first"},
    {"attach-embedding", BOOLEAN, PLAYING, AT(attach_embedding), .init = true,
     .blurb = "Whether results carry the embedding of their clip, a unit "
              "vector that can be compared with those of texts and of other "
              "clips"},
    {"attach-boxes", BOOLEAN, PLAYING, AT(attach_boxes),
     .blurb = "Whether frames with labels carry a GstAnalyticsODMtd for them, "
              "of the region or else of the whole picture, so that "
              "objectdetectionoverlay draws them. Needs GStreamer 1.24. A "
              "detector's own box is used where there is one"},
    {"attach-tensor", BOOLEAN, PLAYING, AT(attach_tensor),
     .blurb = "Whether frames carry embeddings also as tensors, "
              "perception-encoder-embedding, [1, dimension] floats: as "
              "GstTensorMeta for the whole picture (needs GStreamer 1.26), and "
              "as GstAnalyticsTensorMtd (1.28)"},
    {"post-messages", BOOLEAN, PLAYING, AT(post_messages), .init = true,
     .blurb = "Whether an element message named peinference is posted for "
              "each result"},

    // ---- Events -----------------------------------------------------------
    {"event-threshold", DOUBLE, PLAYING, AT(events.threshold), .max = 0.999999,
     .blurb = "Score from which on a label is there, which begins an event: a "
              "message named peinference-event, and part of results. 0: no "
              "events. Example: 0.6"},
    {"event-release", DOUBLE, PLAYING, AT(events.release), .max = 0.999999,
     .blurb = "Score down to which it is still there; at most "
              "event-threshold. 0: half of event-threshold"},
    {"event-smoothing", UINT, PLAYING, AT(events.smoothing), .max = 3600000,
     .init = 2000,
     .blurb = "Time constant of the average of scores that decides about "
              "events, in milliseconds. 0: each clip decides alone"},
    {"event-min-duration", UINT, PLAYING, AT(events.min_duration),
     .max = 86400000,
     .blurb = "How long a label must be there before an event begins, in "
              "milliseconds; the event then began when the label came"},
    {"event-merge-gap", UINT, PLAYING, AT(events.merge_gap), .max = 86400000,
     .init = 5000,
     .blurb = "A label that comes back after less than these milliseconds was "
              "not away. An event is told to be over that much later"},
    {"event-cooldown", UINT, PLAYING, AT(events.cooldown), .max = 86400000,
     .blurb = "Milliseconds after an event in which its label begins no other "
              "one. A label that is still there then begins one"},
    {"event-update-interval", UINT, PLAYING, AT(events.update_interval),
     .max = 86400000, .init = 10000,
     .blurb = "How often an event that goes on is told again, in "
              "milliseconds. 0: only its start and its end"},
    {"alarms-per-day", DOUBLE, PLAYING, AT(events.alarms_per_day),
     .max = 100000,
     .blurb = "How many events in a day, of all labels together, are wanted "
              "from this camera. After a day, labels that would have more get "
              "higher thresholds of their own, by what the camera has shown "
              "so far; never lower ones. 0: as many as there are"},
};

// Of a type: its table.
static GQuark
get_quark(void)
{
    return g_quark_from_static_string("GstPePropertyTable");
}

static const GstPePropertyTable *
get_table(GObject *object)
{
    return g_type_get_qdata(G_OBJECT_TYPE(object), get_quark());
}

// ---- Values ---------------------------------------------------------------

// Settings of labels are texts, also where the property is an enumeration.
static const char *
get_nick(const GValue *value)
{
    g_autoptr(GEnumClass) values = g_type_class_ref(G_VALUE_TYPE(value));
    const GEnumValue *found = g_enum_get_value(values, g_value_get_enum(value));

    return found ? found->value_nick : NULL; // static
}

static void
take_text(GValue *value, char *text)
{
    if (!G_VALUE_HOLDS_ENUM(value)) {
        g_value_take_string(value, text);
        return;
    }
    g_autoptr(GEnumClass) values = g_type_class_ref(G_VALUE_TYPE(value));
    const GEnumValue *found = g_enum_get_value_by_nick(values, text);

    if (found)
        g_value_set_enum(value, found->value);
    g_free(text);
}

static void
set_value(const GstPeKept *kept, const GstPeProperty *row, const GValue *value)
{
    if (row->elsewhere) {
        const char *text =
            row->type == ENUM ? get_nick(value) : g_value_get_string(value);
        gst_pe_label_source_set(kept->labels,
                                (GstPeLabelSetting)(row->elsewhere - 1), text);
        return;
    }
    g_mutex_lock(kept->lock);
    gst_pe_property_set(row, kept->keeper, value);
    g_mutex_unlock(kept->lock);
}

// What the engine was made with does not change under it.
static void
warn_of_change(GObject *object, GParamSpec *pspec, const GValue *old)
{
    g_auto(GValue) now = G_VALUE_INIT;

    g_object_get_property(object, pspec->name, &now);
    if (g_param_values_cmp(pspec, old, &now) == 0)
        return;
    g_autofree char *before = gst_value_serialize(old);
    g_autofree char *after = gst_value_serialize(&now);
    GST_ELEMENT_WARNING(object, RESOURCE, SETTINGS,
                        ("%s=%s does not count before the element goes from "
                         "READY to PAUSED again; until then it goes on with %s",
                         pspec->name, after, before),
                        (NULL));
}

void
gst_pe_property_table_set(const GstPePropertyTable *table, GObject *object,
                          guint id, const GValue *value)
{
    GstPeKept kept = table->get_kept(object);
    const GstPeProperty *row = &table->rows[id - 1];
    g_auto(GValue) old = G_VALUE_INIT;

    g_object_get_property(object, row->name, &old);
    set_value(&kept, row, value);
    if ((row->flags & GST_PARAM_MUTABLE_READY) && kept.started)
        warn_of_change(object, table->specs[id], &old);
}

void
gst_pe_property_table_get(const GstPePropertyTable *table, GObject *object,
                          guint id, GValue *value)
{
    GstPeKept kept = table->get_kept(object);
    const GstPeProperty *row = &table->rows[id - 1];

    if (row->elsewhere) {
        GstPeLabelSetting setting = (GstPeLabelSetting)(row->elsewhere - 1);
        take_text(value, gst_pe_label_source_dup(kept.labels, setting));
        return;
    }
    g_mutex_lock(kept.lock);
    gst_pe_property_get(row, kept.keeper, value);
    g_mutex_unlock(kept.lock);
}

void
gst_pe_property_table_init(const GstPePropertyTable *table, GObject *object)
{
    GstPeKept kept = table->get_kept(object);

    for (guint i = 0; i < table->n; i++) {
        if (!table->rows[i].elsewhere)
            gst_pe_property_set(
                &table->rows[i], kept.keeper,
                g_param_spec_get_default_value(table->specs[i + 1]));
    }
}

// ---- Labels ---------------------------------------------------------------

// At the end of a g_object_set(), or of g_object_freeze_notify(): what was set
// meanwhile belongs together.
static void
dispatch_properties_changed(GObject *object, guint n, GParamSpec **changed)
{
    const GstPePropertyTable *table = get_table(object);

    gst_pe_label_source_commit(table->get_kept(object).labels);
    table->parent_class->dispatch_properties_changed(object, n, changed);
}

static gboolean
set_labels(GObject *object, const GstStructure *set)
{
    const GstPePropertyTable *table = get_table(object);

    g_return_val_if_fail(set, FALSE);
    if (!gst_pe_label_source_set_all(table->get_kept(object).labels, set))
        return FALSE;
    g_object_freeze_notify(object);
    for (guint i = 0; i < table->n; i++) {
        if (table->rows[i].elsewhere && table->rows[i].type != STRUCTURE)
            g_object_notify_by_pspec(object, table->specs[i + 1]);
    }
    g_object_thaw_notify(object);
    return TRUE;
}

// ---- Classes --------------------------------------------------------------

static void
make_rows(GstPePropertyTable *table)
{
    guint n_shared = G_N_ELEMENTS(shared_rows);

    table->n = table->n_own + n_shared;
    table->rows = g_new(GstPeProperty, table->n);
    table->specs = g_new0(GParamSpec *, table->n + 1);
    for (guint i = 0; i < table->n_own; i++)
        table->rows[i] = table->own[i];
    for (guint i = 0; i < n_shared; i++) {
        GstPeProperty *row = &table->rows[table->n_own + i];
        *row = shared_rows[i];
        row->offset += table->judge;
    }
    for (guint i = 0; i < table->n; i++)
        table->specs[i + 1] = gst_pe_property_make_spec(&table->rows[i]);
}

void
gst_pe_property_table_install(GstPePropertyTable *table, GObjectClass *klass)
{
    make_rows(table);
    table->parent_class = g_type_class_peek_parent(klass);
    g_type_set_qdata(G_TYPE_FROM_CLASS(klass), get_quark(), table);
    klass->dispatch_properties_changed = dispatch_properties_changed;
    g_object_class_install_properties(klass, table->n + 1, table->specs);
    /**
     * GstPeInference::set-labels:
     * @set: a #GstStructure of any name with the fields `labels`,
     *     `labels-file`, `prompt-template`, `negative-labels`, `labels-mode`,
     *     `bank`, and, where the element has these, `regions` and
     *     `regions-file`, each a string
     *
     * Changes labels and what belongs to them together, as the properties of
     * these names; what @set does not name gets its default, but regions stay
     * as they are when it names neither `regions` nor `regions-file`. The old
     * set stays in use until the new one is embedded.
     *
     * Returns: %FALSE, after a warning on the bus, when the set cannot be used;
     *     then nothing has changed
     */
    g_signal_new_class_handler("set-labels", G_TYPE_FROM_CLASS(klass),
                               G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
                               G_CALLBACK(set_labels), NULL, NULL, NULL,
                               G_TYPE_BOOLEAN, 1, GST_TYPE_STRUCTURE);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_INFERENCE_LABELS_MODE, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_PE_PRECISION, 0);
}
